package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// listen takes the events for all agents of the workflow, for as long as it runs. One for an execution that is none of theirs
// is dropped: a person's rerun, which copies the metadata, or a run that has been followed by another. So is one that
// comes before the execution id is known: the wait begins with a look of its own.
func (a *agents) listen(ctx workflow.Context) {
	events := workflow.GetSignalChannel(ctx, asteroid.ExecutionEventSignal)
	for {
		var event asteroid.ExecutionEvent
		events.Receive(ctx, &event)
		for _, r := range a.runs {
			if event.ExecutionID != "" && event.ExecutionID == r.executed.ExecutionID {
				r.hear(event)
			}
		}
	}
}

// hear takes an event for a hint that the execution should be read. One that tells what is known already is none, unless the
// agent asks: it may ask something else.
func (r *AgentRun) hear(event asteroid.ExecutionEvent) {
	if event.Status == "" || event.Status != r.state.Status || event.Status.NeedsHuman() {
		r.hint(event.Status)
	}
}

// hint has the execution read, and read again if it does not have the status that is expected, if any.
func (r *AgentRun) hint(expected asteroid.Status) {
	r.hinted, r.expected, r.relooks = true, expected, 0
}

// follow returns the execution once it is over. It learns of changes by a poll, which is one activity for as long as nothing
// changes, and by hints: an event, or somebody who steers the agent from here. A hint costs a read of its own, and
// what the read tells is what counts.
func (r *AgentRun) follow(ctx workflow.Context) (*asteroid.Execution, error) {
	defer r.stopHumanTimer()
	for {
		poll, stop := r.poll(ctx)
		execution, polled, err := r.attend(ctx, poll)
		stop()
		if err != nil {
			return nil, err
		}
		r.observe(ctx, execution)
		if execution.Status.NeedsHuman() && r.state.unexplained() {
			r.lookAgain("") // what it asks may not be readable yet
		}
		// A poll has waited for the result of a completed run; what a hint led to may lack it.
		if execution.Status.Terminal() && (polled || execution.Status != asteroid.StatusCompleted || execution.ExecutionResult != nil) {
			return execution, nil
		}
	}
}

// defaultBackstop is the interval of the poll where events are expected.
const defaultBackstop = 10 * time.Minute

// poll starts a wait for whatever is not known yet.
func (r *AgentRun) poll(ctx workflow.Context) (workflow.Future, workflow.CancelFunc) {
	ctx, stop := workflow.WithCancel(ctx)
	in := asteroid.AwaitExecutionInput{
		Connection:      r.in.Connection,
		ExecutionID:     r.executed.ExecutionID,
		Until:           asteroid.UntilChange,
		KnownStatus:     r.state.Status,
		LongPollSeconds: r.in.LongPollSeconds,
	}
	if r.executed.Events != "" && in.LongPollSeconds == 0 {
		in.Until, in.Internal.EnsureWatch = asteroid.UntilSignificantChange, r.executed.Events == asteroid.EventsWatch
		interval := defaultBackstop
		if r.in.BackstopSeconds > 0 {
			interval = time.Duration(r.in.BackstopSeconds) * time.Second
		}
		options := workflow.GetActivityOptions(ctx)
		options.RetryPolicy = retry(interval, interval)
		starting := r.state.Status == asteroid.StatusStarting || r.state.Status.Class() == asteroid.ClassPending
		if starting {
			in.Until = asteroid.UntilChange // with which its page and live view come
		}
		// What has just started is soon running, perhaps before anybody watches it. Who has been answered may soon ask something
		// else, under the status that it had, which no list tells apart.
		if starting || r.answered {
			options.RetryPolicy.InitialInterval, options.RetryPolicy.BackoffCoefficient = min(2*time.Second, interval), 2
		}
		ctx = workflow.WithActivityOptions(ctx, options)
	}
	switch r.state.Status.Class() {
	case asteroid.ClassTerminal: // adopted, or told by a hint: what is missing is the result
		in.Until, in.KnownStatus = asteroid.UntilTerminal, ""
	case asteroid.ClassNeedsHuman, asteroid.ClassPaused:
		in.Internal.KnownSince = r.changedAt
		if in.Internal.KnownSince.IsZero() {
			in.Internal.KnownSince = time.Unix(0, 0).UTC() // whenever it was, it is news once it can be read
		}
	}
	return awaitExecution(ctx, in), stop
}

