package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/intent"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/token"
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
	// UnresolvedSince is when the cancellation of a duplicate first failed.
	UnresolvedSince time.Time           `json:"unsettled,omitzero"`
	Cancelled       []string            `json:"cancelled,omitempty"`
	Decided         []asteroid.Decision `json:"decided,omitempty"`
}

// executeAttempt is one attempt of asteroid.ExecuteAgent.
type executeAttempt struct {
	*Activities
	c      *client.Client
	in     asteroid.ExecuteAgentInput
	info   activity.Info
	digest intent.Digest
	began  time.Time // by the worker's clock
	server bool      // a Temporal server runs the activity
	// suspected means that nothing but a reset says that an outcome may be unknown.
	suspected bool
	// usedBefore means that there may be executions with the key already. sharedKey means that
	// somebody else may even execute with it at this moment.
	usedBefore, sharedKey bool
	executeProgress
}

// newExecuteAttempt restores the progress of the attempts before this one. If the last of them
// recorded none, its outcome is unknown.
func newExecuteAttempt(ctx context.Context, a *Activities, c *client.Client, in asteroid.ExecuteAgentInput) *executeAttempt {
	e := &executeAttempt{
		Activities: a, c: c, in: in, info: activity.GetInfo(ctx), digest: intent.Of(in, intent.OfStaged(in.TempFiles)),
		began: a.now(), server: a.service(ctx) != nil,
	}
	e.executeProgress, _ = heartbeatDetails[executeProgress](ctx)
	first := e.Attempt == 0
	if first {
		e.UnknownOutcomes, e.LastUnknown = in.Internal.UnknownOutcomes, in.Internal.LastUnknown
		if e.UnknownOutcomes > 0 && (e.LastUnknown.IsZero() || in.AdoptOnly) {
			e.LastUnknown = e.clock()
		}
	}
	if e.Attempt != e.info.Attempt-1 {
		e.recordUnknown() // the worker of the attempt before this one died, perhaps after its request
	}
	if first {
		e.inheritResets(ctx)
	}
	e.usedBefore = in.IdempotencyKey != "" || e.parentWasReset(ctx)
	e.sharedKey = e.usedBefore && !in.Internal.KeyIsOwn
	e.Attempt = e.info.Attempt
	return e
}

// clock returns the time by the Temporal server's clock. All attempts of an activity share it,
// wherever they run. The test environments have no server, and the worker's clock stands in.
func (e *executeAttempt) clock() time.Time {
	if !e.server {
		return e.now()
	}
	return e.info.StartedTime.Add(e.now().Sub(e.began))
}

// graceLeft returns how much of the grace period after the last unknown outcome is left.
func (e *executeAttempt) graceLeft() time.Duration {
	if e.UnknownOutcomes == 0 {
		return 0
	}
	return e.lookupGrace - e.clock().Sub(e.LastUnknown)
}

// key returns the intent's key and the number of this execution of it.
func (e *executeAttempt) key() (key string, number int) {
	of := e.in.Internal.Intent
	switch {
	case e.in.IdempotencyKey != "":
		key = e.in.IdempotencyKey
	case e.in.Internal.ExecutionKey != "":
		key = numberPattern.ReplaceAllString(e.in.Internal.ExecutionKey, "")
	case of.OriginalRunID != "":
		key = strings.Join([]string{of.Namespace, of.WorkflowID, of.OriginalRunID, e.digest.Identity(), strconv.Itoa(of.Ordinal)}, "/")
	case e.info.IsWorkflowActivity():
		key = strings.Join([]string{e.info.Namespace, e.info.WorkflowExecution.ID, e.info.WorkflowExecution.RunID, e.info.ActivityID}, "/")
	default:
		key = strings.Join([]string{e.info.Namespace, e.info.ActivityID, e.info.ActivityRunID}, "/")
	}
	number = e.in.Internal.Reexecution + 1
	if recorded := numberPattern.FindString(e.in.Internal.ExecutionKey); recorded != "" {
		n, _ := strconv.Atoi(recorded[1:])
		number = max(number, n)
	}
	return key, number
}

var numberPattern = regexp.MustCompile(`#[0-9]+$`)

