package integration

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	common "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Resets of a workflow, its parent and its activities. The fake API's ledger counts the agents. The
// table is in the comment of [activities.Activities.ExecuteAgent].

// newResetStack returns a stack with a short grace period.
func newResetStack(t *testing.T, options ...testsuite.Option) *stack {
	s := newStack(t, options...)
	s.options.LookupGrace, s.options.RequestTimeout = 3*time.Second, 2*time.Second
	return s
}

// resetTo resets a workflow to the nth of its completed workflow tasks; negative counts from the
// last one.
func (s *stack) resetTo(run client.WorkflowRun, n int) client.WorkflowRun {
	s.t.Helper()
	var completed []int64
	for _, event := range s.history(run).Events {
		if event.GetWorkflowTaskCompletedEventAttributes() != nil {
			completed = append(completed, event.EventId)
		}
	}
	if n < 0 {
		n += len(completed)
	}
	response, err := s.client.ResetWorkflowExecution(s.ctx(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:         "default",
		WorkflowExecution: &common.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
		Reason:            "test", WorkflowTaskFinishEventId: completed[n], RequestId: uuid.NewString(),
	})
	require.NoError(s.t, err)
	return s.client.GetWorkflow(s.ctx(), run.GetID(), response.RunId)
}

// uncancelled returns the executions that nobody cancelled.
func (s *stack) uncancelled() []testsuite.Execution {
	return slices.DeleteFunc(s.api.Executions(), func(e testsuite.Execution) bool { return e.Status == "cancelled" })
}

// awaitExecutions waits until the service has started n executions.
func (s *stack) awaitExecutions(n int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return len(s.api.Executions()) >= n }, 3*time.Minute, 20*time.Millisecond)
}

// now runs a function as a local activity, so that history keeps its result.
func now[Out any](ctx workflow.Context, function func(context.Context) (Out, error)) Out {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute})
	var out Out
	_ = workflow.ExecuteLocalActivity(ctx, function).Get(ctx, &out)
	return out
}

func (s *stack) echo(seconds float64) workflows.RunAgentInput {
	return workflows.RunAgentInput{AgentID: s.api.AgentID("echo"), Inputs: asteroid.Inputs{"seconds": seconds}}
}

func TestResetDuringExecuteRunsOneAgent(t *testing.T) {
	for name, row := range map[string]struct {
		fault     testsuite.Fault
		listDelay time.Duration
		key       string
	}{
		"response lost":                   {testsuite.LoseResponse(), 4 * time.Second, ""},
		"response lost, with a key":       {testsuite.LoseResponse(), 4 * time.Second, "order-42"},
		"refused by a gateway, not heard": {testsuite.Answer(503, "<html>", "Content-Type", "text/html"), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newResetStack(t, testsuite.WithListDelay(row.listDelay))
			s.options.LookupGrace = 6 * time.Second
			s.startWorker()
			s.api.Inject("AgentExecutePost", row.fault, 1)
			in := s.echo(20)
			in.IdempotencyKey = row.key
			run := s.startWorkflow(workflows.RunAgentName, in)
			require.Eventually(t, func() bool { return s.requests("AgentExecutePost") == 1 }, time.Minute, 10*time.Millisecond)
			lookups := s.requests("ExecutionsList")
			again := s.resetTo(run, 0)
			s.awaitRequests("ExecutionsList", lookups+1) // the second reset hits the run in its grace period, too
			third := s.resetTo(again, 0)
			var result workflows.RunAgentResult
			require.NoError(t, third.Get(s.ctx(), &result))
			require.Len(t, s.api.Executions(), 1)
		})
	}
}

func (s *stack) requests(operation string) int {
	n := 0
	for _, r := range s.api.Requests() {
		if r.Operation == operation {
			n++
		}
	}
	return n
}

func (s *stack) awaitRequests(operation string, n int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.requests(operation) >= n }, time.Minute, 10*time.Millisecond)
}

