package asteroid

import "cmp"

// StageFilesInput is the input of asteroid.StageFiles
// (https://docs.asteroid.ai/api-reference/files/stage-a-file-for-an-execution).
type StageFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// Files are at least one and at most MaxFiles, those of manifests included.
	Files []FileRef `json:"files"`
	// Internal is for workflows.RunAgent. Leave it empty.
	Internal StageFilesInternal `json:"internal,omitzero"`

	decoded *decodedInput
}

// StageFilesInternal is what workflows.RunAgent says about the run that the files are for. Other
// callers leave it empty.
type StageFilesInternal struct {
	// CheckLimits fails with asteroid.PermitRequired before anything is staged if the worker limits
	// runs with AgentProfileID.
	CheckLimits    bool   `json:"checkLimits,omitempty"`
	AgentProfileID string `json:"agentProfileId,omitempty"`
}

// Validate checks the number of files. Its error is asteroid.InvalidInput and names the field. Only
// the activity checks the references, since each worker opens others.
func (in *StageFilesInput) Validate() error {
	return cmp.Or(in.decoded.check(), checkFiles(in.Files))
}

// StageFilesResult is the result of asteroid.StageFiles.
type StageFilesResult struct {
	// Files are in the order of the input, those of a manifest in its place.
	Files []StagedFile `json:"files"`
	// LifetimeSeconds is the time until the first of the files expires, at least 1. It is a
	// duration because the worker's clock may differ from the workflow's.
	LifetimeSeconds int64 `json:"lifetimeSeconds,omitempty"`
}
