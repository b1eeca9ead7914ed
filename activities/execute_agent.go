package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// ExecuteAgent starts an agent and returns the execution's id at once
// (https://docs.asteroid.ai/api-reference/endpoints/agents/execute-an-agent). The agent works on
// for minutes or hours. Follow it with [Activities.AwaitExecution].
//
// # One agent run per intent
//
// The API has no idempotency key, so this activity makes one, the execution key. Every execution
// carries it as metadata ([asteroid.MetadataExecutionKey]), next to digests of the request and the
// workflow that started it:
//
//  1. By default the key consists of the workflow's namespace, id and original run id, a digest of
//     the request, and a number among equal requests of the workflow. A reset keeps all of these.
//     The digest covers agent, profile, inputs and files, these by reference: see
//     [asteroid.FileRef.Identity]. It does not cover version, options and metadata. If the typed
//     call of package workflows did not schedule the activity, the key consists of namespace,
//     workflow id, run id and activity id; for an activity that no workflow started, of namespace,
//     activity id and the activity's run id. IdempotencyKey replaces the key.
//  2. The first attempt of a fresh key sends its request without a lookup: nothing can exist yet.
//     With an IdempotencyKey it looks up before and after the request, and so does a child of
//     workflows.ExecuteRunAgent whose parent was reset, before it started the child or since. A row
//     of a batch, which shares its key with no other workflow, looks up before only. After a reset
//     of the workflow or of the activity, it looks up first, too.
//  3. One attempt makes one request. If it is rejected (4xx other than 408) or never sent, it
//     created nothing. Without a response, or with 408 or 5xx, its outcome is unknown.
//  4. An attempt after an unknown outcome looks up the key first and adopts what it finds. A worker
//     that died counts as an unknown outcome, and so does a request that a reset may have
//     interrupted. Lookups repeat every few seconds until Options.LookupGrace after the last such
//     request. Only then is the request sent again. The next activity goes on with what is left of
//     the grace period.
//  5. After that request the attempt looks up once more. It keeps the oldest execution, cancels the
//     others and names them in the result. It retries a cancellation that fails for LookupGrace,
//     then leaves the duplicate to [Activities.SweepDuplicates].
//
// An execution with a parentExecutionId is a rerun that a person made; the service copies the
// metadata to it. It is never adopted, counted or cancelled. If only a rerun is found, its original
// is adopted.
//
// # Which executes share a key
//
//	                                     by activity  IdempotencyKey  typed calls, RunAgent
//	another attempt of the activity      same         same            same
//	another activity of RunAgent: staged -            same            same
//	again, waiting for capacity
//	an equal request of the same run     new          same            new
//	activity reset                       same         same            same
//	workflow reset, equal request        new          same            same
//	workflow reset, corrected request    new          refused         new
//	child of a parent that was reset     new          same            new; the same by
//	                                                                  workflows.ExecuteRunAgent
//	workflow retried, continued as new,  new          same            new
//	or run again
//	another workflow, equal request      new          same            new
//	another workflow, other request      new          refused         new
//	standalone activity, run again       new          same            -
//
// Refused means asteroid.InvalidInput, which names the execution and what differs. An execution
// with another version or other options is adopted, and the result names the difference.
//
// Executes that share a key adopt a run that is in progress or has completed. So a reset cannot
// redo an agent that answered wrongly: change the request, or give a new IdempotencyKey. Content
// that changes under one URI is the same request. A run that failed or was cancelled is
// superseded, unless this very activity started it: the next execute of the intent then appends a
// number to the key, first #2.
//
// After a reset, the agents of the replaced runs whose requests were not repeated still work. The
// result names them in Superseded. The workflow of RunAgent cancels them when it ends, and those
// that the service lists until LookupGrace after the reset, for at most 30 seconds.
//
// # Remaining risks
//
// Two agents run for a while if the service carries out a request, or lists its execution, more
// than LookupGrace after the request failed: then a second request has been sent. The younger run
// is cancelled as soon as both are listed, at the latest by the sweep that RunAgent makes
// LookupGrace after the start. A duplicate that is listed after the sweep stays undetected. If this
// is not acceptable, set LookupGrace to hours, or have the agent check whether its work is already
// done.
//
// Two executes with one IdempotencyKey at the same moment, in two workflows, can both find nothing
// and both send. The sweeps then cancel the younger run, and RunAgent goes on with the older one.
// Give the workflows themselves one id, and Temporal lets only one run.
//
// An execution that somebody deletes cannot be found and counts as never started.
//
// # Errors
//
// asteroid.InvalidInput when the input breaks a rule, before anything is sent;
// asteroid.StagedFileExpired when a staged file is too old; asteroid.AtCapacity, retryable, when
// there is no room; asteroid.Unavailable, retryable, while it is unknown whether the agent was
// started, whatever the lookup's error is; asteroid.NotFound with AdoptOnly;
// asteroid.PermitRequired and asteroid.PermitLost, which RunAgent handles; and those of the API.
func (a *Activities) ExecuteAgent(ctx context.Context, in asteroid.ExecuteAgentInput) (*asteroid.ExecuteAgentResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	announceDecisions(ctx)
	attributes := a.searchAttributesOf(ctx, in)
	result, err := newExecuteAttempt(ctx, a, c, in).run(ctx)
	if err != nil {
		return nil, err
	}
	result.SearchAttributes = attributes
	activity.GetLogger(ctx).Info("Agent executed", "agentId", in.AgentID, "executionId", result.ExecutionID,
		"executionKey", result.ExecutionKey, "adopted", result.Adopted)
	return result, nil
}

