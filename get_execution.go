package asteroid

import "cmp"

// GetExecutionInput is the input of asteroid.GetExecution, whose result is an [Execution]
// (https://docs.asteroid.ai/api-reference/execution/get-execution).
type GetExecutionInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`

	decoded *decodedInput
}

// Validate checks the execution id. Its error is asteroid.InvalidInput and names the field.
func (in *GetExecutionInput) Validate() error {
	return cmp.Or(in.decoded.check(), checkID("executionId", in.ExecutionID))
}
