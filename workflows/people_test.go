package workflows_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// state is that of the first agent.
func (b *bench) state(t *testing.T) workflows.AgentState {
	t.Helper()
	value, err := b.QueryWorkflow(workflows.StateQuery)
	require.NoError(t, err)
	var state workflows.State
	require.NoError(t, value.Get(&state))
	return state.Agents[0]
}

// wish is an update and what came of it.
type wish struct {
	rejected, failed error
	result           *workflows.SteerResult
}

func (w *wish) Accept()          {}
func (w *wish) Reject(err error) { w.rejected = err }
func (w *wish) Complete(result any, err error) {
	w.failed = err
	w.result, _ = result.(*workflows.SteerResult)
}

func (b *bench) update(t *testing.T, name string, in any) *wish {
	t.Helper()
	w := &wish{}
	b.UpdateWorkflow(name, "", w, in)
	return w
}

// asking is an agent that works a minute, asks, and tells what it was answered.
func (b *bench) asking(questions ...testsuite.Question) string {
	return b.api.AddAgent("asks", func(testsuite.Run) []testsuite.Step {
		var answers []string
		var steps func(rest []testsuite.Question) []testsuite.Step
		steps = func(rest []testsuite.Question) []testsuite.Step {
			if len(rest) == 0 {
				return []testsuite.Step{testsuite.Complete("success", "", answers)}
			}
			return []testsuite.Step{testsuite.Work(time.Minute), testsuite.AskFor(rest[0], func(answer string) []testsuite.Step {
				answers = append(answers, answer)
				return steps(rest[1:])
			})}
		}
		return steps(questions)
	})
}

var account = testsuite.Question{Text: "Which account?", Header: "Account", Options: []testsuite.Choice{{Label: "Checking"}, {Label: "Savings"}}}

func TestAnAnswerReachesTheAgentWhoGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		question testsuite.Question
		in       workflows.AnswerInput
		told     string
	}{
		"a label":         {account, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Savings"}}}}, "Savings"},
		"by its header":   {account, workflows.AnswerInput{Answers: []workflows.Answer{{Question: "Account", Labels: []string{"Savings"}}}}, "Savings"},
		"by its question": {account, workflows.AnswerInput{Answers: []workflows.Answer{{Question: "Which account?", Labels: []string{"Checking"}}}}, "Checking"},
		"a text":          {account, workflows.AnswerInput{Text: " Neither. "}, "Neither."},
		"both":            {account, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Savings"}}}, Text: "The first one."}, "Savings\nThe first one."},
		"no options":      {testsuite.Question{Text: "Why?"}, workflows.AnswerInput{Text: "Because."}, "Because."},
		"several labels": {testsuite.Question{Text: "Which?", MultiSelect: true, Options: account.Options},
			workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Savings", "Checking"}}}}, "Savings, Checking"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			agent := b.asking(c.question)
			var w *wish
			b.RegisterDelayedCallback(func() { w = b.update(t, workflows.AnswerUpdate, c.in) }, time.Hour)
			result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.NoError(t, err)
			require.NoError(t, w.rejected)
			require.NoError(t, w.failed)
			require.Equal(t, c.told, w.result.Message)
			var told []string
			require.NoError(t, result.DecodeResult(&told))
			require.Equal(t, []string{c.told}, told)
		})
	}
}

