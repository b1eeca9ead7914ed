package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/intent"
)

// adopt looks up the executions of the intent, from the one with this number on, and returns the
// one that the activity adopts. If there is none and a request may be sent, it returns the number
// to send.
func (e *executeAttempt) adopt(ctx context.Context, key string, number int) (result *asteroid.ExecuteAgentResult, next int, err error) {
	found, next, err := e.lookUp(ctx, key, number)
	switch {
	case err != nil:
		return nil, 0, e.lookupFailed(ctx, err, numbered(key, next))
	case len(found) > 0:
		result, err := e.resolveDuplicates(ctx, numbered(key, next), found, "")
		return result, 0, err
	case e.graceLeft() > 0:
		return nil, 0, e.notFoundYet(ctx, numbered(key, next))
	case e.in.AdoptOnly:
		return nil, 0, bound.Error(temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("no execution of agent %s has the metadata %s=%s", e.in.AgentID, asteroid.MetadataExecutionKey, numbered(key, next)),
			asteroid.ErrorTypeNotFound, nil, asteroid.ErrorDetails{
				Operation: "ExecutionsList", ExecutionKey: numbered(key, next), UnknownOutcomes: e.UnknownOutcomes, LastUnknown: e.LastUnknown,
			}))
	}
	if e.suspected {
		e.UnknownOutcomes = 0 // what a reset may have interrupted would have been listed long ago
	}
	return nil, next, nil
}

// lookUp returns the executions of the intent that can be adopted, the oldest first, and their
// number. If there are none it returns the number to send. Executions that failed or were cancelled
// are superseded, unless this activity started them. The intent then continues under the next
// number. A key that often failed has many, so lookUp doubles its steps, then halves them.
func (e *executeAttempt) lookUp(ctx context.Context, key string, number int) (found []client.Candidate, next int, err error) {
	superseded := number - 1 // the highest number of which this is known
	for step := 1; ; step *= 2 {
		var over bool
		if found, over, err = e.lookUpNumber(ctx, key, number); err != nil {
			return nil, number, err
		}
		if !over {
			break
		}
		superseded, number = number, number+step
	}
	for number-superseded > 1 {
		middle := (superseded + number) / 2
		earlier, over, err := e.lookUpNumber(ctx, key, middle)
		if err != nil {
			return nil, middle, err
		}
		if over {
			superseded = middle
		} else {
			found, number = earlier, middle
		}
	}
	return found, number, nil
}

// lookUpNumber returns the executions of one number, and whether the intent continues under a later
// one. An execution that was requested for something else is an error.
func (e *executeAttempt) lookUpNumber(ctx context.Context, key string, number int) (found []client.Candidate, over bool, err error) {
	all, err := e.candidates(ctx, numbered(key, number))
	if err == nil {
		all, err = e.sameRequest(ctx, numbered(key, number), all)
	}
	if err != nil {
		return nil, false, err
	}
	found = slices.DeleteFunc(slices.Clone(all), func(candidate client.Candidate) bool {
		return slices.Contains(e.in.Internal.ExcludeExecutions, candidate.ID)
	})
	adoptable := func(candidate client.Candidate) bool { return e.isOwn(candidate) || !candidate.Superseded() }
	return found, len(all) > 0 && !slices.ContainsFunc(found, adoptable), nil
}

// candidates returns the executions with a numbered key. With an IdempotencyKey they may be of
// another agent, if they tell what was requested.
func (e *executeAttempt) candidates(ctx context.Context, key string) ([]client.Candidate, error) {
	if e.in.IdempotencyKey == "" {
		return e.c.Candidates(ctx, e.in.AgentID, key)
	}
	all, err := e.c.Candidates(ctx, "", key)
	return slices.DeleteFunc(all, func(candidate client.Candidate) bool {
		_, tells := intent.Parse(candidate.Request)
		return !tells && !candidate.IsOf(e.in.AgentID)
	}), err
}

// sameRequest returns those executions that were requested for the same, the oldest first. If the
// oldest of all was requested for something else, that one has the key: sameRequest cancels those
// of this request, and returns an asteroid.InvalidInput that says what differs. While a request of
// unknown outcome may still start one, the error is retryable. An execution of an earlier version
// does not tell what was requested.
func (e *executeAttempt) sameRequest(ctx context.Context, key string, all []client.Candidate) ([]client.Candidate, error) {
	differences := func(candidate client.Candidate) []string {
		requested, tells := intent.Parse(candidate.Request)
		if !tells || e.in.IdempotencyKey == "" {
			return nil // the default key is made of the request
		}
		meaning, _ := requested.Differences(e.digest)
		return meaning
	}
	same := slices.DeleteFunc(slices.Clone(all), func(candidate client.Candidate) bool { return differences(candidate) != nil })
	if len(all) == 0 || differences(all[0]) == nil {
		return same, nil
	}
	if errs := e.cancelDuplicates(ctx, same, ""); len(errs) > 0 {
		e.UnknownOutcomes = max(e.UnknownOutcomes, 1) // makes the next attempt cancel again
		return nil, e.lookupFailed(ctx, errors.Join(errs...), key)
	}
	own := slices.DeleteFunc(same, func(candidate client.Candidate) bool { return !e.isOwn(candidate) })
	unknown := max(e.UnknownOutcomes-len(own), 0)
	if unknown > 0 && e.graceLeft() > 0 {
		return nil, e.notFoundYet(ctx, key)
	}
	return nil, temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("idempotencyKey: was used for execution %s with a different request (%s): give a new request a new key",
			all[0].ID, strings.Join(differences(all[0]), ", ")),
		asteroid.ErrorTypeInvalidInput, nil, asteroid.ErrorDetails{
			Field: "idempotencyKey", ExecutionID: all[0].ID, ExecutionKey: key, UnknownOutcomes: unknown, LastUnknown: e.LastUnknown,
		})
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
		e.UnresolvedSince = e.clock()
	}
	if unresolved && e.clock().Sub(e.UnresolvedSince) < e.lookupGrace {
		e.UnknownOutcomes = max(e.UnknownOutcomes, 1) // makes the next attempt look up and cancel again
		return nil, e.lookupFailed(ctx, errors.Join(errs...), key)
	}
	result := e.result(ctx, key, survivor)
	if result.Adopted = survivor.ID != posted; result.Adopted {
		e.recordDecision(ctx, asteroid.DecisionAdopted, survivor.ID)
		if requested, tells := intent.Parse(survivor.Request); tells {
			_, result.Differences = requested.Differences(e.digest)
		}
	}
	result.Decisions, result.DuplicatesCancelled = e.Decided, e.Cancelled
	if unresolved || e.UnknownOutcomes > own || own > 0 && e.sharedKey { // somebody else may have sent at the same moment
		result.MayHaveLateDuplicate, result.SweepAfterSeconds = true, int64(max(e.lookupGrace.Seconds(), 1))
	}
	return result, nil
}

// cancelDuplicates cancels all executions but the survivor, and returns the errors of those that
// could not be cancelled.
func (e *executeAttempt) cancelDuplicates(ctx context.Context, found []client.Candidate, survivor string) (errs []error) {
	for _, duplicate := range found {
		if duplicate.ID == survivor || duplicate.Terminal {
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
		return !candidate.Superseded() || e.isOwn(candidate) && !e.sharedKey
	})
	if first < 0 {
		first = max(slices.IndexFunc(found, e.isOwn), 0)
	}
	return found[first]
}
