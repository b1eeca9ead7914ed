package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestRunAgentAfterResetAdoptsActiveExecution(t *testing.T) {
	s := newResetStack(t)
	s.startWorker()
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 4}})
	s.awaitState(run, phase(workflows.PhaseRunning))
	second := s.resetTo(run, 0)
	var result workflows.RunAgentResult
	require.NoError(t, second.Get(s.ctx(), &result))
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 1)
	require.Equal(t, "completed", s.api.Executions()[0].Status, "a reset does not cancel the agent")
}

func TestRunAgentAfterResetAdoptsCompletedAndReplacesFailedExecution(t *testing.T) {
	s := newResetStack(t)
	s.startWorker()
	failsOnce := s.api.AddAgent("fails once",
		func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Fail("the portal is down")} },
		func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Complete("success", "", 1)} })
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: failsOnce})
	require.True(t, asteroid.IsExecutionFailed(run.Get(s.ctx(), nil)))
	second := s.resetTo(run, 0)
	var result workflows.RunAgentResult
	require.NoError(t, second.Get(s.ctx(), &result))
	require.False(t, result.Adopted)
	require.Equal(t, s.api.Executions()[0].Metadata[asteroid.MetadataExecutionKey]+"#2", result.ExecutionKey)

	third := s.resetTo(second, 0)
	require.NoError(t, third.Get(s.ctx(), &result))
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 2)
}

// executeTwice executes an agent with two activities of one run.
func executeTwice(ctx workflow.Context, in asteroid.ExecuteAgentInput) error {
	for range 2 {
		if _, err := workflows.ExecuteAgent(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// runAgentAndContinue runs an agent, continues as new once and runs the agent again.
func runAgentAndContinue(ctx workflow.Context, in workflows.RunAgentInput) error {
	if _, err := workflows.RunAgent(ctx, in); err != nil {
		return err
	}
	if workflow.GetInfo(ctx).ContinuedExecutionRunID == "" {
		return workflow.NewContinueAsNewError(ctx, runAgentAndContinue, in)
	}
	return nil
}

// runAgentAndFail runs an agent and fails the first attempt of the workflow.
func runAgentAndFail(ctx workflow.Context, in workflows.RunAgentInput) error {
	if _, err := workflows.RunAgent(ctx, in); err != nil {
		return err
	}
	if workflow.GetInfo(ctx).Attempt == 1 {
		return temporal.NewApplicationError("once more", "retry")
	}
	return nil
}

// The scenarios are rows of the table in the comment of [activities.Activities.ExecuteAgent]. Its
// other rows (another attempt, a reset, a standalone activity) have tests of their own.
func TestExecuteAgentIdentityByScenario(t *testing.T) {
	type scenario func(s *stack, agent, key string) (run client.WorkflowRun)
	runAgent := func(agent, key string) workflows.RunAgentInput {
		return workflows.RunAgentInput{AgentID: agent, Inputs: asteroid.Inputs{"seconds": 0}, IdempotencyKey: key}
	}
	for name, row := range map[string]struct {
		scenario            scenario
		withoutKey, withKey int // executions without and with an IdempotencyKey
	}{
		"another activity of the same run": {func(s *stack, agent, key string) client.WorkflowRun {
			return s.startWorkflow(executeTwice, asteroid.ExecuteAgentInput{AgentID: agent, IdempotencyKey: key})
		}, 2, 1},
		"run again": {func(s *stack, agent, key string) client.WorkflowRun {
			require.NoError(s.t, s.startWorkflow(workflows.RunAgentName, runAgent(agent, key)).Get(s.ctx(), nil))
			return s.startWorkflow(workflows.RunAgentName, runAgent(agent, key))
		}, 2, 1},
		"continued as new": {func(s *stack, agent, key string) client.WorkflowRun {
			return s.startWorkflow(runAgentAndContinue, runAgent(agent, key))
		}, 2, 1},
		"workflow retried": {func(s *stack, agent, key string) client.WorkflowRun {
			run, err := s.client.ExecuteWorkflow(s.ctx(), client.StartWorkflowOptions{
				TaskQueue: s.queue, RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Millisecond, MaximumAttempts: 2},
			}, runAgentAndFail, runAgent(agent, key))
			require.NoError(s.t, err)
			return run
		}, 2, 1},
	} {
		for key, executions := range map[string]int{"": row.withoutKey, "order-42": row.withKey} {
			t.Run(name+" "+key, func(t *testing.T) {
				s := newStack(t)
				s.startWorker(executeTwice, runAgentAndContinue, runAgentAndFail)
				require.NoError(t, row.scenario(s, s.api.AgentID("patient"), key).Get(s.ctx(), nil))
				require.Len(t, s.api.Executions(), executions)
			})
		}
	}
}

func TestExecuteAgentStandaloneHasOwnIdentity(t *testing.T) {
	s := newStack(t)
	s.startWorker()
	for range 2 {
		handle, err := s.client.ExecuteActivity(s.ctx(), client.StartActivityOptions{
			ID: "execute-" + uuid.NewString(), TaskQueue: s.queue, StartToCloseTimeout: activityTimeout,
		}, asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: s.api.AgentID("patient")})
		require.NoError(t, err)
		var executed asteroid.ExecuteAgentResult
		require.NoError(t, handle.Get(s.ctx(), &executed))
		require.False(t, executed.Adopted)
	}
	executions := s.api.Executions()
	require.Len(t, executions, 2)
	require.NotContains(t, executions[0].Metadata, asteroid.MetadataWorkflowID)
	require.NotEqual(t, executions[0].Metadata[asteroid.MetadataExecutionKey], executions[1].Metadata[asteroid.MetadataExecutionKey])
}

func TestRunAgentAdoptsExecutionAfterLostResponse(t *testing.T) {
	s := newStack(t)
	s.options.LookupGrace = time.Nanosecond // the fake lists an execution at once
	s.startWorker()
	s.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 1}})
	var result workflows.RunAgentResult
	require.NoError(t, run.Get(s.ctx(), &result))
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 1)
}

