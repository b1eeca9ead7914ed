package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// messageLate is the longest time after which a message is carried out. The library looks for a
// message of unknown outcome for 15 seconds.
const messageLate = 12 * time.Second

// messagesSchedule is a schedule of people who steer one agent.
type messagesSchedule struct {
	Conditions conditions     `json:"conditions,omitzero"`
	Questions  []questionPlan `json:"questions"`
	Senders    []senderPlan   `json:"senders,omitempty"`
	Console    []consolePlan  `json:"console,omitempty"`
}

// questionPlan is a question of the agent, which it asks after some work.
type questionPlan struct {
	Work    span `json:"work"`
	Confirm bool `json:"confirm,omitempty"` // it awaits a confirmation, which a message does not give
	Same    bool `json:"same,omitempty"`    // its words are those of the other questions
}

// senderPlan is a person whose answers go by activities.
type senderPlan struct {
	Sayings []sayingPlan `json:"sayings"`
}

// sayingPlan is one message: the answer to what the agent asks, or a note to it while it works.
type sayingPlan struct {
	At       span                `json:"at"`
	Think    span                `json:"think,omitempty"` // from reading the question until the answer
	Note     bool                `json:"note,omitempty"`
	Same     bool                `json:"same,omitempty"` // its words are those of others
	Resets   []activityResetPlan `json:"resets,omitempty"`
	Attempts []attemptPlan       `json:"attempts,omitempty"` // of reading, then of the message, then of the status
}

// consolePlan is something that a person does in the vendor's console.
type consolePlan struct {
	At     span `json:"at"`
	Resume bool `json:"resume,omitempty"` // without an answer
}

func drawMessages(t *rapid.T) (s messagesSchedule) {
	l := limits{late: messageLate, requests: 4, attempts: 4, statuses: []int{503, 500, 408, 429}}
	s.Conditions = drawConditions(t, 0)
	s.Questions = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) questionPlan {
		return questionPlan{Work: drawSpan(t, "work", 20*time.Second), Confirm: often(t, "confirm", 5), Same: often(t, "same question", 2)}
	}), 1, 3).Draw(t, "questions")
	at := func(t *rapid.T) span { return drawSpan(t, "at", 90*time.Second) }
	s.Senders = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) senderPlan {
		return senderPlan{rapid.SliceOfN(rapid.Custom(func(t *rapid.T) (p sayingPlan) {
			p.At, p.Think = at(t), drawSpan(t, "think", 10*time.Second)
			p.Note = often(t, "note", 5)
			p.Same = !p.Note && often(t, "same words", 4) // equal notes count as one
			if often(t, "activity is reset", 4) {
				p.Resets = []activityResetPlan{{drawSpan(t, "reset after", 30*time.Second), often(t, "of heartbeats", 2)}}
			}
			p.Attempts = l.drawAttempts(t, "attempts")
			return p
		}), 1, 3).Draw(t, "sayings")}
	}), 1, 2).Draw(t, "senders")
	s.Console = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) consolePlan {
		return consolePlan{at(t), often(t, "resumes", 4)}
	}), 0, 2).Draw(t, "console")
	return s
}

// mayResumeUnanswered reports whether the console resumes the agent, or a request to do so may be
// carried out when the agent asks the next question.
func (s messagesSchedule) mayResumeUnanswered() bool {
	late := func(x exchangePlan) bool { return x.Fault == lateCommit || x.Fault == silentCommit || x.Fault == slow }
	for _, sender := range s.Senders {
		for _, saying := range sender.Sayings {
			for _, attempt := range saying.Attempts {
				if slices.ContainsFunc(attempt.Exchanges, late) {
					return true
				}
			}
		}
	}
	return slices.ContainsFunc(s.Console, func(c consolePlan) bool { return c.Resume })
}

// said is what became of a saying.
type said struct {
	sayingPlan
	sender   string
	text     string
	asked    time.Time // when the question was asked that it answers; zero for a note
	confirms bool      // the question awaits a confirmation, which takes any number of messages
	result   asteroid.SendMessageResult
	err      error
	resume   error // of the status that followed, if one did
}

// messagesWorld runs a messagesSchedule.
type messagesWorld struct {
	*world
	schedule    messagesSchedule
	executionID string
	said        []said
}

