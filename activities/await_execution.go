package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// waitOver reports whether the wait ends with this status.
func waitOver(in asteroid.AwaitExecutionInput, s asteroid.Status) bool {
	switch in.Until {
	case asteroid.UntilChange:
		return s != in.KnownStatus
	case asteroid.UntilSignificantChange:
		return s != in.KnownStatus && (s.Class() != asteroid.ClassProcessing || in.KnownStatus.Class() != asteroid.ClassProcessing)
	case asteroid.UntilNeedsHuman:
		return s.Terminal() || s.NeedsHuman()
	default:
		return s.Terminal()
	}
}

// What a wait puts up with before it gives up, and how long.
const (
	// pollPatience bounds a streak of polls that fail. One that succeeds ends the streak.
	pollPatience = time.Hour
	// resultPatience is how long a completed run may lack its result, and an ended one its reason.
	resultPatience = time.Minute
	// reasonPatience is how long the activities of an ended run may not tell why, though they can be read or are refused.
	reasonPatience = 8 * time.Second
	// unknownPatience is how long a status may be one that this version does not know.
	unknownPatience = time.Hour

	// The caller's retry policy may look again every ten minutes, which is for a run that goes on. What should be over soon is
	// looked at sooner.
	resultPause  = 5 * time.Second
	failurePause = 15 * time.Second
	tooNewPause  = 2 * time.Second
)

// awaitProgress is what one attempt tells the next, in heartbeat details: since when things have not been as they
// should be. It is recorded only when there is such a thing, so an ordinary poll costs no heartbeat.
type awaitProgress struct {
	FailingSince  time.Time       `json:"failingSince,omitzero"`
	NoResultSince time.Time       `json:"noResultSince,omitzero"`
	UnknownSince  time.Time       `json:"unknownSince,omitzero"`
	UnknownStatus asteroid.Status `json:"unknownStatus,omitempty"`
}

// AwaitExecution waits until an execution is over (or until what Input.Until says) and returns it then
// (https://docs.asteroid.ai/api-reference/execution/get-execution).
//
// It holds nothing while it waits. Each attempt makes one GET and, if the run goes on, fails with
// asteroid.StillRunning, which is retryable and benign: the server's retry timer is the poll interval. An hour or a week
// of waiting is one scheduled activity in the workflow's history, and between polls there is neither a goroutine nor a
// slot on any worker. So the retry policy is the schedule: leave MaximumAttempts unlimited and bound the wait with
// ScheduleToCloseTimeout. The typed call in package workflows sets intervals from one to thirty seconds. In the
// test environment MaximumAttempts 0 means 10: set it to math.MaxInt32, as the typed call does.
//
// # What an hour of waiting costs
//
// For a run whose status does not change meanwhile. Attempts and heartbeats are what a managed Temporal service bills, and so are
// the timers of the last way; each event of a history is stored, and read again when a worker takes the workflow up.
//
//	                                  events of    activity                API      activity
//	way                               its history  attempts   heartbeats   reads    slots
//	webhooks                          0            6          0            6        0
//	the watch, of 10,000 runs         0            6          0            6 + 4.2  0
//	the watch, of 200 runs            0            6          0            6 + 6.7  0
//	this activity on its own          0            120        0            120      0
//	with LongPollSeconds 25           0            138        0            277      1
//	by hand: an activity that reads   0            0          150          360      1
//	every 10 seconds, and heartbeats
//	by hand: a workflow that sleeps   1320         120        0            120      0
//	30 seconds, then reads
//
// The first two are RunAgent with its poll every ten minutes. The watch itself takes one slot, one attempt and some 150
// heartbeats, for all runs together. Webhooks, watch, poll and the two by hand were counted with cmd/bench wait; an attempt with the
// long poll is one of 25 seconds and a read, a second apart; heartbeats are as many as the SDK lets through of a heartbeat timeout of
// 30 seconds. Each change of the status adds some ten events to a history of RunAgent's.
//
// # When it ends
//
// A completed run that has no result yet is polled up to a minute longer, then returned without. Polls that fail are
// tolerated for an hour in a row. A failed run is a result here, not an error: look at the Status.
//
// Errors: asteroid.StillRunning; asteroid.NotFound, retryable during the first minute (a new execution may not be
// readable everywhere yet), then final: the execution is gone; asteroid.UnknownStatus after an hour in a status that this
// version does not know; and those of the API.
func (a *Activities) AwaitExecution(ctx context.Context, in asteroid.AwaitExecutionInput) (*asteroid.Execution, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if in.Internal.EnsureWatch {
		// Somebody may have terminated the watch. What comes of this does not matter here: the wait polls.
		if err := a.announce(ctx, c); err != nil {
			activity.GetLogger(ctx).Debug("The watch could not be started", "connection", c.Name, "error", err)
		}
	}
	var before, after awaitProgress
	if activity.HasHeartbeatDetails(ctx) {
		// Unreadable details are those of another version: as good as none.
		_ = activity.GetHeartbeatDetails(ctx, &before)
	}
	execution, err := a.poll(ctx, c, in, before, &after)
	if after != before {
		activity.RecordHeartbeat(ctx, after)
	}
	return execution, err
}

