package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/intent"
)

// SweepDuplicates cancels every execution of an intent except Keep: duplicates that the service
// listed only after ExecuteAgent had looked them up
// ([asteroid.ExecuteAgentResult.MayHaveLateDuplicate]). Without Keep it cancels whatever an execute
// of unknown outcome started. It leaves reruns that people made alone. It lists the executions
// once, and repeating it is harmless.
//
// Activities that share an IdempotencyKey can each have started an execution at the same moment,
// and each of them is swept for. So that all sweeps keep the same one, a sweep keeps the oldest: if
// something else may follow an older execution than Keep, one that has neither failed nor been
// cancelled, the sweep cancels Keep. If Keep itself has failed or been cancelled, the sweep keeps a
// younger one that something else may follow. The result names what was kept.
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
	if in.Internal.FirstRunID != "" {
		return a.sweepReplacedRuns(ctx, c, in.Internal, result)
	}
	var uncancelled error
	for key, number := in.ExecutionKey, 2; ; number++ {
		found, err := c.Candidates(ctx, in.AgentID, key)
		if err != nil {
			return nil, activityError(ctx, err)
		}
		if in.Keep != "" {
			if found, err = c.WithUnlisted(ctx, found, in.Keep); err != nil {
				return nil, activityError(ctx, err)
			}
			found, result.Kept, result.Conflict = survivorOfSweep(activity.GetInfo(ctx), in, found)
		}
		for _, duplicate := range found {
			if duplicate.ID == result.Kept || duplicate.Terminal {
				continue
			}
			uncancelled = cmp.Or(sweepExecution(ctx, c, duplicate.ID, &result), uncancelled)
		}
		// Duplicates of Keep have its number of the key. Without Keep, any number may be in use.
		if in.Keep != "" || len(found) == 0 {
			break
		}
		key = numbered(in.ExecutionKey, number)
	}
	if uncancelled != nil {
		return nil, unsweptError(uncancelled, in.ExecutionKey)
	}
	return &result, nil
}

// survivorOfSweep returns the executions, Keep among them, and the id of the one that the sweep
// keeps: Keep, or the oldest that something else may follow. conflict names the members in which
// that one was requested otherwise. found is sorted by age.
func survivorOfSweep(info activity.Info, in asteroid.SweepDuplicatesInput, found []client.Candidate) (
	all []client.Candidate, kept string, conflict []string) {
	at := slices.IndexFunc(found, func(candidate client.Candidate) bool { return candidate.ID == in.Keep })
	if at < 0 { // alone, or it exists no more
		own := info.WorkflowExecution
		at, found = len(found), append(found, client.Candidate{
			Summary: client.Summary{ID: in.Keep, Terminal: true}, Origin: client.Origin{Namespace: info.Namespace, WorkflowID: own.ID, RunID: own.RunID},
		})
	}
	anySurvivor := in.Internal.AnySurvivor && found[at].Status == asteroid.StatusCancelled
	for _, candidate := range found {
		switch {
		case candidate.Superseded():
		case candidate.ID == in.Keep:
			return found, in.Keep, nil
		case anySurvivor || followedElsewhere(info, in.ExecutionKey, candidate, found[at]):
			return found, candidate.ID, conflictOf(candidate.Request, found[at].Request)
		}
	}
	return found, in.Keep, nil
}

// conflictOf returns the members in which two requests, by their digests, do not mean the same. One
// that does not tell what was requested means the same as any.
func conflictOf(one, other string) []string {
	a, tells := intent.Parse(one)
	b, tellsToo := intent.Parse(other)
	if !tells || !tellsToo {
		return nil
	}
	meaning, _ := a.Differences(b)
	return meaning
}

// followedElsewhere reports whether something else than the workflow run that sweeps may follow an
// execution: another workflow, or another activity of the run that shares its IdempotencyKey. A run
// that a reset has replaced follows nothing any more.
func followedElsewhere(info activity.Info, key string, candidate, kept client.Candidate) bool {
	own := info.WorkflowExecution
	switch {
	case candidate.Namespace != info.Namespace || candidate.Origin.WorkflowID != own.ID:
		return true
	case candidate.ActivityID == kept.ActivityID:
		return false
	default: // a key that does not begin with the workflow was given by the caller
		return candidate.RunID == own.RunID && !strings.HasPrefix(key, info.Namespace+"/"+own.ID+"/")
	}
}

// sweepExecution cancels an execution and adds it to the result.
func sweepExecution(ctx context.Context, c *client.Client, id string, result *asteroid.SweepDuplicatesResult) error {
	if err := c.CancelDuplicate(ctx, id); err != nil {
		return err
	}
	activity.GetLogger(ctx).Info("Surplus execution cancelled", "executionId", id)
	countDecision(ctx, asteroid.DecisionDuplicateCancelled)
	result.Cancelled = append(result.Cancelled, id)
	activity.RecordHeartbeat(ctx, *result)
	return nil
}

func unsweptError(err error, key string) error {
	return bound.Error(temporal.NewApplicationErrorWithOptions(
		"a duplicate could not be cancelled: "+err.Error()+" (it is tried again)", asteroid.ErrorTypeUnavailable,
		temporal.ApplicationErrorOptions{Details: []any{asteroid.ErrorDetails{ExecutionKey: key}}}))
}

// maxReplacedGrace bounds how long after a reset the end of the workflow waits for what the service
// lists late. Nothing is lost by ending earlier but the money for an agent that nobody waits for.
const maxReplacedGrace = 30 * time.Second

// replacedGrace returns how long after a reset executions of the replaced run may be listed late.
func (a *Activities) replacedGrace() time.Duration { return min(a.lookupGrace, maxReplacedGrace) }

// sweepReplacedRuns cancels what runs of the workflow started before a reset replaced them. Until
// the grace period after the reset is over, it ends with an error, and the next attempt looks
// again: the service may list an execution late.
func (a *Activities) sweepReplacedRuns(
	ctx context.Context, c *client.Client, in asteroid.SweepDuplicatesInternal, result asteroid.SweepDuplicatesResult,
) (*asteroid.SweepDuplicatesResult, error) {
	info := activity.GetInfo(ctx)
	ownKeys := info.Namespace + "/" + info.WorkflowExecution.ID + "/" // how they begin without an IdempotencyKey
	replaced, err := a.executionsOfReplacedRuns(ctx, c, in.FirstRunID, func(found client.Candidate) bool {
		return !slices.Contains(in.Adopted, found.ID) && (!in.Continues || strings.HasPrefix(found.Key, ownKeys))
	})
	for _, id := range replaced {
		err = cmp.Or(sweepExecution(ctx, c, id, &result), err)
	}
	if err != nil {
		return nil, unsweptError(err, "")
	}
	// The attempt's start is by the server's clock, as is ResetAt.
	if left := in.ResetAt.Add(a.replacedGrace()).Sub(info.StartedTime); !in.ResetAt.IsZero() && left > 0 {
		return nil, temporal.NewApplicationErrorWithOptions(
			fmt.Sprintf("the service may list what a replaced run has started for another %s", left.Round(time.Second)),
			asteroid.ErrorTypeUnavailable, temporal.ApplicationErrorOptions{
				Category: temporal.ApplicationErrorCategoryBenign, NextRetryDelay: min(lookupInterval, max(left, 10*time.Millisecond)),
			})
	}
	return &result, nil
}
