package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// requireFinal requires an error that the server does not retry: it looks at the outermost one.
func requireFinal(t *testing.T, err error, errorType string) {
	t.Helper()
	var execution *temporal.WorkflowExecutionError
	require.ErrorAs(t, err, &execution)
	outermost, ok := execution.Unwrap().(*temporal.ApplicationError) //nolint:errorlint // the outermost is meant
	require.True(t, ok, "%T: %v", execution.Unwrap(), err)
	require.True(t, outermost.NonRetryable(), "%v", err)
	require.Equal(t, errorType, outermost.Type())
}

func TestRunAgentFailsWithFinalErrorsThatNameTheExecution(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.api.Inject("ExecutionFilesGet", testsuite.Answer(403, "{}"), 100)
	_, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: b.api.AddAgent("a", func(testsuite.Run) []testsuite.Step {
			return []testsuite.Step{testsuite.Complete("success", "", 7)}
		}), Collect: &workflows.Collect{},
	})
	requireFinal(t, err, asteroid.ErrorTypeUnauthorized)
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, b.api.Executions()[0].ID, details.ExecutionID)
	require.Equal(t, asteroid.StatusCompleted, details.Status)
	require.JSONEq(t, "7", string(details.Execution.Result()), "the result is not lost with the files")
}

func TestRunAgentFailsWithAFinalErrorBeforeAnythingStarted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: "a", Files: []asteroid.FileRef{{URI: "file:///none"}},
	})
	requireFinal(t, err, asteroid.ErrorTypeInvalidInput)
}

func TestInterceptorKeepsErrorsFinalHoweverTheyAreWrapped(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(err error) error{
		"as it is":   func(err error) error { return err },
		"%w":         func(err error) error { return fmt.Errorf("file claim: %w", err) },
		"joined":     func(err error) error { return errors.Join(err, errors.New("and more")) },
		"as a cause": func(err error) error { return temporal.NewApplicationErrorWithCause("file claim", "mine", err) },
		"joined behind another": func(err error) error {
			return errors.Join(temporal.NewApplicationError("no printer", "mine"), fmt.Errorf("file claim: %w", err))
		},
		"joined behind one of this module": func(err error) error { return errors.Join(asteroid.NewInvalidInput("agentId", "is required"), err) },
		"wrapped two":                      func(err error) error { return fmt.Errorf("a: %w", fmt.Errorf("b: %w", err)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			agent := b.api.AddAgent("fails", func(testsuite.Run) []testsuite.Step {
				return []testsuite.Step{testsuite.Fail("the portal is down")}
			})
			b.ExecuteWorkflow(func(ctx workflow.Context) error {
				_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agent})
				return wrap(err)
			})
			requireFinal(t, b.GetWorkflowError(), asteroid.ErrorTypeExecutionFailed)
			details, _ := asteroid.DetailsOf(b.GetWorkflowError())
			require.Equal(t, b.api.Executions()[0].ID, details.ExecutionID)
		})
	}
}

// What a workflow throws away of an error, the workflow still knows of its agents.
func TestInterceptorKeepsErrorsFinalThatLostTheirDetails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.AddAgent("fails", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Fail("the portal is down")}
	})
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agent})
		return temporal.NewApplicationError("file claim: "+err.Error(), asteroid.ErrorTypeOf(err), "claim-1042")
	})
	requireFinal(t, b.GetWorkflowError(), asteroid.ErrorTypeExecutionFailed)
	details, _ := asteroid.DetailsOf(b.GetWorkflowError())
	require.Equal(t, b.api.Executions()[0].ID, details.ExecutionID)
}

// A retry of the workflow would start a second agent, which no lookup finds.
func TestInterceptorKeepsErrorsOfLostStartsFinal(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(ctx workflow.Context) error{
		"typed call": func(ctx workflow.Context) error {
			_, err := workflows.ExecuteAgent(workflow.WithScheduleToCloseTimeout(ctx, time.Minute), asteroid.ExecuteAgentInput{AgentID: "a-1"})
			return err
		},
		"RunAgent": func(ctx workflow.Context) error {
			_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: "a-1"})
			return err
		},
		"child workflow": func(ctx workflow.Context) error {
			ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowRunTimeout: time.Hour})
			return workflows.ExecuteRunAgent(ctx, workflows.RunAgentInput{AgentID: "a-1"}).Get(ctx, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{&executeTimesOut{}}})
			b.ExecuteWorkflow(func(ctx workflow.Context) error { return fmt.Errorf("file claim: %w", run(ctx)) })
			requireFinal(t, b.GetWorkflowError(), asteroid.ErrorTypeUnavailable)
			details, _ := asteroid.DetailsOf(b.GetWorkflowError())
			require.Positive(t, details.UnknownOutcomes)
		})
	}
}

// executeTimesOut lets every ExecuteAgent end in a timeout.
type executeTimesOut struct {
	interceptor.WorkerInterceptorBase
	interceptor.ActivityInboundInterceptorBase
}

func (i *executeTimesOut) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &executeTimesOut{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}}
}

func (i *executeTimesOut) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	if activity.GetInfo(ctx).ActivityType.Name == asteroid.ExecuteAgentName {
		return nil, temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil)
	}
	return i.Next.ExecuteActivity(ctx, in)
}

func TestInterceptorLeavesOtherErrorsAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ExecuteWorkflow(func(workflow.Context) error { return errors.New("of the user") })
	var failed *temporal.ApplicationError
	require.ErrorAs(t, b.GetWorkflowError(), &failed)
	require.False(t, failed.NonRetryable())

	b = newBench(t)
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		return workflow.NewContinueAsNewError(ctx, workflows.RunAgentName, workflows.RunAgentInput{})
	})
	require.True(t, workflow.IsContinueAsNewError(b.GetWorkflowError()))
}

func TestRunAgentCancelledInBackoffNamesTheExecution(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.AddAgent("lost", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.CancelBy("worker_lost")}
	})
	b.RegisterDelayedCallback(b.CancelWorkflow, 10*time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: agent, Reexecution: &workflows.Reexecution{MaximumExecutions: 2, InitialIntervalSeconds: 3600},
	})
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	details, ok := asteroid.DetailsOf(err)
	require.True(t, ok)
	require.Equal(t, b.api.Executions()[0].ID, details.ExecutionID)
}
