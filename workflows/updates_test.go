package workflows_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// state returns the state of the first agent.
func (b *bench) state(t *testing.T) workflows.AgentState {
	t.Helper()
	value, err := b.QueryWorkflow(workflows.StateQuery)
	require.NoError(t, err)
	var state workflows.State
	require.NoError(t, value.Get(&state))
	return state.Agents[0]
}

// updateOutcome records how an update ended.
type updateOutcome struct {
	rejected, failed error
	result           *workflows.SteerResult
}

func (o *updateOutcome) Accept()          {}
func (o *updateOutcome) Reject(err error) { o.rejected = err }
func (o *updateOutcome) Complete(result any, err error) {
	o.failed = err
	o.result, _ = result.(*workflows.SteerResult)
}

func (b *bench) update(t *testing.T, name string, in any) *updateOutcome {
	t.Helper()
	w := &updateOutcome{}
	b.UpdateWorkflow(name, "", w, in)
	return w
}

// answer answers what the first agent asks by the state.
func (b *bench) answer(t *testing.T, in workflows.AnswerInput) *updateOutcome {
	t.Helper()
	state := b.state(t)
	in.ExecutionID, in.Asking = cmp.Or(in.ExecutionID, state.ExecutionID), cmp.Or(in.Asking, state.Asking)
	return b.update(t, workflows.AnswerUpdate, in)
}

// asking returns what the first agent asks, as the service tells it.
func (b *bench) asking(t *testing.T) string {
	t.Helper()
	c, err := client.New("default", connection(b.api), time.Minute, b.Now)
	require.NoError(t, err)
	e, err := c.Execution(t.Context(), b.api.Executions()[0].ID)
	require.NoError(t, err)
	require.NoError(t, c.FillReason(t.Context(), e))
	return e.Asking
}

// steer is the input of an update about the first agent, with what it asks.
func (b *bench) steer(t *testing.T) workflows.SteerInput {
	t.Helper()
	state := b.state(t)
	return workflows.SteerInput{ExecutionID: state.ExecutionID, Asking: state.Asking}
}

// askingAgent adds an agent that works for a minute before each question and returns the answers.
func (b *bench) askingAgent(questions ...testsuite.Question) string {
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

func TestAnswerUpdateSendsTheAnswerAndResumesTheAgent(t *testing.T) {
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
			agent := b.askingAgent(c.question)
			var w *updateOutcome
			b.RegisterDelayedCallback(func() { w = b.answer(t, c.in) }, time.Hour)
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

func TestAnswerUpdateRefusesAnAnswerThatFitsNoQuestion(t *testing.T) {
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
			agent := b.askingAgent(account)
			var w *updateOutcome
			b.RegisterDelayedCallback(func() { w = b.answer(t, c.in) }, time.Hour)
			b.RegisterDelayedCallback(func() {
				require.Zero(t, b.requests("ExecutionUserMessagesAdd"))
				require.NoError(t, b.answer(t, workflows.AnswerInput{Text: "go on"}).rejected)
			}, 2*time.Hour)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.NoError(t, err)
			require.True(t, asteroid.IsInvalidInput(w.rejected), "%v", w.rejected)
			require.ErrorContains(t, w.rejected, c.says)
		})
	}
}

func TestAnswerUpdateFailsIfTheAgentAsksNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.workingAgent(2 * time.Hour)
	var w, unnamed *updateOutcome
	b.RegisterDelayedCallback(func() {
		unnamed = b.answer(t, workflows.AnswerInput{Text: "yes"})
		w = b.answer(t, workflows.AnswerInput{Asking: "0123456789ab", Text: "yes"})
	}, time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.ErrorContains(t, unnamed.rejected, "asking: is required")
	require.True(t, asteroid.IsInvalidInput(w.failed), "%v", w.failed)
	require.ErrorContains(t, w.failed, `"0123456789ab" is over`)
	require.Zero(t, b.requests("ExecutionUserMessagesAdd"))
}

// No event tells the workflow of the question: the update reads it.
func TestAnswerUpdateReadsAQuestionThatTheWorkflowDoesNotKnow(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent, began := b.askingAgent(account), b.Now()
	var w *updateOutcome
	b.RegisterDelayedCallback(func() {
		require.Equal(t, workflows.PhaseRunning, b.state(t).Phase)
		w = b.answer(t, workflows.AnswerInput{Asking: b.asking(t), Answers: []workflows.Answer{{Labels: []string{"Savings"}}}})
	}, 2*time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.NoError(t, w.failed)
	require.Less(t, b.Now().Sub(began), 11*time.Minute)
}

func TestAnswerUpdateGivesNoConfirmation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.AddAgent("confirms", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.AwaitConfirmation("Pay?"), testsuite.Complete("success", "", 1)}
	})
	var w *updateOutcome
	b.RegisterDelayedCallback(func() { w = b.answer(t, workflows.AnswerInput{Text: "yes"}) }, time.Hour)
	b.RegisterDelayedCallback(func() { b.update(t, workflows.ResumeUpdate, b.steer(t)) }, 2*time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.ErrorContains(t, w.rejected, "confirmation")
	require.Zero(t, b.requests("ExecutionUserMessagesAdd"))
}

