package asteroid

import "time"

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
	// Keep is the id of the execution that is not cancelled, unless another workflow has an older
	// one. Empty means that every execution of the intent is cancelled.
	Keep string `json:"keep,omitempty"`
	// Internal is for the interceptor of package workflows. Leave it empty.
	Internal SweepDuplicatesInternal `json:"internal,omitzero"`

	decoded *decodedInput
}

// SweepDuplicatesInternal makes the activity sweep something else: executions that a run of the
// workflow started before a reset replaced it.
type SweepDuplicatesInternal struct {
	// FirstRunID is the workflow's. With it, AgentID, ExecutionKey and Keep do not count; without
	// it, the fields below do not, but for AnySurvivor.
	FirstRunID string `json:"firstRunId,omitempty"`
	// ResetAt is [ExecuteAgentResult.ResetAt]. The activity looks until the grace period after it
	// is over, but for 30 seconds at most.
	ResetAt time.Time `json:"resetAt,omitzero"`
	// Adopted are ids of executions that are left alone.
	Adopted []string `json:"adopted,omitempty"`
	// Continues says that the workflow continues as new. Executions with an IdempotencyKey are
	// left alone then, because the next run may adopt them.
	Continues bool `json:"continues,omitempty"`
	// AnySurvivor counts without FirstRunID. It says that if Keep was cancelled, nobody wished
	// that: another workflow with the same IdempotencyKey kept another execution. The activity then
	// keeps the oldest that was neither cancelled nor failed, whoever started it.
	AnySurvivor bool `json:"anySurvivor,omitempty"`
}

// Validate checks that agent id and execution key are given. Its error is asteroid.InvalidInput and
// names the field.
func (in *SweepDuplicatesInput) Validate() error {
	if err := in.decoded.check(); err != nil {
		return err
	}
	if in.Internal.FirstRunID != "" {
		return nil
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
	// Kept is the execution that was kept: Keep, or one of another workflow with the same
	// IdempotencyKey.
	Kept string `json:"kept,omitempty"`
	// Conflict names the members in which Kept was requested otherwise than Keep: the
	// IdempotencyKey was used for two requests.
	Conflict []string `json:"conflict,omitempty"`
}