// run takes the numbered steps of ExecuteAgent's comment.
func (e *executeAttempt) run(ctx context.Context) (*asteroid.ExecuteAgentResult, error) {
	key, number := e.key()
	if e.UnknownOutcomes > 0 || e.usedBefore || e.in.AdoptOnly {
		adopted, next, err := e.adopt(ctx, key, number)
		if adopted != nil && e.in.Internal.CheckLimits && !adopted.Status.Terminal() {
			adopted.PermitRequired = e.checkLimits(e.in.AgentProfileID) != nil
		}
		if adopted != nil || err != nil {
			return adopted, err
		}
		number = next
	}
	// Checked after the lookup: an agent that was started has taken its files.
	if err := e.checkFresh(numbered(key, number)); err != nil {
		return nil, err
	}
	if err := e.checkPermits(); err != nil {
		return nil, err
	}
	return e.start(ctx, numbered(key, number))
}

// start sends the request and returns the execution that it started, or an older one.
func (e *executeAttempt) start(ctx context.Context, key string) (*asteroid.ExecuteAgentResult, error) {
	accepted, err := e.post(ctx, key)
	if err != nil {
		return nil, err
	}
	metadata := e.metadata(key)
	posted := client.Candidate{
		Summary: client.Summary{ID: accepted.ExecutionID, Status: accepted.Status, Metadata: metadata},
		Origin:  client.OriginOf(metadata),
	}
	e.recordDecision(ctx, asteroid.DecisionPosted, posted.ID)
	if e.UnknownOutcomes > 0 || e.sharedKey {
		return e.lookUpAgain(ctx, key, posted)
	}
	return e.result(ctx, key, posted), nil
}

// result returns the result with an execution that the attempt has started or adopted.
func (e *executeAttempt) result(ctx context.Context, key string, execution client.Candidate) *asteroid.ExecuteAgentResult {
	intentKey := numberPattern.ReplaceAllString(key, "")
	return &asteroid.ExecuteAgentResult{
		ExecutionID: execution.ID, Status: execution.Status, ExecutionKey: key, Decisions: e.Decided,
		Events: e.eventsOf(ctx, execution), Superseded: e.supersededExecutions(ctx, intentKey, execution.ID),
		ResetAt: e.resetTime(ctx),
	}
}

// checkFresh rejects staged files past their expiry. The API does not say how an execute with an
// expired file behaves.
func (e *executeAttempt) checkFresh(key string) error {
	for i, file := range e.in.TempFiles {
		if !file.ExpiresAt.IsZero() && !e.now().Before(file.ExpiresAt) {
			field := fmt.Sprintf("tempFiles[%d]", i)
			if e.UnknownOutcomes == 0 {
				key = ""
			}
			return bound.Error(temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("%s (%s) expired: stage the files again and execute with the new handles", field, file.Name),
				asteroid.ErrorTypeStagedFileExpired, nil, asteroid.ErrorDetails{
					Field: field, ExecutionKey: key, UnknownOutcomes: e.UnknownOutcomes, LastUnknown: e.LastUnknown,
				}))
		}
	}
	return nil
}

// post sends the request once. Neither a cancellation nor a stopping worker interrupts it: without
// the response it would be unknown whether an agent runs.
func (e *executeAttempt) post(ctx context.Context, key string) (client.Accepted, error) {
	requestCtx := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		requestCtx, cancel = context.WithDeadline(requestCtx, deadline)
		defer cancel()
	}
	accepted, err := e.c.Execute(requestCtx, e.in, e.metadata(key))
	if err == nil {
		return accepted, nil
	}
	failed, ok := errors.AsType[*client.Error](err)
	if ok && failed.Outcome() == client.OutcomeUnknown {
		e.recordUnknown()
		e.recordDecision(ctx, asteroid.DecisionUnknown, "")
		e.recordProgress(ctx)
		return client.Accepted{}, e.unknownOutcome(failed, key)
	}
	e.recordDecision(ctx, asteroid.DecisionRejected, "")
	e.recordProgress(ctx)
	if ok && e.UnknownOutcomes > 0 {
		// A rejection says nothing of earlier requests.
		failed.UnknownOutcomes, failed.LastUnknown, failed.ExecutionKey = e.UnknownOutcomes, e.LastUnknown, key
	}
	return client.Accepted{}, activityError(ctx, err)
}

// lookUpAgain looks for duplicates of the execution that this attempt has posted. If the lookup
// fails, it returns that execution and leaves duplicates to the sweep.
func (e *executeAttempt) lookUpAgain(ctx context.Context, key string, posted client.Candidate) (*asteroid.ExecuteAgentResult, error) {
	e.recordUnknown()
	found, err := e.candidates(ctx, key)
	if err != nil {
		activity.GetLogger(ctx).Warn("Duplicates could not be looked up", "executionKey", key, "error", err)
	}
	if !slices.ContainsFunc(found, func(candidate client.Candidate) bool { return candidate.ID == posted.ID }) {
		found = append(found, posted) // not listed yet, so it is the youngest
	}
	if found, err = e.sameRequest(ctx, key, found); err != nil {
		return nil, err
	}
	return e.resolveDuplicates(ctx, key, found, posted.ID)
}
