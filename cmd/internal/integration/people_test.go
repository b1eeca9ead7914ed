package integration

import (
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// asksTwice is an agent that asks two things and tells what it was answered.
func asksTwice(testsuite.Run) []testsuite.Step {
	var answers []string
	heard := func(then ...testsuite.Step) func(string) []testsuite.Step {
		return func(answer string) []testsuite.Step {
			answers = append(answers, answer)
			return then
		}
	}
	account := testsuite.Question{Text: "Which account shall I use?", Header: "Account", Options: []testsuite.Choice{
		{Label: "Checking", Description: "ends in 42"}, {Label: "Savings"},
	}}
	documents := testsuite.Question{Text: "Which documents belong to the claim?", Header: "Documents", MultiSelect: true, Options: []testsuite.Choice{
		{Label: "Invoice"}, {Label: "Photo"}, {Label: "Letter"},
	}}
	done := []testsuite.Step{testsuite.Work(6 * time.Second), testsuite.Complete("success", "Filed it.", &answers)}
	return []testsuite.Step{testsuite.Work(time.Second), testsuite.AskFor(account, heard(
		testsuite.Work(time.Second), testsuite.AskFor(documents, heard(done...)),
	))}
}

// wish sends an update and waits for what comes of it.
func (s *stack) wish(run client.WorkflowRun, name string, in any) (workflows.SteerResult, error) {
	s.t.Helper()
	handle, err := s.client.UpdateWorkflow(s.ctx(), client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), RunID: run.GetRunID(), UpdateName: name, Args: []any{in}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return workflows.SteerResult{}, err
	}
	var result workflows.SteerResult
	return result, handle.Get(s.ctx(), &result)
}

// asked waits for a question.
func (s *stack) asked(run client.WorkflowRun, question string) {
	s.t.Helper()
	s.state(run, func(state workflows.State) bool {
		return phase(workflows.PhaseNeedsHuman)(state) && len(state.Agents[0].Questions) > 0 && state.Agents[0].Questions[0].Question == question
	})
}

// waiting waits until a list of the workflows that wait for a person has the workflow, or no longer has it.
func (s *stack) waiting(run client.WorkflowRun, listed bool) {
	s.t.Helper()
	query := fmt.Sprintf("AgentAsks IS NOT NULL AND WorkflowId = %q", run.GetID())
	require.Eventually(s.t, func() bool {
		found, err := s.client.CountWorkflow(s.ctx(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		return err == nil && (found.GetCount() == 1) == listed
	}, 20*time.Second, 100*time.Millisecond)
}

func TestAnAgentThatAsksTwiceIsAnsweredPausedAndResumed(t *testing.T) {
	s := newStack(t)
	s.work()
	run := s.start(workflows.RunAgentName, workflows.RunAgentInput{
		AgentID: s.api.ServeAgent("claims-filer", asksTwice), QuestionSearchAttribute: "AgentAsks",
	})
	s.asked(run, "Which account shall I use?")
	s.waiting(run, true)
	_, err := s.wish(run, workflows.AnswerUpdate, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Cash"}}}})
	require.ErrorContains(t, err, `"Checking", "Savings"`)
	told, err := s.wish(run, workflows.AnswerUpdate, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Savings"}}}})
	require.NoError(t, err)
	require.Equal(t, "Savings", told.Message)

	s.asked(run, "Which documents belong to the claim?")
	_, err = s.wish(run, workflows.AnswerUpdate, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Invoice", "Letter"}}}})
	require.NoError(t, err)
	s.state(run, phase(workflows.PhaseRunning))
	paused, err := s.wish(run, workflows.PauseUpdate, workflows.SteerInput{})
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusPaused, paused.Status)
	s.state(run, phase(workflows.PhasePaused))
	_, err = s.wish(run, workflows.ResumeUpdate, workflows.SteerInput{})
	require.NoError(t, err)

	var result workflows.RunAgentResult
	require.NoError(t, run.Get(s.ctx(), &result))
	require.JSONEq(t, `["Savings","Invoice, Letter"]`, string(result.Result()))
	s.waiting(run, false)
	var seen []asteroid.Status
	for _, at := range s.state(run, phase(workflows.PhaseCompleted)).Agents[0].Statuses {
		if at.Status != asteroid.StatusRunning { // which the workflow may be too late to see
			seen = append(seen, at.Status)
		}
	}
	require.Equal(t, []asteroid.Status{"starting", "paused_by_agent", "paused_by_agent", "paused", "completed"}, seen)
	_, err = s.wish(run, workflows.PauseUpdate, workflows.SteerInput{})
	require.Error(t, err)
	record(t, "steered", s.history(run))
}

// lateHandler is a handler that is there before what it hands to.
type lateHandler struct{ http.Handler }

func TestAWebhookIsProgressLongBeforeAnyPoll(t *testing.T) {
	if server == nil {
		t.Skip("needs the Temporal server")
	}
	var handler atomic.Pointer[lateHandler]
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.Load().ServeHTTP(w, r) }))
	t.Cleanup(receiver.Close)
	s := newStack(t, testsuite.WithWebhooks(receiver.URL, nil), testsuite.WithWebhookFaults(testsuite.WebhookFaults{Copies: 3}))
	key, err := worker.ParseWebhookPublicKey(s.api.WebhookPublicKey())
	require.NoError(t, err)
	receive, err := worker.NewWebhookHandler(worker.WebhookOptions{Clients: map[string]client.Client{"default": s.client}, PublicKeys: []*rsa.PublicKey{key}})
	require.NoError(t, err)
	handler.Store(&lateHandler{receive})
	s.options.Events = asteroid.EventsWebhooks
	s.work()
	began := time.Now()
	run := s.start(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 20, "ask": "Go on?"}})
	s.state(run, phase(workflows.PhaseNeedsHuman))
	_, err = s.wish(run, workflows.AnswerUpdate, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Yes"}}}})
	require.NoError(t, err)
	require.NoError(t, run.Get(s.ctx(), nil))
	require.Less(t, time.Since(began), time.Minute, "the poll looks every ten minutes")
	require.LessOrEqual(t, scheduled(s.history(run))[asteroid.AwaitExecutionName], 4)
	for _, r := range s.api.Requests() {
		require.NotEqual(t, "ExecutionsList", r.Operation, "nobody has to list anything")
	}
}
