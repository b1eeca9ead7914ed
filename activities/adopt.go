package activities

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"go.temporal.io/sdk/activity"
)

// look finds the executions of the intent that can be adopted, the oldest first. Those that failed or were cancelled
// are history, unless this activity started them; then the intent goes on under the next number of its key, which is
// returned.
func (e *execute) look(ctx context.Context, key string) (found []sibling, next string, err error) {
	next = key
	for number := 2; ; number++ {
		all, err := e.c.siblings(ctx, e.in.AgentID, next, e.earliest())
		if err != nil {
			return nil, "", err
		}
		found = e.notExcluded(all)
		if len(all) == 0 || slices.ContainsFunc(found, func(s sibling) bool { return e.started(s) || !s.history() }) {
			return found, next, nil
		}
		next = key + "#" + strconv.Itoa(number)
	}
}

// siblings are those of one number of the key that this intent has not left behind.
func (e *execute) siblings(ctx context.Context, key string) ([]sibling, error) {
	all, err := e.c.siblings(ctx, e.in.AgentID, key, e.earliest())
	return e.notExcluded(all), err
}

func (e *execute) notExcluded(all []sibling) []sibling {
	return slices.DeleteFunc(all, func(s sibling) bool { return slices.Contains(e.in.ExcludeExecutions, s.id) })
}

// started reports whether this activity started a run, or an earlier one of the same start of an agent.
func (e *execute) started(s sibling) bool {
	return s.activity == e.activityID() ||
		!e.in.DoubtfulSince.IsZero() && s.runID == e.info.WorkflowExecution.RunID && s.created.After(e.in.DoubtfulSince.Add(-clockSkew))
}

// settle keeps the oldest of the executions that were found and cancels the others. posted is the one that this attempt
// has just started, if any.
func (e *execute) settle(ctx context.Context, key string, found []sibling, posted string) (*ExecuteAgentResult, error) {
	keeper, own := e.keep(found), 0
	result := &ExecuteAgentResult{ExecutionID: keeper.id, Status: keeper.status, ExecutionKey: key, Adopted: keeper.id != posted}
	var resisting []error
	for _, s := range found {
		if s.activity == e.activityID() {
			own++
		}
		if s.id == keeper.id || s.status.Terminal() {
			continue
		}
		if err := e.c.cancelDuplicate(ctx, s.id); err != nil {
			resisting = append(resisting, err)
			activity.GetLogger(ctx).Warn("A duplicate could not be cancelled", "executionId", s.id, "kept", keeper.id, "error", err)
			continue
		}
		e.decide(ctx, DecisionDuplicateCancelled, s.id)
		e.Cancelled = append(e.Cancelled, s.id)
		e.leaveWord(ctx)
	}
	unsettled := len(resisting) > 0
	if unsettled && e.Unsettled.IsZero() {
		e.Unsettled = e.now()
	}
	if unsettled && e.now().Sub(e.Unsettled) < e.grace {
		e.Doubtful = max(e.Doubtful, 1) // the next attempt looks, and tries again
		return nil, e.lookFailed(ctx, errors.Join(resisting...), key)
	}
	if result.Adopted {
		e.decide(ctx, DecisionAdopted, keeper.id)
	}
	result.MayHaveLateDuplicate = unsettled || e.Doubtful > own || posted != "" && e.shared()
	result.DuplicatesCancelled, result.Decisions = e.Cancelled, e.Decided
	result.Events = e.eventsOf(ctx, keeper)
	return result, nil
}

// keep chooses the execution to go on with: the oldest that is this start's own, whatever has become of it, or that is going
// on or has completed. Where others may share the key, a failed one of one's own counts last: they choose among
// the same executions, and must not choose otherwise.
func (e *execute) keep(found []sibling) sibling {
	for _, s := range found {
		if !s.history() || e.started(s) && !e.shared() {
			return s
		}
	}
	for _, s := range found {
		if e.started(s) {
			return s
		}
	}
	return found[0]
}
