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
)

const decisionsMetric = "asteroid_execute_decisions"

// executeProgress is what one attempt tells the next, in heartbeat details. It is recorded at the attempt's end only:
// before the outcome is known there is nothing to tell. The attempt's number matters: details outlive the attempt that left
// them, so an attempt whose worker died would otherwise pass for the one before it.
type executeProgress struct {
	Attempt int32 `json:"attempt"`
	// Doubtful counts requests that started an agent or may have; Since is when the last of them ended.
	Doubtful int       `json:"doubtful,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	// Explained says that what earlier workflow runs may have started was found, and is over.
	Explained bool `json:"explained,omitempty"`
	// Unsettled is since when a duplicate resists being cancelled; Cancelled are those that did not.
	Unsettled time.Time  `json:"unsettled,omitzero"`
	Cancelled []string   `json:"cancelled,omitempty"`
	Decided   []Decision `json:"decided,omitempty"`
}

// execute is one attempt of asteroid.ExecuteAgent.
type execute struct {
	*Activities
	c    *connection
	in   ExecuteAgentInput
	info activity.Info
	executeProgress
}

func (a *Activities) newExecute(ctx context.Context, c *connection, in ExecuteAgentInput) *execute {
	e := &execute{Activities: a, c: c, in: in, info: activity.GetInfo(ctx)}
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &e.executeProgress) != nil {
		e.executeProgress = executeProgress{} // details of another version: as good as none
	}
	if e.Attempt == 0 && in.Doubtful > 0 {
		e.Doubtful, e.Since = in.Doubtful, a.now() // when the last of them ended is not told
	}
	if e.Attempt != e.info.Attempt-1 {
		// The attempt before this one left no word: its worker died, perhaps with a request on the wire. (Or somebody
		// reset the activity, which makes it the first attempt again.)
		e.Doubtful++
		e.Since = a.now()
	}
	e.Attempt = e.info.Attempt
	return e
}

// attempt takes the steps that the comment of ExecuteAgent numbers.
func (e *execute) attempt(ctx context.Context) (*ExecuteAgentResult, error) {
	key := cmp.Or(e.in.IdempotencyKey, e.ownKey())
	if e.Doubtful > 0 || e.shared() || e.late() || e.in.AdoptOnly {
		found, next, err := e.look(ctx, key)
		if err == nil && next != key {
			e.explain()
		}
		switch {
		case err != nil:
			return nil, e.lookFailed(ctx, err, key)
		case len(found) > 0:
			return e.settle(ctx, next, found, "")
		case e.Doubtful > 0 && e.now().Sub(e.Since) < e.grace:
			return nil, e.goOnLooking(ctx, next)
		case e.in.AdoptOnly:
			return nil, temporal.NewNonRetryableApplicationError(fmt.Sprintf("no execution of agent %s has the metadata %s=%s", e.in.AgentID, MetadataExecutionKey, next),
				ErrorTypeNotFound, nil, ErrorDetails{Operation: "ExecutionsList", ExecutionKey: next, Doubtful: e.Doubtful})
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
	posted := sibling{
		id: accepted.ExecutionID, status: accepted.Status,
		starter: starter{
			namespace: e.info.Namespace, workflowID: e.info.WorkflowExecution.ID, runID: e.info.WorkflowExecution.RunID,
			activity: e.activityID(), signal: e.signal(),
		},
	}
	e.decide(ctx, DecisionPosted, posted.id)
	if e.Doubtful == 0 && !e.shared() {
		return &ExecuteAgentResult{ExecutionID: posted.id, Status: posted.status, ExecutionKey: key, Decisions: e.Decided,
			Events: e.eventsOf(ctx, posted)}, nil
	}
	e.Doubtful++
	e.Since = e.now()
	found, err := e.siblings(ctx, key)
	if err != nil {
		// The execution is certain, only the look is missing: the sweep at the end makes up for it.
		activity.GetLogger(ctx).Warn("Could not look for duplicates", "executionKey", key, "error", err)
	}
	if !slices.ContainsFunc(found, func(s sibling) bool { return s.id == posted.id }) {
		found = append(found, posted) // not listed yet, so surely the youngest
	}
	return e.settle(ctx, key, found, posted.id)
}

// explain takes back the doubt about an earlier run of the workflow, before a reset, when the look finds that its run of the
// agent has failed: then nothing of it is still to come.
func (e *execute) explain() {
	if e.in.Doubtful > 0 && e.in.DoubtfulSince.IsZero() && !e.Explained {
		e.Doubtful, e.Explained = max(e.Doubtful-e.in.Doubtful, 0), true
	}
}

// shared reports whether somebody else may have executed with the same key.
func (e *execute) shared() bool { return e.in.IdempotencyKey != "" && !e.in.FreshKey }

// late reports whether this first attempt begins so late that it may not be the first: an activity that somebody resets
// begins to count anew, without the word that a worker which died has not left anyway.
func (e *execute) late() bool {
	return e.info.Attempt == 1 && e.info.StartedTime.Sub(e.info.ScheduledTime) > lateStart
}

const lateStart = 30 * time.Second

// earliest is when the first execution of the intent can have been created; zero where that is not known. The service's
// clock may differ from Temporal's.
func (e *execute) earliest() time.Time {
	if e.shared() {
		return time.Time{}
	}
	return e.info.ScheduledTime.Add(-time.Hour)
}

// ownKey identifies the activity: all its attempts, and nothing else.
func (e *execute) ownKey() string {
	if e.info.IsWorkflowActivity() {
		w := e.info.WorkflowExecution
		return strings.Join([]string{e.info.Namespace, w.ID, w.RunID, e.info.ActivityID}, "/")
	}
	return strings.Join([]string{e.info.Namespace, e.info.ActivityID, e.info.ActivityRunID}, "/")
}

// metadata returns the user's, with the identity added.
func (e *execute) metadata(key string) map[string]string {
	metadata := maps.Clone(e.in.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata[MetadataExecutionKey] = key
	metadata[MetadataNamespace] = e.info.Namespace
	metadata[MetadataActivityID] = e.activityID()
	if e.info.IsWorkflowActivity() {
		metadata[MetadataWorkflowID], metadata[MetadataRunID] = e.info.WorkflowExecution.ID, e.info.WorkflowExecution.RunID
	}
	if signal := e.signal(); signal != "" {
		metadata[MetadataSignal] = signal
	}
	return metadata
}

// activityID is what tells this activity's executions from those of others with the same key.
func (e *execute) activityID() string {
	return cmp.Or(e.info.WorkflowExecution.RunID, e.info.ActivityRunID) + "/" + e.info.ActivityID
}

// checkFresh refuses files that are past their time: what the service does with them is not published.
func (e *execute) checkFresh() error {
	for i, file := range e.in.TempFiles {
		if !file.ExpiresAt.IsZero() && !e.now().Before(file.ExpiresAt) {
			field := fmt.Sprintf("tempFiles[%d]", i)
			return temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("%s (%s) expired: stage the files again and execute with the new handles", field, file.Name),
				ErrorTypeStagedFileExpired, nil, ErrorDetails{Field: field, Doubtful: e.Doubtful})
		}
	}
	return nil
}

// post sends the request, once. It is not cut short by a cancellation or by a worker that stops: the answer is worth
// waiting for, since without it the agent may run and nobody knows.
func (e *execute) post(ctx context.Context, key string) (accepted, error) {
	uncut := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		var done context.CancelFunc
		uncut, done = context.WithDeadline(uncut, deadline)
		defer done()
	}
	started, err := e.c.execute(uncut, e.in, e.metadata(key))
	if err == nil {
		return started, nil
	}
	var failed *failure
	if errors.As(err, &failed) && failed.outcome() == outcomeAmbiguous {
		e.Doubtful++
		e.Since = e.now()
		e.decide(ctx, DecisionUnknown, "")
		e.leaveWord(ctx)
		return accepted{}, e.unknownOutcome(failed, key)
	}
	e.decide(ctx, DecisionRejected, "")
	e.leaveWord(ctx)
	if failed != nil && e.Doubtful > 0 {
		failed.doubtful, failed.executionKey = e.Doubtful, key // refusing this request does not undo those before it
	}
	return accepted{}, ended(ctx, err)
}

// lookFailed ends an attempt that could not look. In doubt that is never final: an agent may be at work.
func (e *execute) lookFailed(ctx context.Context, err error, key string) error {
	e.leaveWord(ctx)
	if e.Doubtful == 0 {
		return ended(ctx, err)
	}
	var failed *failure
	if !errors.As(err, &failed) {
		failed = &failure{call: call{operation: "ExecutionsList"}, message: err.Error()}
	}
	return e.unknownOutcome(failed, key)
}

// lookInterval is the time between two looks within the grace period.
const lookInterval = 5 * time.Second

// goOnLooking ends an attempt that found nothing yet.
func (e *execute) goOnLooking(ctx context.Context, key string) error {
	e.decide(ctx, DecisionWaited, "")
	e.leaveWord(ctx)
	return e.unknownOutcome(&failure{call: call{operation: "ExecutionsList"}, message: fmt.Sprintf(
		"no execution has shown up so far; it is looked for during another %s", (e.grace - e.now().Sub(e.Since)).Round(time.Second))}, key)
}

// unknownOutcome is the error of an attempt that may have started an agent. It is retried: the next one looks first.
func (e *execute) unknownOutcome(f *failure, key string) error {
	details := f.details()
	details.ExecutionKey, details.Doubtful = key, e.Doubtful
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("whether the agent was started is not known yet: %s (it is looked for by the metadata %s=%s)", f, MetadataExecutionKey, key),
		ErrorTypeUnavailable, temporal.ApplicationErrorOptions{
			NextRetryDelay: max(f.retryAfter, min(lookInterval, max(e.grace/4, 10*time.Millisecond))),
			Details:        []any{details},
		})
}

// leaveWord tells the next attempt how this one ended.
func (e *execute) leaveWord(ctx context.Context) { activity.RecordHeartbeat(ctx, e.executeProgress) }

// maxDecisions bounds the result: hours of waiting for capacity are one kind of decision, not thousands.
const maxDecisions = 20

func (e *execute) decide(ctx context.Context, decision Decision, executionID string) {
	if n := len(e.Decided); n == 0 || e.Decided[n-1] != decision || executionID != "" {
		e.Decided = append(e.Decided, decision)
		if n == maxDecisions {
			e.Decided = slices.Delete(e.Decided, n/2, n/2+1)
		}
	}
	activity.GetMetricsHandler(ctx).WithTags(map[string]string{"decision": string(decision)}).Counter(decisionsMetric).Inc(1)
	activity.GetLogger(ctx).Info("Execute decision", "decision", decision, "agentId", e.in.AgentID, "executionId", executionID)
}
