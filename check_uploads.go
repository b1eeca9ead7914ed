package asteroid

// CheckUploadsInput is the input of asteroid.CheckUploads.
type CheckUploadsInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	// Files are those with which the agent was executed.
	Files []StagedFile `json:"files"`
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *CheckUploadsInput) Validate() error {
	return checkID("executionId", in.ExecutionID)
}

// CheckUploadsResult is the result of asteroid.CheckUploads.
type CheckUploadsResult struct {
	// Missing are the names of files that the run does not have.
	Missing []string `json:"missing,omitempty"`
}
