package workflows_test

import (
	"fmt"
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

// newBenchOfFew is newEventBench with at most 20 agents under way in a workflow.
func newBenchOfFew(t *testing.T) *bench {
	t.Helper()
	b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{workflows.NewInterceptorOfFew(20)}})
	b.events = asteroid.EventsWebhooks
	return b
}

// servedAgent is workingAgent for any number of executions.
func (b *bench) servedAgent(d time.Duration) string {
	return b.api.ServeAgent("works", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", 1)}
	})
}

// phases counts the agents of each phase.
func (b *bench) phases(t *testing.T) map[workflows.Phase]int {
	t.Helper()
	value, err := b.QueryWorkflow(workflows.StateQuery)
	require.NoError(t, err)
	var state workflows.State
	require.NoError(t, value.Get(&state))
	counts := map[workflows.Phase]int{}
	for _, agent := range state.Agents {
		counts[agent.Phase]++
	}
	return counts
}

// runAgents is a workflow that runs so many agents at once and returns what became of them.
func runAgents(ctx workflow.Context, agent string, n int) (map[string]int, error) {
	outcomes, done := map[string]int{}, 0
	for range n {
		workflow.Go(ctx, func(ctx workflow.Context) {
			_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agent, PollIntervalSeconds: 3600})
			switch {
			case err == nil:
				outcomes["completed"]++
			case temporal.IsCanceledError(err):
				outcomes["cancelled"]++
			default:
				outcomes[err.Error()]++
			}
			done++
		})
	}
	background, _ := workflow.NewDisconnectedContext(ctx)
	return outcomes, workflow.Await(background, func() bool { return done == n })
}

func TestRunAgentWaitsForItsTurnInAWorkflowOfManyAgents(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		cancel           bool
		started          int
		completed, ended int
	}{
		"all complete":           {started: 30, completed: 30},
		"cancelled in the queue": {cancel: true, started: 20, ended: 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBenchOfFew(t)
			agent := b.servedAgent(30 * time.Minute)
			b.RegisterDelayedCallback(func() {
				require.Equal(t, map[workflows.Phase]int{workflows.PhaseRunning: 20, workflows.PhaseWaitingForTurn: 10}, b.phases(t))
				if row.cancel {
					b.CancelWorkflow()
				}
			}, 10*time.Minute)
			b.ExecuteWorkflow(runAgents, agent, 30)
			require.NoError(t, b.GetWorkflowError())
			var outcomes map[string]int
			require.NoError(t, b.GetWorkflowResult(&outcomes))
			require.Equal(t, row.completed, outcomes["completed"], fmt.Sprint(outcomes))
			require.Equal(t, row.ended, outcomes["cancelled"], fmt.Sprint(outcomes))
			require.Len(t, b.api.Executions(), row.started)
			require.Empty(t, b.alive())
		})
	}
}

// StartAgent without Result must not keep others from their turn.
func TestStartAgentOfManyAgentsNeedsNoResultMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBenchOfFew(t)
	agent := b.servedAgent(time.Minute)
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		const n = 30
		var runs []*workflows.AgentRun
		for range n {
			run, err := workflows.StartAgent(ctx, workflows.RunAgentInput{AgentID: agent})
			if err != nil {
				return err
			}
			runs = append(runs, run)
		}
		completed := 0
		for _, run := range runs {
			workflow.Go(ctx, func(ctx workflow.Context) {
				result, err := run.Result(ctx)
				if err == nil && result.Status == asteroid.StatusCompleted {
					completed++
				}
			})
		}
		return workflow.Await(ctx, func() bool { return completed == n })
	})
	require.NoError(t, b.GetWorkflowError())
}
