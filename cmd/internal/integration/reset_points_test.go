package integration

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// parallelAgents runs equal requests in parallel and returns the ids of their executions.
func parallelAgents(ctx workflow.Context, in workflows.RunAgentInput) ([]string, error) {
	var runs []*workflows.AgentRun
	for range 3 {
		run, err := workflows.StartAgent(ctx, in)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	var ids []string
	for _, run := range runs {
		result, err := run.Result(ctx)
		if err != nil {
			return nil, err
		}
		ids = append(ids, result.ExecutionID)
	}
	return ids, nil
}

// equalChildren runs equal requests in child workflows.
func equalChildren(ctx workflow.Context, in workflows.RunAgentInput) ([]string, error) {
	children := []workflow.ChildWorkflowFuture{workflows.ExecuteRunAgent(ctx, in), workflows.ExecuteRunAgent(ctx, in)}
	var ids []string
	for _, child := range children {
		var result workflows.RunAgentResult
		if err := child.Get(ctx, &result); err != nil {
			return nil, err
		}
		ids = append(ids, result.ExecutionID)
	}
	return ids, nil
}

// typedCalls runs an agent with the typed calls.
func typedCalls(ctx workflow.Context, in workflows.RunAgentInput) (*asteroid.Execution, error) {
	staged, err := workflows.StageFiles(ctx, asteroid.StageFilesInput{Files: in.Files})
	if err != nil {
		return nil, err
	}
	executed, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: in.AgentID, Inputs: in.Inputs, TempFiles: staged.Files})
	if err != nil {
		return nil, err
	}
	return workflows.AwaitExecution(ctx, asteroid.AwaitExecutionInput{ExecutionID: executed.ExecutionID})
}

// byUpdate runs an agent in the handler of an update, and returns after one.
func byUpdate(ctx workflow.Context, in workflows.RunAgentInput) error {
	finished := 0
	err := workflow.SetUpdateHandler(ctx, "run", func(ctx workflow.Context) (*workflows.RunAgentResult, error) {
		defer func() { finished++ }()
		return workflows.RunAgent(ctx, in)
	})
	if err != nil {
		return err
	}
	return workflow.Await(ctx, func() bool { return finished == 1 })
}

// bySignal runs an agent in a coroutine that a signal starts.
func bySignal(ctx workflow.Context, in workflows.RunAgentInput) error {
	done, wait := workflow.NewFuture(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		workflow.GetSignalChannel(ctx, "run").Receive(ctx, nil)
		_, err := workflows.RunAgent(ctx, in)
		wait.Set(nil, err)
	})
	return done.Get(ctx, nil)
}

