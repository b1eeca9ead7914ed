package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

const (
	rereadTimeout = time.Minute // the poll goes on meanwhile
	maxRepeats    = 2           // of a reread that did not show what its hint announced
)

// rereads tracks the reads of the execution that hints cause. A hint is an event or an update after
// which the execution may have changed. The zero value has no read to make.
type rereads struct {
	pending   bool            // a hint asks for a read
	expected  asteroid.Status // the status that the hint announced, if any
	repeats   int             // reads since the hint that did not show what it announced
	last      time.Time       // when the last reread returned
	unchanged int             // rereads in a row that showed nothing new
}

// request asks for a reread. It is repeated until it shows the expected status, if any.
func (q *rereads) request(expected asteroid.Status) {
	q.pending, q.expected, q.repeats = true, expected, 0
}

// repeat asks again after a reread that failed or showed too little: a replica may lag behind.
func (q *rereads) repeat(expected asteroid.Status) {
	q.unchanged++
	q.repeats++
	if q.repeats <= maxRepeats {
		q.pending, q.expected = true, expected
	}
}

// take removes the pending request and returns the status that it expects.
func (q *rereads) take() asteroid.Status {
	expected := q.expected
	q.pending, q.expected = false, ""
	return expected
}

// delay returns how long the next reread must wait. Rereads that show nothing new become rare, so
// that useless events do not cause a read each.
func (q *rereads) delay(now time.Time) time.Duration {
	if q.unchanged == 0 {
		return 0
	}
	const initial, maximum = 2 * time.Second, time.Minute
	backoff := initial
	for range q.unchanged - 1 {
		backoff = min(2*backoff, maximum)
	}
	return q.last.Add(backoff).Sub(now)
}

func (r *AgentRun) reread(ctx workflow.Context) (*asteroid.Execution, error) {
	execution, err := r.getExecution(workflow.WithScheduleToCloseTimeout(ctx, rereadTimeout), r.executed.ExecutionID)
	r.rereads.last = workflow.Now(ctx)
	if err == nil && execution.Status == r.state.Status {
		r.deadline.track(ctx, r.state, execution.Status, false)
	}
	return execution, err
}

// handleReread reports whether what a reread showed ends the poll. Its error is errHumanTimeout.
func (r *AgentRun) handleReread(ctx workflow.Context, e *asteroid.Execution, expected asteroid.Status, overdue bool) (bool, error) {
	switch {
	case r.reasonPending(e):
		r.rereads.repeat(e.Status)
	case r.endsPoll(e):
		r.rereads.unchanged = 0
		return true, nil
	case overdue && r.humanTimedOut():
		return false, r.handleHumanTimeout(ctx)
	default:
		r.recordReread(ctx, e, expected)
	}
	return false, nil
}

// reasonPending reports whether the reason, which decides the error, may still become readable.
func (r *AgentRun) reasonPending(e *asteroid.Execution) bool {
	unsuccessful := e.Status.Terminal() && e.Status != asteroid.StatusCompleted
	return unsuccessful && e.Reason == "" && r.rereads.repeats < maxRepeats
}

// endsPoll reports whether the execution has changed so that the poll is over. With events, the
// poll goes on after a change from starting to running.
func (r *AgentRun) endsPoll(e *asteroid.Execution) bool {
	processing := e.Status.Class() == asteroid.ClassProcessing
	if e.Terminal() != r.state.terminal() {
		return true
	}
	if e.Status == r.state.Status {
		return !processing && (r.changedAt.IsZero() && !e.StatusChangedAt.IsZero() || r.askedAgain(e))
	}
	return !processing || r.state.Status.Class() != asteroid.ClassProcessing || !r.expectsEvents()
}

// recordReread observes a reread that does not end the poll, and repeats one that lags behind.
func (r *AgentRun) recordReread(ctx workflow.Context, e *asteroid.Execution, expected asteroid.Status) {
	changed := e.Status != r.state.Status
	if changed {
		r.rereads.unchanged = 0
	}
	r.observe(ctx, e) // a name or a link may be known later than the status
	switch {
	case expected != "" && expected != e.Status:
		r.rereads.repeat(expected)
	case !changed:
		r.rereads.unchanged++
	}
}
