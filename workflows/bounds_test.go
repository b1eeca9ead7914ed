package workflows_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestRunAgentStopsStagingFilesThatAreRefusedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.api.Inject("AgentExecutePost", testsuite.Answer(400, `{"code":400,"message":"no","errors":[{"parameter":"tempFiles","detail":"unknown"}]}`,
		"Content-Type", "application/json"), 100)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:,x"}}})
	require.True(t, asteroid.IsStagedFileExpired(err), "%v", err)
	require.Equal(t, 4, b.requests("TempFilesStage"))
}

func TestRunAgentGivesUpACancelThatIsAlwaysRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.api.Inject("ExecutionStatusUpdate", testsuite.Answer(400, `{"code":400,"message":"never"}`, "Content-Type", "application/json"), 100_000)
	b.RegisterDelayedCallback(b.CancelWorkflow, time.Minute)
	began := b.Now()
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 86400}})
	var cancelled *temporal.CanceledError
	require.True(t, errors.As(err, &cancelled), "%v", err)
	require.InDelta(t, 11, b.Now().Sub(began).Minutes(), 1.5)
	details, ok := asteroid.DetailsOf(err)
	require.True(t, ok)
	require.Equal(t, b.api.Executions()[0].ID, details.ExecutionID)
	require.Empty(t, details.Status, "it is not known to be over")
}

// A real server does not retry an activity whose cancellation is requested: after its worker's
// death it ends in a timeout.
func TestRunAgentCancelsTheRunOfAnExecuteLostDuringCancellation(t *testing.T) {
	t.Parallel()
	lost := &lostExecute{}
	b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{lost}})
	lost.then = sync.OnceFunc(b.CancelWorkflow)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("patient")})
	var cancelled *temporal.CanceledError
	require.True(t, errors.As(err, &cancelled), "%v", err)
	require.Len(t, b.api.Executions(), 1)
	require.Equal(t, "cancelled", b.api.Executions()[0].Status)
}

// lostExecute lets the service carry out the first execute, and fails its activity without a retry.
type lostExecute struct {
	interceptor.WorkerInterceptorBase
	then  func()
	times atomic.Int32
}

func (l *lostExecute) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &lostInbound{interceptor.ActivityInboundInterceptorBase{Next: next}, l}
}

type lostInbound struct {
	interceptor.ActivityInboundInterceptorBase
	lost *lostExecute
}

func (i *lostInbound) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	result, err := i.Next.ExecuteActivity(ctx, in)
	if activity.GetInfo(ctx).ActivityType.Name == asteroid.ExecuteAgentName && i.lost.times.Add(1) == 1 {
		i.lost.then()
		return nil, temporal.NewNonRetryableApplicationError("lost", asteroid.ErrorTypeUnavailable, nil)
	}
	return result, err
}

func TestRunAgentKeepsTheTaskQueueAndPriorityOfItsContext(t *testing.T) {
	t.Parallel()
	spy := &optionsSpy{}
	b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{spy}})
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue: "elsewhere", Priority: temporal.Priority{PriorityKey: 2}, StartToCloseTimeout: time.Second, Summary: "mine",
		})
		_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: "a"})
		return err
	})
	require.True(t, asteroid.IsNotFound(b.GetWorkflowError()), "%v", b.GetWorkflowError())
	require.Equal(t, "elsewhere", spy.seen.TaskQueue)
	require.Equal(t, 2, spy.seen.Priority.PriorityKey)
	require.Equal(t, 2*time.Minute, spy.seen.StartToCloseTimeout)
	require.Equal(t, "Execute agent a", spy.seen.Summary)
}

// registry records what is registered.
type registry map[string]workflow.RegisterOptions

func (r registry) RegisterWorkflowWithOptions(_ any, options workflow.RegisterOptions) {
	r[options.Name] = options
}

func TestRegisterPinsWorkflowsUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	for given, want := range map[workflow.VersioningBehavior]workflow.VersioningBehavior{
		workflow.VersioningBehaviorUnspecified: workflow.VersioningBehaviorPinned,
		workflow.VersioningBehaviorAutoUpgrade: workflow.VersioningBehaviorAutoUpgrade,
	} {
		registered := registry{}
		workflows.Register(registered, workflow.RegisterOptions{VersioningBehavior: given})
		require.Len(t, registered, 6)
		for _, endless := range []string{workflows.WatchName, workflows.LimiterName} {
			require.Equal(t, workflow.VersioningBehaviorAutoUpgrade, registered[endless].VersioningBehavior, "it may never end")
			delete(registered, endless)
		}
		for name, options := range registered {
			require.Equal(t, want, options.VersioningBehavior, name)
		}
	}
}

func TestRunAgentDoublesTheReexecutionInterval(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lost := func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.CancelBy("no_activity")} }
	agent := b.api.AddAgent("lost", lost, lost, lost)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, Reexecution: &workflows.Reexecution{MaximumExecutions: 3, InitialIntervalSeconds: 100}})
	require.True(t, asteroid.IsExecutionFailed(err), "%v", err)
	executions := b.api.Executions()
	require.InDelta(t, 100, executions[1].CreatedAt.Sub(executions[0].TerminalAt).Seconds(), 5)
	require.InDelta(t, 200, executions[2].CreatedAt.Sub(executions[1].TerminalAt).Seconds(), 5)
}

func TestRunAgentRefusesInvalidBounds(t *testing.T) {
	t.Parallel()
	for field, in := range map[string]workflows.RunAgentInput{
		"timeoutSeconds":                     {AgentID: "a", TimeoutSeconds: 1 << 62},
		"capacityTimeoutSeconds":             {AgentID: "a", CapacityTimeoutSeconds: -1},
		"reexecution.maximumExecutions":      {AgentID: "a", Reexecution: &workflows.Reexecution{MaximumExecutions: 1}},
		"reexecution.initialIntervalSeconds": {AgentID: "a", Reexecution: &workflows.Reexecution{MaximumExecutions: 2, InitialIntervalSeconds: -1}},
		"onMissingFiles":                     {AgentID: "a", OnMissingFiles: "shrug"},
	} {
		b := newBench(t)
		_, err := b.runAgent(t, in)
		require.True(t, asteroid.IsInvalidInput(err), "%v", err)
		details, _ := asteroid.DetailsOf(err)
		require.Equal(t, field, details.Field)
		require.Empty(t, b.api.Requests())
	}
}
