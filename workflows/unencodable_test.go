package workflows_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// What cannot be encoded must neither fail the workflow task nor be left out.
func TestInputsThatCannotBeEncodedAreRefused(t *testing.T) {
	t.Parallel()
	deep := json.RawMessage(strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))
	for name, value := range map[string]any{
		"NaN": math.NaN(), "channel": make(chan int), "no JSON": json.RawMessage("{bad"), "too deep": deep,
	} {
		for call, run := range map[string]func(ctx workflow.Context, in asteroid.Inputs) error{
			"ExecuteAgent": func(ctx workflow.Context, in asteroid.Inputs) error {
				_, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: "a-1", Inputs: in})
				return err
			},
			"RunAgent": func(ctx workflow.Context, in asteroid.Inputs) error {
				_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: "a-1", Inputs: in})
				return err
			},
			"ExecuteRunAgent": func(ctx workflow.Context, in asteroid.Inputs) error {
				return workflows.ExecuteRunAgent(ctx, workflows.RunAgentInput{AgentID: "a-1", Inputs: in}).Get(ctx, nil)
			},
			"Pipeline": func(ctx workflow.Context, in asteroid.Inputs) error {
				_, err := workflows.Pipeline(ctx, workflows.PipelineInput{Steps: []workflows.PipelineStep{{RunAgentInput: workflows.RunAgentInput{AgentID: "a-1", Inputs: in}}}})
				return err
			},
		} {
			t.Run(call+" "+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				b.ExecuteWorkflow(func(ctx workflow.Context) error { return run(ctx, asteroid.Inputs{"a": value}) })
				require.True(t, asteroid.IsInvalidInput(b.GetWorkflowError()), "%v", b.GetWorkflowError())
				require.Empty(t, b.api.Executions())
			})
		}
	}
}
