package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// AwaitUntil says what ends a wait.
type AwaitUntil string

const (
	// UntilTerminal waits for completed, failed or cancelled. The default.
	UntilTerminal AwaitUntil = "terminal"
	// UntilNeedsHuman waits for those, and for the agent to ask somebody.
	UntilNeedsHuman AwaitUntil = "needsHuman"
	// UntilChange waits for any status but AwaitExecutionInput.KnownStatus.
	UntilChange AwaitUntil = "change"
	// UntilHalt is UntilChange for a caller to whom starting and running are the same.
	UntilHalt AwaitUntil = "halt"
)

// AwaitExecutionInput is the input of asteroid.AwaitExecution.
type AwaitExecutionInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	// Until is UntilTerminal when empty.
	Until AwaitUntil `json:"until,omitempty"`
	// KnownStatus is the status that the caller has seen, required with UntilChange and UntilHalt and meaningless without.
	// Polling skips statuses: a run may go from starting to completed.
	KnownStatus Status `json:"knownStatus,omitempty"`
	// KnownSince is the Execution.StatusChangedAt that the caller has seen with a KnownStatus that halts the run. Where it is
	// given, the same status at a later time is a change too, another question say; each look then reads the run's activities as well.
	KnownSince time.Time `json:"knownSince,omitzero"`
	// Watched has each attempt make sure that the connection's watch is at work, for a caller that waits for its signals.
	Watched bool `json:"watched,omitempty"`
	// LongPollSeconds, 1 to 25, asks the service to hold each request so long if nothing happens. The end is then seen
	// within a second or so, but every waiting run holds an activity slot. 0 is off. A service without the long poll is
	// polled.
	LongPollSeconds int32 `json:"longPollSeconds,omitempty"`
}

func (in *AwaitExecutionInput) Validate() error {
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	switch in.Until {
	case "", UntilTerminal, UntilNeedsHuman:
		if in.KnownStatus != "" {
			return invalid("knownStatus", fmt.Sprintf("goes with until %q or %q only", UntilChange, UntilHalt))
		}
		if !in.KnownSince.IsZero() {
			return invalid("knownSince", "goes with a knownStatus only")
		}
	case UntilChange, UntilHalt:
		if in.KnownStatus == "" {
			return invalid("knownStatus", fmt.Sprintf("is required with until %q", in.Until))
		}
	default:
		return invalid("until", fmt.Sprintf("%q is none of %q, %q, %q, %q", clip(string(in.Until)), UntilTerminal, UntilNeedsHuman, UntilChange, UntilHalt))
	}
	if in.LongPollSeconds < 0 || in.LongPollSeconds > 25 {
		return invalid("longPollSeconds", fmt.Sprintf("is %d: must be 1 to 25, or 0 for off", in.LongPollSeconds))
	}
	return nil
}

