package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// asksTwice is an agent that asks two questions and returns the answers.
func asksTwice(testsuite.Run) []testsuite.Step {
	var answers []string
	onAnswer := func(then ...testsuite.Step) func(string) []testsuite.Step {
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
	return []testsuite.Step{testsuite.Work(time.Second), testsuite.AskFor(account, onAnswer(
		testsuite.Work(time.Second), testsuite.AskFor(documents, onAnswer(done...)),
	))}
}

// update sends an update and waits for its result.
func (s *stack) update(run client.WorkflowRun, name string, in any) (workflows.SteerResult, error) {
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

// answer answers what the agent asks, as its state shows it.
func (s *stack) answer(run client.WorkflowRun, in workflows.AnswerInput) (workflows.SteerResult, error) {
	s.t.Helper()
	agent := s.awaitState(run, asks).Agents[0]
	in.ExecutionID, in.Asking = agent.ExecutionID, agent.Asking
	return s.update(run, workflows.AnswerUpdate, in)
}

// asks is the condition that the first agent asks something that can be answered.
func asks(state workflows.State) bool {
	return phase(workflows.PhaseNeedsHuman)(state) && state.Agents[0].Asking != ""
}

// awaitQuestion waits until the agent asks the question.
func (s *stack) awaitQuestion(run client.WorkflowRun, question string) {
	s.t.Helper()
	s.awaitState(run, func(state workflows.State) bool {
		return asks(state) && len(state.Agents[0].Questions) > 0 && state.Agents[0].Questions[0].Question == question
	})
}

// awaitListed waits until a query by AgentAsks returns the workflow, or no longer returns it.
func (s *stack) awaitListed(run client.WorkflowRun, listed bool) {
	s.t.Helper()
	query := fmt.Sprintf("AgentAsks IS NOT NULL AND WorkflowId = %q", run.GetID())
	require.Eventually(s.t, func() bool {
		found, err := s.client.CountWorkflow(s.ctx(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		return err == nil && (found.GetCount() == 1) == listed
	}, 20*time.Second, 100*time.Millisecond)
}

func TestRunAgentUpdatesAnswerPauseAndResume(t *testing.T) {
	s := newStack(t)
	s.startWorker()
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{
		AgentID: s.api.ServeAgent("claims-filer", asksTwice), QuestionSearchAttribute: "AgentAsks",
	})
	s.awaitQuestion(run, "Which account shall I use?")
	s.awaitListed(run, true)
	_, err := s.answer(run, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Cash"}}}})
	require.ErrorContains(t, err, `"Checking", "Savings"`)
	sent, err := s.answer(run, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Savings"}}}})
	require.NoError(t, err)
	require.Equal(t, "Savings", sent.Message)

	s.awaitQuestion(run, "Which documents belong to the claim?")
	_, err = s.answer(run, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Invoice", "Letter"}}}})
	require.NoError(t, err)
	s.awaitState(run, phase(workflows.PhaseRunning))
	steer := workflows.SteerInput{ExecutionID: sent.ExecutionID}
	paused, err := s.update(run, workflows.PauseUpdate, steer)
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusPaused, paused.Status)
	s.awaitState(run, phase(workflows.PhasePaused))
	_, err = s.update(run, workflows.ResumeUpdate, steer)
	require.NoError(t, err)

	var result workflows.RunAgentResult
	require.NoError(t, run.Get(s.ctx(), &result))
	require.JSONEq(t, `["Savings","Invoice, Letter"]`, string(result.Result()))
	s.awaitListed(run, false)
	var seen []asteroid.Status
	for _, at := range s.awaitState(run, phase(workflows.PhaseCompleted)).Agents[0].Statuses {
		if at.Status != asteroid.StatusRunning { // may be too short for the workflow to see
			seen = append(seen, at.Status)
		}
	}
	require.Equal(t, []asteroid.Status{"starting", "paused_by_agent", "paused_by_agent", "paused", "completed"}, seen)
	_, err = s.update(run, workflows.PauseUpdate, steer)
	require.Error(t, err)
	record(t, "steered", s.history(run))
}