func TestAnAnswerThatFitsNoOpenQuestionIsRefusedAndSendsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   workflows.AnswerInput
		says string
	}{
		"nothing":           {workflows.AnswerInput{}, "choose labels, write a text"},
		"another label":     {workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"savings"}}}}, `"Checking", "Savings"`},
		"no label":          {workflows.AnswerInput{Answers: []workflows.Answer{{}}}, "is empty"},
		"two labels":        {workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Checking", "Savings"}}}}, "takes one answer"},
		"another question":  {workflows.AnswerInput{Answers: []workflows.Answer{{Question: "Who?", Labels: []string{"Savings"}}}}, `"Which account?"`},
		"twice":             {workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Savings"}}, {Labels: []string{"Checking"}}}}, "answered twice"},
		"another execution": {workflows.AnswerInput{ExecutionID: "e-1", Text: "x"}, "no execution of this workflow"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			agent := b.asking(account)
			var w *wish
			b.RegisterDelayedCallback(func() { w = b.update(t, workflows.AnswerUpdate, c.in) }, time.Hour)
			b.RegisterDelayedCallback(func() {
				require.Zero(t, b.requests("ExecutionUserMessagesAdd"))
				require.NoError(t, b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{Text: "go on"}).rejected)
			}, 2*time.Hour)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.NoError(t, err)
			require.True(t, asteroid.IsInvalidInput(w.rejected), "%v", w.rejected)
			require.ErrorContains(t, w.rejected, c.says)
		})
	}
}

func TestAnAnswerToAnAgentThatAsksNothingIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.worked(2 * time.Hour)
	var w *wish
	b.RegisterDelayedCallback(func() { w = b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{Text: "yes"}) }, time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.ErrorContains(t, w.failed, "asks nothing")
	require.Zero(t, b.requests("ExecutionUserMessagesAdd"))
}

// The workflow hears of nothing here: the answer finds the question by itself.
func TestAnAnswerToAQuestionThatTheWorkflowHasNotHeardOfIsTaken(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent, began := b.asking(account), b.Now()
	var w *wish
	b.RegisterDelayedCallback(func() {
		require.Equal(t, workflows.PhaseRunning, b.state(t).Phase)
		w = b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Savings"}}}})
	}, 2*time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.NoError(t, w.failed)
	require.Less(t, b.Now().Sub(began), 11*time.Minute)
}

func TestAConfirmationIsNotGivenByAnAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.AddAgent("confirms", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.AwaitConfirmation("Pay?"), testsuite.Complete("success", "", 1)}
	})
	var w *wish
	b.RegisterDelayedCallback(func() { w = b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{Text: "yes"}) }, time.Hour)
	b.RegisterDelayedCallback(func() { b.update(t, workflows.ResumeUpdate, workflows.SteerInput{}) }, 2*time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.ErrorContains(t, w.rejected, "confirmation")
	require.Zero(t, b.requests("ExecutionUserMessagesAdd"))
}

func TestPeoplePauseResumeAndTellTheAgentSomething(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent := b.worked(time.Hour)
	wishes := map[string]*wish{}
	b.RegisterDelayedCallback(func() { wishes["pause"] = b.update(t, workflows.PauseUpdate, workflows.SteerInput{}) }, 10*time.Minute)
	b.RegisterDelayedCallback(func() {
		require.Equal(t, workflows.PhasePaused, b.state(t).Phase)
		wishes["tell"] = b.update(t, workflows.SendMessageUpdate, workflows.MessageInput{Message: "Mind the total."})
	}, 15*time.Minute)
	b.RegisterDelayedCallback(func() {
		require.Equal(t, asteroid.StatusPaused, b.state(t).Status, "a message resumes nobody whom a person has paused")
		wishes["resume"] = b.update(t, workflows.ResumeUpdate, workflows.SteerInput{})
	}, 30*time.Minute)
	b.RegisterDelayedCallback(func() { require.Equal(t, workflows.PhaseRunning, b.state(t).Phase) }, 31*time.Minute)
	b.RegisterDelayedCallback(func() {
		wishes["empty"] = b.update(t, workflows.SendMessageUpdate, workflows.MessageInput{Message: " "})
		wishes["other"] = b.update(t, workflows.PauseUpdate, workflows.SteerInput{ExecutionID: "e-1"})
	}, 32*time.Minute)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	for name, status := range map[string]asteroid.Status{"pause": "paused", "tell": "paused", "resume": "running"} {
		require.NoError(t, wishes[name].rejected, name)
		require.NoError(t, wishes[name].failed, name)
		require.Equal(t, status, wishes[name].result.Status, name)
		require.Equal(t, result.ExecutionID, wishes[name].result.ExecutionID, name)
	}
	require.ErrorContains(t, wishes["empty"].rejected, "message")
	require.ErrorContains(t, wishes["other"].rejected, "no execution of this workflow")
	require.Equal(t, 1, b.requests("ExecutionUserMessagesAdd"))
}

