package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// How long a wait tolerates a condition before it ends.
const (
	// failingPatience bounds a streak of failed polls: as long as a start is patient by default. A
	// successful poll ends the streak.
	failingPatience = 6 * time.Hour
	// malformedReads is how many polls in a row have to get the same malformed response before that
	// is final. A page of a gateway, or a response that was cut short, is not malformed in this
	// sense.
	malformedReads = 3
	// reportPatience is how long polls fail before RunAgent is told.
	reportPatience = 5 * time.Minute
	// resultPatience is how long a completed run may lack its result, and the activities of a
	// failed or cancelled one may be unreadable.
	resultPatience = time.Minute
	// reasonPatience is how long the activities of a failed or cancelled run, readable or refused,
	// may lack the reason.
	reasonPatience = 8 * time.Second
)

// The caller's retry policy may poll a run in progress only every ten minutes. These conditions
// should pass sooner, and are polled sooner.
const (
	resultInterval     = 5 * time.Second
	failingInterval    = 15 * time.Second
	maxFailingInterval = 5 * time.Minute // a streak of hours is polled less often
)

// awaitProgress is the state that one attempt passes to the next, in heartbeat details: since when
// a condition lasts. Without such a condition it is not recorded, so a usual poll costs no
// heartbeat.
type awaitProgress struct {
	FailingSince time.Time `json:"failingSince,omitzero"`
	// Seen says that a poll before the streak read the execution.
	Seen bool `json:"seen,omitempty"`
	// Malformed is the digest of the malformed response that so many polls in a row got.
	Malformed      string    `json:"malformed,omitempty"`
	MalformedReads int       `json:"malformedReads,omitempty"`
	NoResultSince  time.Time `json:"noResultSince,omitzero"`
	// UnknownStatus is the status that this version does not know and has warned of.
	UnknownStatus asteroid.Status `json:"unknownStatus,omitempty"`
}

// AwaitExecution waits until an execution is terminal, or until the condition in Input.Until holds,
// and returns it (https://docs.asteroid.ai/api-reference/execution/get-execution).
//
// It occupies nothing while it waits. Each attempt makes one GET and, if the run goes on, fails
// with asteroid.StillRunning, which is retryable and benign: the server's retry timer is the poll
// interval. An hour or a week of waiting is one scheduled activity in the workflow's history.
// Between polls it has neither a goroutine nor a slot on any worker. The retry policy is therefore
// the schedule: leave MaximumAttempts unlimited and bound the wait with ScheduleToCloseTimeout. The
// typed call in package workflows sets intervals from one to thirty seconds. In the test
// environment MaximumAttempts 0 means 10: set it to math.MaxInt32, as the typed call does.
//
// # What an hour of waiting costs
//
// The table is for a run whose status does not change in that hour. A managed Temporal service
// bills attempts, heartbeats, and the timers of the last way. Each event of a history is stored,
// and read again when a worker loads the workflow.
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
// The first two are RunAgent with its poll every ten minutes. The watch itself takes one slot, one
// attempt and some 300 heartbeats for all runs together. Webhooks, watch, poll and the two ways by
// hand were counted with cmd/bench wait. An attempt with the long poll is one of 25 seconds and a
// read, a second apart. Heartbeats by hand are as many as the SDK sends with a heartbeat timeout of
// 30 seconds. Each change of the status adds some ten events to RunAgent's history.
//
// # The watch
//
// The heartbeat of the watch tells when its last whole scan was. A worker on which waits rely on
// the watch reads that once a minute, by one DescribeWorkflowExecution. If there was no whole scan
// for 90 seconds, whatever the reason, the worker makes one itself and takes the watch over: it
// ends the dead one and starts another on its own task queue and connection, which continues from
// the last heartbeat. Where that was of no use before, it does not start it again. While no watch
// lives, attempts follow each other after one to thirty seconds instead of the policy's ten
// minutes.
//
// # When it ends
//
// A completed run that has no result yet is polled for up to a minute, then returned without one. A
// failed run is a result here, not an error: check the Status. A result of more than
// Options.MaxInlineResultBytes is left out; see [asteroid.Execution.ResultOmitted]. A run with a
// status that this version does not know goes on, until it has a TerminalAt or a result. The worker
// logs a warning once.
//
// Once a poll has read the execution, polls may fail for six hours in a row, whatever the service
// answers: a gateway's error page, a key that expired and a 404 do not end the wait for an agent
// that works. The error that then ends it says that the execution was not terminal when it was last
// read. A response that begins and ends like JSON but is none is final after three polls that got
// the same one.
//
// Errors: asteroid.StillRunning; before the first successful poll asteroid.NotFound, retryable
// during the first minute (a new execution may not be readable everywhere yet), then final: there
// is no such execution; and those of the API.
func (a *Activities) AwaitExecution(ctx context.Context, in asteroid.AwaitExecutionInput) (*asteroid.Execution, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	p := &poll{Activities: a, c: c, in: in}
	p.unwatched = in.Internal.EnsureWatch && a.announce(ctx, c) != nil
	p.before, _ = heartbeatDetails[awaitProgress](ctx)
	if since := in.Internal.UnreadableSince; p.before.FailingSince.IsZero() && !since.IsZero() {
		p.before.FailingSince, p.before.Seen = since, true // the first poll that succeeds ends this wait
	}
	execution, err := p.run(ctx)
	if p.after != p.before {
		activity.RecordHeartbeat(ctx, p.after)
	}
	return execution, err
}