// waitOver reports whether the wait ends with this status.
func waitOver(in AwaitExecutionInput, s Status) bool {
	switch in.Until {
	case UntilChange:
		return s != in.KnownStatus
	case UntilHalt:
		return s != in.KnownStatus && (s.Class() != ClassProcessing || in.KnownStatus.Class() != ClassProcessing)
	case UntilNeedsHuman:
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
	FailingSince  time.Time `json:"failingSince,omitzero"`
	NoResultSince time.Time `json:"noResultSince,omitzero"`
	UnknownSince  time.Time `json:"unknownSince,omitzero"`
	UnknownStatus Status    `json:"unknownStatus,omitempty"`
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
func (a *Activities) AwaitExecution(ctx context.Context, in AwaitExecutionInput) (*Execution, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if in.Watched {
		// Somebody may have terminated the watch. What comes of this does not matter here: the wait polls.
		if err := a.announce(ctx, c); err != nil {
			activity.GetLogger(ctx).Debug("The watch could not be started", "connection", c.name, "error", err)
		}
	}
	var before, after awaitProgress
	if activity.HasHeartbeatDetails(ctx) {
		// Unreadable details are those of another version: as good as none.
		_ = activity.GetHeartbeatDetails(ctx, &before)
	}
	execution, err := a.look(ctx, c, in, before, &after)
	if after != before {
		activity.RecordHeartbeat(ctx, after)
	}
	return execution, err
}

// look makes one poll.
func (a *Activities) look(ctx context.Context, c *connection, in AwaitExecutionInput, before awaitProgress, after *awaitProgress) (*Execution, error) {
	held := false
	if in.LongPollSeconds > 0 {
		var err error
		if held, err = c.longPoll(ctx, in.ExecutionID, in.LongPollSeconds); err != nil {
			return nil, a.pollFailed(ctx, err, before, after)
		}
	}
	e, err := c.execution(ctx, in.ExecutionID)
	if err != nil {
		return nil, a.pollFailed(ctx, err, before, after)
	}
	if e.Status.Class() == ClassUnknown {
		after.UnknownStatus, after.UnknownSince = e.Status, a.now()
		if before.UnknownStatus == e.Status {
			after.UnknownSince = before.UnknownSince
		}
		if a.now().Sub(after.UnknownSince) >= unknownPatience {
			return nil, temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("execution %s has been %q for %s, a status that this version of the library does not know: look at the run, and update",
					e.ExecutionID, e.Status, unknownPatience),
				ErrorTypeUnknownStatus, nil, ErrorDetails{ExecutionID: e.ExecutionID, Status: e.Status, Execution: e})
		}
	}
	if !waitOver(in, e.Status) && !haltedAnew(ctx, c, in, e) {
		if held && e.Status.Class() == ClassProcessing {
			return nil, stillRunning(e, time.Second) // the long poll was the interval
		}
		return nil, stillRunning(e, 0)
	}
	reasonErr := c.addReason(ctx, e)
	patience := resultPatience
	untold := e.Status.Terminal() && e.Status != StatusCompleted && e.StatusChangedAt.IsZero()
	if untold && reasonErr == nil {
		patience = reasonPatience
	}
	if reasonErr != nil || untold || e.Status == StatusCompleted && e.ExecutionResult == nil {
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
func haltedAnew(ctx context.Context, c *connection, in AwaitExecutionInput, e *Execution) bool {
	if in.KnownSince.IsZero() || e.Status != in.KnownStatus {
		return false
	}
	return c.addReason(ctx, e) == nil && e.StatusChangedAt.After(in.KnownSince)
}

// stillRunning is an expected answer, not a fault: benign errors are logged at debug level and not counted. The retry
// policy says when to look again, unless next does.
func stillRunning(e *Execution, next time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf("execution %s is %s", e.ExecutionID, e.Status),
		ErrorTypeStillRunning, temporal.ApplicationErrorOptions{
			Category:       temporal.ApplicationErrorCategoryBenign,
			NextRetryDelay: next,
			Details:        []any{ErrorDetails{ExecutionID: e.ExecutionID, Status: e.Status}},
		})
}

// pollFailed decides whether a failed poll is one to live with.
func (a *Activities) pollFailed(ctx context.Context, err error, before awaitProgress, after *awaitProgress) error {
	*after = before
	if after.FailingSince.IsZero() {
		after.FailingSince = a.now()
	}
	if failed, ok := errors.AsType[*failure](err); ok && failed.retryAfter == 0 {
		failed.retryAfter = failurePause
	}
	err = a.forgiveEarlyNotFound(ctx, err)
	var said *temporal.ApplicationError
	if streak := a.now().Sub(after.FailingSince); streak >= pollPatience && errors.As(err, &said) && !said.NonRetryable() {
		details, _ := DetailsOf(err)
		return temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("every look at the execution has failed for %s: %s", streak.Round(time.Second), said.Message()), said.Type(), nil, details)
	}
	return err
}
