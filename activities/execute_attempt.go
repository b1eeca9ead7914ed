package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

const decisionsMetric = "asteroid_execute_decisions"

// executeProgress is what one attempt tells the next, in heartbeat details. It is recorded at the attempt's end only:
// before the outcome is known there is nothing to tell. The attempt's number matters: details outlive the attempt that left
// them, so an attempt whose worker died would otherwise pass for the one before it.
type executeProgress struct {
	Attempt int32 `json:"attempt"`
	// Doubtful counts requests that started an agent or may have; Since is when the last of them ended.
	UnknownOutcomes int       `json:"unknownOutcomes,omitempty"`
	Since           time.Time `json:"since,omitzero"`
	// Explained says that what earlier workflow runs may have started was found, and is over.
	Explained bool `json:"explained,omitempty"`
	// Unsettled is since when a duplicate resists being cancelled; Cancelled are those that did not.
	Unsettled time.Time           `json:"unsettled,omitzero"`
	Cancelled []string            `json:"cancelled,omitempty"`
	Decided   []asteroid.Decision `json:"decided,omitempty"`
}

// execute is one attempt of asteroid.ExecuteAgent.
type executeAttempt struct {
	*Activities
	c    *client.Client
	in   asteroid.ExecuteAgentInput
	info activity.Info
	executeProgress
}

func (a *Activities) newExecute(ctx context.Context, c *client.Client, in asteroid.ExecuteAgentInput) *executeAttempt {
	e := &executeAttempt{Activities: a, c: c, in: in, info: activity.GetInfo(ctx)}
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &e.executeProgress) != nil {
		e.executeProgress = executeProgress{} // details of another version: as good as none
	}
	if e.Attempt == 0 && in.Internal.UnknownOutcomes > 0 {
		e.UnknownOutcomes, e.Since = in.Internal.UnknownOutcomes, a.now() // when the last of them ended is not told
	}
	if e.Attempt != e.info.Attempt-1 {
		// The attempt before this one left no word: its worker died, perhaps with a request on the wire. (Or somebody
		// reset the activity, which makes it the first attempt again.)
		e.UnknownOutcomes++
		e.Since = a.now()
	}
	e.Attempt = e.info.Attempt
	return e
}

// attempt takes the steps that the comment of ExecuteAgent numbers.
func (e *executeAttempt) attempt(ctx context.Context) (*asteroid.ExecuteAgentResult, error) {
	key := cmp.Or(e.in.IdempotencyKey, e.ownKey())
	if e.UnknownOutcomes > 0 || e.sharedKey() || e.startedLate() || e.in.AdoptOnly {
		found, next, err := e.lookUp(ctx, key)
		if err == nil && next != key {
			e.forgetExplained()
		}
		switch {
		case err != nil:
			return nil, e.lookupFailed(ctx, err, key)
		case len(found) > 0:
			return e.resolveDuplicates(ctx, next, found, "")
		case e.UnknownOutcomes > 0 && e.now().Sub(e.Since) < e.grace:
			return nil, e.keepLookingUp(ctx, next)
		case e.in.AdoptOnly:
			return nil, temporal.NewNonRetryableApplicationError(fmt.Sprintf("no execution of agent %s has the metadata %s=%s", e.in.AgentID, asteroid.MetadataExecutionKey, next),
				asteroid.ErrorTypeNotFound, nil, asteroid.ErrorDetails{Operation: "ExecutionsList", ExecutionKey: next, UnknownOutcomes: e.UnknownOutcomes})
		}
		key = next
	}
	// After the look, which cannot depend on a file: an agent that was started has taken its files along.
	if err := e.checkFresh(); err != nil {
		return nil, err
	}
	accepted, err := e.post(ctx, key)
	if err != nil {
		return nil, err
	}
	posted := client.Candidate{
		ID: accepted.ExecutionID, Status: accepted.Status,
		Origin: client.Origin{
			Namespace: e.info.Namespace, WorkflowID: e.info.WorkflowExecution.ID, RunID: e.info.WorkflowExecution.RunID,
			ActivityID: e.activityID(), Signal: e.signal(),
		},
	}
	e.recordDecision(ctx, asteroid.DecisionPosted, posted.ID)
	if e.UnknownOutcomes == 0 && !e.sharedKey() {
		return &asteroid.ExecuteAgentResult{ExecutionID: posted.ID, Status: posted.Status, ExecutionKey: key, Decisions: e.Decided,
			Events: e.eventsOf(ctx, posted)}, nil
	}
	e.UnknownOutcomes++
	e.Since = e.now()
	found, err := e.candidates(ctx, key)
	if err != nil {
		// The execution is certain, only the look is missing: the sweep at the end makes up for it.
		activity.GetLogger(ctx).Warn("Could not look for duplicates", "executionKey", key, "error", err)
	}
	if !slices.ContainsFunc(found, func(s client.Candidate) bool { return s.ID == posted.ID }) {
		found = append(found, posted) // not listed yet, so surely the youngest
	}
	return e.resolveDuplicates(ctx, key, found, posted.ID)
}

