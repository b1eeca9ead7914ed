package workflows

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// OnHumanTimeout says what happens when nobody has answered the agent for HumanTimeoutSeconds.
type OnHumanTimeout string

const (
	// HumanTimeoutFail makes RunAgent fail with asteroid.ExecutionTimedOut. OnCancel decides what becomes of the agent's run.
	HumanTimeoutFail OnHumanTimeout = "fail"
	// HumanTimeoutCancel cancels the agent's run, which ends like any that somebody cancelled: see OnFailure.
	HumanTimeoutCancel OnHumanTimeout = "cancel"
	// HumanTimeoutKeepWaiting only says so, in the state and in the details.
	HumanTimeoutKeepWaiting OnHumanTimeout = "keepWaiting"
)

// errHumanTimeout ends a wait when nobody has answered.
var errHumanTimeout = errors.New("nobody has answered the agent")

// askedNow takes note of what the agent asks, and starts the time that people have for it. A question that is known already
// keeps its time.
func (r *AgentRun) askedNow(ctx workflow.Context, e *asteroid.Execution, anew bool) {
	if !e.Status.NeedsHuman() {
		r.stopHumanTimer()
		r.state.AskedSince, r.state.Overdue = time.Time{}, false
		return
	}
	if anew {
		r.stopHumanTimer()
		r.state.AskedSince, r.state.Overdue = workflow.Now(ctx), false
	}
	// It was stopped by a person who meant to let the run go on, yet the run asks as before.
	if r.in.HumanTimeoutSeconds > 0 && r.humanTimer == nil && !r.state.Overdue {
		var timerCtx workflow.Context
		timerCtx, r.stopTimer = workflow.WithCancel(ctx)
		r.humanTimer = workflow.NewTimer(timerCtx, time.Duration(r.in.HumanTimeoutSeconds)*time.Second)
	}
}

func (r *AgentRun) stopHumanTimer() {
	if r.humanTimer != nil {
		r.stopTimer()
		r.humanTimer = nil
	}
}

// humanDue reports whether the time for an answer is up. While an answer is on its way it is not.
func (r *AgentRun) humanDue() bool {
	return r.humanTimer != nil && r.humanTimer.IsReady() && r.busy == 0
}

// keepWaiting reports whether the wait goes on although nobody answers, and shows that it does.
func (r *AgentRun) keepWaiting(ctx workflow.Context) bool {
	if r.in.OnHumanTimeout != HumanTimeoutKeepWaiting {
		return false
	}
	workflow.GetLogger(ctx).Warn("Nobody has answered the agent", "executionId", r.executed.ExecutionID, "since", r.state.AskedSince)
	r.stopHumanTimer()
	r.state.Overdue = true
	r.agents.show(ctx)
	return true
}

// mark puts what the first asking agent asks into the search attribute that its input names, so that a list of workflows
// shows who waits for a person, and takes it away again.
func (a *agents) mark(ctx workflow.Context) {
	asks := map[string]string{}
	for _, r := range a.runs {
		if name := r.in.QuestionSearchAttribute; name != "" {
			asks[name] = cmp.Or(asks[name], r.state.asks())
		}
	}
	for _, r := range a.runs { // not over the map: its order is not the same on replay
		name := r.in.QuestionSearchAttribute
		text, wanted := asks[name]
		if !wanted || text == a.marked[name] {
			continue
		}
		key := temporal.NewSearchAttributeKeyKeyword(name)
		update := key.ValueUnset()
		if text != "" {
			update = key.ValueSet(text)
		}
		if err := workflow.UpsertTypedSearchAttributes(ctx, update); err != nil {
			workflow.GetLogger(ctx).Error("The search attribute could not be set", "name", name, "error", err)
			continue
		}
		if a.marked == nil {
			a.marked = map[string]string{}
		}
		a.marked[name] = text
	}
}

// asks is what the agent asks, in a line that fits a keyword; empty while it asks nothing.
func (s *AgentState) asks() string {
	if s.Phase != PhaseNeedsHuman {
		return ""
	}
	text := s.Reason
	if len(s.Questions) > 0 {
		asked := make([]string, len(s.Questions))
		for i, q := range s.Questions {
			asked[i] = q.Question
		}
		text = strings.Join(asked, " / ")
	}
	const most = 200
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return cmp.Or(text, string(s.Status))
}
