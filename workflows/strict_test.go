package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// What clients in other languages send is JSON.
func TestWorkflowsRefuseUnknownAndMistypedMembers(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	for field, row := range map[string]struct {
		workflow string
		input    any
	}{
		"input":                         {workflows.RunAgentName, object{"agentId": "a", "input": object{"a": 1}}},
		"metadata.claim":                {workflows.RunAgentName, object{"agentId": "a", "metadata": object{"claim": 1042}}},
		"timeoutSeconds":                {workflows.RunAgentName, object{"agentId": "a", "timeoutSeconds": "60"}},
		"files[0].conectentType":        {workflows.RunAgentName, object{"agentId": "a", "files": []any{object{"uri": "data:,a", "conectentType": "x"}}}},
		"steps[0].collect.destinations": {workflows.PipelineName, object{"steps": []any{object{"agentId": "a", "collect": object{"destinations": "x"}}}}},
		"steps[0].agentId":              {workflows.PipelineName, object{"steps": []any{object{}}}},
		"steps[1].takeFiles":            {workflows.PipelineName, object{"steps": []any{object{"agentId": "a"}, object{"agentId": "a", "takeFiles": true}}}},
		"steps":                         {workflows.PipelineName, object{"steps": object{}}},
		"taskqueue":                     {workflows.WatchName, object{"taskqueue": "x"}},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.ExecuteWorkflow(row.workflow, row.input)
			err := b.GetWorkflowError()
			require.True(t, asteroid.IsInvalidInput(err), "%v", err)
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, field, details.Field)
			require.Empty(t, b.api.Requests())
			if row.workflow == workflows.WatchName {
				return
			}
			value, err := b.QueryWorkflow(workflows.StateQuery)
			require.NoError(t, err)
			var state workflows.State
			require.NoError(t, value.Get(&state))
			require.Contains(t, state.Agents[0].Error, field)
		})
	}
}

func TestRunAgentRunsByFunctionToo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ExecuteWorkflow(workflows.RunAgent, workflows.RunAgentInput{AgentID: b.workingAgent(time.Minute)})
	require.NoError(t, b.GetWorkflowError())
}

func TestRunAgentCanBeReplacedInATest(t *testing.T) {
	t.Parallel()
	replaced := &workflows.RunAgentResult{ExecutionKey: "replaced"}
	for name, returns := range map[string][]any{
		"a value": {replaced, nil},
		"a function": {func(_ workflow.Context, in workflows.Input[workflows.RunAgentInput]) (*workflows.RunAgentResult, error) {
			return &workflows.RunAgentResult{ExecutionKey: "replaced" + in.Value.AgentID}, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.OnWorkflow(workflows.RunAgentName, mock.Anything, mock.Anything).Return(returns...)
			b.ExecuteWorkflow(func(ctx workflow.Context) (string, error) {
				var result workflows.RunAgentResult
				err := workflow.ExecuteChildWorkflow(ctx, workflows.RunAgentName, workflows.RunAgentInput{AgentID: "a"}).Get(ctx, &result)
				return result.ExecutionKey, err
			})
			require.NoError(t, b.GetWorkflowError())
			var key string
			require.NoError(t, b.GetWorkflowResult(&key))
			require.Contains(t, key, "replaced")
		})
	}
}

func TestUpdatesRefuseUnknownMembers(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]map[string]any{
		workflows.AnswerUpdate:      {"text": "yes", "executionID": "e"},
		workflows.SendMessageUpdate: {"message": 5},
		workflows.PauseUpdate:       {"execution": "e"},
		workflows.CancelUpdate:      {"id": "e"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var outcome *updateOutcome
			b.RegisterDelayedCallback(func() { outcome = b.update(t, name, in) }, time.Minute)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.workingAgent(10 * time.Minute)})
			require.NoError(t, err)
			require.True(t, asteroid.IsInvalidInput(outcome.rejected), "%+v", outcome)
		})
	}
}
