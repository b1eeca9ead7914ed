package activities

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"
	sdktestsuite "go.temporal.io/sdk/testsuite"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// fakeTemporal is the client by which activities reach the Temporal server.
type fakeTemporal struct {
	sdkclient.Client
	mu       sync.Mutex
	started  []string // workflow id, task queue and signal
	inputs   []asteroid.WatchExecutionsInput
	startErr error
	queue    string        // task queue of the workflow; empty: DescribeWorkflowExecution fails
	blocked  chan struct{} // unless nil, a start waits until this is closed
	arrived  chan struct{} // unless nil, receives an item at each start
}

func (s *fakeTemporal) SignalWithStartWorkflow(
	ctx context.Context, id, signal string, _ any, options sdkclient.StartWorkflowOptions, _ any, args ...any,
) (sdkclient.WorkflowRun, error) {
	if s.arrived != nil {
		s.arrived <- struct{}{}
	}
	if s.blocked != nil {
		select {
		case <-s.blocked:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, id+" "+options.TaskQueue+" "+signal)
	s.inputs = append(s.inputs, args[0].(asteroid.WatchExecutionsInput))
	return nil, s.startErr
}

func (s *fakeTemporal) DescribeWorkflowExecution(
	context.Context, string, string,
) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if s.queue == "" {
		return nil, serviceerror.NewPermissionDenied("no", "")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{
		ExecutionConfig: &workflowpb.WorkflowExecutionConfig{TaskQueue: &taskqueuepb.TaskQueue{Name: s.queue}},
	}, nil
}

func (s *fakeTemporal) SignalWorkflow(context.Context, string, string, string, any) error { return nil }

// watchFixture is the activities with a fake API and a fake Temporal server.
type watchFixture struct {
	*Activities
	env    *sdktestsuite.TestActivityEnvironment
	server *fakeTemporal
	api    *testsuite.API
	clock  *clienttest.Clock
}

func newWatchFixture(t *testing.T, change ...func(*Options)) *watchFixture {
	t.Helper()
	f := &watchFixture{
		server: &fakeTemporal{queue: "workflows"}, api: testsuite.NewAPI(t), clock: clienttest.NewClock(),
	}
	options := Options{Connections: map[string]asteroid.Connection{
		"default": {APIKey: asteroid.StaticAPIKey(f.api.APIKey()), BaseURL: f.api.BaseURL()},
	}}
	for _, c := range change {
		c(&options)
	}
	var err error
	f.Activities, err = New(options)
	require.NoError(t, err)
	var suite sdktestsuite.WorkflowTestSuite
	f.env = suite.NewTestActivityEnvironment()
	f.service = func(context.Context) sdkclient.Client { return f.server }
	f.Register(f.env)
	return f
}

// do runs fn as an activity of the environment.
func (f *watchFixture) do(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	f.env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: t.Name()})
	_, err := f.env.ExecuteActivity(t.Name())
	require.NoError(t, err)
}

// execute runs ExecuteAgent on the agent "patient".
func (f *watchFixture) execute(t *testing.T, in asteroid.ExecuteAgentInput) asteroid.ExecuteAgentResult {
	t.Helper()
	in.AgentID = f.api.AgentID("patient")
	value, err := f.env.ExecuteActivity(asteroid.ExecuteAgentName, in)
	require.NoError(t, err)
	var result asteroid.ExecuteAgentResult
	require.NoError(t, value.Get(&result))
	return result
}
