package asteroid

// SweepDuplicatesInput is the input of asteroid.SweepDuplicates.
type SweepDuplicatesInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	AgentID    string `json:"agentId"`
	// ExecutionKey is that of [ExecuteAgentResult].
	ExecutionKey string `json:"executionKey"`
	// Keep is the execution to leave alone; empty for none.
	Keep string `json:"keep,omitempty"`
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *SweepDuplicatesInput) Validate() error {
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
	// Cancelled are the executions that were cancelled.
	Cancelled []string `json:"cancelled,omitempty"`
}
