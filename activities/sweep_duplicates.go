package activities

import (
	"context"
	"strconv"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

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
		return invalid("executionKey", "is required")
	}
	return nil
}

// SweepDuplicatesResult is the result of asteroid.SweepDuplicates.
type SweepDuplicatesResult struct {
	// Cancelled are the executions that were cancelled.
	Cancelled []string `json:"cancelled,omitempty"`
}

// SweepDuplicates cancels every execution of an intent but one: duplicates that showed up after ExecuteAgent had
// looked ([ExecuteAgentResult.MayHaveLateDuplicate]), or, without Keep, whatever an execute of unknown outcome started.
// Reruns that people made are left alone. It looks once, and can be repeated without harm.
//
// Errors: asteroid.InvalidInput; asteroid.Unavailable, retried, when one of them could not be cancelled, whatever the service
// said; and those of the API. What was cancelled before that is in the result of the attempt that succeeds.
func (a *Activities) SweepDuplicates(ctx context.Context, in SweepDuplicatesInput) (*SweepDuplicatesResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	result := &SweepDuplicatesResult{}
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, result) // of another version: as if there were none
	}
	var resisting error
	for key, number := in.ExecutionKey, 2; ; number++ {
		found, err := c.siblings(ctx, in.AgentID, key, time.Time{})
		if err != nil {
			return nil, ended(ctx, err)
		}
		for _, s := range found {
			if s.id == in.Keep || s.status.Terminal() {
				continue
			}
			if err := c.cancelDuplicate(ctx, s.id); err != nil {
				resisting = err
				continue
			}
			activity.GetLogger(ctx).Info("Duplicate cancelled", "agentId", in.AgentID, "executionId", s.id, "kept", in.Keep)
			activity.GetMetricsHandler(ctx).WithTags(map[string]string{"decision": string(DecisionDuplicateCancelled)}).Counter(decisionsMetric).Inc(1)
			result.Cancelled = append(result.Cancelled, s.id)
			activity.RecordHeartbeat(ctx, result)
		}
		// What is to be left is of one number of the key; where nothing is, the intent may have gone on to the next.
		if in.Keep != "" || len(found) == 0 {
			break
		}
		key = in.ExecutionKey + "#" + strconv.Itoa(number)
	}
	if resisting != nil {
		return nil, temporal.NewApplicationErrorWithOptions("a duplicate could not be cancelled: "+resisting.Error()+" (it is tried again)",
			ErrorTypeUnavailable, temporal.ApplicationErrorOptions{Details: []any{ErrorDetails{ExecutionKey: in.ExecutionKey}}})
	}
	return result, nil
}
