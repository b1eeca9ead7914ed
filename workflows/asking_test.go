package workflows_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// answers returns the answers that the agent of askingAgent has got, one for each question.
func answers(t *testing.T, result *workflows.RunAgentResult) []string {
	t.Helper()
	var answers []string
	require.NoError(t, result.DecodeResult(&answers))
	return answers
}

func TestAnswerUpdateNeverReachesAnotherQuestion(t *testing.T) {
	t.Parallel()
	sameWords := testsuite.Question{Text: "Go on?"}
	for name, questions := range map[string][]testsuite.Question{
		"other words":    {{Text: "Continue to checkout?"}, {Text: "Pay 10,000?"}},
		"the same words": {sameWords, sameWords},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newEventBench(t)
			agent := b.askingAgent(questions...)
			b.event(62*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusPausedByAgent})
			var first workflows.SteerInput
			late := map[string]*updateOutcome{}
			b.RegisterDelayedCallback(func() {
				first = b.steer(t)
				require.NotEmpty(t, first.Asking)
				require.NoError(t, tell(b, "by the console")) // of which the workflow learns nothing
			}, 2*time.Minute)
			b.RegisterDelayedCallback(func() { // the next question is asked, and the workflow shows the first
				require.Equal(t, first, b.steer(t))
				late["answer"] = b.answer(t, workflows.AnswerInput{Text: "Yes"})
			}, 3*time.Minute+time.Second)
			b.RegisterDelayedCallback(func() {
				require.NotEqual(t, first.Asking, b.state(t).Asking)
				late["resume"] = b.update(t, workflows.ResumeUpdate, first)
				late["message"] = b.update(t, workflows.SendMessageUpdate, workflows.MessageInput{ExecutionID: first.ExecutionID, Asking: first.Asking, Message: "Yes"})
				late["unnamed message"] = b.update(t, workflows.SendMessageUpdate, workflows.MessageInput{ExecutionID: first.ExecutionID, Message: "Yes"})
				late["unnamed resume"] = b.update(t, workflows.ResumeUpdate, workflows.SteerInput{ExecutionID: first.ExecutionID})
				late["cancel"] = b.update(t, workflows.CancelUpdate, first)
			}, 10*time.Minute)
			b.RegisterDelayedCallback(func() {
				require.NoError(t, b.answer(t, workflows.AnswerInput{Text: "to the second"}).rejected)
			}, time.Hour)
			result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.NoError(t, err)
			require.Equal(t, []string{"by the console", "to the second"}, answers(t, result))
			require.True(t, asteroid.IsInvalidInput(late["answer"].failed), "%v", late["answer"].failed)
			require.ErrorContains(t, late["answer"].failed, `was answered already, with "by the console"`)
			require.ErrorContains(t, late["answer"].failed, questions[1].Text)
			delete(late, "answer")
			for name, outcome := range late {
				require.True(t, asteroid.IsInvalidInput(outcome.rejected), "%s: %+v", name, outcome)
				require.ErrorContains(t, outcome.rejected, "asking", name)
			}
		})
	}
}

func TestAnswerUpdateRefusesTheSecondOfTwoPeople(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]bool{"known by a poll": false, "known by an event": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if event {
				b = newEventBench(t)
				b.event(62*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusPausedByAgent})
			}
			agent := b.askingAgent(account, account)
			var first workflows.SteerInput
			var refused []*updateOutcome
			savings := workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Savings"}}}}
			b.RegisterDelayedCallback(func() {
				first = b.steer(t)
				require.NoError(t, b.answer(t, savings).rejected)
				refused = append(refused, b.answer(t, savings), b.update(t, workflows.ResumeUpdate, first))
			}, 2*time.Minute)
			b.RegisterDelayedCallback(func() {
				late := savings
				late.Asking = first.Asking
				refused = append(refused, b.answer(t, late))
			}, 2*time.Minute+30*time.Second)
			b.RegisterDelayedCallback(func() {
				require.NoError(t, b.answer(t, workflows.AnswerInput{Text: "Checking"}).rejected)
			}, time.Hour)
			result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.NoError(t, err)
			require.Equal(t, []string{"Savings", "Checking"}, answers(t, result))
			for _, outcome := range refused {
				require.ErrorContains(t, outcome.rejected, "answered")
			}
			require.ErrorContains(t, refused[2].rejected, `was answered already, with "Savings"`)
		})
	}
}

// unreadable answers the log as if it were empty, for a while.
type unreadable struct {
	until time.Time
	now   func() time.Time
}

func (u *unreadable) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, "/activities") && u.now().Before(u.until) {
		_ = response.Body.Close()
		response.Body = http.NoBody
		response.StatusCode = http.StatusForbidden
	}
	return response, err
}

