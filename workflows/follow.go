package workflows

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// receiveEvents receives the events for all agents until the workflow closes. It drops those for
// other executions: a person's rerun, which copies the metadata, or a run that was executed again.
// It also drops those before the execution id is known: the wait starts with a read of its own.
func (a *agents) receiveEvents(ctx workflow.Context) {
	events := workflow.GetSignalChannel(ctx, asteroid.ExecutionEventSignal)
	for {
		var event asteroid.ExecutionEvent
		events.Receive(ctx, &event)
		for _, r := range a.runs {
			if event.ExecutionID != "" && event.ExecutionID == r.executed.ExecutionID {
				r.handleEvent(event)
			}
		}
	}
}

// handleEvent takes an event as a hint to read the execution. It ignores a status that is already
// known, unless more can have changed: the question of an agent that waits for a person, or whether
// a run of unknown status has ended.
func (r *AgentRun) handleEvent(event asteroid.ExecutionEvent) {
	if event.Status != r.state.Status || event.Status.NeedsHuman() || event.Status.Class() == asteroid.ClassUnknown {
		r.rereads.request(event.Status)
	}
}

// follow returns the execution once it is terminal. It learns of changes by a poll, one activity
// while nothing changes, and by hints: events and updates. A hint leads to a read, and the read
// counts.
func (r *AgentRun) follow(ctx workflow.Context) (*asteroid.Execution, error) {
	defer r.deadline.stop()
	for {
		poll, stop := r.startPoll(ctx)
		execution, polled, err := r.nextExecution(ctx, poll)
		stop()
		if details, ok := asteroid.DetailsOf(err); ok && asteroid.IsStillRunning(err) && !details.UnreadableSince.IsZero() {
			r.state.UnreadableSince = details.UnreadableSince
			r.show(ctx)
			continue
		}
		if err != nil {
			return nil, err
		}
		if polled && execution.Status == r.state.Status {
			r.lateDetails++
		}
		r.observe(ctx, execution)
		if execution.Status.NeedsHuman() && r.changedAt.IsZero() {
			r.rereads.repeat("") // what it asks may not be readable yet
		}
		// A poll waits for the result of a completed run. A reread may lack it.
		if execution.Terminal() && (polled || execution.Status != asteroid.StatusCompleted || execution.ExecutionResult != nil) {
			return execution, nil
		}
	}
}

// nextExecution returns the next execution that ends the poll, and whether the poll returned it.
func (r *AgentRun) nextExecution(ctx workflow.Context, poll workflow.Future) (*asteroid.Execution, bool, error) {
	for {
		if err := r.awaitPollOrReread(ctx, poll); err != nil {
			return nil, false, err
		}
		if poll.IsReady() {
			execution := new(asteroid.Execution)
			return execution, true, poll.Get(ctx, execution)
		}
		overdue, expected := r.humanTimedOut(), r.rereads.take()
		execution, err := r.reread(ctx)
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		if err != nil {
			workflow.GetLogger(ctx).Warn("Could not read the execution after an event", "executionId", r.executed.ExecutionID, "error", err)
			r.rereads.repeat(expected)
			continue
		}
		if ends, err := r.handleReread(ctx, execution, expected, overdue); ends || err != nil {
			return execution, false, err
		}
	}
}

// awaitPollOrReread waits until the poll returns or a reread is due.
func (r *AgentRun) awaitPollOrReread(ctx workflow.Context, poll workflow.Future) error {
	if err := workflow.Await(ctx, func() bool { return poll.IsReady() || r.rereads.pending || r.humanTimedOut() }); err != nil {
		return err
	}
	delay := r.rereads.delay(workflow.Now(ctx))
	if delay <= 0 || poll.IsReady() {
		return nil
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimer(timerCtx, delay)
	return workflow.Await(ctx, func() bool { return timer.IsReady() || poll.IsReady() })
}

const defaultPollInterval = 10 * time.Minute // where events are expected

func (r *AgentRun) pollInterval() time.Duration {
	return cmp.Or(time.Duration(r.in.PollIntervalSeconds)*time.Second, defaultPollInterval)
}

// expectsEvents reports whether signals tell of changes.
func (r *AgentRun) expectsEvents() bool { return r.executed.Events != "" && r.in.LongPollSeconds == 0 }

// starting reports whether the run has not started to work.
func (s *AgentState) starting() bool {
	return s.Status == asteroid.StatusStarting || s.Status.Class() == asteroid.ClassPending
}

func (r *AgentRun) startPoll(ctx workflow.Context) (workflow.Future, workflow.CancelFunc) {
	ctx, stop := workflow.WithCancel(ctx)
	if r.expectsEvents() {
		options := workflow.GetActivityOptions(ctx)
		interval := r.pollInterval()
		options.RetryPolicy = retry(interval, interval)
		// A run that starts is soon running, perhaps before anything watches it. An agent that was
		// answered may soon ask again, under its old status, which no list shows.
		if r.state.starting() || r.afterQuestion {
			options.RetryPolicy.InitialInterval, options.RetryPolicy.BackoffCoefficient = min(2*time.Second, interval), 2
		}
		ctx = workflow.WithActivityOptions(ctx, options)
	}
	in := r.pollInput()
	return startActivity(r.withSummary(ctx, r.pollSummary()), asteroid.AwaitExecutionName, in, awaitDefaults(), ""), stop
}

// maxLateDetails bounds the polls that return because of a name or a link: the service may change a
// link at each read.
const maxLateDetails = 10

func (r *AgentRun) pollInput() asteroid.AwaitExecutionInput {
	in := asteroid.AwaitExecutionInput{
		Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID,
		Until: asteroid.UntilChange, KnownStatus: r.state.Status, LongPollSeconds: r.in.LongPollSeconds,
	}
	if r.expectsEvents() {
		in.Internal.EnsureWatch = r.executed.Events == asteroid.EventsWatch
		if !r.state.starting() { // else UntilChange shows the page and the live view, which exist once it runs
			in.Until = asteroid.UntilSignificantChange
		}
	}
	s := r.state
	in.Internal.ReportUnreadable, in.Internal.UnreadableSince = true, s.UnreadableSince
	if r.lateDetails < maxLateDetails {
		in.Internal.Shown = &asteroid.ShownExecution{AgentName: s.AgentName, PlatformURL: s.PlatformURL, LiveViewURL: s.LiveViewURL}
	}
	switch class := s.Status.Class(); {
	case s.terminal(): // adopted, or read after a hint: only the result is missing
		in.Until, in.KnownStatus = asteroid.UntilTerminal, ""
	case class == asteroid.ClassNeedsHuman, class == asteroid.ClassPaused:
		in.Internal.KnownSince = r.changedAt
		if in.Internal.KnownSince.IsZero() {
			in.Internal.KnownSince = time.Unix(0, 0).UTC() // any readable time is a change
		}
	}
	return in
}
