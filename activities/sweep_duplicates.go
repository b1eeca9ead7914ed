package activities

import (
	"context"
	"strconv"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

// SweepDuplicates cancels every execution of an intent but one: duplicates that showed up after ExecuteAgent had
// looked ([ExecuteAgentResult.MayHaveLateDuplicate]), or, without Keep, whatever an execute of unknown outcome started.
// Reruns that people made are left alone. It looks once, and can be repeated without harm.
//
// Errors: asteroid.InvalidInput; asteroid.Unavailable, retried, when one of them could not be cancelled, whatever the service
// said; and those of the API. What was cancelled before that is in the result of the attempt that succeeds.
func (a *Activities) SweepDuplicates(ctx context.Context, in asteroid.SweepDuplicatesInput) (*asteroid.SweepDuplicatesResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	result := &asteroid.SweepDuplicatesResult{}
	if activity.HasHeartbeatDetails(ctx) {
		_ = activity.GetHeartbeatDetails(ctx, result) // of another version: as if there were none
	}
	var resisting error
	for key, number := in.ExecutionKey, 2; ; number++ {
		found, err := c.Candidates(ctx, in.AgentID, key, time.Time{})
		if err != nil {
			return nil, activityError(ctx, err)
		}
		for _, s := range found {
			if s.ID == in.Keep || s.Status.Terminal() {
				continue
			}
			if err := c.CancelDuplicate(ctx, s.ID); err != nil {
				resisting = err
				continue
			}
			activity.GetLogger(ctx).Info("Duplicate cancelled", "agentId", in.AgentID, "executionId", s.ID, "kept", in.Keep)
			activity.GetMetricsHandler(ctx).WithTags(map[string]string{"decision": string(asteroid.DecisionDuplicateCancelled)}).Counter(decisionsMetric).Inc(1)
			result.Cancelled = append(result.Cancelled, s.ID)
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
			asteroid.ErrorTypeUnavailable, temporal.ApplicationErrorOptions{Details: []any{asteroid.ErrorDetails{ExecutionKey: in.ExecutionKey}}})
	}
	return result, nil
}
