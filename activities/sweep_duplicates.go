package activities

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
)

// SweepDuplicates cancels every execution of an intent except Keep: duplicates that the service
// listed only after ExecuteAgent had looked them up
// ([asteroid.ExecuteAgentResult.MayHaveLateDuplicate]). Without Keep it cancels whatever an execute
// of unknown outcome started. It leaves reruns that people made alone. It lists the executions
// once, and repeating it is harmless.
//
// Errors: asteroid.InvalidInput; asteroid.Unavailable, retried, when a duplicate could not be
// cancelled, whatever the service's error was; and those of the API. Executions that a failed
// attempt cancelled are in the result of the attempt that succeeds.
func (a *Activities) SweepDuplicates(ctx context.Context, in asteroid.SweepDuplicatesInput) (*asteroid.SweepDuplicatesResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	result, _ := heartbeatDetails[asteroid.SweepDuplicatesResult](ctx)
	var uncancelled error
	for key, number := in.ExecutionKey, 2; ; number++ {
		found, err := c.Candidates(ctx, in.AgentID, key)
		if err != nil {
			return nil, activityError(ctx, err)
		}
		for _, duplicate := range found {
			if duplicate.ID == in.Keep || duplicate.Terminal {
				continue
			}
			if err := c.CancelDuplicate(ctx, duplicate.ID); err != nil {
				uncancelled = err
				continue
			}
			activity.GetLogger(ctx).Info("Duplicate cancelled", "agentId", in.AgentID, "executionId", duplicate.ID, "kept", in.Keep)
			countDecision(ctx, asteroid.DecisionDuplicateCancelled)
			result.Cancelled = append(result.Cancelled, duplicate.ID)
			activity.RecordHeartbeat(ctx, result)
		}
		// Duplicates of Keep have its number of the key. Without Keep, any number may be in use.
		if in.Keep != "" || len(found) == 0 {
			break
		}
		key = numbered(in.ExecutionKey, number)
	}
	if uncancelled != nil {
		return nil, bound.Error(temporal.NewApplicationErrorWithOptions(
			"a duplicate could not be cancelled: "+uncancelled.Error()+" (it is tried again)", asteroid.ErrorTypeUnavailable,
			temporal.ApplicationErrorOptions{Details: []any{asteroid.ErrorDetails{ExecutionKey: in.ExecutionKey}}}))
	}
	return &result, nil
}
