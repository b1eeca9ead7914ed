package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// watchEnv returns an environment that runs asteroid.Watch with the test's own activity.
func watchEnv(does func(context.Context, asteroid.WatchExecutionsInput) (*asteroid.WatchExecutionsResult, error)) *sdktestsuite.TestWorkflowEnvironment {
	var suite sdktestsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	workflows.Register(env, workflow.RegisterOptions{})
	env.RegisterActivityWithOptions(does, activity.RegisterOptions{Name: asteroid.WatchExecutionsName})
	return env
}

func idle(context.Context, asteroid.WatchExecutionsInput) (*asteroid.WatchExecutionsResult, error) {
	return &asteroid.WatchExecutionsResult{Idle: true}, nil
}

func TestWatchEndsWhenIdle(t *testing.T) {
	t.Parallel()
	env := watchEnv(idle)
	env.ExecuteWorkflow(workflows.WatchName, asteroid.WatchExecutionsInput{})
	require.NoError(t, env.GetWorkflowError())
}

func TestWatchGoesOnAfterARecentAnnouncement(t *testing.T) {
	t.Parallel()
	env := watchEnv(idle)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(asteroid.WatchSignal, nil) }, 0)
	env.ExecuteWorkflow(workflows.WatchName, asteroid.WatchExecutionsInput{})
	require.True(t, workflow.IsContinueAsNewError(env.GetWorkflowError()), "%v", env.GetWorkflowError())
}

func TestWatchContinuesAsNewWithWhatItKnows(t *testing.T) {
	t.Parallel()
	env := watchEnv(func(ctx context.Context, in asteroid.WatchExecutionsInput) (*asteroid.WatchExecutionsResult, error) {
		if info := activity.GetInfo(ctx); info.TaskQueue != "activities" || in.Connection != "second" || string(in.Known) != "before" || info.HeartbeatTimeout == 0 {
			return nil, temporal.NewNonRetryableApplicationError("another input", "", nil)
		}
		return &asteroid.WatchExecutionsResult{Known: []byte("after")}, nil
	})
	env.ExecuteWorkflow(workflows.WatchName, asteroid.WatchExecutionsInput{Connection: "second", TaskQueue: "activities", Known: []byte("before")})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &next)
	require.Equal(t, workflows.WatchName, next.WorkflowType.Name)
	require.Contains(t, string(next.Input.Payloads[0].Data), "YWZ0ZXI=")
	require.Contains(t, string(next.Input.Payloads[0].Data), "activities")
}

func TestWatchHandsOverWhenItsHistoryIsLong(t *testing.T) {
	t.Parallel()
	env := watchEnv(func(ctx context.Context, _ asteroid.WatchExecutionsInput) (*asteroid.WatchExecutionsResult, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	env.SetContinueAsNewSuggested(true)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(asteroid.WatchSignal, nil) }, time.Second)
	env.ExecuteWorkflow(workflows.WatchName, asteroid.WatchExecutionsInput{Known: []byte("before")})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &next)
	require.Contains(t, string(next.Input.Payloads[0].Data), "YmVmb3Jl", "what it was given, since the activity returned nothing")
}

func TestWatchTakesStateFromLastHeartbeat(t *testing.T) {
	t.Parallel()
	require.Equal(t, []byte("newer"), workflows.LastKnown(fmt.Errorf("activity error: %w", temporal.NewHeartbeatTimeoutError([]byte("newer"), "proof"))))
	require.Nil(t, workflows.LastKnown(temporal.NewHeartbeatTimeoutError()))
	require.Nil(t, workflows.LastKnown(temporal.NewCanceledError()))
}

func TestWatchFailsIfItsActivityFails(t *testing.T) {
	t.Parallel()
	env := watchEnv(func(context.Context, asteroid.WatchExecutionsInput) (*asteroid.WatchExecutionsResult, error) {
		return nil, temporal.NewNonRetryableApplicationError("connection: this worker has none", asteroid.ErrorTypeInvalidInput, nil)
	})
	env.ExecuteWorkflow(workflows.WatchName, asteroid.WatchExecutionsInput{})
	require.ErrorContains(t, env.GetWorkflowError(), `the executions of connection "default" are not watched, so their workflows have to poll`)
	require.True(t, asteroid.IsInvalidInput(env.GetWorkflowError()))
}

func TestWatchOutlivesItsWorkers(t *testing.T) {
	t.Parallel()
	attempts := 0
	env := watchEnv(func(context.Context, asteroid.WatchExecutionsInput) (*asteroid.WatchExecutionsResult, error) {
		if attempts++; attempts < 50 {
			return nil, errors.New("the worker stops")
		}
		return &asteroid.WatchExecutionsResult{Idle: true}, nil
	})
	env.ExecuteWorkflow(workflows.WatchName, asteroid.WatchExecutionsInput{})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 50, attempts)
}
