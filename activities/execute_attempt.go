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
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// executeProgress is the state that one attempt passes to the next, in heartbeat details. It is
// recorded at the attempt's end, when the outcome is known. It holds the attempt's number because
// details outlive their attempt: after a worker has died, they are those of an earlier one.
type executeProgress struct {
	Attempt int32 `json:"attempt"`
	// UnknownOutcomes counts requests that started an agent or may have; LastUnknown is when the
	// last of them ended.
	UnknownOutcomes int       `json:"unknownOutcomes,omitempty"`
	LastUnknown     time.Time `json:"since,omitzero"`
	// Explained is true once a failed execution accounts for what earlier workflow runs requested.
	Explained bool `json:"explained,omitempty"`
	// UnresolvedSince is when the cancellation of a duplicate first failed.
	UnresolvedSince time.Time           `json:"unsettled,omitzero"`
	Cancelled       []string            `json:"cancelled,omitempty"`
	Decided         []asteroid.Decision `json:"decided,omitempty"`
}

// executeAttempt is one attempt of asteroid.ExecuteAgent.
type executeAttempt struct {
	*Activities
	c    *client.Client
	in   asteroid.ExecuteAgentInput
	info activity.Info
	executeProgress
}

// newExecuteAttempt restores the progress of the attempts before this one. If the last of them
// recorded none, its outcome is unknown. The input holds no times for inherited unknown outcomes,
// so these count as ended now.
func newExecuteAttempt(ctx context.Context, a *Activities, c *client.Client, in asteroid.ExecuteAgentInput) *executeAttempt {
	e := &executeAttempt{Activities: a, c: c, in: in, info: activity.GetInfo(ctx)}
	e.executeProgress, _ = heartbeatDetails[executeProgress](ctx)
	if e.Attempt == 0 && in.Internal.UnknownOutcomes > 0 {
		e.UnknownOutcomes, e.LastUnknown = in.Internal.UnknownOutcomes, a.now()
	}
	if e.Attempt != e.info.Attempt-1 {
		// The worker of the attempt before this one died, perhaps after it had sent a request. Or
		// somebody reset the activity, which starts again at attempt 1.
		e.recordUnknown()
	}
	e.Attempt = e.info.Attempt
	return e
}

// sharedKey reports whether another activity may have executed with the same key.
func (e *executeAttempt) sharedKey() bool {
	return e.in.IdempotencyKey != "" && !e.in.Internal.FreshKey
}

// startedLate reports whether this attempt may be the first only because somebody reset the
// activity: attempts then start again at 1, and a worker that died has left no heartbeat details.
func (e *executeAttempt) startedLate() bool {
	return e.info.Attempt == 1 && e.info.StartedTime.Sub(e.info.ScheduledTime) > 30*time.Second
}

// earliest returns a time before which no execution of the intent was created, or zero if there is
// no such bound. It allows for an offset between the service's clock and Temporal's.
func (e *executeAttempt) earliest() time.Time {
	if e.sharedKey() {
		return time.Time{}
	}
	return e.info.ScheduledTime.Add(-time.Hour)
}

// ownKey returns the default execution key. It identifies the activity in all its attempts.
func (e *executeAttempt) ownKey() string {
	if e.info.IsWorkflowActivity() {
		w := e.info.WorkflowExecution
		return strings.Join([]string{e.info.Namespace, w.ID, w.RunID, e.info.ActivityID}, "/")
	}
	return strings.Join([]string{e.info.Namespace, e.info.ActivityID, e.info.ActivityRunID}, "/")
}

// activityID distinguishes this activity's executions from others with the same key.
func (e *executeAttempt) activityID() string {
	return cmp.Or(e.info.WorkflowExecution.RunID, e.info.ActivityRunID) + "/" + e.info.ActivityID
}

// signal returns the name of the signal that the execution's metadata requests, or nothing.
func (e *executeAttempt) signal() string {
	if e.in.Signal && e.info.IsWorkflowActivity() {
		return asteroid.ExecutionEventSignal
	}
	return ""
}

// metadata returns the input's metadata with the key and the execution's origin.
func (e *executeAttempt) metadata(key string) map[string]string {
	metadata := map[string]string{}
	maps.Copy(metadata, e.in.Metadata)
	metadata[asteroid.MetadataExecutionKey] = key
	metadata[asteroid.MetadataNamespace] = e.info.Namespace
	metadata[asteroid.MetadataActivityID] = e.activityID()
	if e.info.IsWorkflowActivity() {
		metadata[asteroid.MetadataWorkflowID] = e.info.WorkflowExecution.ID
		metadata[asteroid.MetadataRunID] = e.info.WorkflowExecution.RunID
	}
	if signal := e.signal(); signal != "" {
		metadata[asteroid.MetadataSignal] = signal
	}
	return metadata
}