// poll is one attempt of asteroid.AwaitExecution.
type poll struct {
	*Activities
	c             *client.Client
	in            asteroid.AwaitExecutionInput
	unwatched     bool // no watch lives, so nothing but polls tells of changes
	before, after awaitProgress
}

// run reads the execution once. While the wait goes on it fails with asteroid.StillRunning.
func (p *poll) run(ctx context.Context) (*asteroid.Execution, error) {
	longPolled := false
	if p.in.LongPollSeconds > 0 {
		var err error
		if longPolled, err = p.c.LongPoll(ctx, p.in.ExecutionID, p.in.LongPollSeconds); err != nil {
			return nil, p.failed(ctx, err)
		}
	}
	e, err := p.c.Execution(ctx, p.in.ExecutionID)
	if err != nil {
		return nil, p.failed(ctx, err)
	}
	p.warnOfUnknownStatus(ctx, e)
	if !waitOver(p.in, e) && p.in.Internal.UnreadableSince.IsZero() && !p.haltedAgain(ctx, e) && !p.showsMore(ctx, e) {
		if longPolled && e.Status.Class() == asteroid.ClassProcessing {
			return nil, runGoesOn(e, time.Second) // the long poll was the interval
		}
		return nil, runGoesOn(e, p.interval(ctx, e))
	}
	reasonErr := p.c.FillReason(ctx, e)
	if p.incomplete(ctx, e, reasonErr) {
		return nil, runGoesOn(e, resultInterval)
	}
	bound.Execution(e, p.inlineResult)
	activity.GetLogger(ctx).Info("Execution read", "executionId", e.ExecutionID, "status", e.Status, "reason", e.Reason)
	return e, nil
}

// waitOver reports whether a wait for in ends with this execution.
func waitOver(in asteroid.AwaitExecutionInput, e *asteroid.Execution) bool {
	s := e.Status
	switch {
	case e.Terminal():
		return true
	case in.Until == asteroid.UntilChange:
		return s != in.KnownStatus
	case in.Until == asteroid.UntilSignificantChange:
		return s != in.KnownStatus && (s.Class() != asteroid.ClassProcessing || in.KnownStatus.Class() != asteroid.ClassProcessing)
	default:
		return in.Until == asteroid.UntilNeedsHuman && s.NeedsHuman()
	}
}