// A reset to any workflow task of a run that has completed runs no agent, whatever the workflow
// does around it.
func TestResetToEveryTaskRunsNoFurtherAgent(t *testing.T) {
	file := []asteroid.FileRef{{URI: "data:text/csv,1", Name: "claim.csv"}}
	for name, row := range map[string]struct {
		workflow   any
		prepare    func(s *stack)
		change     func(s *stack, in *workflows.RunAgentInput)
		begin      func(s *stack, run client.WorkflowRun)
		input      func(in workflows.RunAgentInput) any
		executions int
	}{
		"files that are saved": {workflow: workflows.RunAgentName, executions: 1, change: func(s *stack, in *workflows.RunAgentInput) {
			in.Files, in.Collect = file, &workflows.Collect{FileSelection: asteroid.FileSelection{Result: true}, Destination: "file://" + s.options.OutputRoots[0]}
		}},
		"files, with a key": {workflow: workflows.RunAgentName, executions: 1, change: func(_ *stack, in *workflows.RunAgentInput) {
			in.Files, in.IdempotencyKey = file, "order-42"
		}},
		"capacity": {workflow: workflows.RunAgentName, executions: 1, prepare: func(s *stack) {
			s.api.Inject("AgentExecutePost", testsuite.Answer(429, `{"message":"full"}`, "Content-Type", "application/json", "Retry-After", "1"), 2)
		}},
		"lost response": {workflow: workflows.RunAgentName, executions: 1, prepare: func(s *stack) {
			s.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
		}},
		"re-execution": {workflow: workflows.RunAgentName, executions: 2, change: func(s *stack, in *workflows.RunAgentInput) {
			in.AgentID = s.api.AddAgent("lost once",
				func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.CancelBy("worker_lost")} },
				func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Complete("success", "", 1)} })
			in.Reexecution = &workflows.Reexecution{MaximumExecutions: 2, InitialIntervalSeconds: 1}
		}},
		"pipeline": {workflow: workflows.PipelineName, executions: 3, input: func(in workflows.RunAgentInput) any {
			next := workflows.PipelineStep{RunAgentInput: in, ExecutionIDInput: "previous", ResultInput: "result"}
			return workflows.PipelineInput{Steps: []workflows.PipelineStep{{RunAgentInput: in}, next, next}}
		}},
		"equal in parallel": {workflow: parallelAgents, executions: 3},
		"equal children":    {workflow: equalChildren, executions: 2},
		"typed calls":       {workflow: typedCalls, executions: 1, change: func(_ *stack, in *workflows.RunAgentInput) { in.Files = file }},
		"update": {workflow: byUpdate, executions: 1, begin: func(s *stack, run client.WorkflowRun) {
			_, err := s.client.UpdateWorkflow(s.ctx(), client.UpdateWorkflowOptions{
				WorkflowID: run.GetID(), UpdateName: "run", WaitForStage: client.WorkflowUpdateStageAccepted,
			})
			require.NoError(s.t, err)
		}},
		"signal": {workflow: bySignal, executions: 1, begin: func(s *stack, run client.WorkflowRun) {
			require.NoError(s.t, s.client.SignalWorkflow(s.ctx(), run.GetID(), "", "run", nil))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newResetStack(t)
			if row.prepare != nil {
				row.prepare(s)
			}
			s.startWorker(parallelAgents, equalChildren, typedCalls, byUpdate, bySignal)
			in := s.echo(0)
			if row.change != nil {
				row.change(s, &in)
			}
			var input any = in
			if row.input != nil {
				input = row.input(in)
			}
			run := s.startWorkflow(row.workflow, input)
			if row.begin != nil {
				row.begin(s, run)
			}
			require.NoError(t, run.Get(s.ctx(), nil))
			require.Len(t, s.api.Executions(), row.executions)
			tasks := 0
			for _, event := range s.history(run).Events {
				if event.GetWorkflowTaskCompletedEventAttributes() != nil {
					tasks++
				}
			}
			for n := range tasks {
				again := s.resetTo(run, n)
				require.NoError(t, again.Get(s.ctx(), nil), "task %d", n)
				require.Len(t, s.api.Executions(), row.executions, "task %d of %d", n, tasks)
			}
		})
	}
}

// Whatever ended a run, its reset follows the agent that is at work or has completed.
func TestResetOfEndedRunFollowsItsAgent(t *testing.T) {
	for name, row := range map[string]struct {
		end        func(s *stack, run client.WorkflowRun)
		onCancel   workflows.OnCancel
		executions int
	}{
		"terminated": {func(s *stack, run client.WorkflowRun) {
			require.NoError(s.t, s.client.TerminateWorkflow(s.ctx(), run.GetID(), run.GetRunID(), "test"))
		}, "", 1},
		"cancelled and abandoned": {func(s *stack, run client.WorkflowRun) {
			require.NoError(s.t, s.client.CancelWorkflow(s.ctx(), run.GetID(), run.GetRunID()))
			require.Error(s.t, run.Get(s.ctx(), nil))
		}, workflows.AbandonExecution, 1},
		"cancelled": {func(s *stack, run client.WorkflowRun) {
			require.NoError(s.t, s.client.CancelWorkflow(s.ctx(), run.GetID(), run.GetRunID()))
			require.Error(s.t, run.Get(s.ctx(), nil))
		}, workflows.CancelExecution, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newResetStack(t)
			s.startWorker()
			in := s.echo(5)
			in.OnCancel = row.onCancel
			run := s.startWorkflow(workflows.RunAgentName, in)
			s.awaitState(run, phase(workflows.PhaseRunning))
			row.end(s, run)
			again := s.resetTo(run, 0)
			var result workflows.RunAgentResult
			require.NoError(t, again.Get(s.ctx(), &result))
			require.Len(t, s.api.Executions(), row.executions)
			require.Equal(t, fmt.Sprint(row.executions == 1), fmt.Sprint(result.Adopted))
		})
	}
}
