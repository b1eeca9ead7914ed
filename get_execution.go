package asteroid

// GetExecutionInput is the input of asteroid.GetExecution.
type GetExecutionInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *GetExecutionInput) Validate() error {
	return checkID("executionId", in.ExecutionID)
}
