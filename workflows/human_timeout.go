package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// OnHumanTimeout says what happens when nobody answers the agent within HumanTimeoutSeconds.
type OnHumanTimeout string

const (
	// HumanTimeoutFail makes RunAgent fail with asteroid.ExecutionTimedOut, and OnCancel applies.
	HumanTimeoutFail OnHumanTimeout = "fail"
	// HumanTimeoutCancel cancels the agent's run. OnFailure applies, as after any cancelled run.
	HumanTimeoutCancel OnHumanTimeout = "cancel"
	// HumanTimeoutKeepWaiting only shows it, in the state and in the details.
	HumanTimeoutKeepWaiting OnHumanTimeout = "keepWaiting"
)

// errHumanTimeout ends a wait for an agent that nobody has answered.
var errHumanTimeout = errors.New("nobody has answered the agent")

// humanDeadline is the deadline for people to answer one question.
type humanDeadline struct {
	timeout time.Duration   // 0: none
	timer   workflow.Future // nil: the agent asks nothing, or there is no deadline
	cancel  workflow.CancelFunc
}

// track updates the state and the deadline after a read. A known question keeps its deadline.
func (d *humanDeadline) track(ctx workflow.Context, s *AgentState, status asteroid.Status, changed bool) {
	if !status.NeedsHuman() {
		d.stop()
		s.AskedSince, s.Overdue = time.Time{}, false
		return
	}
	if changed {
		d.stop()
		s.AskedSince, s.Overdue = workflow.Now(ctx), false
	}
	// An update that resumed the run has stopped the timer, yet the agent may still ask the same.
	if d.timeout > 0 && d.timer == nil && !s.Overdue {
		var timerCtx workflow.Context
		timerCtx, d.cancel = workflow.WithCancel(ctx)
		d.timer = workflow.NewTimer(timerCtx, d.timeout)
	}
}

func (d *humanDeadline) stop() {
	if d.timer != nil {
		d.cancel()
		d.timer = nil
	}
}

// humanTimedOut reports whether the deadline has passed and no update is in flight.
func (r *AgentRun) humanTimedOut() bool {
	return r.deadline.timer != nil && r.deadline.timer.IsReady() && r.updatesInFlight == 0
}

// handleHumanTimeout returns errHumanTimeout, or shows it if the wait goes on.
func (r *AgentRun) handleHumanTimeout(ctx workflow.Context) error {
	if r.in.OnHumanTimeout != HumanTimeoutKeepWaiting {
		return errHumanTimeout
	}
	workflow.GetLogger(ctx).Warn("Nobody has answered the agent", "executionId", r.executed.ExecutionID, "since", r.state.AskedSince)
	r.deadline.stop()
	r.state.Overdue = true
	r.show(ctx)
	return nil
}