// With a fallback the workflow has two different executes. A reset must not take one for the other.
func TestResetAfterFallbackKeepsAgents(t *testing.T) {
	fallback := func(timer bool) func(ctx workflow.Context, in []workflows.RunAgentInput) (*workflows.RunAgentResult, error) {
		return func(ctx workflow.Context, in []workflows.RunAgentInput) (*workflows.RunAgentResult, error) {
			if result, err := workflows.RunAgent(ctx, in[0]); err == nil {
				return result, nil
			}
			if timer {
				_ = workflow.Sleep(ctx, 100*time.Millisecond)
			}
			return workflows.RunAgent(ctx, in[1])
		}
	}
	for name, timer := range map[string]bool{"with a timer": true, "at once": false} {
		t.Run(name, func(t *testing.T) {
			s := newResetStack(t)
			own := fallback(timer)
			s.startWorker(own)
			s.api.Inject("AgentExecutePost", testsuite.Answer(402, `{"code":402,"message":"no"}`, "Content-Type", "application/json"), 1)
			first, second := s.echo(0), s.echo(60)
			first.Inputs["name"], second.Inputs["name"] = "first", "second"
			run := s.startWorkflow(own, []workflows.RunAgentInput{first, second})
			s.awaitExecutions(1)
			s.awaitState(run, phase(workflows.PhaseRunning))
			for _, point := range []int{-1, 0} {
				run = s.resetTo(run, point)
				if point == -1 {
					s.awaitState(run, phase(workflows.PhaseRunning))
				}
			}
			var result workflows.RunAgentResult
			require.NoError(t, run.Get(s.ctx(), &result))
			// The reset to the beginning runs the first agent, which is no longer refused.
			require.Contains(t, string(result.ExecutionResult.Result), `"first"`)
			uncancelled := s.uncancelled()
			require.Len(t, uncancelled, 1, "the fallback of the replaced run is cancelled at the end")
			require.Equal(t, result.ExecutionID, uncancelled[0].ID)
		})
	}
}

// The order in which the agents of a fan-out start differs after the reset.
func TestResetOfFanOutKeepsResultsApart(t *testing.T) {
	s := newResetStack(t)
	var slow atomic.Value
	slow.Store("B")
	fanOut := func(ctx workflow.Context, agent string) (map[string]string, error) {
		results, done := map[string]string{}, workflow.NewChannel(ctx)
		for _, name := range []string{"A", "B"} {
			workflow.Go(ctx, func(ctx workflow.Context) {
				if now(ctx, func(context.Context) (bool, error) { return slow.Load() == name, nil }) {
					_ = workflow.Sleep(ctx, 300*time.Millisecond)
				}
				in := workflows.RunAgentInput{AgentID: agent, Inputs: asteroid.Inputs{"name": name, "seconds": 2}}
				result, err := workflows.RunAgent(ctx, in)
				if err == nil {
					results[name] = string(result.ExecutionResult.Result)
				}
				done.Send(ctx, nil)
			})
		}
		done.Receive(ctx, nil)
		done.Receive(ctx, nil)
		return results, nil
	}
	s.startWorker(fanOut)
	run := s.startWorkflow(fanOut, s.api.AgentID("echo"))
	s.awaitExecutions(2)
	slow.Store("A")
	again := s.resetTo(run, 0)
	var results map[string]string
	require.NoError(t, again.Get(s.ctx(), &results))
	require.Contains(t, results["A"], `"A"`)
	require.Contains(t, results["B"], `"B"`)
	require.Len(t, s.api.Executions(), 2)
}

