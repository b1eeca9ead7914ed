package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// withFile is the input for an agent that gets a file.
func withFile(agent string) workflows.RunAgentInput {
	return workflows.RunAgentInput{AgentID: agent, Files: []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}}
}

// Each staging of the files begins a new activity. Together they take no longer than one start may.
func TestRunAgentEndsStartAtOneDeadline(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		capacityTimeoutSeconds int64
		hours                  float64
	}{
		"six hours":           {0, 6},
		"time for capacity":   {8 * 3600, 8},
		"less is no deadline": {60, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.api.Inject("AgentExecutePost", testsuite.Answer(503, "<html>", "Content-Type", "text/html"), 1_000_000)
			began := b.Now()
			in := withFile(b.api.AgentID("echo"))
			in.CapacityTimeoutSeconds = row.capacityTimeoutSeconds
			_, err := b.runAgent(t, in)
			require.True(t, asteroid.IsUnavailable(err), "%v", err)
			require.InDelta(t, row.hours, b.Now().Sub(began).Hours(), 0.4)
			details, _ := asteroid.DetailsOf(err)
			require.NotEmpty(t, details.ExecutionKey)
		})
	}
}

// The grace period is longer than staged files live. They are staged again once it is over.
func TestRunAgentCountsGraceAcrossStagings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.lookupGrace = 2 * time.Hour
	b.api.Inject("AgentExecutePost", testsuite.Answer(503, "<html>", "Content-Type", "text/html"), 1)
	began := b.Now()
	result, err := b.runAgent(t, withFile(b.api.AgentID("echo")))
	require.NoError(t, err)
	require.Len(t, b.api.Executions(), 1)
	require.Equal(t, "completed", string(result.Status))
	require.InDelta(t, 2, b.Now().Sub(began).Hours(), 0.2)
	require.LessOrEqual(t, b.requests("TempFilesStage"), 3)
}

// A late duplicate does not work next to the agent for hours.
func TestRunAgentCancelsLateDuplicateOneGracePeriodAfterStart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	works := func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(6 * time.Hour), testsuite.Complete("success", "", 1)}
	}
	agent := b.api.AddAgent("works", works, works)
	hidden := &hidingTransport{}
	b.connect(func(c *asteroid.Connection) { c.Transport = hidden })
	b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
	hidden.hide.Store(true)
	b.RegisterDelayedCallback(func() { hidden.hide.Store(false) }, 150*time.Second)
	b.RegisterDelayedCallback(func() {
		require.Len(t, b.api.Executions(), 2)
		require.Len(t, b.alive(), 1)
	}, 6*time.Minute)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.Equal(t, b.api.Executions()[1].ID, result.ExecutionID)
	require.Equal(t, []string{b.api.Executions()[0].ID}, result.DuplicatesCancelled)
}