func TestACancelByUpdateEndsTheRunAsACancelledOne(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent, began := b.worked(time.Hour), b.Now()
	b.RegisterDelayedCallback(func() { b.update(t, workflows.CancelUpdate, workflows.SteerInput{}) }, 5*time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.True(t, asteroid.IsExecutionCancelled(err), "%v", err)
	require.Less(t, b.Now().Sub(began), 6*time.Minute)
}

func TestUpdatesAreRefusedWhereNoAgentIsAtWorkOrSeveralAre(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.ServeAgent("works", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(time.Hour), testsuite.Complete("success", "", 1)}
	})
	var several, over, none *wish
	b.RegisterDelayedCallback(func() { several = b.update(t, workflows.PauseUpdate, workflows.SteerInput{}) }, time.Minute)
	b.RegisterDelayedCallback(func() {
		over = b.update(t, workflows.PauseUpdate, workflows.SteerInput{ExecutionID: b.api.Executions()[0].ID})
		none = b.update(t, workflows.PauseUpdate, workflows.SteerInput{})
	}, 3*time.Hour)
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		var runs []*workflows.AgentRun
		for range 2 {
			run, err := workflows.StartAgent(ctx, workflows.RunAgentInput{AgentID: agent})
			if err != nil {
				return err
			}
			runs = append(runs, run)
		}
		for _, run := range runs {
			if _, err := run.Result(ctx); err != nil {
				return err
			}
		}
		return workflow.Sleep(ctx, 4*time.Hour)
	})
	require.NoError(t, b.GetWorkflowError())
	require.ErrorContains(t, several.rejected, "several agents are at work")
	require.ErrorContains(t, over.rejected, "is over, or not waited for any more: completed")
	require.ErrorContains(t, none.rejected, "no agent of this workflow is at work")
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	for policy, c := range map[workflows.OnHumanTimeout]struct {
		check  func(error) bool
		status string
	}{
		"":                                {asteroid.IsExecutionTimedOut, "cancelled"},
		workflows.HumanTimeoutFail:        {asteroid.IsExecutionTimedOut, "cancelled"},
		workflows.HumanTimeoutCancel:      {asteroid.IsExecutionCancelled, "cancelled"},
		workflows.HumanTimeoutKeepWaiting: {func(err error) bool { return err == nil }, "completed"},
	} {
		for _, events := range []asteroid.Events{asteroid.EventsPoll, asteroid.EventsWebhooks} {
			t.Run(string(policy)+" "+string(events), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				b.events = events
				agent := b.asking(account)
				b.event(2*time.Minute, asteroid.ExecutionEvent{Status: asteroid.StatusPausedByAgent})
				b.RegisterDelayedCallback(func() {
					state := b.state(t)
					require.True(t, state.Overdue)
					require.WithinDuration(t, b.Now().Add(-178*time.Minute), state.AskedSince, 2*time.Minute)
					b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{Text: "Savings"})
				}, 3*time.Hour)
				_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 3600, OnHumanTimeout: policy})
				require.True(t, c.check(err), "%v", err)
				require.Equal(t, c.status, b.api.Executions()[0].Status)
			})
		}
	}
}

func TestATimeoutForPeopleCanLeaveTheAgentAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.asking(account)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 60, OnCancel: workflows.AbandonExecution})
	require.True(t, asteroid.IsExecutionTimedOut(err), "%v", err)
	require.Equal(t, "paused_by_agent", b.api.Executions()[0].Status)
}