// haltedAgain reports whether a run that was halted went on and then halted with the same status
// again. While its activities cannot be read it reports false, and the next poll decides.
func (p *poll) haltedAgain(ctx context.Context, e *asteroid.Execution) bool {
	if p.in.Internal.KnownSince.IsZero() || e.Status != p.in.KnownStatus {
		return false
	}
	return p.c.FillReason(ctx, e) == nil && e.StatusChangedAt.After(p.in.Internal.KnownSince)
}

// startingPolls is how many polls a run that starts has before what it shows ends the wait: soon it
// runs, and then both are told together.
const startingPolls = 10

// showsMore reports whether the caller shows something else of the execution than was read.
func (p *poll) showsMore(ctx context.Context, e *asteroid.Execution) bool {
	shown := p.in.Internal.Shown
	read := asteroid.Execution{AgentName: e.AgentName, PlatformURL: e.PlatformURL, LiveViewURL: e.LiveViewURL}
	bound.Execution(&read, p.inlineResult) // as the caller got it
	if shown == nil || *shown == (asteroid.ShownExecution{AgentName: read.AgentName, PlatformURL: read.PlatformURL, LiveViewURL: read.LiveViewURL}) {
		return false
	}
	starting := e.Status == asteroid.StatusStarting || e.Status.Class() == asteroid.ClassPending
	return !starting || activity.GetInfo(ctx).Attempt > startingPolls
}

// interval returns the time to the next poll where the caller's policy polls seldom. 0 leaves it to
// the policy. While no watch lives it grows from one second to thirty. While the live view, which
// should soon exist, is missing, it grows from five seconds to two minutes.
func (p *poll) interval(ctx context.Context, e *asteroid.Execution) time.Duration {
	policy, attempt := activity.GetInfo(ctx).RetryPolicy, activity.GetInfo(ctx).Attempt
	if p.unwatched {
		return p.unwatchedInterval(ctx)
	}
	if p.in.Internal.Shown == nil || p.in.Until != asteroid.UntilSignificantChange ||
		e.LiveViewURL != "" || e.Status.Class() != asteroid.ClassProcessing || attempt > 15 {
		return 0
	}
	interval := 5 * time.Second
	for range attempt - 1 {
		interval = interval * 5 / 4
	}
	if policy != nil && policy.InitialInterval > 0 {
		interval = min(interval, policy.InitialInterval)
	}
	return interval
}

func (p *poll) unwatchedInterval(ctx context.Context) time.Duration {
	interval, most := time.Second, 30*time.Second
	if policy := activity.GetInfo(ctx).RetryPolicy; policy != nil && policy.InitialInterval > 0 {
		most = min(most, policy.InitialInterval)
	}
	for i := activity.GetInfo(ctx).Attempt; i > 1 && interval < most; i-- {
		interval = interval * 3 / 2
	}
	return min(interval, most)
}

// warnOfUnknownStatus logs a status that this version does not know, once.
func (p *poll) warnOfUnknownStatus(ctx context.Context, e *asteroid.Execution) {
	if e.Status.Class() != asteroid.ClassUnknown {
		return
	}
	p.after.UnknownStatus = e.Status
	if p.before.UnknownStatus != e.Status {
		activity.GetLogger(ctx).Warn("The execution has a status that this version of the library does not know: update the library",
			"executionId", e.ExecutionID, "status", e.Status)
	}
}

// incomplete reports whether the execution lacks its result or reason and may still get it.
func (p *poll) incomplete(ctx context.Context, e *asteroid.Execution, reasonErr error) bool {
	completed := e.Status == asteroid.StatusCompleted
	noReason := e.Status.Terminal() && !completed && e.StatusChangedAt.IsZero()
	if reasonErr == nil && !noReason && (!completed || e.ExecutionResult != nil) {
		return false
	}
	p.after.NoResultSince = p.before.NoResultSince
	if p.after.NoResultSince.IsZero() {
		p.after.NoResultSince = p.attemptTime(ctx)
	}
	patience := resultPatience
	if noReason && reasonErr == nil {
		patience = reasonPatience
	}
	return p.attemptTime(ctx).Sub(p.after.NoResultSince) < patience
}