func TestResetWithCorrectedInputsRunsNewAgentAndEndsOldOne(t *testing.T) {
	for name, onCancel := range map[string]workflows.OnCancel{"cancel": workflows.CancelExecution, "abandon": workflows.AbandonExecution} {
		t.Run(name, func(t *testing.T) {
			s := newResetStack(t, testsuite.WithListDelay(500*time.Millisecond)) // listed after the new run's execute
			var claim atomic.Int64
			claim.Store(1)
			corrected := func(ctx workflow.Context, agent string) (*workflows.RunAgentResult, error) {
				number := now(ctx, func(context.Context) (int64, error) { return claim.Load(), nil })
				return workflows.RunAgent(ctx, workflows.RunAgentInput{
					AgentID: agent, Inputs: asteroid.Inputs{"claim": number, "seconds": 60 * (2 - number)}, OnCancel: onCancel,
				})
			}
			s.startWorker(corrected)
			run := s.startWorkflow(corrected, s.api.AgentID("echo"))
			s.awaitExecutions(1)
			claim.Store(2)
			again := s.resetTo(run, 0)
			var result workflows.RunAgentResult
			require.NoError(t, again.Get(s.ctx(), &result))
			executions := s.api.Executions()
			require.Len(t, executions, 2)
			require.Equal(t, executions[1].ID, result.ExecutionID)
			require.False(t, result.Adopted)
			if onCancel == workflows.CancelExecution {
				require.Equal(t, "cancelled", executions[0].Status)
			} else {
				require.NotEqual(t, "cancelled", executions[0].Status)
			}
		})
	}
}

// An agent fails, and its workflow is reset twice within the list's delay. The second reset must
// find what the first one has started.
func TestResetTwiceAfterFailureRunsOneAgent(t *testing.T) {
	s := newResetStack(t, testsuite.WithListDelay(2*time.Second))
	s.startWorker()
	works := func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(6 * time.Second), testsuite.Complete("success", "", 1)}
	}
	agent := s.api.AddAgent("fails once", func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Fail("down")} }, works, works)
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent})
	require.True(t, asteroid.IsExecutionFailed(run.Get(s.ctx(), nil)))
	second := s.resetTo(run, 0)
	s.awaitExecutions(2)
	third := s.resetTo(second, 0)
	var result workflows.RunAgentResult
	require.NoError(t, third.Get(s.ctx(), &result))
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 2)
}

// continueThenRun continues as new once and then runs an agent.
func continueThenRun(ctx workflow.Context, in workflows.RunAgentInput) (*workflows.RunAgentResult, error) {
	if workflow.GetInfo(ctx).ContinuedExecutionRunID == "" {
		_ = workflow.Sleep(ctx, time.Millisecond)
		return nil, workflow.NewContinueAsNewError(ctx, continueThenRun, in)
	}
	return workflows.RunAgent(ctx, in)
}

func TestResetBeforeContinueAsNewEndsAgentOfReplacedRun(t *testing.T) {
	for name, listDelay := range map[string]time.Duration{"listed at once": 0, "listed late": 2 * time.Second} {
		t.Run(name, func(t *testing.T) { testResetBeforeContinueAsNew(t, listDelay) })
	}
}

func testResetBeforeContinueAsNew(t *testing.T, listDelay time.Duration) {
	s := newResetStack(t, testsuite.WithListDelay(listDelay))
	s.startWorker(continueThenRun)
	works := func(d time.Duration) testsuite.Agent {
		return func(testsuite.Run) []testsuite.Step {
			return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", 1)}
		}
	}
	agent := s.api.AddAgent("clerk", works(time.Minute), works(time.Second))
	run := s.startWorkflow(continueThenRun, workflows.RunAgentInput{AgentID: agent})
	first := run.GetRunID()
	s.awaitExecutions(1)
	again := s.resetTo(s.client.GetWorkflow(s.ctx(), run.GetID(), first), 0)
	var result workflows.RunAgentResult
	require.NoError(t, again.Get(s.ctx(), &result))
	require.NotEqual(t, s.api.Executions()[0].ID, result.ExecutionID)
	uncancelled := s.uncancelled()
	require.Len(t, uncancelled, 1)
	require.Equal(t, result.ExecutionID, uncancelled[0].ID)
}

