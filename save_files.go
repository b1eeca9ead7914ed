package asteroid

// SaveFilesInput is the input of asteroid.SaveFiles
// (https://docs.asteroid.ai/api-reference/files/download-execution-file).
type SaveFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`
	FileSelection
	// Destination is the URI below which the files are written, and is required:
	// file:///srv/results, below one of the worker's OutputRoots, or a URI of one of the worker's
	// Stores, such as s3://bucket/results.
	Destination string `json:"destination"`

	decoded *decodedInput
}

// Validate checks the execution id and the selection. Its error is asteroid.InvalidInput and names
// the field. Only the activity checks Destination, since each worker accepts others.
func (in *SaveFilesInput) Validate() error {
	if err := in.decoded.check(); err != nil {
		return err
	}
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	return in.FileSelection.Validate()
}

// SaveFilesResult is the result of asteroid.SaveFiles.
type SaveFilesResult struct {
	// Files are the copies, in the order of their directories and names, at most MaxFiles, or
	// one manifest. They are empty when the selection matches none.
	Files []OutputFile `json:"files"`
}
