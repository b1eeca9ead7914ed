package testsuite

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// Message is a user message to an execution.
type Message struct {
	Text string
	At   time.Time
}

// ask stops the execution until it is answered.
func (e *execution) ask(at time.Time, question Question, then func(answer string) []Step) {
	e.addActivity(at, api.ActionStartedPayload{
		ActivityType: "action_started", ActionID: newUUID(), ActionName: "util_send_user_message", Message: question.Text,
	})
	e.onAnswer = then
	e.setStatus(at, api.ExecutionStatusPausedByAgent, func(p *api.StatusChangedPayload) {
		p.PausedPayload = &api.PausedDetail{Reason: question.Text, Question: question.wire()}
	})
}

// wire returns the question in the contract's form. Without suggested answers it is nil: the reason
// alone is the question.
func (q Question) wire() *api.AskUserQuestion {
	if len(q.Options) == 0 {
		return nil
	}
	item := api.QuestionItem{Question: q.Text, Header: q.Header, MultiSelect: new(q.MultiSelect)}
	if item.Header == "" {
		item.Header = "Question"
	}
	for _, option := range q.Options {
		item.Options = append(item.Options, api.QuestionOption{Label: option.Label, Description: option.Description})
	}
	return &api.AskUserQuestion{Questions: []api.QuestionItem{item}}
}

// receiveMessage logs a user message. It answers the question of an execution that is
// paused_by_agent.
func (e *execution) receiveMessage(at time.Time, text string) {
	e.messages = append(e.messages, Message{Text: text, At: at})
	e.addActivity(at, api.UserMessageReceivedPayload{ActivityType: "user_message_received", Message: text, UserUUID: e.key.userID})
	if e.status == api.ExecutionStatusPausedByAgent {
		e.resume(at, text)
	}
}

// resume continues an execution that is paused, paused_by_agent or awaiting_confirmation.
func (e *execution) resume(at time.Time, answer string) {
	then, left := e.onAnswer, e.remaining
	e.onAnswer, e.remaining = nil, 0
	if then != nil {
		e.steps = slices.Concat(runScript(func() []Step { return then(answer) }), e.steps)
	}
	e.setStatus(at, api.ExecutionStatusRunning, nil)
	if left > 0 {
		e.wakeAt(at.Add(left))
		return
	}
	e.proceed(at)
}

// requestStatus moves the execution to the status that a user requests, or returns the refusal.
func (e *execution) requestStatus(at time.Time, status api.UpdatableStatus) *reply {
	switch status {
	case api.UpdatableStatusCancelled:
		if !terminal(e.status) {
			e.cancel(at, api.UserRequested)
			return nil
		}
	case api.UpdatableStatusPaused:
		if e.status == api.ExecutionStatusRunning {
			e.remaining = e.stopWork(at)
			e.setStatus(at, api.ExecutionStatusPaused, func(p *api.StatusChangedPayload) {
				p.PausedPayload = &api.PausedDetail{Reason: "Paused by a user."}
			})
			return nil
		}
	case api.UpdatableStatusRunning:
		switch e.status {
		case api.ExecutionStatusPaused, api.ExecutionStatusPausedByAgent, api.ExecutionStatusAwaitingConfirmation:
			e.resume(at, "")
			return nil
		}
	}
	return new(invalid("status", "an execution that is %s cannot become %s", e.status, status))
}

// ExecutionStatusUpdate serves POST /agents/v2/executions/{executionId}/status.
func (s *service) ExecutionStatusUpdate(w http.ResponseWriter, r *http.Request, id string) {
	var body api.UpdateExecutionStatusRequest
	if refused := decode(w, r, &body, false); refused != nil {
		refused.write(w, r)
		return
	}
	if !body.Status.Valid() {
		invalid("status", "%q is not one of running, paused and cancelled", body.Status).write(w, r)
		return
	}
	s.serveStatusChange(w, r, id, body.Status, plain(http.StatusOK, "Execution status updated."))
}

// ExecutionCancel serves POST /agents/v2/executions/{executionId}/cancel.
func (s *service) ExecutionCancel(w http.ResponseWriter, r *http.Request, id string) {
	s.serveSteering(w, r, id, api.UpdatableStatusCancelled)
}

// ExecutionPause serves POST /agents/v2/executions/{executionId}/pause.
func (s *service) ExecutionPause(w http.ResponseWriter, r *http.Request, id string) {
	s.serveSteering(w, r, id, api.UpdatableStatusPaused)
}

// ExecutionResume serves POST /agents/v2/executions/{executionId}/resume.
func (s *service) ExecutionResume(w http.ResponseWriter, r *http.Request, id string) {
	s.serveSteering(w, r, id, api.UpdatableStatusRunning)
}

func (s *service) serveSteering(w http.ResponseWriter, r *http.Request, id string, status api.UpdatableStatus) {
	s.serveStatusChange(w, r, id, status, answer(http.StatusOK, api.ExecutionStatusChange{ExecutionID: id, Status: status}))
}

func (s *service) serveStatusChange(w http.ResponseWriter, r *http.Request, id string, status api.UpdatableStatus, done reply) {
	s.serve(w, r, func(now time.Time) reply {
		e, refused := s.executionOf(caller(r), id)
		if refused != nil {
			return *refused
		}
		if refused := e.requestStatus(now, status); refused != nil {
			return *refused
		}
		return done
	})
}

// ExecutionUserMessagesAdd serves POST /agents/v2/executions/{executionId}/user-messages.
func (s *service) ExecutionUserMessagesAdd(w http.ResponseWriter, r *http.Request, id string) {
	var body api.UserMessageRequest
	if refused := decode(w, r, &body, false); refused != nil {
		refused.write(w, r)
		return
	}
	s.serve(w, r, func(now time.Time) reply {
		e, refused := s.executionOf(caller(r), id)
		switch {
		case refused != nil:
			return *refused
		case body.Message == "":
			return invalid("message", "must not be empty")
		case terminal(e.status):
			return problem(http.StatusBadRequest, fmt.Sprintf("The execution is %s and takes no more messages.", e.status))
		}
		e.receiveMessage(now, body.Message)
		return plain(http.StatusCreated, "User message added.")
	})
}