func TestAnswerUpdateWaitsUntilTheQuestionCanBeRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	began := b.Now()
	b.connect(func(c *asteroid.Connection) {
		c.Transport = &unreadable{until: began.Add(time.Hour), now: b.Now}
	})
	agent := b.askingAgent(account)
	var early *updateOutcome
	b.RegisterDelayedCallback(func() {
		early = b.answer(t, workflows.AnswerInput{Text: "Savings"})
		require.NotEmpty(t, b.state(t).ExecutionID)
	}, 30*time.Minute)
	b.RegisterDelayedCallback(func() { require.NoError(t, b.answer(t, workflows.AnswerInput{Text: "Savings"}).rejected) }, 2*time.Hour)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.Equal(t, []string{"Savings"}, answers(t, result))
	require.ErrorContains(t, early.rejected, "nothing is sent until it can be read")
}

// frozen answers reads from one time until another as it answered them before.
type frozen struct {
	now         func() time.Time
	from, until time.Time
	mu          sync.Mutex
	bodies      map[string][]byte // by path
}

func (f *frozen) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet {
		return response, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if old, ok := f.bodies[r.URL.Path]; ok && !f.now().Before(f.from) && f.now().Before(f.until) {
		body = old
	} else if f.bodies == nil {
		f.bodies = map[string][]byte{}
	}
	f.bodies[r.URL.Path] = body
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, err
}

func TestAnswerUpdateStopsTheHumanTimeout(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		lag time.Duration // of reads after the answer
		err func(error) bool
	}{
		"reads that lag": {27 * time.Second, func(err error) bool { return err == nil }},
		"nobody answers": {0, asteroid.IsExecutionTimedOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newEventBench(t)
			agent, began := b.askingAgent(account), b.Now()
			b.event(62*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusPausedByAgent})
			answered := 62*time.Second + time.Hour - 4*time.Second
			if row.lag > 0 {
				b.connect(func(c *asteroid.Connection) {
					c.Transport = &frozen{now: b.Now, from: began.Add(answered), until: began.Add(answered + row.lag)}
				})
				b.RegisterDelayedCallback(func() {
					require.NoError(t, b.answer(t, workflows.AnswerInput{Text: "Savings"}).rejected)
				}, answered)
			}
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 3600})
			require.True(t, row.err(err), "%v", err)
		})
	}
}

func TestAnswerUpdateThatFailsLeavesTheHumanTimeout(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.askingAgent(account)
	b.api.Inject("ExecutionUserMessagesAdd", testsuite.Answer(http.StatusBadRequest, ""), 1)
	var failed *updateOutcome
	b.RegisterDelayedCallback(func() { failed = b.answer(t, workflows.AnswerInput{Text: "Savings"}) }, 30*time.Minute)
	b.RegisterDelayedCallback(func() { require.NotEmpty(t, b.state(t).Answer.Error) }, 40*time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 3600})
	require.True(t, asteroid.IsExecutionTimedOut(err), "%v", err)
	require.Error(t, failed.failed)
}

func TestAnswerUpdateReturnsWhileItsAnswerIsDelivered(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.askingAgent(account)
	b.api.Inject("ExecutionUserMessagesAdd", testsuite.Answer(http.StatusServiceUnavailable, ""), 10)
	var w, second *updateOutcome
	b.RegisterDelayedCallback(func() { w = b.answer(t, workflows.AnswerInput{Text: "Savings"}) }, time.Hour)
	b.RegisterDelayedCallback(func() {
		require.NoError(t, w.failed)
		require.True(t, w.result.Delivering)
		require.False(t, b.state(t).Answer.Delivered)
		second = b.answer(t, workflows.AnswerInput{Text: "Checking"})
	}, time.Hour+31*time.Second)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 3610})
	require.NoError(t, err)
	require.ErrorContains(t, second.rejected, `is being answered already, with "Savings"`)
	require.Equal(t, []string{"Savings"}, answers(t, result))
	require.True(t, b.state(t).Answer.Delivered)
}

func TestUpdatesRefuseMoreThanTheServerAdmits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.workingAgent(time.Hour)
	b.api.Inject("ExecutionUserMessagesAdd", testsuite.Answer(http.StatusServiceUnavailable, ""), 5)
	var sent []*updateOutcome
	b.RegisterDelayedCallback(func() {
		for range 12 {
			sent = append(sent, b.update(t, workflows.SendMessageUpdate, workflows.MessageInput{ExecutionID: b.state(t).ExecutionID, Message: "Mind the total."}))
		}
	}, 10*time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	for i, outcome := range sent {
		if i < 8 {
			require.NoError(t, outcome.rejected)
			continue
		}
		require.True(t, asteroid.IsUnavailable(outcome.rejected), "%v", outcome.rejected)
	}
	execution := b.api.Executions()[0]
	require.Len(t, execution.Messages, 8)
}

func TestCancelUpdateEndsWithExecutionCancelledWhateverCanBeRead(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent := b.workingAgent(time.Hour)
	began := b.Now()
	b.connect(func(c *asteroid.Connection) { c.Transport = &unreadable{until: began.Add(24 * time.Hour), now: b.Now} })
	b.RegisterDelayedCallback(func() { b.update(t, workflows.CancelUpdate, b.steer(t)) }, 5*time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.True(t, asteroid.IsExecutionCancelled(err), "%v", err)
}