// explain takes back the doubt about an earlier run of the workflow, before a reset, when the look finds that its run of the
// agent has failed: then nothing of it is still to come.
func (e *executeAttempt) forgetExplained() {
	if e.in.Internal.UnknownOutcomes > 0 && e.in.Internal.UnknownSince.IsZero() && !e.Explained {
		e.UnknownOutcomes, e.Explained = max(e.UnknownOutcomes-e.in.Internal.UnknownOutcomes, 0), true
	}
}

// shared reports whether somebody else may have executed with the same key.
func (e *executeAttempt) sharedKey() bool { return e.in.IdempotencyKey != "" && !e.in.Internal.FreshKey }

// late reports whether this first attempt begins so late that it may not be the first: an activity that somebody resets
// begins to count anew, without the word that a worker which died has not left anyway.
func (e *executeAttempt) startedLate() bool {
	return e.info.Attempt == 1 && e.info.StartedTime.Sub(e.info.ScheduledTime) > lateStart
}

const lateStart = 30 * time.Second

// earliest is when the first execution of the intent can have been created; zero where that is not known. The service's
// clock may differ from Temporal's.
func (e *executeAttempt) earliest() time.Time {
	if e.sharedKey() {
		return time.Time{}
	}
	return e.info.ScheduledTime.Add(-time.Hour)
}

// ownKey identifies the activity: all its attempts, and nothing else.
func (e *executeAttempt) ownKey() string {
	if e.info.IsWorkflowActivity() {
		w := e.info.WorkflowExecution
		return strings.Join([]string{e.info.Namespace, w.ID, w.RunID, e.info.ActivityID}, "/")
	}
	return strings.Join([]string{e.info.Namespace, e.info.ActivityID, e.info.ActivityRunID}, "/")
}

// metadata returns the user's, with the identity added.
func (e *executeAttempt) metadata(key string) map[string]string {
	metadata := maps.Clone(e.in.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata[asteroid.MetadataExecutionKey] = key
	metadata[asteroid.MetadataNamespace] = e.info.Namespace
	metadata[asteroid.MetadataActivityID] = e.activityID()
	if e.info.IsWorkflowActivity() {
		metadata[asteroid.MetadataWorkflowID], metadata[asteroid.MetadataRunID] = e.info.WorkflowExecution.ID, e.info.WorkflowExecution.RunID
	}
	if signal := e.signal(); signal != "" {
		metadata[asteroid.MetadataSignal] = signal
	}
	return metadata
}

// activityID is what tells this activity's executions from those of others with the same key.
func (e *executeAttempt) activityID() string {
	return cmp.Or(e.info.WorkflowExecution.RunID, e.info.ActivityRunID) + "/" + e.info.ActivityID
}

// checkFresh refuses files that are past their time: what the service does with them is not published.
func (e *executeAttempt) checkFresh() error {
	for i, file := range e.in.TempFiles {
		if !file.ExpiresAt.IsZero() && !e.now().Before(file.ExpiresAt) {
			field := fmt.Sprintf("tempFiles[%d]", i)
			return temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("%s (%s) expired: stage the files again and execute with the new handles", field, file.Name),
				asteroid.ErrorTypeStagedFileExpired, nil, asteroid.ErrorDetails{Field: field, UnknownOutcomes: e.UnknownOutcomes})
		}
	}
	return nil
}

