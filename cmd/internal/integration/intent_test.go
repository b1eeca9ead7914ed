package integration

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// reset begins the workflow anew after its first workflow task: everything that it scheduled is scheduled again.
func (s *stack) reset(run client.WorkflowRun) client.WorkflowRun {
	s.t.Helper()
	var completed int64
	for _, event := range s.history(run).Events {
		if _, ok := event.Attributes.(*history.HistoryEvent_WorkflowTaskCompletedEventAttributes); ok {
			completed = event.EventId
			break
		}
	}
	answer, err := s.client.ResetWorkflowExecution(s.ctx(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:         "default",
		WorkflowExecution: &common.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
		Reason:            "test", WorkflowTaskFinishEventId: completed, RequestId: uuid.NewString(),
	})
	require.NoError(s.t, err)
	return s.client.GetWorkflow(s.ctx(), run.GetID(), answer.RunId)
}

func TestAResetAdoptsTheRunThatIsGoingOn(t *testing.T) {
	s := newStack(t)
	s.work()
	run := s.start(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("patient"), Inputs: activities.Inputs{"seconds": 4}})
	s.state(run, phase(workflows.PhaseRunning))
	again := s.reset(run)
	var result workflows.RunAgentResult
	require.NoError(t, again.Get(s.ctx(), &result))
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 1)
	require.Equal(t, "completed", s.api.Executions()[0].Status, "a reset does not cancel the agent")
}

func TestAResetAfterCompletionAdoptsAndAfterFailureRunsAgain(t *testing.T) {
	s := newStack(t)
	s.work()
	fails := s.api.AddAgent("fails once",
		func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Fail("the portal is down")} },
		func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Complete("success", "", 1)} })
	run := s.start(workflows.RunAgentName, workflows.RunAgentInput{AgentID: fails})
	require.True(t, activities.IsExecutionFailed(run.Get(s.ctx(), nil)))
	again := s.reset(run)
	var result workflows.RunAgentResult
	require.NoError(t, again.Get(s.ctx(), &result))
	require.False(t, result.Adopted)
	require.Equal(t, s.api.Executions()[0].Metadata[activities.MetadataExecutionKey]+"#2", result.ExecutionKey)

	third := s.reset(again)
	require.NoError(t, third.Get(s.ctx(), &result))
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 2)
}

func TestWhichExecutesShareAnIdentity(t *testing.T) {
	for name, row := range map[string]struct {
		key  string
		runs int
	}{"new runs are new intents": {"", 2}, "unless an IdempotencyKey says otherwise": {"order-42", 1}} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.work()
			for range 2 {
				run := s.start(workflows.RunAgentName, workflows.RunAgentInput{
					AgentID: s.api.AgentID("patient"), Inputs: activities.Inputs{"seconds": 0}, IdempotencyKey: row.key,
				})
				require.NoError(t, run.Get(s.ctx(), nil))
			}
			require.Len(t, s.api.Executions(), row.runs)
		})
	}
}

func TestAStandaloneExecuteIsIdentifiedByItself(t *testing.T) {
	s := newStack(t)
	s.work()
	for range 2 {
		handle, err := s.client.ExecuteActivity(s.ctx(), client.StartActivityOptions{
			ID: "execute-" + uuid.NewString(), TaskQueue: s.queue, StartToCloseTimeout: activityTimeout,
		}, activities.ExecuteAgentName, activities.ExecuteAgentInput{AgentID: s.api.AgentID("patient")})
		require.NoError(t, err)
		var executed activities.ExecuteAgentResult
		require.NoError(t, handle.Get(s.ctx(), &executed))
		require.False(t, executed.Adopted)
	}
	executions := s.api.Executions()
	require.Len(t, executions, 2)
	require.NotContains(t, executions[0].Metadata, activities.MetadataWorkflowID)
	require.NotEqual(t, executions[0].Metadata[activities.MetadataExecutionKey], executions[1].Metadata[activities.MetadataExecutionKey])
}

func TestALostAnswerLeavesOneRun(t *testing.T) {
	s := newStack(t)
	s.options.LookupGrace = 1 // next to none: what was carried out is listed at once
	s.work()
	s.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
	run := s.start(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("patient"), Inputs: activities.Inputs{"seconds": 1}})
	var result workflows.RunAgentResult
	require.NoError(t, run.Get(s.ctx(), &result))
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 1)
}