// The agent completes, then the workflow fails because the agent's files cannot be listed. The
// workflow's RetryPolicy must not run the agent again.
func TestWorkflowRetryPolicyRunsNoSecondAgent(t *testing.T) {
	s := newStack(t)
	wrapsError := func(ctx workflow.Context, agentID string) error {
		_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agentID, Collect: &workflows.Collect{}})
		return fmt.Errorf("file the claim: %w", err)
	}
	s.startWorker(wrapsError)
	s.api.Inject("ExecutionFilesGet", testsuite.Answer(403, "{}"), 100)
	echo := s.api.AgentID("echo")
	for _, start := range []struct{ workflow, in any }{
		{workflows.RunAgentName, workflows.RunAgentInput{AgentID: echo, Collect: &workflows.Collect{}}},
		{wrapsError, echo},
	} {
		before := len(s.api.Executions())
		run, err := s.client.ExecuteWorkflow(s.ctx(), client.StartWorkflowOptions{
			TaskQueue: s.queue, RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Millisecond, MaximumAttempts: 3},
		}, start.workflow, start.in)
		require.NoError(t, err)
		err = run.Get(s.ctx(), nil) // of the last attempt, if there are several
		require.True(t, asteroid.IsUnauthorized(err), "%v", err)
		details, _ := asteroid.DetailsOf(err)
		executions := s.api.Executions()
		require.Len(t, executions, before+1)
		require.Equal(t, executions[before].ID, details.ExecutionID)
	}
}

// Both workflows look up, find nothing and send. Each sweeps later. Both have to keep the same
// execution, and the one whose execution is cancelled has to go on with the other's.
func TestTwoWorkflowsWithOneKeyAtOnceShareOneRun(t *testing.T) {
	s := newResetStack(t, testsuite.WithListDelay(2*time.Second))
	s.startWorker()
	in := s.echo(8)
	in.IdempotencyKey = "order-42"
	one, other := s.startWorkflow(workflows.RunAgentName, in), s.startWorkflow(workflows.RunAgentName, in)
	var results [2]workflows.RunAgentResult
	require.NoError(t, one.Get(s.ctx(), &results[0]))
	require.NoError(t, other.Get(s.ctx(), &results[1]))
	require.Len(t, s.api.Executions(), 2, "else this tests nothing")
	uncancelled := s.uncancelled()
	require.Len(t, uncancelled, 1)
	require.Equal(t, uncancelled[0].ID, results[0].ExecutionID)
	require.Equal(t, uncancelled[0].ID, results[1].ExecutionID)
	require.NotEqual(t, results[0].Adopted, results[1].Adopted)
}

// The younger of two different requests with one key is refused, even if the list shows it late.
func TestTwoRequestsWithOneKeyAtOnceRunOneAgent(t *testing.T) {
	s := newResetStack(t, testsuite.WithListDelay(2*time.Second))
	s.startWorker()
	var errs []error
	var runs []client.WorkflowRun
	for claim := range 2 {
		in := s.echo(8)
		in.IdempotencyKey, in.Inputs["claim"] = "order-42", claim
		runs = append(runs, s.startWorkflow(workflows.RunAgentName, in))
	}
	for _, run := range runs {
		if err := run.Get(s.ctx(), nil); err != nil {
			errs = append(errs, err)
		}
	}
	require.Len(t, s.api.Executions(), 2, "else this tests nothing")
	require.Len(t, s.uncancelled(), 1)
	require.Len(t, errs, 1)
	require.True(t, asteroid.IsInvalidInput(errs[0]), "%v", errs[0])
	require.Contains(t, errs[0].Error(), "with a different request (inputs)")
	require.Contains(t, errs[0].Error(), s.uncancelled()[0].ID)
}