func runMessages(t *testing.T, s messagesSchedule) []violation {
	t.Helper()
	return spoilMessages(t, s, func(*messagesWorld) {})
}

// spoilMessages runs a schedule and spoils its end, before the audit.
func spoilMessages(t *testing.T, s messagesSchedule, spoil func(*messagesWorld)) []violation {
	t.Helper()
	return simulate(t, s.Conditions, activities.Options{}, func(w *world) {
		m := &messagesWorld{world: w, schedule: s}
		agent := w.api.ServeAgent("clerk", func(testsuite.Run) (steps []testsuite.Step) {
			for n, q := range s.Questions {
				words := "Is that right?"
				if !q.Same {
					words = fmt.Sprintf("Is that right, number %d?", n)
				}
				steps = append(steps, testsuite.Work(max(time.Duration(q.Work), 100*time.Millisecond)))
				if q.Confirm {
					steps = append(steps, testsuite.AwaitConfirmation(words))
				} else {
					steps = append(steps, testsuite.Ask(words))
				}
			}
			return append(steps, testsuite.Work(24*time.Hour), testsuite.Complete("success", "", nil))
		})
		run := w.startRun("workflow", nil)
		var executed asteroid.ExecuteAgentResult
		in := asteroid.ExecuteAgentInput{AgentID: agent}
		if err := w.execute(run.over, run, asteroid.ExecuteAgentName, in, executeOptions(patience), &plans{}, &executed); err != nil {
			w.violate("the agent does not start", "%v", err)
			return
		}
		m.executionID = executed.ExecutionID
		var people actors
		for i, sender := range s.Senders {
			// People never act at the same instant.
			people.add(time.Duration(i)*3137*time.Microsecond, func() { m.send(fmt.Sprint("sender-", i+1), sender) })
		}
		for i, plan := range s.Console {
			people.add(time.Duration(plan.At)+time.Duration(i+1)*571*time.Microsecond, func() { m.useConsole(fmt.Sprint("console says ", i+1), plan.Resume) })
		}
		if !people.wait(6 * time.Hour) {
			w.violate("a message is stuck", "")
			return
		}
		time.Sleep(time.Minute) // what is late has been carried out
		spoil(m)
		m.audit()
	})
}

// send does what one person does. Each saying has a workflow run of its own, so that a reset finds
// its activities only.
func (m *messagesWorld) send(name string, sender senderPlan) {
	began := time.Now()
	for i, saying := range sender.Sayings {
		time.Sleep(time.Until(began.Add(time.Duration(saying.At))))
		s := said{sayingPlan: saying, sender: name, text: fmt.Sprintf("%s says %d", name, i+1)}
		if saying.Same {
			s.text = "yes"
		}
		if m.say(fmt.Sprintf("%s-%d", name, i+1), &s) {
			m.server.mu.Lock()
			m.said = append(m.said, s)
			m.server.mu.Unlock()
		}
	}
}

// say reads the question and answers it. It returns false if there is nothing to say.
func (m *messagesWorld) say(workflowID string, s *said) bool {
	run, plans := m.startRun(workflowID, nil), &plans{attempts: s.Attempts}
	message := asteroid.SendMessageInput{ExecutionID: m.executionID, Message: s.text}
	var read asteroid.Execution
	if !s.Note {
		options := awaitOptions()
		options.scheduleToClose = 10 * time.Minute
		in := asteroid.AwaitExecutionInput{ExecutionID: m.executionID, Until: asteroid.UntilNeedsHuman}
		if m.execute(run.over, run, asteroid.AwaitExecutionName, in, options, plans, &read) != nil || read.Asking == "" {
			return false
		}
		message.Asking, s.asked, s.confirms = read.Asking, read.StatusChangedAt, read.Status == asteroid.StatusAwaitingConfirmation
		time.Sleep(time.Duration(s.Think))
	}
	for _, reset := range s.Resets {
		timer := time.AfterFunc(time.Duration(reset.After), func() { m.resetActivities(run, reset.Heartbeats) })
		defer timer.Stop()
	}
	s.err = m.execute(run.over, run, asteroid.SendMessageName, message, callOptions(time.Hour), plans, &s.result)
	if s.err == nil && s.confirms {
		status := asteroid.SetExecutionStatusInput{ExecutionID: m.executionID, Status: asteroid.StatusRunning, Asking: read.Asking}
		s.resume = m.execute(run.over, run, asteroid.SetExecutionStatusName, status, callOptions(time.Hour), plans, nil)
	}
	return true
}

