package asteroid

// SweepDuplicatesInput is the input of asteroid.SweepDuplicates
// (https://docs.asteroid.ai/api-reference/execution/list-executions).
type SweepDuplicatesInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// AgentID is required.
	AgentID string `json:"agentId"`
	// ExecutionKey is the ExecutionKey of the [ExecuteAgentResult] or of the [ErrorDetails]. It is
	// required.
	ExecutionKey string `json:"executionKey"`
	// Keep is the id of the execution that is not cancelled. Empty means that every execution of
	// the intent is cancelled.
	Keep string `json:"keep,omitempty"`

	decoded *decodedInput
}

// Validate checks that agent id and execution key are given. Its error is asteroid.InvalidInput and
// names the field.
func (in *SweepDuplicatesInput) Validate() error {
	if err := in.decoded.check(); err != nil {
		return err
	}
	if err := checkID("agentId", in.AgentID); err != nil {
		return err
	}
	if in.ExecutionKey == "" {
		return NewInvalidInput("executionKey", "is required")
	}
	return nil
}

// SweepDuplicatesResult is the result of asteroid.SweepDuplicates.
type SweepDuplicatesResult struct {
	// Cancelled are the ids of the executions that the activity cancelled. It is empty when it
	// found none.
	Cancelled []string `json:"cancelled,omitempty"`
}
