package asteroid

// SaveFilesInput is the input of asteroid.SaveFiles.
type SaveFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	FileSelection
	// Destination is the URI beneath which the files are put: file:///srv/results, beneath one of Options.OutputRoots, or
	// that of a place in one of Options.Stores, such as s3://bucket/results. Required.
	Destination string `json:"destination"`
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *SaveFilesInput) Validate() error {
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	return in.FileSelection.Validate()
}

// SaveFilesResult is the result of asteroid.SaveFiles.
type SaveFilesResult struct {
	// Files are the copies, in the order of their directories and names.
	Files []OutputFile `json:"files"`
}
