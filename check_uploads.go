package asteroid

import "cmp"

// CheckUploadsInput is the input of asteroid.CheckUploads
// (https://docs.asteroid.ai/api-reference/files/get-execution-files).
type CheckUploadsInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`
	// Files are the ExecuteAgentInput.TempFiles with which the agent was executed. They may be
	// empty.
	Files []StagedFile `json:"files"`

	decoded *decodedInput
}

// Validate checks the execution id. Its error is asteroid.InvalidInput and names the field.
func (in *CheckUploadsInput) Validate() error {
	return cmp.Or(in.decoded.check(), checkID("executionId", in.ExecutionID))
}

// CheckUploadsResult is the result of asteroid.CheckUploads.
type CheckUploadsResult struct {
	// Missing are the names of the files that the execution does not have. It is empty when the
	// execution has them all.
	Missing []string `json:"missing,omitempty"`
}