func TestUpdatesPauseResumeAndSendMessages(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent := b.workingAgent(time.Hour)
	outcomes := map[string]*updateOutcome{}
	b.RegisterDelayedCallback(func() { outcomes["pause"] = b.update(t, workflows.PauseUpdate, b.steer(t)) }, 10*time.Minute)
	b.RegisterDelayedCallback(func() {
		require.Equal(t, workflows.PhasePaused, b.state(t).Phase)
		outcomes["tell"] = b.update(t, workflows.SendMessageUpdate, workflows.MessageInput{ExecutionID: b.state(t).ExecutionID, Message: "Mind the total."})
	}, 15*time.Minute)
	b.RegisterDelayedCallback(func() {
		require.Equal(t, asteroid.StatusPaused, b.state(t).Status, "a message does not resume an agent that a person has paused")
		outcomes["resume"] = b.update(t, workflows.ResumeUpdate, b.steer(t))
	}, 30*time.Minute)
	b.RegisterDelayedCallback(func() { require.Equal(t, workflows.PhaseRunning, b.state(t).Phase) }, 31*time.Minute)
	b.RegisterDelayedCallback(func() {
		outcomes["empty"] = b.update(t, workflows.SendMessageUpdate, workflows.MessageInput{ExecutionID: b.state(t).ExecutionID, Message: " "})
		outcomes["other"] = b.update(t, workflows.PauseUpdate, workflows.SteerInput{ExecutionID: "e-1"})
	}, 32*time.Minute)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	for name, status := range map[string]asteroid.Status{"pause": "paused", "tell": "paused", "resume": "running"} {
		require.NoError(t, outcomes[name].rejected, name)
		require.NoError(t, outcomes[name].failed, name)
		require.Equal(t, status, outcomes[name].result.Status, name)
		require.Equal(t, result.ExecutionID, outcomes[name].result.ExecutionID, name)
	}
	require.ErrorContains(t, outcomes["empty"].rejected, "message")
	require.ErrorContains(t, outcomes["other"].rejected, "no execution of this workflow")
	require.Equal(t, 1, b.requests("ExecutionUserMessagesAdd"))
}

func TestCancelUpdateEndsRunAgentWithExecutionCancelled(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent, began := b.workingAgent(time.Hour), b.Now()
	b.RegisterDelayedCallback(func() { b.update(t, workflows.CancelUpdate, b.steer(t)) }, 5*time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.True(t, asteroid.IsExecutionCancelled(err), "%v", err)
	require.Less(t, b.Now().Sub(began), 6*time.Minute)
}

func TestUpdatesRefuseARunThatIsFinishedOrNotNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.ServeAgent("works", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(time.Hour), testsuite.Complete("success", "", 1)}
	})
	var unnamed, over, none *updateOutcome
	b.RegisterDelayedCallback(func() { unnamed = b.update(t, workflows.PauseUpdate, workflows.SteerInput{}) }, time.Minute)
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
	for _, e := range b.api.Executions() {
		require.ErrorContains(t, unnamed.rejected, e.ID)
	}
	require.ErrorContains(t, over.rejected, "is finished, or the workflow does not wait for it any more: it is completed")
	require.ErrorContains(t, none.rejected, "no agent of this workflow is at work")
}

// tell sends a message directly to the service, as the console does.
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

// deaf accepts messages and loses them, so that they do not resume the run.
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

func TestAnswerUpdateResumesARunThatTheMessageDoesNotResume(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"a known question": true, "an unknown question": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newEventBench(t)
			b.connect(func(c *asteroid.Connection) { c.Transport = deaf{} })
			agent, began := b.askingAgent(account), b.Now()
			if known {
				b.event(90*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusPausedByAgent})
			}
			b.RegisterDelayedCallback(func() {
				require.NoError(t, b.answer(t, workflows.AnswerInput{Asking: b.asking(t), Text: "Savings"}).rejected)
			}, 2*time.Minute)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, PollIntervalSeconds: 86400})
			require.NoError(t, err)
			require.Less(t, b.Now().Sub(began), 5*time.Minute)
			require.Equal(t, 1, b.requests("ExecutionStatusUpdate"))
		})
	}
}

func TestRunAgentSeesTheQuestionOfAnAdoptedRun(t *testing.T) {
	t.Parallel()
	for _, events := range []asteroid.Events{asteroid.EventsPoll, asteroid.EventsWebhooks} {
		b := newBench(t)
		b.events = events
		in := workflows.RunAgentInput{AgentID: b.askingAgent(account), IdempotencyKey: "order-1", HumanTimeoutSeconds: 3600}
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
