package asteroid

// ListFilesInput is the input of asteroid.ListFiles
// (https://docs.asteroid.ai/api-reference/files/get-execution-files).
type ListFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`
	FileSelection

	decoded *decodedInput
}

// Validate checks the execution id and the selection. Its error is asteroid.InvalidInput and names
// the field.
func (in *ListFilesInput) Validate() error {
	if err := in.decoded.check(); err != nil {
		return err
	}
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	return in.FileSelection.Validate()
}

// ListFilesResult is the result of asteroid.ListFiles.
type ListFilesResult struct {
	// Files are in the order of their directories and names, at most MaxFiles, or one
	// manifest. They are empty when the selection matches none.
	Files []OutputFile `json:"files"`
}
