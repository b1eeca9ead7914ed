package asteroid

// ListFilesInput is the input of asteroid.ListFiles.
type ListFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	FileSelection
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *ListFilesInput) Validate() error {
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	return in.FileSelection.Validate()
}

// ListFilesResult is the result of asteroid.ListFiles.
type ListFilesResult struct {
	// Files are in the order of their directories and names.
	Files []OutputFile `json:"files"`
}
