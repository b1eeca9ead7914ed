package workflows_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/intent"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// send posts to the fake as its user would.
func (b *bench) send(path string, body any) {
	b.t.Helper()
	content, err := json.Marshal(body)
	require.NoError(b.t, err)
	r, err := http.NewRequest(http.MethodPost, b.api.BaseURL()+"/agents/v2"+path, bytes.NewReader(content))
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Asteroid-Agents-Api-Key", b.api.APIKey())
	response, err := http.DefaultClient.Do(r)
	require.NoError(b.t, err)
	require.NoError(b.t, response.Body.Close())
	require.Less(b.t, response.StatusCode, 300)
}

// An execution with one key is adopted, and the sweep of the workflow that started it cancels it in
// favor of another one.
func TestRunAgentThatAdoptedFollowsTheExecutionThatOthersKept(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		ownAttempt bool // the other execution is of the activity that started the adopted one
		change     func(metadata map[string]string)
		check      func(t *testing.T, result *workflows.RunAgentResult, err error, kept string)
	}{
		"of another attempt": {true, func(map[string]string) {}, func(t *testing.T, result *workflows.RunAgentResult, err error, kept string) {
			require.NoError(t, err)
			require.Equal(t, kept, result.ExecutionID)
		}},
		"of the same request": {false, func(map[string]string) {}, func(t *testing.T, result *workflows.RunAgentResult, err error, kept string) {
			require.NoError(t, err)
			require.Equal(t, kept, result.ExecutionID)
			require.Equal(t, asteroid.StatusCompleted, result.Status)
		}},
		"of another request": {false, func(metadata map[string]string) {
			metadata[asteroid.MetadataRequest] = intent.Of(asteroid.ExecuteAgentInput{AgentID: "another"}, nil).String()
		}, func(t *testing.T, _ *workflows.RunAgentResult, err error, kept string) {
			require.True(t, asteroid.IsInvalidInput(err), "%v", err)
			require.ErrorContains(t, err, kept)
		}},
		"that nobody else follows": {false, func(metadata map[string]string) { clear(metadata) }, func(t *testing.T, _ *workflows.RunAgentResult, err error, _ string) {
			require.True(t, asteroid.IsExecutionCancelled(err), "%v", err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			agent := b.api.ServeAgent("clerk", func(testsuite.Run) []testsuite.Step {
				return []testsuite.Step{testsuite.Work(time.Hour), testsuite.Complete("success", "", 1)}
			})
			in := workflows.RunAgentInput{AgentID: agent, IdempotencyKey: "order-42"}
			b.RegisterDelayedCallback(func() {
				own := b.api.Executions()[0]
				metadata := maps.Clone(own.Metadata)
				if !row.ownAttempt {
					metadata[asteroid.MetadataWorkflowID], metadata[asteroid.MetadataRunID] = "another", "run"
					metadata[asteroid.MetadataActivityID] = "run/1"
				}
				row.change(metadata)
				b.send("/agents/"+agent+"/execute", map[string]any{"metadata": metadata})
				b.send("/executions/"+own.ID+"/cancel", nil)
			}, 30*time.Minute)
			var result *workflows.RunAgentResult
			b.ExecuteWorkflow(func(ctx workflow.Context) error {
				if _, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: agent, IdempotencyKey: in.IdempotencyKey}); err != nil {
					return err
				}
				run, err := workflows.StartAgent(ctx, in)
				if err != nil {
					return err
				}
				result, err = run.Result(ctx)
				return err
			})
			require.Len(t, b.api.Executions(), 2)
			row.check(t, result, b.GetWorkflowError(), b.api.Executions()[1].ID)
		})
	}
}

func TestStateTellsTheConnectionOfAnAgentAtWork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.servedAgent(time.Hour)
	var during workflows.State
	b.RegisterDelayedCallback(func() {
		value, err := b.QueryWorkflow(workflows.StateQuery)
		require.NoError(t, err)
		require.NoError(t, value.Get(&during))
	}, 30*time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, Connection: "default"})
	require.NoError(t, err)
	require.Equal(t, "default", during.Agents[0].Connection)
}
