package activities

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// look finds the executions of the intent that can be adopted, the oldest first. Those that failed or were cancelled
// are history, unless this activity started them; then the intent goes on under the next number of its key, which is
// returned.
func (e *executeAttempt) lookUp(ctx context.Context, key string) (found []client.Candidate, next string, err error) {
	next = key
	for number := 2; ; number++ {
		all, err := e.c.Candidates(ctx, e.in.AgentID, next, e.earliest())
		if err != nil {
			return nil, "", err
		}
		found = e.notExcluded(all)
		if len(all) == 0 || slices.ContainsFunc(found, func(s client.Candidate) bool { return e.ownStart(s) || !s.Superseded() }) {
			return found, next, nil
		}
		next = key + "#" + strconv.Itoa(number)
	}
}

// siblings are those of one number of the key that this intent has not left behind.
func (e *executeAttempt) candidates(ctx context.Context, key string) ([]client.Candidate, error) {
	all, err := e.c.Candidates(ctx, e.in.AgentID, key, e.earliest())
	return e.notExcluded(all), err
}

func (e *executeAttempt) notExcluded(all []client.Candidate) []client.Candidate {
	return slices.DeleteFunc(all, func(s client.Candidate) bool { return slices.Contains(e.in.Internal.ExcludeExecutions, s.ID) })
}

// started reports whether this activity started a run, or an earlier one of the same start of an agent.
func (e *executeAttempt) ownStart(s client.Candidate) bool {
	return s.ActivityID == e.activityID() ||
		!e.in.Internal.UnknownSince.IsZero() && s.RunID == e.info.WorkflowExecution.RunID && s.CreatedAt.After(e.in.Internal.UnknownSince.Add(-client.ClockSkew))
}

// settle keeps the oldest of the executions that were found and cancels the others. posted is the one that this attempt
// has just started, if any.
func (e *executeAttempt) resolveDuplicates(ctx context.Context, key string, found []client.Candidate, posted string) (*asteroid.ExecuteAgentResult, error) {
	keeper, own := e.chooseSurvivor(found), 0
	result := &asteroid.ExecuteAgentResult{ExecutionID: keeper.ID, Status: keeper.Status, ExecutionKey: key, Adopted: keeper.ID != posted}
	var resisting []error
	for _, s := range found {
		if s.ActivityID == e.activityID() {
			own++
		}
		if s.ID == keeper.ID || s.Status.Terminal() {
			continue
		}
		if err := e.c.CancelDuplicate(ctx, s.ID); err != nil {
			resisting = append(resisting, err)
			activity.GetLogger(ctx).Warn("A duplicate could not be cancelled", "executionId", s.ID, "kept", keeper.ID, "error", err)
			continue
		}
		e.recordDecision(ctx, asteroid.DecisionDuplicateCancelled, s.ID)
		e.Cancelled = append(e.Cancelled, s.ID)
		e.recordProgress(ctx)
	}
	unsettled := len(resisting) > 0
	if unsettled && e.Unsettled.IsZero() {
		e.Unsettled = e.now()
	}
	if unsettled && e.now().Sub(e.Unsettled) < e.grace {
		e.UnknownOutcomes = max(e.UnknownOutcomes, 1) // the next attempt looks, and tries again
		return nil, e.lookupFailed(ctx, errors.Join(resisting...), key)
	}
	if result.Adopted {
		e.recordDecision(ctx, asteroid.DecisionAdopted, keeper.ID)
	}
	result.MayHaveLateDuplicate = unsettled || e.UnknownOutcomes > own || posted != "" && e.sharedKey()
	result.DuplicatesCancelled, result.Decisions = e.Cancelled, e.Decided
	result.Events = e.eventsOf(ctx, keeper)
	return result, nil
}

// keep chooses the execution to go on with: the oldest that is this start's own, whatever has become of it, or that is going
// on or has completed. Where others may share the key, a failed one of one's own counts last: they choose among
// the same executions, and must not choose otherwise.
func (e *executeAttempt) chooseSurvivor(found []client.Candidate) client.Candidate {
	for _, s := range found {
		if !s.Superseded() || e.ownStart(s) && !e.sharedKey() {
			return s
		}
	}
	for _, s := range found {
		if e.ownStart(s) {
			return s
		}
	}
	return found[0]
}
