package activities

import (
	"context"
	"slices"
	"strings"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// SweepDuplicates cancels every execution of an intent except Keep: duplicates that the service
// listed only after ExecuteAgent had looked them up
// ([asteroid.ExecuteAgentResult.MayHaveLateDuplicate]). Without Keep it cancels whatever an execute
// of unknown outcome started. It leaves reruns that people made alone. It lists the executions
// once, and repeating it is harmless.
//
// Activities that share an IdempotencyKey can each have started an execution at the same moment,
// and each of them is swept for. So that all sweeps keep the same one, a sweep keeps the oldest: if
// another activity started an older one than Keep, and it has neither failed nor been cancelled,
// the sweep cancels Keep.
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
		keep := survivorOfSweep(activity.GetInfo(ctx), in, found)
		for _, duplicate := range found {
			if duplicate.ID == keep || duplicate.Terminal {
				continue
			}
			if err := c.CancelDuplicate(ctx, duplicate.ID); err != nil {
				uncancelled = err
				continue
			}
			activity.GetLogger(ctx).Info("Duplicate cancelled", "agentId", in.AgentID, "executionId", duplicate.ID, "kept", keep)
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

// survivorOfSweep returns the id of the execution that a sweep keeps. It is Keep, or an older one
// that another activity may follow. found is sorted by age.
func survivorOfSweep(info activity.Info, in asteroid.SweepDuplicatesInput, found []client.Candidate) string {
	kept := slices.IndexFunc(found, func(candidate client.Candidate) bool { return candidate.ID == in.Keep })
	if kept < 0 {
		return in.Keep
	}
	for _, older := range found[:kept] {
		if !older.Superseded() && followedElsewhere(info, in.ExecutionKey, older, found[kept]) {
			return older.ID
		}
	}
	return in.Keep
}

// followedElsewhere reports whether something else than the workflow run that sweeps may follow an
// execution: another workflow, or another activity of the run that shares its IdempotencyKey.
// Nothing follows an execution of a run that a reset has replaced.
func followedElsewhere(info activity.Info, key string, candidate, kept client.Candidate) bool {
	own := info.WorkflowExecution
	switch {
	case candidate.ActivityID == kept.ActivityID:
		return false
	case candidate.Namespace != info.Namespace || candidate.Origin.WorkflowID != own.ID:
		return true
	default: // a key that does not begin with the workflow was given by the caller
		return candidate.RunID == own.RunID && !strings.HasPrefix(key, info.Namespace+"/"+own.ID+"/")
	}
}