// attend returns the next news that ends the poll: what it brings itself, or what a hint led to.
func (r *AgentRun) attend(ctx workflow.Context, poll workflow.Future) (execution *asteroid.Execution, polled bool, err error) {
	for {
		if err := workflow.Await(ctx, func() bool { return poll.IsReady() || r.hinted || r.humanDue() }); err != nil {
			return nil, false, err
		}
		// Whoever sends events for nothing must not cause a read for each; and a read that lags behind its event is repeated.
		if pause := r.looked.Add(lookPause(r.fruitless)).Sub(workflow.Now(ctx)); r.fruitless > 0 && pause > 0 && !poll.IsReady() {
			if err := r.pause(ctx, pause, poll); err != nil {
				return nil, false, err
			}
		}
		if poll.IsReady() {
			execution := new(asteroid.Execution)
			return execution, true, poll.Get(ctx, execution)
		}
		overdue, expected := r.humanDue(), r.expected
		r.hinted, r.expected = false, ""
		execution, lookErr := GetExecution(workflow.WithScheduleToCloseTimeout(ctx, lookPatience), asteroid.GetExecutionInput{
			Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID,
		})
		r.looked = workflow.Now(ctx)
		if lookErr == nil && execution.Status == r.state.Status {
			r.askedNow(ctx, execution, false)
		}
		switch {
		case ctx.Err() != nil:
			return nil, false, ctx.Err()
		case lookErr != nil:
			workflow.GetLogger(ctx).Warn("Could not look at the execution", "executionId", r.executed.ExecutionID, "error", lookErr)
			r.lookAgain(expected)
		case ended(execution) && execution.Reason == "" && r.relooks < maxLooksAgain:
			r.lookAgain(execution.Status) // why may not be readable yet, and decides what kind of end it is
		case r.ends(execution):
			r.fruitless = 0
			return execution, false, nil
		case overdue && r.humanDue():
			if !r.keepWaiting(ctx) {
				return nil, false, errHumanTimeout
			}
		case execution.Status != r.state.Status:
			r.fruitless = 0
			r.observe(ctx, execution)
			if expected != "" && expected != execution.Status {
				r.lookAgain(expected)
			}
		case expected != "" && expected != execution.Status:
			r.lookAgain(expected)
		default:
			r.fruitless++
		}
	}
}

const (
	// lookPatience bounds a look that follows a hint: the poll goes on meanwhile.
	lookPatience = time.Minute
	// maxLooksAgain is how often a look is repeated that has not seen what the event told.
	maxLooksAgain = 2
)

// lookAgain repeats a look that failed, or that has not seen what the event told: the service may answer from a replica that
// lags behind.
func (r *AgentRun) lookAgain(expected asteroid.Status) {
	r.fruitless++
	r.relooks++
	if r.relooks <= maxLooksAgain {
		r.hinted, r.expected = true, expected
	}
}

// lookPause is the least time between two looks after so many in a row that told nothing new.
func lookPause(fruitless int) time.Duration {
	const first, most = 2 * time.Second, time.Minute
	pause := first
	for range fruitless - 1 {
		pause = min(2*pause, most)
	}
	return pause
}

// pause waits, but not longer than for the poll.
func (r *AgentRun) pause(ctx workflow.Context, d time.Duration, poll workflow.Future) error {
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimer(timerCtx, d)
	return workflow.Await(ctx, func() bool { return timer.IsReady() || poll.IsReady() })
}

// ended reports whether a run is over without having completed.
func ended(e *asteroid.Execution) bool {
	return e.Status.Terminal() && e.Status != asteroid.StatusCompleted
}

// ends reports whether what was read ends the pending poll, which would tell it again or waits for something else: any change but
// the step from starting to running, where the poll does not wait for that.
func (r *AgentRun) ends(e *asteroid.Execution) bool {
	if e.Status == r.state.Status {
		return e.Status.Class() != asteroid.ClassProcessing && e.StatusChangedAt.After(r.changedAt)
	}
	return e.Status.Class() != asteroid.ClassProcessing || r.state.Status.Class() != asteroid.ClassProcessing || r.executed.Events == "" || r.in.LongPollSeconds > 0
}