// The time is one question's. Neither an answer that the workflow has not heard of nor another question may cost the run.
func TestTheTimeForAnAnswerBeginsAnewWithEachQuestion(t *testing.T) {
	t.Parallel()
	for _, events := range []asteroid.Events{asteroid.EventsPoll, asteroid.EventsWebhooks} {
		b := newBench(t)
		b.events = events
		agent := b.asking(account, testsuite.Question{Text: "Sure?"})
		b.event(2*time.Minute, asteroid.ExecutionEvent{Status: asteroid.StatusPausedByAgent})
		say := func(text string) {
			b.RegisterDelayedCallback(func() { // somebody in the console: no event tells of it
				require.NoError(t, tell(b, text))
			}, map[string]time.Duration{"Savings": 55 * time.Minute, "Yes": 110 * time.Minute}[text])
		}
		say("Savings")
		say("Yes")
		_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 3600, BackstopSeconds: 7200})
		require.NoError(t, err)
		var asked []asteroid.Status
		for _, at := range b.state(t).Statuses {
			asked = append(asked, at.Status)
		}
		require.Contains(t, asked, asteroid.StatusPausedByAgent)
	}
}

func TestASearchAttributeShowsWhoWaitsForAPerson(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.asking(account)
	var held []string
	key := temporal.NewSearchAttributeKeyKeyword("Asks")
	b.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		text, _ := args.Get(0).(temporal.SearchAttributes).GetKeyword(key)
		held = append(held, text)
	}).Return(nil)
	b.RegisterDelayedCallback(func() { b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{Text: "Savings"}) }, time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, QuestionSearchAttribute: "Asks"})
	require.NoError(t, err)
	require.Equal(t, []string{"Which account?", ""}, held)
}

// tell sends a message past the workflow, as the console does.
func tell(b *bench, text string) error {
	body, err := json.Marshal(map[string]string{"message": text})
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, b.api.BaseURL()+"/agents/v2/executions/"+b.api.Executions()[0].ID+"/user-messages", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Asteroid-Agents-Api-Key", b.api.APIKey())
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		return errors.New(response.Status)
	}
	return nil
}

// deaf loses what people say: the message is accepted, and the run stays as it is.
type deaf struct{}

func (deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/user-messages") {
		return http.DefaultTransport.RoundTrip(r)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{
		StatusCode: http.StatusCreated, Header: http.Header{"Content-Type": {"text/plain"}}, Request: r,
		Body: io.NopCloser(strings.NewReader("User message added.")),
	}, nil
}

func TestARunThatAMessageDoesNotResumeIsResumed(t *testing.T) {
	t.Parallel()
	for name, heard := range map[string]bool{"of which the workflow knows": true, "of which it does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newEventBench(t)
			b.connect(func(c *asteroid.Connection) { c.Transport = deaf{} })
			agent, began := b.asking(account), b.Now()
			if heard {
				b.event(90*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusPausedByAgent})
			}
			b.RegisterDelayedCallback(func() {
				require.NoError(t, b.update(t, workflows.AnswerUpdate, workflows.AnswerInput{Text: "Savings"}).rejected)
			}, 2*time.Minute)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, BackstopSeconds: 86400})
			require.NoError(t, err)
			require.Less(t, b.Now().Sub(began), 5*time.Minute)
			require.Equal(t, 1, b.requests("ExecutionStatusUpdate"))
		})
	}
}

func TestARunThatIsAdoptedWhileItAsksIsSeenToAsk(t *testing.T) {
	t.Parallel()
	for _, events := range []asteroid.Events{asteroid.EventsPoll, asteroid.EventsWebhooks} {
		b := newBench(t)
		b.events = events
		in := workflows.RunAgentInput{AgentID: b.asking(account), IdempotencyKey: "order-1", HumanTimeoutSeconds: 3600}
		began := b.Now()
		b.ExecuteWorkflow(func(ctx workflow.Context) error {
			if _, err := workflows.StartAgent(ctx, in); err != nil {
				return err
			}
			if err := workflow.Sleep(ctx, 5*time.Minute); err != nil {
				return err
			}
			_, err := workflows.RunAgent(ctx, in)
			return err
		})
		require.True(t, asteroid.IsExecutionTimedOut(b.GetWorkflowError()), "%v", b.GetWorkflowError())
		require.Less(t, b.Now().Sub(began), 2*time.Hour)
	}
}
