package testsuite

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// execution is the state machine of one execution. Its methods run under the service's lock. Their
// argument at is the time of the transition, which may lie in the past.
type execution struct {
	service *service
	seq     int
	id      string
	agent   *agent
	script  Agent
	key     *apiKey // the key that started it, or a key of the user who did
	source  string  // api or ui

	inputs       map[string]any // as received, numbers as json.Number
	metadata     map[string]string
	options      *api.ExecutionOptions
	version      int // that the request names, or zero
	head         bool
	runs         *version
	failures     []api.ScriptFailure // oldest first
	profileID    string
	groupID      string
	parent       string
	hasBeenRerun bool // a rerun of it exists
	labels       []api.HumanLabel

	status     api.ExecutionStatus
	createdAt  time.Time
	startedAt  time.Time // zero while queued
	terminalAt time.Time // zero until terminal
	result     *api.ExecutionResult

	steps     []Step // not taken yet
	ready     bool   // the script has returned the steps
	wakeup    *event // when its current work ends, nil if it has none
	remaining time.Duration
	onAnswer  func(answer string) []Step
	changed   chan struct{} // closed and replaced at every change of status
	reads     pace          // since the last change of status

	webhookHistory webhookHistory // which webhooks were sent
	activities     []activity
	files          []*executionFile
	messages       []Message
	deleted        bool
	purgedAt       time.Time
}

func terminal(status api.ExecutionStatus) bool {
	return status == api.ExecutionStatusCompleted || status == api.ExecutionStatusFailed || status == api.ExecutionStatusCancelled
}

// working returns whether an execution changes by itself after a while.
func working(status api.ExecutionStatus) bool {
	return status == api.ExecutionStatusQueued || status == api.ExecutionStatusStarting || status == api.ExecutionStatusRunning
}

// setSteps sets the steps that the script returned. Until then the execution keeps its first
// status, so it begins to run no earlier than now.
func (e *execution) setSteps(now time.Time, steps []Step) {
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

// wake runs when a delay or a piece of work ends. The timeline calls it.
func (e *execution) wake(at time.Time) {
	e.wakeup = nil
	if e.status == api.ExecutionStatusStarting {
		e.setStatus(at, api.ExecutionStatusRunning, nil)
	}
	e.proceed(at)
}

// proceed takes steps until one takes time, waits for a person or makes the execution terminal.
func (e *execution) proceed(at time.Time) {
	for e.status == api.ExecutionStatusRunning && e.wakeup == nil {
		if len(e.steps) == 0 {
			e.scriptError(at, "its last step is not Complete, Fail or CancelBy")
			return
		}
		step := e.steps[0]
		e.steps = e.steps[1:]
		step.do(e, at)
	}
}

// stopWork stops the current work and returns how much of it remains.
func (e *execution) stopWork(at time.Time) time.Duration {
	if e.wakeup == nil {
		return 0
	}
	left := e.wakeup.at.Sub(at)
	e.wakeup.execution, e.wakeup = nil, nil
	return left
}

// setStatus changes the status and logs it. detail adds the payload of the new status.
func (e *execution) setStatus(at time.Time, status api.ExecutionStatus, detail func(*api.StatusChangedPayload)) {
	e.status, e.reads = status, pace{}
	payload := api.StatusChangedPayload{ActivityType: "status_changed", Status: status}
	if detail != nil {
		detail(&payload)
	}
	e.addActivity(at, payload)
	close(e.changed)
	e.changed = make(chan struct{})
	if terminal(status) {
		e.end(at)
	}
}

// end does what every terminal status requires: it stops the work, keeps the shared files and frees
// the capacity.
func (e *execution) end(at time.Time) {
	e.stopWork(at)
	e.terminalAt, e.steps, e.onAnswer = at, nil, nil
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

// scriptError fails an execution whose script is wrong, and the test.
func (e *execution) scriptError(at time.Time, what string) {
	e.service.report(fmt.Sprintf("script of agent %q, execution %s: %s", e.agent.name, e.id, what))
	e.fail(at, "The agent's script is wrong: "+what+".")
}

// visibleResult returns the result, or nil while clients cannot see it.
func (e *execution) visibleResult(now time.Time) *api.ExecutionResult {
	if e.result == nil || now.Before(e.terminalAt.Add(e.service.resultDelay)) || !e.purgedAt.IsZero() {
		return nil
	}
	return e.result
}
