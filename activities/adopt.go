package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// adopt looks up the executions of the intent and returns the one that the activity adopts. If
// there is none and a request may be sent, it returns the key to send.
func (e *executeAttempt) adopt(ctx context.Context, key string) (result *asteroid.ExecuteAgentResult, next string, err error) {
	found, next, err := e.lookUp(ctx, key)
	if err == nil && next != key {
		e.forgetExplained()
	}
	switch {
	case err != nil:
		return nil, "", e.lookupFailed(ctx, err, key)
	case len(found) > 0:
		result, err := e.resolveDuplicates(ctx, next, found, "")
		return result, "", err
	case e.UnknownOutcomes > 0 && e.now().Sub(e.LastUnknown) < e.lookupGrace:
		return nil, "", e.notFoundYet(ctx, next)
	case e.in.AdoptOnly:
		return nil, "", bound.Error(temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("no execution of agent %s has the metadata %s=%s", e.in.AgentID, asteroid.MetadataExecutionKey, next),
			asteroid.ErrorTypeNotFound, nil,
			asteroid.ErrorDetails{Operation: "ExecutionsList", ExecutionKey: next, UnknownOutcomes: e.UnknownOutcomes}))
	}
	return nil, next, nil
}

// lookUp returns the executions of the intent that can be adopted, the oldest first. Executions
// that failed or were cancelled are superseded, unless this activity started them. The intent then
// continues under the next number of its key, which lookUp returns.
func (e *executeAttempt) lookUp(ctx context.Context, key string) (found []client.Candidate, next string, err error) {
	next = key
	for number := 2; ; number++ {
		all, err := e.c.Candidates(ctx, e.in.AgentID, next, e.earliest())
		if err != nil {
			return nil, "", err
		}
		found = e.notExcluded(all)
		adoptable := func(candidate client.Candidate) bool { return e.isOwn(candidate) || !candidate.Superseded() }
		if len(all) == 0 || slices.ContainsFunc(found, adoptable) {
			return found, next, nil
		}
		next = key + "#" + strconv.Itoa(number)
	}
}

func (e *executeAttempt) notExcluded(all []client.Candidate) []client.Candidate {
	return slices.DeleteFunc(all, func(candidate client.Candidate) bool {
		return slices.Contains(e.in.Internal.ExcludeExecutions, candidate.ID)
	})
}

// forgetExplained subtracts the unknown outcomes of an earlier workflow run, before a reset, once a
// lookup has found that run's failed execution. None of its requests is then outstanding.
func (e *executeAttempt) forgetExplained() {
	inherited := e.in.Internal
	if inherited.UnknownOutcomes > 0 && inherited.UnknownSince.IsZero() && !e.Explained {
		e.UnknownOutcomes, e.Explained = max(e.UnknownOutcomes-inherited.UnknownOutcomes, 0), true
	}
}

// isOwn reports whether this activity started the execution, or an earlier activity that the same
// workflow run scheduled for the same intent.
func (e *executeAttempt) isOwn(candidate client.Candidate) bool {
	since := e.in.Internal.UnknownSince
	return candidate.ActivityID == e.activityID() || !since.IsZero() &&
		candidate.RunID == e.info.WorkflowExecution.RunID && candidate.CreatedAt.After(since.Add(-client.ClockSkew))
}

// resolveDuplicates keeps one of the executions that were found and cancels the others. posted is
// the one that this attempt has just started, if any.
func (e *executeAttempt) resolveDuplicates(ctx context.Context, key string, found []client.Candidate, posted string) (
	*asteroid.ExecuteAgentResult, error) {
	survivor, own := e.chooseSurvivor(found), 0
	for _, candidate := range found {
		if candidate.ActivityID == e.activityID() {
			own++
		}
	}
	errs := e.cancelDuplicates(ctx, found, survivor.ID)
	unresolved := len(errs) > 0
	if unresolved && e.UnresolvedSince.IsZero() {
		e.UnresolvedSince = e.now()
	}
	if unresolved && e.now().Sub(e.UnresolvedSince) < e.lookupGrace {
		e.UnknownOutcomes = max(e.UnknownOutcomes, 1) // makes the next attempt look up and cancel again
		return nil, e.lookupFailed(ctx, errors.Join(errs...), key)
	}
	adopted := survivor.ID != posted
	if adopted {
		e.recordDecision(ctx, asteroid.DecisionAdopted, survivor.ID)
	}
	return &asteroid.ExecuteAgentResult{
		ExecutionID: survivor.ID, Status: survivor.Status, ExecutionKey: key, Adopted: adopted,
		MayHaveLateDuplicate: unresolved || e.UnknownOutcomes > own || posted != "" && e.sharedKey(),
		DuplicatesCancelled:  e.Cancelled, Decisions: e.Decided, Events: e.eventsOf(ctx, survivor),
	}, nil
}

// cancelDuplicates cancels all executions but the survivor, and returns the errors of those that
// could not be cancelled.
func (e *executeAttempt) cancelDuplicates(ctx context.Context, found []client.Candidate, survivor string) (errs []error) {
	for _, duplicate := range found {
		if duplicate.ID == survivor || duplicate.Status.Terminal() {
			continue
		}
		if err := e.c.CancelDuplicate(ctx, duplicate.ID); err != nil {
			errs = append(errs, err)
			activity.GetLogger(ctx).Warn("A duplicate could not be cancelled", "executionId", duplicate.ID, "kept", survivor, "error", err)
			continue
		}
		e.recordDecision(ctx, asteroid.DecisionDuplicateCancelled, duplicate.ID)
		e.Cancelled = append(e.Cancelled, duplicate.ID)
		e.recordProgress(ctx)
	}
	return errs
}

// chooseSurvivor returns the execution to keep: the oldest that is not superseded or is this
// intent's own. If other activities may share the key, an own execution that is superseded comes
// last: they choose among the same executions and must choose the same one.
func (e *executeAttempt) chooseSurvivor(found []client.Candidate) client.Candidate {
	first := slices.IndexFunc(found, func(candidate client.Candidate) bool {
		return !candidate.Superseded() || e.isOwn(candidate) && !e.sharedKey()
	})
	if first < 0 {
		first = max(slices.IndexFunc(found, e.isOwn), 0)
	}
	return found[first]
}
