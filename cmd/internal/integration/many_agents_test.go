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
