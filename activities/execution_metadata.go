package activities

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// sharedKey reports whether another activity may have executed with the same key.
func (e *executeAttempt) sharedKey() bool {
	return e.in.IdempotencyKey != "" && !e.in.Internal.FreshKey
}

// lateStart is the delay of a first attempt beyond which the activity may have been reset.
const lateStart = 30 * time.Second

// startedLate reports whether this first attempt started so late that the activity may have been
// reset. A reset activity starts again at attempt 1, and a worker that died has left no heartbeat
// details.
func (e *executeAttempt) startedLate() bool {
	return e.info.Attempt == 1 && e.info.StartedTime.Sub(e.info.ScheduledTime) > lateStart
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

// metadata returns the input's metadata together with the key and the origin of the execution.
func (e *executeAttempt) metadata(key string) map[string]string {
	metadata := maps.Clone(e.in.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
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

// candidate returns an accepted execution as a lookup would find it.
func (e *executeAttempt) candidate(accepted client.Accepted) client.Candidate {
	return client.Candidate{
		ID: accepted.ExecutionID, Status: accepted.Status,
		Origin: client.Origin{
			Namespace: e.info.Namespace, WorkflowID: e.info.WorkflowExecution.ID, RunID: e.info.WorkflowExecution.RunID,
			ActivityID: e.activityID(), Signal: e.signal(),
		},
	}
}

// eventsOf returns how the workflow will be signalled about an execution, or nothing if it has to
// poll. It makes sure that the watch runs, if the events come from it.
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
