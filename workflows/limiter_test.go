package workflows_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/metricstest"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// limiterBench runs the limiter of a login in the workflow test environment.
type limiterBench struct {
	*sdktestsuite.TestWorkflowEnvironment
	t        *testing.T
	recorded *metricstest.Recorder
	checked  asteroid.CheckPermitHoldersResult // what a look at the holders finds
	asked    int                               // how many times holders were asked whether they still are
}

func newLimiterBench(t *testing.T) *limiterBench {
	t.Helper()
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	l := &limiterBench{t: t, recorded: metricstest.NewRecorder()}
	suite.SetMetricsHandler(l.recorded)
	l.TestWorkflowEnvironment = suite.NewTestWorkflowEnvironment()
	l.SetWorkerOptions(sdkworker.Options{DeadlockDetectionTimeout: patience})
	workflows.Register(l, workflow.RegisterOptions{})
	l.RegisterActivityWithOptions(func(context.Context, asteroid.CheckPermitHoldersInput) (*asteroid.CheckPermitHoldersResult, error) {
		return &l.checked, nil
	}, activity.RegisterOptions{Name: asteroid.CheckPermitHoldersName})
	l.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", asteroid.PermitSignal, mock.Anything).Return(
		func(_, _, _, _ string, event any) error {
			if !event.(asteroid.PermitEvent).Granted {
				l.asked++
			}
			return nil
		}).Maybe()
	return l
}

func (l *limiterBench) run() {
	l.t.Helper()
	l.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "limiter-of-login", TaskQueue: "limits"})
	l.SetTestTimeout(time.Minute)
	l.ExecuteWorkflow(asteroid.LimiterWorkflowName, asteroid.LimiterInput{Connection: "default", Key: "login"})
	require.NoError(l.t, l.GetWorkflowError())
}

// acquire requests permits one after another.
func (l *limiterBench) acquire(names ...string) {
	for i, name := range names {
		l.RegisterDelayedCallback(func() {
			l.SignalWorkflow(asteroid.AcquirePermitSignal, asteroid.PermitRequest{
				Token: name, WorkflowID: "claim-" + name, RunID: "run", FirstRunID: "run", Max: 2, FairnessKey: "tenant " + name, RequestedAt: l.Now(),
			})
		}, time.Duration(i)*time.Millisecond)
	}
}

func (l *limiterBench) release(after time.Duration, tokens ...string) {
	l.RegisterDelayedCallback(func() {
		for _, token := range tokens {
			l.SignalWorkflow(asteroid.ReleasePermitSignal, asteroid.PermitRelease{Token: token})
		}
	}, after)
}

func (l *limiterBench) details() string {
	l.t.Helper()
	value, err := l.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(l.t, err)
	var metadata sdk.WorkflowMetadata
	require.NoError(l.t, value.Get(&metadata))
	return metadata.GetCurrentDetails()
}

func TestLimiterShowsHoldersWaitersAndUpdates(t *testing.T) {
	t.Parallel()
	l := newLimiterBench(t)
	l.acquire("a", "b", "c")
	var page, last string
	l.RegisterDelayedCallback(func() { page = l.details() }, time.Second)
	l.release(2*time.Second, "a", "b", "c")
	l.RegisterDelayedCallback(func() { last = l.details() }, 3*time.Second)
	l.run()
	for _, text := range []string{
		"**2 of 2** permits of `login` are held, 1 runs wait.",
		"**Held by**\n\n- `claim-a` of `tenant a` since ", "- `claim-b`", "**Next**\n\n- `claim-c`",
		"`asteroid.setLimit` with `{\"max\":3}`", "`asteroid.freePermit` with `{\"token\":\"a\"}`",
		"--workflow-id limiter-of-login --name asteroid.setLimit --input '{\"max\":3}'",
	} {
		require.Contains(t, page, text)
	}
	require.Contains(t, last, "**0 of 2**")
	require.NotContains(t, last, "freePermit")
}

func TestLimiterShowsOnlyTheFirstOfMany(t *testing.T) {
	t.Parallel()
	l := newLimiterBench(t)
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("%03d", i))
	}
	l.acquire(names...)
	var page string
	l.RegisterDelayedCallback(func() { page = l.details() }, time.Second)
	l.release(2*time.Second, names...)
	l.run()
	require.Contains(t, page, "`claim-011`")
	require.NotContains(t, page, "`claim-012`")
	require.Contains(t, page, "- and 288 more\n")
}

func TestLimiterCountsPermits(t *testing.T) {
	t.Parallel()
	l := newLimiterBench(t)
	l.acquire("a", "b", "c", "d", "e", "f")
	l.checked.Gone, l.checked.Replaced = []string{"a"}, []string{"b"} // b does not answer, so its permit is freed at the second look
	l.RegisterDelayedCallback(func() {
		l.UpdateWorkflow(asteroid.FreePermitUpdate, "1", &updateOutcome{}, asteroid.FreePermitInput{Token: "c"})
		l.UpdateWorkflow(asteroid.FreePermitUpdate, "2", &updateOutcome{}, asteroid.FreePermitInput{Token: "f"}) // it only waits
	}, 40*time.Second)
	l.release(time.Minute, "d", "e")
	l.run()
	require.Equal(t, []string{
		"asteroid_permits_freed default gone: 1", "asteroid_permits_freed default operator: 1", "asteroid_permits_freed default replaced: 1",
		"asteroid_permits_granted default: 5",
	}, l.recorded.Take(metrics.PermitsFreed, metrics.PermitsGranted))
}

// A run may receive 10,000 signals. One whose workflow task fails again and again stays busy.
func TestLimiterAsksABusyRunOnce(t *testing.T) {
	t.Parallel()
	l := newLimiterBench(t)
	l.acquire("a", "b", "c")
	l.checked.ReplacedBusy = []string{"a"}
	l.release(time.Hour, "a", "b", "c")
	l.run()
	require.Equal(t, 1, l.asked)
}

func TestLimiterKeepsWhatAnOperatorHasSet(t *testing.T) {
	t.Parallel()
	l := newLimiterBench(t)
	l.acquire("a")
	l.release(time.Second, "a")
	var state asteroid.LimiterState
	l.RegisterDelayedCallback(func() {
		l.UpdateWorkflow(asteroid.SetLimitUpdate, "1", &updateOutcome{}, asteroid.SetLimitInput{Max: 7})
	}, 2*time.Second)
	l.RegisterDelayedCallback(func() {
		value, err := l.QueryWorkflow(workflows.StateQuery)
		require.NoError(t, err)
		require.NoError(t, value.Get(&state))
		l.UpdateWorkflow(asteroid.SetLimitUpdate, "2", &updateOutcome{}, asteroid.SetLimitInput{})
	}, 24*time.Hour)
	l.run() // and ends
	require.True(t, state.MaxSet)
	require.Equal(t, 7, state.Max)
}
