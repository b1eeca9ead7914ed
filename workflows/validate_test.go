package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// A person who looks at a workflow that failed with its input finds the error in its state.
func TestRunAgentAnswersTheStateQueryAfterInvalidInput(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ExecuteWorkflow(workflows.RunAgentName, workflows.RunAgentInput{})
	require.True(t, asteroid.IsInvalidInput(b.GetWorkflowError()))
	value, err := b.QueryWorkflow(workflows.StateQuery)
	require.NoError(t, err)
	var state workflows.State
	require.NoError(t, value.Get(&state))
	require.Len(t, state.Agents, 1)
	require.Equal(t, workflows.PhaseFailed, state.Agents[0].Phase)
	require.Contains(t, state.Agents[0].Error, "agentId: is required")
	require.Empty(t, b.api.Requests())
}

func TestPipelineAnswersTheStateQueryAfterInvalidInput(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]workflows.PipelineInput{
		"no steps":       {},
		"no agent":       {Steps: []workflows.PipelineStep{{}}},
		"nothing before": {Steps: []workflows.PipelineStep{{RunAgentInput: workflows.RunAgentInput{AgentID: "a"}, TakeFiles: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.ExecuteWorkflow(workflows.PipelineName, in)
			require.True(t, asteroid.IsInvalidInput(b.GetWorkflowError()))
			value, err := b.QueryWorkflow(workflows.StateQuery)
			require.NoError(t, err)
			var state workflows.State
			require.NoError(t, value.Get(&state))
			require.Len(t, state.Agents, 1)
			require.Contains(t, state.Agents[0].Error, "steps")
		})
	}
}