// post sends the request, once. It is not cut short by a cancellation or by a worker that stops: the answer is worth
// waiting for, since without it the agent may run and nobody knows.
func (e *executeAttempt) post(ctx context.Context, key string) (client.Accepted, error) {
	uncut := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		var done context.CancelFunc
		uncut, done = context.WithDeadline(uncut, deadline)
		defer done()
	}
	started, err := e.c.Execute(uncut, e.in, e.metadata(key))
	if err == nil {
		return started, nil
	}
	var failed *client.Error
	if errors.As(err, &failed) && failed.Outcome() == client.OutcomeUnknown {
		e.UnknownOutcomes++
		e.Since = e.now()
		e.recordDecision(ctx, asteroid.DecisionUnknown, "")
		e.recordProgress(ctx)
		return client.Accepted{}, e.unknownOutcome(failed, key)
	}
	e.recordDecision(ctx, asteroid.DecisionRejected, "")
	e.recordProgress(ctx)
	if failed != nil && e.UnknownOutcomes > 0 {
		failed.UnknownOutcomes, failed.ExecutionKey = e.UnknownOutcomes, key // refusing this request does not undo those before it
	}
	return client.Accepted{}, activityError(ctx, err)
}

// lookFailed ends an attempt that could not look. In doubt that is never final: an agent may be at work.
func (e *executeAttempt) lookupFailed(ctx context.Context, err error, key string) error {
	e.recordProgress(ctx)
	if e.UnknownOutcomes == 0 {
		return activityError(ctx, err)
	}
	var failed *client.Error
	if !errors.As(err, &failed) {
		failed = &client.Error{Operation: client.Operation{Name: "ExecutionsList"}, Message: err.Error()}
	}
	return e.unknownOutcome(failed, key)
}

// lookInterval is the time between two looks within the grace period.
const lookInterval = 5 * time.Second

// goOnLooking ends an attempt that found nothing yet.
func (e *executeAttempt) keepLookingUp(ctx context.Context, key string) error {
	e.recordDecision(ctx, asteroid.DecisionWaited, "")
	e.recordProgress(ctx)
	return e.unknownOutcome(&client.Error{Operation: client.Operation{Name: "ExecutionsList"}, Message: fmt.Sprintf(
		"no execution has shown up so far; it is looked for during another %s", (e.grace - e.now().Sub(e.Since)).Round(time.Second))}, key)
}

// unknownOutcome is the error of an attempt that may have started an agent. It is retried: the next one looks first.
func (e *executeAttempt) unknownOutcome(f *client.Error, key string) error {
	details := f.Details()
	details.ExecutionKey, details.UnknownOutcomes = key, e.UnknownOutcomes
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("whether the agent was started is not known yet: %s (it is looked for by the metadata %s=%s)", f, asteroid.MetadataExecutionKey, key),
		asteroid.ErrorTypeUnavailable, temporal.ApplicationErrorOptions{
			NextRetryDelay: max(f.RetryAfter, min(lookInterval, max(e.grace/4, 10*time.Millisecond))),
			Details:        []any{details},
		})
}

// leaveWord tells the next attempt how this one ended.
func (e *executeAttempt) recordProgress(ctx context.Context) {
	activity.RecordHeartbeat(ctx, e.executeProgress)
}

// maxDecisions bounds the result: hours of waiting for capacity are one kind of decision, not thousands.
const maxDecisions = 20

func (e *executeAttempt) recordDecision(ctx context.Context, decision asteroid.Decision, executionID string) {
	if n := len(e.Decided); n == 0 || e.Decided[n-1] != decision || executionID != "" {
		e.Decided = append(e.Decided, decision)
		if n == maxDecisions {
			e.Decided = slices.Delete(e.Decided, n/2, n/2+1)
		}
	}
	activity.GetMetricsHandler(ctx).WithTags(map[string]string{"decision": string(decision)}).Counter(decisionsMetric).Inc(1)
	activity.GetLogger(ctx).Info("Execute decision", "decision", decision, "agentId", e.in.AgentID, "executionId", executionID)
}