// useConsole answers whatever the agent asks, or resumes it.
func (m *messagesWorld) useConsole(text string, resume bool) {
	path, body := "/user-messages", fmt.Sprintf(`{"message":%q}`, text)
	if resume {
		path, body = "/status", `{"status":"running"}`
	}
	m.request(http.MethodPost, "executions/"+m.executionID+path, body)
}

// received is a message in the agent's log.
type received struct {
	text     string
	asked    time.Time // of the newest question when it came; zero if there was none
	open     bool      // the agent still waited for the answer
	answered bool      // by an earlier message
}

// audit checks the invariants at the end.
func (m *messagesWorld) audit() {
	var entries []struct {
		Timestamp time.Time `json:"timestamp"`
		Payload   struct {
			ActivityType string `json:"activityType"`
			Message      string `json:"message"`
			Status       string `json:"status"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(m.request(http.MethodGet, "executions/"+m.executionID+"/activities", ""), &entries); err != nil {
		panic(err)
	}
	var log []received
	var now received
	question := false
	for _, entry := range entries {
		switch {
		case entry.Payload.ActivityType == "user_message_received":
			now.text = entry.Payload.Message
			log = append(log, now)
			now.answered = true
		case entry.Payload.ActivityType != "status_changed":
		case entry.Payload.Status == "paused_by_agent" || entry.Payload.Status == "awaiting_confirmation":
			now, question = received{asked: entry.Timestamp, open: true}, entry.Payload.Status == "paused_by_agent"
		default:
			if now.open && question && !now.answered && !m.schedule.mayResumeUnanswered() {
				m.violate("an agent was resumed without an answer", "it had asked at %s", now.asked)
			}
			now.open = false
		}
	}
	for _, s := range m.said {
		m.auditSaid(s, log)
	}
	if n := len(m.api.Requests()); n > 80*(len(m.said)+1)+40 {
		m.violate("too many requests", "%d for %d messages", n, len(m.said))
	}
}

func (m *messagesWorld) auditSaid(s said, log []received) {
	times, onQuestion, placed := 0, 0, 0
	for _, r := range log {
		if r.text != s.text {
			continue
		}
		times++
		if r.asked.Equal(s.asked) {
			onQuestion++
		}
		if s.Note && !r.open || !s.Note && r.asked.Equal(s.asked) && (s.confirms || !r.answered) {
			placed++
		}
	}
	if !s.Same && times > 1 {
		m.violate("a message came more than once", "%q came %d times (%v)", s.text, times, s.err)
	}
	if s.Same && onQuestion > 1 && !m.severalMeant(s) {
		m.violate("an answer came more than once", "%q came %d times", s.text, onQuestion)
	}
	switch {
	case s.err == nil && times == 0:
		m.violate("an accepted message is lost", "%q", s.text)
	case s.err == nil && !s.result.Misplaced && placed == 0 && !s.cannotTell():
		m.violate("a message landed elsewhere", "%q %+v", s.text, s.result)
	case s.err != nil && !asteroid.IsInvalidInput(s.err):
		m.violate("a message failed", "%q: %v", s.text, s.err)
	case s.err != nil && !s.Same && times > 0:
		m.violate("a message that was refused came", "%q: %v", s.text, s.err)
	case s.resume != nil && !asteroid.IsInvalidInput(s.resume):
		m.violate("a confirmation failed", "%q: %v", s.text, s.resume)
	}
}

// cannotTell reports whether the log may be unreadable after the message. The result then says
// nothing of a misplaced one.
func (s said) cannotTell() bool {
	return slices.ContainsFunc(s.Attempts, func(a attemptPlan) bool { return len(a.Exchanges) > 3 && a.Exchanges[3].Fault != "" })
}

// severalMeant reports whether more than one person gave the same answer to the same question.
func (m *messagesWorld) severalMeant(s said) bool {
	n := 0
	for _, other := range m.said {
		if other.text == s.text && other.asked.Equal(s.asked) {
			n++
		}
	}
	return n > 1
}

func TestSimulationOfMessages(t *testing.T) {
	t.Parallel()
	check(t, drawMessages, runMessages)
}
