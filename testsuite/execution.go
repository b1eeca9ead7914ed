package testsuite

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// execution is one run of an agent. Its methods are called under the service's lock, with the time at which
// what they do happens, which may lie in the past.
type execution struct {
	service *service
	seq     int
	id      string
	agent   *agent
	script  Agent
	key     *apiKey // that started it, or whose owner did
	source  string  // api or ui

	inputs    map[string]any // as they came, numbers as json.Number
	metadata  map[string]string
	options   *api.ExecutionOptions
	version   int
	head      bool
	profileID string
	groupID   string
	parent    string
	rerun     bool // somebody has run it again
	labels    []api.HumanLabel

	status     api.ExecutionStatus
	createdAt  time.Time
	startedAt  time.Time // zero while queued
	terminalAt time.Time // zero until terminal
	result     *api.ExecutionResult

	steps   []Step // still to do
	ready   bool   // the agent has said what the steps are
	wakeup  *event // when it moves on by itself, nil if it does not
	left    time.Duration
	asked   func(answer string) []Step
	changed chan struct{} // closed and replaced with every change of status

	told       told // what webhooks have said
	activities []activity
	files      []*executionFile
	messages   []Message
	deleted    bool
	purgedAt   time.Time
}

func terminal(status api.ExecutionStatus) bool {
	return status == api.ExecutionStatusCompleted || status == api.ExecutionStatusFailed || status == api.ExecutionStatusCancelled
}

// attach gives the execution its steps; until then it stays in the status that it was created with.
// It cannot have run before it had them.
func (e *execution) attach(now time.Time, steps []Step) {
	e.steps, e.ready = steps, true
	if e.status == api.ExecutionStatusStarting {
		at := e.startedAt.Add(e.service.startDelay)
		if at.Before(now) {
			at = now
		}
		e.wakeAt(at)
	}
}

// start moves a new or queued execution to starting.
func (e *execution) start(at time.Time) {
	e.agent.organization.active++
	e.startedAt = at
	e.setStatus(at, api.ExecutionStatusStarting, nil)
	if e.ready {
		e.wakeAt(at.Add(e.service.startDelay))
	}
}

func (e *execution) wakeAt(at time.Time) {
	e.wakeup = e.service.timeline.add(at.Truncate(time.Microsecond), e)
	e.service.webhooks.reschedule()
}

// wake is what the timeline calls when a delay or a piece of work is over.
func (e *execution) wake(at time.Time) {
	e.wakeup = nil
	if e.status == api.ExecutionStatusStarting {
		e.setStatus(at, api.ExecutionStatusRunning, nil)
	}
	e.proceed(at)
}

// proceed takes steps until one takes time, waits for a person or ends the execution.
func (e *execution) proceed(at time.Time) {
	for e.status == api.ExecutionStatusRunning && e.wakeup == nil {
		if len(e.steps) == 0 {
			e.scriptError(at, "its steps end without Complete, Fail or CancelBy")
			return
		}
		step := e.steps[0]
		e.steps = e.steps[1:]
		step.do(e, at)
	}
}

// halt stops the work that goes on and returns how much of it is left.
func (e *execution) halt(at time.Time) time.Duration {
	if e.wakeup == nil {
		return 0
	}
	left := e.wakeup.at.Sub(at)
	e.wakeup.execution, e.wakeup = nil, nil
	return left
}

// setStatus changes the status and logs it; detail adds what belongs to the new status.
func (e *execution) setStatus(at time.Time, status api.ExecutionStatus, detail func(*api.StatusChangedPayload)) {
	e.status = status
	payload := api.StatusChangedPayload{ActivityType: "status_changed", Status: status}
	if detail != nil {
		detail(&payload)
	}
	e.log(at, payload)
	close(e.changed)
	e.changed = make(chan struct{})
	if terminal(status) {
		e.end(at)
	}
}

// end is what every terminal status has in common.
func (e *execution) end(at time.Time) {
	e.halt(at)
	e.terminalAt, e.steps, e.asked = at, nil, nil
	e.shareFiles(at)
	if e.startedAt.IsZero() {
		e.leaveQueue()
		return
	}
	e.agent.organization.active--
	e.service.startQueued(e.agent.organization, at)
}

func (e *execution) complete(at time.Time, outcome, reasoning string, result json.RawMessage) {
	e.result = &api.ExecutionResult{
		ID: newUUID(), ExecutionID: e.id, Outcome: outcome, Reasoning: reasoning, Result: result, CreatedAt: at,
	}
	e.setStatus(at, api.ExecutionStatusCompleted, func(p *api.StatusChangedPayload) {
		p.CompletedPayload = &api.CompletedDetail{Outcome: outcome, Reasoning: reasoning, Result: result}
	})
}

func (e *execution) fail(at time.Time, reason string) {
	e.setStatus(at, api.ExecutionStatusFailed, func(p *api.StatusChangedPayload) {
		p.FailedPayload = &api.FailedDetail{Reason: reason}
	})
}

func (e *execution) cancel(at time.Time, reason api.CancelReason) {
	e.setStatus(at, api.ExecutionStatusCancelled, func(p *api.StatusChangedPayload) {
		p.CancelledPayload = &api.CancelledDetail{Reason: reason}
	})
}

// scriptError ends an execution whose script is wrong, and fails the test.
func (e *execution) scriptError(at time.Time, what string) {
	e.service.report(fmt.Sprintf("script of agent %q, execution %s: %s", e.agent.name, e.id, what))
	e.fail(at, "The agent's script is wrong: "+what+".")
}

// visibleResult is the result once clients may see it.
func (e *execution) visibleResult(now time.Time) *api.ExecutionResult {
	if e.result == nil || now.Before(e.terminalAt.Add(e.service.resultDelay)) || !e.purgedAt.IsZero() {
		return nil
	}
	return e.result
}