// A run that continues as new while an agent works has not been replaced.
func TestContinueAsNewLeavesAgentOfEarlierRun(t *testing.T) {
	s := newResetStack(t)
	handOver := func(ctx workflow.Context, in workflows.RunAgentInput) (*workflows.RunAgentResult, error) {
		if workflow.GetInfo(ctx).ContinuedExecutionRunID == "" {
			if _, err := workflows.StartAgent(ctx, in); err != nil {
				return nil, err
			}
			return nil, workflow.NewContinueAsNewError(ctx, "handOver", in)
		}
		in.Inputs["seconds"] = 1
		return workflows.RunAgent(ctx, in)
	}
	s.startWorker(namedWorkflow{"handOver", handOver})
	run := s.startWorkflow("handOver", s.echo(60))
	var result workflows.RunAgentResult
	require.NoError(t, run.Get(s.ctx(), &result))
	require.Empty(t, result.Superseded)
	require.Len(t, s.uncancelled(), 2)
}

func TestExecuteRunAgentRunsOneAgentForParentThatIsReset(t *testing.T) {
	const replace = enums.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING //nolint:staticcheck // child options know no conflict policy
	for name, options := range map[string]workflow.ChildWorkflowOptions{
		"default id": {},
		"own id":     {WorkflowID: "claim-" + uuid.NewString(), WorkflowIDReusePolicy: replace},
	} {
		t.Run(name, func(t *testing.T) {
			s := newResetStack(t)
			parent := func(ctx workflow.Context, in workflows.RunAgentInput) (*workflows.RunAgentResult, error) {
				var result workflows.RunAgentResult
				ctx = workflow.WithChildOptions(ctx, options)
				err := workflows.ExecuteRunAgent(ctx, in).Get(ctx, &result)
				return &result, err
			}
			s.startWorker(parent)
			run := s.startWorkflow(parent, s.echo(5))
			s.awaitExecutions(1)
			again := s.resetTo(run, 0)
			var result workflows.RunAgentResult
			require.NoError(t, again.Get(s.ctx(), &result))
			executions := s.api.Executions()
			require.Len(t, executions, 1)
			require.Equal(t, executions[0].ID, result.ExecutionID)
			require.True(t, result.Adopted)
			require.Equal(t, "completed", executions[0].Status)
		})
	}
}

// A reset of the activity makes its next attempt the first one, without heartbeat details.
func TestActivityResetRunsOneAgent(t *testing.T) {
	for name, row := range map[string]struct {
		listFault int
	}{
		"while unlisted":               {},
		"while the list does not work": {listFault: 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newResetStack(t, testsuite.WithListDelay(4*time.Second))
			s.options.LookupGrace = 6 * time.Second
			s.startWorker()
			s.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
			s.api.Inject("ExecutionsList", testsuite.Answer(503, "", "Content-Type", "text/plain"), row.listFault)
			run := s.startWorkflow(workflows.RunAgentName, s.echo(15))
			require.Eventually(t, func() bool { // the attempt has ended
				described, err := s.client.DescribeWorkflowExecution(s.ctx(), run.GetID(), "")
				pending := described.GetPendingActivities()
				return err == nil && len(pending) == 1 && pending[0].LastAttemptCompleteTime != nil
			}, time.Minute, 10*time.Millisecond)
			for range 2 {
				lookups := s.requests("ExecutionsList")
				_, err := s.client.WorkflowService().ResetActivity(s.ctx(), &workflowservice.ResetActivityRequest{
					Namespace: "default", Execution: &common.WorkflowExecution{WorkflowId: run.GetID()},
					Activity:       &workflowservice.ResetActivityRequest_Type{Type: asteroid.ExecuteAgentName},
					ResetHeartbeat: true,
				})
				require.NoError(t, err)
				s.awaitRequests("ExecutionsList", lookups+1)
			}
			require.NoError(t, run.Get(s.ctx(), nil))
			require.Len(t, s.api.Executions(), 1)
		})
	}
}