// look makes one poll.
func (a *Activities) poll(ctx context.Context, c *client.Client, in asteroid.AwaitExecutionInput, before awaitProgress, after *awaitProgress) (*asteroid.Execution, error) {
	held := false
	if in.LongPollSeconds > 0 {
		var err error
		if held, err = c.LongPoll(ctx, in.ExecutionID, in.LongPollSeconds); err != nil {
			return nil, a.pollFailed(ctx, err, before, after)
		}
	}
	e, err := c.Execution(ctx, in.ExecutionID)
	if err != nil {
		return nil, a.pollFailed(ctx, err, before, after)
	}
	if e.Status.Class() == asteroid.ClassUnknown {
		after.UnknownStatus, after.UnknownSince = e.Status, a.now()
		if before.UnknownStatus == e.Status {
			after.UnknownSince = before.UnknownSince
		}
		if a.now().Sub(after.UnknownSince) >= unknownPatience {
			return nil, temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("execution %s has been %q for %s, a status that this version of the library does not know: look at the run, and update",
					e.ExecutionID, e.Status, unknownPatience),
				asteroid.ErrorTypeUnknownStatus, nil, asteroid.ErrorDetails{ExecutionID: e.ExecutionID, Status: e.Status, Execution: e})
		}
	}
	if !waitOver(in, e.Status) && !haltedAnew(ctx, c, in, e) {
		if held && e.Status.Class() == asteroid.ClassProcessing {
			return nil, stillRunning(e, time.Second) // the long poll was the interval
		}
		return nil, stillRunning(e, 0)
	}
	reasonErr := c.FillReason(ctx, e)
	patience := resultPatience
	untold := e.Status.Terminal() && e.Status != asteroid.StatusCompleted && e.StatusChangedAt.IsZero()
	if untold && reasonErr == nil {
		patience = reasonPatience
	}
	if reasonErr != nil || untold || e.Status == asteroid.StatusCompleted && e.ExecutionResult == nil {
		after.NoResultSince = before.NoResultSince
		if after.NoResultSince.IsZero() {
			after.NoResultSince = a.now()
		}
		if a.now().Sub(after.NoResultSince) < patience {
			return nil, stillRunning(e, resultPause)
		}
	}
	activity.GetLogger(ctx).Info("Execution seen", "executionId", e.ExecutionID, "status", e.Status, "reason", e.Reason)
	return e, nil
}

// haltedAnew reports whether a run that was halted went on meanwhile and has the same status again. Whether it did cannot
// be said while its activities cannot be read, and the next look will tell.
func haltedAnew(ctx context.Context, c *client.Client, in asteroid.AwaitExecutionInput, e *asteroid.Execution) bool {
	if in.Internal.KnownSince.IsZero() || e.Status != in.KnownStatus {
		return false
	}
	return c.FillReason(ctx, e) == nil && e.StatusChangedAt.After(in.Internal.KnownSince)
}

// stillRunning is an expected answer, not a fault: benign errors are logged at debug level and not counted. The retry
// policy says when to look again, unless next does.
func stillRunning(e *asteroid.Execution, next time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf("execution %s is %s", e.ExecutionID, e.Status),
		asteroid.ErrorTypeStillRunning, temporal.ApplicationErrorOptions{
			Category:       temporal.ApplicationErrorCategoryBenign,
			NextRetryDelay: next,
			Details:        []any{asteroid.ErrorDetails{ExecutionID: e.ExecutionID, Status: e.Status}},
		})
}

// pollFailed decides whether a failed poll is one to live with.
func (a *Activities) pollFailed(ctx context.Context, err error, before awaitProgress, after *awaitProgress) error {
	*after = before
	if after.FailingSince.IsZero() {
		after.FailingSince = a.now()
	}
	if failed, ok := errors.AsType[*client.Error](err); ok && failed.RetryAfter == 0 {
		failed.RetryAfter = failurePause
	}
	err = a.forgiveEarlyNotFound(ctx, err)
	var said *temporal.ApplicationError
	if streak := a.now().Sub(after.FailingSince); streak >= pollPatience && errors.As(err, &said) && !said.NonRetryable() {
		details, _ := asteroid.DetailsOf(err)
		return temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("every look at the execution has failed for %s: %s", streak.Round(time.Second), said.Message()), said.Type(), nil, details)
	}
	return err
}