// eventsOf returns the source of signals about an execution, or nothing if the workflow has to
// poll. If the watch is the source, eventsOf makes sure that it runs.
func (e *executeAttempt) eventsOf(ctx context.Context, execution client.Candidate) asteroid.Events {
	mine := execution.Namespace == e.info.Namespace && execution.WorkflowID == e.info.WorkflowExecution.ID
	if e.signal() == "" || execution.Signal != e.signal() || !mine || e.events == asteroid.EventsPoll {
		return ""
	}
	if e.events == asteroid.EventsWatch {
		if err := e.announce(ctx, e.c); err != nil {
			if !errors.Is(err, errNoService) {
				activity.GetLogger(ctx).Warn("The watch could not be started, so the workflow has to poll",
					"executionId", execution.ID, "error", err)
			}
			return ""
		}
	}
	return e.events
}

// recordUnknown counts a request whose outcome is unknown, or that must be treated as such.
func (e *executeAttempt) recordUnknown() {
	e.UnknownOutcomes++
	e.LastUnknown = e.now()
}

func (e *executeAttempt) recordProgress(ctx context.Context) {
	activity.RecordHeartbeat(ctx, e.executeProgress)
}

// maxDecisions bounds the result. Hours of waiting for capacity are many decisions of one kind.
const maxDecisions = 20

func (e *executeAttempt) recordDecision(ctx context.Context, decision asteroid.Decision, executionID string) {
	if n := len(e.Decided); n == 0 || e.Decided[n-1] != decision || executionID != "" {
		e.Decided = append(e.Decided, decision)
		if n == maxDecisions {
			e.Decided = slices.Delete(e.Decided, n/2, n/2+1)
		}
	}
	countDecision(ctx, decision)
	activity.GetLogger(ctx).Info("Execute decision", "decision", decision, "agentId", e.in.AgentID, "executionId", executionID)
}

func countDecision(ctx context.Context, decision asteroid.Decision) {
	tags := map[string]string{"decision": string(decision)}
	activity.GetMetricsHandler(ctx).WithTags(tags).Counter("asteroid_execute_decisions").Inc(1)
}

// lookupInterval is the time between two lookups within the grace period.
const lookupInterval = 5 * time.Second

// notFoundYet returns the error of an attempt that found nothing while the grace period goes on.
func (e *executeAttempt) notFoundYet(ctx context.Context, key string) error {
	e.recordDecision(ctx, asteroid.DecisionWaited, "")
	e.recordProgress(ctx)
	left := (e.lookupGrace - e.now().Sub(e.LastUnknown)).Round(time.Second)
	return e.unknownOutcome(&client.Error{Operation: client.Operation{Name: "ExecutionsList"},
		Message: fmt.Sprintf("no execution of the agent is listed so far; lookups go on for another %s", left)}, key)
}

// lookupFailed returns the error of an attempt whose lookup failed. After an unknown outcome it is
// retryable: an agent may be running.
func (e *executeAttempt) lookupFailed(ctx context.Context, err error, key string) error {
	e.recordProgress(ctx)
	if e.UnknownOutcomes == 0 {
		return activityError(ctx, err)
	}
	failed, ok := errors.AsType[*client.Error](err)
	if !ok {
		failed = &client.Error{Operation: client.Operation{Name: "ExecutionsList"}, Message: err.Error()}
	}
	return e.unknownOutcome(failed, key)
}

// unknownOutcome returns the error of an attempt that may have started an agent. It is retryable,
// and the next attempt looks the execution up first.
func (e *executeAttempt) unknownOutcome(failed *client.Error, key string) error {
	details := failed.Details()
	details.ExecutionKey, details.UnknownOutcomes = key, e.UnknownOutcomes
	return bound.Error(temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("whether the agent was started is not known yet: %s (the next attempt looks it up by the metadata %s=%s)",
			failed, asteroid.MetadataExecutionKey, key),
		asteroid.ErrorTypeUnavailable, temporal.ApplicationErrorOptions{
			NextRetryDelay: max(failed.RetryAfter, min(lookupInterval, max(e.lookupGrace/4, 10*time.Millisecond))),
			Details:        []any{details},
		}))
}
