package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// The worker's limits are found out by the first activity. Until then a run that a reset has
// created hears of a permit for which it has not asked: the one of the run that the reset has
// replaced, whose agent is at work.
func TestRunAgentKeepsPermitOfAReplacedRun(t *testing.T) {
	t.Parallel()
	const limiter, own = "limiter", "default-test-workflow-id|default-test-run-id|"
	for name, row := range map[string]struct {
		event asteroid.PermitEvent
		back  bool // the permit goes back at once
	}{
		"granted to it":             {asteroid.PermitEvent{Token: own + "1", RunID: "replaced", Granted: true}, false},
		"asked whether it wants it": {asteroid.PermitEvent{Token: own + "1"}, false},
		"of another chain":          {asteroid.PermitEvent{Token: "default-test-workflow-id|other|1", Granted: true}, true},
		"of no agent":               {asteroid.PermitEvent{Token: own + "0", Granted: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			agent := b.api.AddAgent("clerk", func(testsuite.Run) []testsuite.Step {
				return []testsuite.Step{testsuite.Complete("success", "", 1)}
			})
			row.event.Limiter = limiter
			token, released := "", map[string]bool{} // while the agent has no permit of its own
			b.OnSignalExternalWorkflow(mock.Anything, limiter, "", asteroid.ReleasePermitSignal, mock.Anything).Return(
				func(_, _, _, _ string, release any) error {
					if token == "" {
						released[release.(asteroid.PermitRelease).Token] = true
					}
					return nil
				})
			b.mock(func() {
				b.OnActivity(asteroid.StageFilesName, mock.Anything, mock.Anything).Return(
					func(_ context.Context, in asteroid.StageFilesInput) (*asteroid.StageFilesResult, error) {
						if !in.Internal.CheckLimits {
							return &asteroid.StageFilesResult{}, nil
						}
						return nil, temporal.NewNonRetryableApplicationError("limited", asteroid.ErrorTypePermitRequired, nil, asteroid.ErrorDetails{})
					}).After(time.Minute)
				b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
					func(ctx context.Context, in asteroid.AcquirePermitInput) (*asteroid.AcquirePermitResult, error) {
						token = in.Token
						require.Equal(t, own+"1", token, activity.GetInfo(ctx).WorkflowExecution)
						return &asteroid.AcquirePermitResult{}, nil
					}).Once()
			})
			b.RegisterDelayedCallback(func() { b.SignalWorkflow(asteroid.PermitSignal, row.event) }, time.Second)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, Files: []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}})
			require.NoError(t, err)
			require.Equal(t, row.back, released[row.event.Token])
		})
	}
}

// mock calls the function when the plugin has registered the activities. It comes before connect.
func (b *bench) mock(activities func()) {
	b.t.Helper()
	mocks, err := temporal.NewSimplePlugin(temporal.SimplePluginOptions{
		Name: "mocks",
		RunContextBefore: func(context.Context, temporal.SimplePluginRunContextBeforeOptions) error {
			activities()
			return nil
		},
	})
	require.NoError(b.t, err)
	b.plugins = append(b.plugins, mocks)
}