func runGoesOn(e *asteroid.Execution, next time.Duration) error {
	return stillRunning(fmt.Sprintf("execution %s is %s", e.ExecutionID, e.Status), next,
		asteroid.ErrorDetails{ExecutionID: e.ExecutionID, Status: e.Status})
}

// failed returns the error of a failed poll. After a successful poll every error is retryable until
// the streak has lasted for failingPatience.
func (p *poll) failed(ctx context.Context, err error) error {
	p.after = p.before
	if p.after.FailingSince.IsZero() {
		p.after.FailingSince = p.attemptTime(ctx)
		// An attempt before this one that has recorded no streak has read the execution.
		p.after.Seen = p.in.KnownStatus != "" || p.knownEnded() || activity.GetInfo(ctx).Attempt > 1
	}
	streak := p.attemptTime(ctx).Sub(p.after.FailingSince)
	interval := min(max(streak/10, failingInterval), maxFailingInterval)
	failed, isResponse := errors.AsType[*client.Error](err)
	if isResponse {
		failed.RetryAfter = cmp.Or(failed.RetryAfter, interval)
		interval = failed.RetryAfter
	}
	if streak < replicaLag && (!p.after.Seen || p.in.KnownStatus != "") { // else a poll has read it
		err = p.forgiveEarlyNotFound(ctx, err)
	}
	err = activityError(ctx, err)
	said, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return err // the activity is cancelled
	}
	if said.Type() == asteroid.ErrorTypeResultTooLarge {
		return err // no later poll gets less
	}
	details, _ := asteroid.DetailsOf(err)
	details.ExecutionID, details.UnreadableSince = p.in.ExecutionID, p.after.FailingSince
	message := said.Message()
	if p.after.Seen && p.before.NoResultSince.IsZero() && !p.knownEnded() { // else it was terminal, without its result
		message = fmt.Sprintf("execution %s was not terminal when it was last read, and may still be running: %s", p.in.ExecutionID, message)
	}
	switch {
	case isResponse && p.malformed(failed):
		return bound.Error(temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("%d polls in a row got the same malformed response: %s", malformedReads, bound.Final(message)), said.Type(), nil, details))
	case streak >= failingPatience:
		return bound.Error(temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("every poll has failed for %s: %s", streak.Round(time.Second), bound.Final(message)), said.Type(), nil, details))
	case streak >= reportPatience && p.after.Seen && p.in.Internal.ReportUnreadable && p.in.Internal.UnreadableSince.IsZero():
		return bound.Error(temporal.NewNonRetryableApplicationError(message+"; the wait goes on", asteroid.ErrorTypeStillRunning, nil, details))
	case !p.after.Seen || !said.NonRetryable():
		return err
	default:
		return bound.Error(temporal.NewApplicationErrorWithOptions(message+"; it is tried again", said.Type(),
			temporal.ApplicationErrorOptions{NextRetryDelay: interval, Details: []any{details}}))
	}
}

// knownEnded reports whether RunAgent asks for an execution that has ended: it names the status of
// any other.
func (p *poll) knownEnded() bool { return p.in.Internal.ReportUnreadable && p.in.KnownStatus == "" }

// malformed reports whether enough polls in a row got the same malformed response.
func (p *poll) malformed(failed *client.Error) bool {
	if failed.Malformed == "" || failed.Malformed != p.before.Malformed {
		p.after.MalformedReads = 0
	}
	p.after.Malformed = failed.Malformed
	if failed.Malformed != "" {
		p.after.MalformedReads++
	}
	return p.after.MalformedReads >= malformedReads
}
