package workflows_test

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// seenOptions runs one typed call under the given options and returns what the activity was
// scheduled with.
func seenOptions(t *testing.T, options workflow.ActivityOptions) (workflow.ActivityOptions, error) {
	t.Helper()
	spy := &optionsSpy{}
	b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{spy}})
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, options)
		_, err := workflows.GetExecution(ctx, asteroid.GetExecutionInput{ExecutionID: "e-1"})
		return err
	})
	return spy.seen, b.GetWorkflowError()
}

// optionsSpy records the options of the last activity that a workflow scheduled.
type optionsSpy struct {
	interceptor.WorkerInterceptorBase
	seen workflow.ActivityOptions
}

func (s *optionsSpy) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &spyInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, s}
}

type spyInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	spy *optionsSpy
}

func (i *spyInbound) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&spyOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}, i.spy})
}

type spyOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	spy *optionsSpy
}

func (o *spyOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	o.spy.seen = workflow.GetActivityOptions(ctx)
	return o.Next.ExecuteActivity(ctx, name, args...)
}

func TestGetExecutionFillsOnlyUnsetActivityOptions(t *testing.T) {
	t.Parallel()
	none, _ := seenOptions(t, workflow.ActivityOptions{})
	require.Equal(t, 90*time.Second, none.StartToCloseTimeout)
	require.Equal(t, time.Hour, none.ScheduleToCloseTimeout)
	require.Equal(t, "Read execution e-1", none.Summary)
	require.Greater(t, none.RetryPolicy.MaximumAttempts, int32(1<<20))

	own := workflow.ActivityOptions{
		StartToCloseTimeout: 7 * time.Second,
		HeartbeatTimeout:    time.Second,
		Summary:             "mine",
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Minute, MaximumAttempts: 2, NonRetryableErrorTypes: []string{asteroid.ErrorTypeNotFound}},
	}
	some, err := seenOptions(t, own)
	require.True(t, asteroid.IsNotFound(err), "%v", err)
	require.Equal(t, own.StartToCloseTimeout, some.StartToCloseTimeout)
	require.Equal(t, time.Hour, some.ScheduleToCloseTimeout)
	require.Zero(t, some.HeartbeatTimeout, "the activity never heartbeats")
	require.Equal(t, own.Summary, some.Summary)
	require.Equal(t, time.Minute, some.RetryPolicy.InitialInterval)
	require.Equal(t, 1.5, some.RetryPolicy.BackoffCoefficient)
	require.Equal(t, time.Minute, some.RetryPolicy.MaximumInterval)
	require.Equal(t, int32(2), some.RetryPolicy.MaximumAttempts)
	require.Equal(t, []string{"payloadSizeError"}, none.RetryPolicy.NonRetryableErrorTypes)
	require.Equal(t, []string{asteroid.ErrorTypeNotFound, "payloadSizeError"}, some.RetryPolicy.NonRetryableErrorTypes)
}

// The retries of these activities are their protocol: what people usually set must not end it.
func TestProtocolCallsSurviveUsualActivityOptions(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]workflow.ActivityOptions{
		"short attempts":          {StartToCloseTimeout: 10 * time.Second},
		"attempts below requests": {StartToCloseTimeout: time.Millisecond},
		"heartbeats":              {StartToCloseTimeout: time.Minute, HeartbeatTimeout: time.Second},
		"one attempt":             {StartToCloseTimeout: 10 * time.Second, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1}},
		"three attempts":          {RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumAttempts: 3}},
		"a queue's bound":         {ScheduleToStartTimeout: time.Minute},
		"final errors": {RetryPolicy: &temporal.RetryPolicy{NonRetryableErrorTypes: []string{
			"mine", asteroid.ErrorTypeStillRunning, asteroid.ErrorTypeUnavailable, asteroid.ErrorTypeNotFound, "TemporalTimeout:StartToClose",
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spy := &optionsSpy{}
			b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{spy}})
			agent := b.workingAgent(time.Hour)
			b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
			b.api.Inject("ExecutionGet", testsuite.Answer(http.StatusServiceUnavailable, ""), 2)
			b.ExecuteWorkflow(func(ctx workflow.Context) error {
				ctx = workflow.WithActivityOptions(ctx, options)
				executed, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: agent})
				if err != nil {
					return err
				}
				missing := []asteroid.StagedFile{{ID: "1", Name: "missing.pdf"}}
				if _, err := workflows.CheckUploads(ctx, asteroid.CheckUploadsInput{ExecutionID: executed.ExecutionID, Files: missing}); err != nil {
					return err
				}
				_, err = workflows.AwaitExecution(ctx, asteroid.AwaitExecutionInput{ExecutionID: executed.ExecutionID})
				return err
			})
			require.NoError(t, b.GetWorkflowError())
			require.Len(t, b.api.Executions(), 1)
			require.GreaterOrEqual(t, spy.seen.StartToCloseTimeout, 2*time.Minute)
			require.Zero(t, spy.seen.ScheduleToStartTimeout)
			require.Subset(t, []string{"mine", "payloadSizeError"}, spy.seen.RetryPolicy.NonRetryableErrorTypes)
		})
	}
}

func TestExecuteAgentKeepsTheCallersBounds(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]workflow.ActivityOptions{
		"no queue":  {RetryPolicy: &temporal.RetryPolicy{NonRetryableErrorTypes: []string{asteroid.ErrorTypeAtCapacity}}},
		"ten hours": {ScheduleToCloseTimeout: 10 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			agent, began := b.workingAgent(time.Hour), b.Now()
			b.api.Inject("AgentExecutePost", testsuite.Answer(http.StatusTooManyRequests, ""), 100_000)
			b.ExecuteWorkflow(func(ctx workflow.Context) error {
				_, err := workflows.ExecuteAgent(workflow.WithActivityOptions(ctx, options), asteroid.ExecuteAgentInput{AgentID: agent})
				return err
			})
			require.Error(t, b.GetWorkflowError())
			require.InDelta(t, options.ScheduleToCloseTimeout.Hours(), b.Now().Sub(began).Hours(), 0.5)
		})
	}
}

func TestRunAgentIgnoresTimeoutsAndRetryPolicyOfItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.AddAgent("slow", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(2 * time.Hour), testsuite.Complete("success", "", 1)}
	})
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			ScheduleToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
		})
		_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agent})
		return err
	})
	require.NoError(t, b.GetWorkflowError())
}

func TestRunAgentInputHasEveryFieldOfExecuteAgentInput(t *testing.T) {
	t.Parallel()
	runAgent := reflect.TypeFor[workflows.RunAgentInput]()
	for field := range reflect.TypeFor[asteroid.ExecuteAgentInput]().Fields() {
		switch field.Name {
		case "TempFiles": // made of Files
		case "DynamicData": // deprecated, and Inputs does the same
		case "Internal", "AdoptOnly", "Signal": // RunAgent sets them
		default:
			own, ok := runAgent.FieldByName(field.Name)
			require.True(t, ok, "RunAgentInput lacks %s", field.Name)
			require.Equal(t, field.Type, own.Type, field.Name)
			require.Equal(t, field.Tag, own.Tag, field.Name)
		}
	}
}