// numbered returns the key of the execution of an intent with this number.
func numbered(key string, number int) string {
	if number == 1 {
		return key
	}
	return key + "#" + strconv.Itoa(number)
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

// metadata returns the input's metadata with the key, the request's digest and the origin.
func (e *executeAttempt) metadata(key string) map[string]string {
	metadata := map[string]string{}
	maps.Copy(metadata, e.in.Metadata)
	metadata[asteroid.MetadataExecutionKey] = key
	metadata[asteroid.MetadataRequest] = e.digest.String()
	metadata[asteroid.MetadataNamespace] = e.info.Namespace
	metadata[asteroid.MetadataActivityID] = e.activityID()
	if e.info.IsWorkflowActivity() {
		metadata[asteroid.MetadataWorkflowID] = e.info.WorkflowExecution.ID
		metadata[asteroid.MetadataRunID] = e.info.WorkflowExecution.RunID
	}
	for name, value := range map[string]string{
		asteroid.MetadataFirstRunID:    e.in.Internal.FirstRunID,
		asteroid.MetadataOriginalRunID: e.in.Internal.OriginalRunID,
		asteroid.MetadataSignal:        e.signal(),
		asteroid.MetadataToken:         e.secrets.Make(metadata),
	} {
		if value != "" {
			metadata[name] = value
		}
	}
	return metadata
}

// eventsOf returns the source of signals about an execution, or nothing if the workflow has to
// poll. If the watch is the source, eventsOf makes sure that it runs.
func (e *executeAttempt) eventsOf(ctx context.Context, execution client.Candidate) asteroid.Events {
	mine := execution.Namespace == e.info.Namespace && execution.Origin.WorkflowID == e.info.WorkflowExecution.ID
	if e.signal() == "" || execution.Signal != e.signal() || !mine || !e.trusted(execution) {
		return ""
	}
	if e.events == asteroid.EventsWatch {
		if err := e.announce(ctx, e.c); err != nil {
			activity.GetLogger(ctx).Debug("No watch lives, so the workflow has to poll", "executionId", execution.ID, "error", err)
			return ""
		}
	}
	return e.events
}

// trusted reports whether the source of events trusts the execution's token. An adopted execution
// may be older than the secrets.
func (e *executeAttempt) trusted(execution client.Candidate) bool {
	verdict, _ := e.secrets.Check(execution.Metadata)
	switch {
	case e.events == asteroid.EventsPoll:
		return false
	case !e.secrets.Known() || verdict == token.Valid:
		return true
	default:
		return verdict == token.Missing && e.events == asteroid.EventsWatch
	}
}

// recordUnknown counts a request whose outcome is unknown, or that must be treated as such.
func (e *executeAttempt) recordUnknown() {
	e.UnknownOutcomes++
	e.LastUnknown = e.clock()
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

// announceDecisions announces the counters of decisions.
func announceDecisions(ctx context.Context) {
	for _, decision := range []asteroid.Decision{
		asteroid.DecisionPosted, asteroid.DecisionRejected, asteroid.DecisionUnknown, asteroid.DecisionWaited, asteroid.DecisionAdopted,
		asteroid.DecisionDuplicateCancelled,
	} {
		metrics.Decision.Announce(metricsOf(ctx), string(decision))
	}
}

func countDecision(ctx context.Context, decision asteroid.Decision) {
	metrics.Decision.Count(metricsOf(ctx), string(decision))
}

// lookupInterval is the time between two lookups within the grace period.
const lookupInterval = 5 * time.Second

// notFoundYet returns the error of an attempt that found nothing while the grace period goes on.
func (e *executeAttempt) notFoundYet(ctx context.Context, key string) error {
	e.recordDecision(ctx, asteroid.DecisionWaited, "")
	e.recordProgress(ctx)
	return e.unknownOutcome(&client.Error{Operation: client.Operation{Name: "ExecutionsList"}, Message: fmt.Sprintf(
		"no execution of this request is listed so far; lookups go on for another %s", e.graceLeft().Round(time.Second))}, key)
}

// lookupFailed returns the error of an attempt whose lookup failed. After an unknown outcome it is
// retryable: an agent may be running.
func (e *executeAttempt) lookupFailed(ctx context.Context, err error, key string) error {
	e.recordProgress(ctx)
	if _, said := errors.AsType[*temporal.ApplicationError](err); said {
		return err
	}
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
	details.ExecutionKey, details.UnknownOutcomes, details.LastUnknown = key, e.UnknownOutcomes, e.LastUnknown
	return bound.Error(temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("whether the agent was started is not known yet: %s (the next attempt looks it up by the metadata %s=%s)",
			failed, asteroid.MetadataExecutionKey, key),
		asteroid.ErrorTypeUnavailable, temporal.ApplicationErrorOptions{
			NextRetryDelay: max(failed.RetryAfter, min(lookupInterval, max(e.lookupGrace/4, 10*time.Millisecond))),
			Details:        []any{details},
		}))
}
