package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestRunAgentEndsWithResultsOfAnySize(t *testing.T) {
	s := newStack(t)
	s.startWorker()
	for name, row := range map[string]struct {
		inputs  asteroid.Inputs
		omitted bool
	}{
		"1 B":           {asteroid.Inputs{"bytes": 1}, false},
		"600 KiB":       {asteroid.Inputs{"bytes": 600 << 10}, true},
		"3 MiB":         {asteroid.Inputs{"bytes": 3 << 20}, true},
		"20 MiB":        {asteroid.Inputs{"bytes": 20 << 20}, true},
		"10,000 levels": {asteroid.Inputs{"levels": 10_000}, true},
	} {
		began := time.Now()
		run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{
			AgentID: s.api.AgentID("echo"), Inputs: row.inputs,
			Collect: &workflows.Collect{
				FileSelection: asteroid.FileSelection{Result: true}, Destination: "file://" + s.options.OutputRoots[0],
			},
		})
		var result workflows.RunAgentResult
		require.NoError(t, run.Get(s.ctx(), &result), name)
		require.Less(t, time.Since(began), 45*time.Second, name)
		require.Equal(t, row.omitted, result.ResultOmitted != nil, name)
		require.Equal(t, row.omitted, asteroid.IsResultTooLarge(result.DecodeResult(new(any))), name)
		stored, _ := s.api.Execution(result.ExecutionID)
		saved, err := os.ReadFile(filepath.Join(s.options.OutputRoots[0], result.ExecutionID, "result.json"))
		require.NoError(t, err, name)
		require.True(t, string(stored.Result) == string(saved), "%s: the saved bytes are the agent's", name)
		sum := sha256.Sum256(saved)
		require.Equal(t, hex.EncodeToString(sum[:]), result.ExecutionResult.SHA256, name)
		require.Equal(t, result.ExecutionResult.SHA256, result.Outputs[0].SHA256, name)
	}
}

func TestPipelineEndsWithLargeResults(t *testing.T) {
	s := newStack(t)
	s.options.MaxInlineResultBytes = 1 << 20
	s.startWorker()
	echo := workflows.RunAgentInput{AgentID: s.api.AgentID("echo"), Inputs: asteroid.Inputs{"bytes": 900_000}}
	run := s.startWorkflow(workflows.PipelineName, workflows.PipelineInput{Steps: []workflows.PipelineStep{
		{RunAgentInput: echo}, {RunAgentInput: echo}, {RunAgentInput: echo},
		{RunAgentInput: workflows.RunAgentInput{AgentID: s.api.AgentID("inventory")}, ResultInput: "result"},
	}})
	var result workflows.PipelineResult
	require.NoError(t, run.Get(s.ctx(), &result))
	require.Len(t, result.Steps, 4)
	require.NotNil(t, result.Steps[0].ResultOmitted, "the earliest result is left out")
	require.Len(t, result.Steps[2].Result(), 900_000)
	var inventory struct {
		Files  []struct{ Name, SHA256 string }
		Inputs map[string]string
	}
	require.NoError(t, result.Steps[3].DecodeResult(&inventory))
	require.Len(t, inventory.Files, 1)
	require.Equal(t, result.Steps[2].ExecutionResult.SHA256, inventory.Files[0].SHA256)
	require.Equal(t, inventory.Files[0].Name, inventory.Inputs["result"])
}

// executeTen executes an agent ten times at once, each with an input of 500 KiB.
func executeTen(ctx workflow.Context, agentID string) (int, error) {
	started, group := 0, workflow.NewWaitGroup(ctx)
	var failed error
	for i := range 10 {
		group.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer group.Done()
			_, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{
				AgentID: agentID, Inputs: asteroid.Inputs{"number": i, "text": strings.Repeat("x", 500<<10), "bytes": 1},
			})
			if err != nil {
				failed = err
			}
			started++
		})
	}
	group.Wait(ctx)
	return started, failed
}

func TestWorkflowExecutesTenAgentsWithLargeInputsAtOnce(t *testing.T) {
	s := newStack(t)
	s.startWorker(executeTen)
	run := s.startWorkflow(executeTen, s.api.AgentID("echo"))
	var started int
	require.NoError(t, run.Get(s.ctx(), &started))
	require.Equal(t, 10, started)
	require.Len(t, s.api.Executions(), 10)

	plugin, err := worker.NewPlugin(s.options)
	require.NoError(t, err)
	replayer, err := sdkworker.NewWorkflowReplayerWithOptions(sdkworker.WorkflowReplayerOptions{Plugins: []sdkworker.Plugin{plugin}})
	require.NoError(t, err)
	replayer.RegisterWorkflow(executeTen)
	require.NoError(t, replayer.ReplayWorkflowHistory(nil, s.history(run)))
}

// A result that is too large for the server is a failure whose type the SDK chooses. The typed
// calls name it among the errors that are not retried. This test notices if the SDK renames it.
func TestTypedCallsDoNotRetryAResultThatTheSDKRefuses(t *testing.T) {
	s := newStack(t)
	attempts := 0
	w := sdkworker.New(s.client, s.queue, sdkworker.Options{}) // without the plugin, which bounds results
	w.RegisterActivityWithOptions(func() (map[string]string, error) {
		attempts++
		return map[string]string{"reason": strings.Repeat("x", 3<<20)}, nil
	}, activity.RegisterOptions{Name: asteroid.GetExecutionName})
	readOnce := func(ctx workflow.Context) error {
		_, err := workflows.GetExecution(ctx, asteroid.GetExecutionInput{ExecutionID: "e-1"})
		return fmt.Errorf("refused: %w", err)
	}
	w.RegisterWorkflowWithOptions(readOnce, workflow.RegisterOptions{Name: "readOnce"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	err := s.startWorkflow("readOnce", nil).Get(s.ctx(), nil)
	require.ErrorContains(t, err, "payloadSizeError")
	require.Equal(t, 1, attempts)
}
