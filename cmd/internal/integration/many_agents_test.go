package integration

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

var many = flag.Bool("many", false, "run the tests with 2,001 agents, 1,000 answers and hundreds of limited runs, which takes about ten minutes")

// The server admits 2,000 pending activities to a workflow. One more sticks it for good.
func TestRunAgentRunsMoreAgentsThanTheServerAdmitsActivities(t *testing.T) {
	if !*many {
		t.Skip("needs -many")
	}
	s := newStack(t)
	s.options.Events = asteroid.EventsPoll
	agent := s.api.ServeAgent("quick", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Complete("success", "", 1)}
	})
	const agents = 2001
	runMany := func(ctx workflow.Context, agent string) (int, error) {
		completed, ended := 0, 0
		for range agents {
			workflow.Go(ctx, func(ctx workflow.Context) {
				if _, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agent}); err == nil {
					completed++
				}
				ended++
			})
		}
		err := workflow.Await(ctx, func() bool { return ended == agents })
		return completed, err
	}
	s.startWorker(runMany)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	run := s.startWorkflow(runMany, agent)
	var completed int
	require.NoError(t, run.Get(ctx, &completed))
	require.Equal(t, agents, completed)
	require.Len(t, s.api.Executions(), agents)
}

// Nor does it admit more than 2,000 pending signals, by which permits go back.
func TestLimitsOfMoreAgentsThanTheServerAdmitsActivities(t *testing.T) {
	if !*many {
		t.Skip("needs -many")
	}
	s, limit := limitStack(t)
	l := limit("login", 1)
	holder := s.api.ServeAgent("busy", worksFor(time.Hour))
	const agents = 2001
	runMany := func(ctx workflow.Context, agent string) error {
		left := agents
		for range agents {
			workflow.Go(ctx, func(ctx workflow.Context) {
				_, _ = workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agent, Limits: []asteroid.Limit{l}})
				left--
			})
		}
		background, _ := workflow.NewDisconnectedContext(ctx)
		return workflow.Await(background, func() bool { return left == 0 })
	}
	s.startWorker(runMany)
	run := s.startWorkflow(runMany, holder)
	s.awaitLimiter(l, func(state asteroid.LimiterState) bool { return len(state.Holders) == 1 && state.Waiting == agents-1 })
	require.NoError(t, s.client.CancelWorkflow(s.ctx(), run.GetID(), ""))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, run.Get(ctx, nil))
	s.awaitLimiter(l, func(state asteroid.LimiterState) bool { return len(state.Holders) == 0 && state.Waiting == 0 })
}
