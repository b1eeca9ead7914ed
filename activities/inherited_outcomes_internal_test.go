package activities

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	workflowpb "go.temporal.io/api/workflow/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// describer answers every DescribeWorkflowExecution.
type describer struct {
	sdkclient.Client
	described *workflowservice.DescribeWorkflowExecutionResponse
	err       error
}

func (d describer) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return d.described, d.err
}

func TestEarlierDispatchTellsResetFromLateStart(t *testing.T) {
	t.Parallel()
	scheduled := time.Now().Truncate(time.Second)
	started := scheduled.Add(time.Second)
	pending := func(scheduled, completed time.Time) *workflowservice.DescribeWorkflowExecutionResponse {
		info := &workflowpb.PendingActivityInfo{ActivityId: "5"}
		info.ScheduledTime = sameType(info.ScheduledTime)
		info.ScheduledTime.Seconds, info.ScheduledTime.Nanos = scheduled.Unix(), int32(scheduled.Nanosecond())
		if !completed.IsZero() {
			info.LastAttemptCompleteTime = sameType(info.ScheduledTime)
			info.LastAttemptCompleteTime.Seconds, info.LastAttemptCompleteTime.Nanos = completed.Unix(), int32(completed.Nanosecond())
		}
		return &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: []*workflowpb.PendingActivityInfo{{ActivityId: "4"}, info}}
	}
	reset := func(at time.Time) *workflowservice.DescribeWorkflowExecutionResponse {
		described := pending(scheduled, time.Time{})
		info := &workflowpb.WorkflowExecutionExtendedInfo{}
		info.LastResetTime = sameType(info.LastResetTime)
		info.LastResetTime.Seconds, info.LastResetTime.Nanos = at.Unix(), int32(at.Nanosecond())
		described.WorkflowExtendedInfo = info
		return described
	}
	again := scheduled.Add(500 * time.Millisecond)
	for name, row := range map[string]struct {
		service    describer
		attempt    int32
		started    time.Time
		dispatched bool
		ended      time.Time
	}{
		"it began at once":             {describer{err: errors.New("not asked")}, 1, scheduled.Add(promptStart), false, time.Time{}},
		"it is a later attempt":        {describer{err: errors.New("not asked")}, 2, started, false, time.Time{}},
		"it waited for a worker":       {describer{described: pending(scheduled, time.Time{})}, 1, started, false, time.Time{}},
		"an attempt has ended":         {describer{described: pending(again, again.Add(-time.Millisecond))}, 1, started, true, again.Add(-time.Millisecond)},
		"an attempt may still run":     {describer{described: pending(again, time.Time{})}, 1, started, true, again.Add(DefaultRequestTimeout)},
		"the workflow was reset since": {describer{described: reset(again)}, 1, started, true, again.Add(DefaultRequestTimeout)},
		"the workflow was reset before": {
			describer{described: reset(scheduled.Add(-time.Second))}, 1, started, false, time.Time{},
		},
		"the server does not say": {describer{err: errors.New("away")}, 1, started, true, started},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &Activities{timeout: DefaultRequestTimeout, service: func(context.Context) sdkclient.Client { return row.service }}
			var suite sdktestsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			env.SetWorkerOptions(sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{&infoInterceptor{info: func(info *activity.Info) {
				info.ActivityID, info.Attempt, info.ScheduledTime, info.StartedTime = "5", row.attempt, scheduled, row.started
			}}}})
			env.RegisterActivityWithOptions(func(ctx context.Context) error {
				ended, dispatched := a.earlierDispatch(ctx)
				require.Equal(t, row.dispatched, dispatched)
				require.WithinDuration(t, row.ended, ended, 0)
				return nil
			}, activity.RegisterOptions{Name: "activity"})
			_, err := env.ExecuteActivity("activity")
			require.NoError(t, err)
		})
	}
}

// A parent that is reset starts another child for the same intent. The first child goes on, and may
// wait for capacity meanwhile.
func TestExecuteAgentLooksUpFirstIfParentWasReset(t *testing.T) {
	t.Parallel()
	replaced := &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExtendedInfo: &workflowpb.WorkflowExecutionExtendedInfo{ResetRunId: "p-2"}}
	for name, row := range map[string]struct {
		service describer
		parent  string
		lookups int
	}{
		"the parent goes on":           {describer{described: &workflowservice.DescribeWorkflowExecutionResponse{}}, "parent", 0},
		"the parent was reset":         {describer{described: replaced}, "parent", 2},
		"the server does not say":      {describer{err: errors.New("away")}, "parent", 2},
		"the workflow's own intent":    {describer{err: errors.New("not asked")}, "default-test-workflow-id", 0},
		"an intent without a workflow": {describer{err: errors.New("not asked")}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testsuite.NewAPI(t)
			a, err := New(Options{Connections: map[string]asteroid.Connection{"default": {BaseURL: api.BaseURL(), APIKey: asteroid.StaticAPIKey(api.APIKey())}}})
			require.NoError(t, err)
			a.service = func(context.Context) sdkclient.Client { return row.service }
			var suite sdktestsuite.WorkflowTestSuite
			env := suite.NewTestActivityEnvironment()
			a.Register(env)
			in := asteroid.ExecuteAgentInput{AgentID: api.AgentID("echo")}
			if row.parent != "" {
				in.Internal.Intent = asteroid.Intent{WorkflowID: row.parent, OriginalRunID: "p-1", RunID: "p-1", Ordinal: 1}
			}
			_, err = env.ExecuteActivity(asteroid.ExecuteAgentName, in)
			require.NoError(t, err)
			lookups := 0
			for _, r := range api.Requests() {
				if r.Operation == "ExecutionsList" {
					lookups++
				}
			}
			require.Equal(t, row.lookups, lookups)
		})
	}
}

// infoInterceptor changes the activity.Info that an activity sees.
type infoInterceptor struct {
	interceptor.WorkerInterceptorBase
	info func(*activity.Info)
}

func (i *infoInterceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &infoInbound{interceptor.ActivityInboundInterceptorBase{Next: next}, i.info}
}

type infoInbound struct {
	interceptor.ActivityInboundInterceptorBase
	info func(*activity.Info)
}

func (i *infoInbound) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	return i.Next.Init(&infoOutbound{interceptor.ActivityOutboundInterceptorBase{Next: outbound}, i.info})
}

type infoOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
	info func(*activity.Info)
}

func (o *infoOutbound) GetInfo(ctx context.Context) activity.Info {
	info := o.Next.GetInfo(ctx)
	o.info(&info)
	return info
}
