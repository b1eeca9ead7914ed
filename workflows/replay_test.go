package workflows_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// The histories were recorded on a real server; CONTRIBUTING.md says how. A change of workflow code
// that fails here would break the open runs of our users: put it behind workflow.GetVersion.
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	histories, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, histories)
	plugin, err := worker.NewPlugin(worker.Options{Connections: map[string]asteroid.Connection{"default": asteroid.ConnectionFromEnv()}})
	require.NoError(t, err)
	replayer, err := sdkworker.NewWorkflowReplayerWithOptions(sdkworker.WorkflowReplayerOptions{Plugins: []sdkworker.Plugin{plugin}})
	require.NoError(t, err)
	logger := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	for _, path := range histories {
		file, err := os.Open(path)
		require.NoError(t, err)
		history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
		require.NoError(t, err)
		require.NoError(t, file.Close())
		original := workflow.Execution{ID: history.Events[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowId()} // children's ids are made of it
		err = replayer.ReplayWorkflowHistoryWithOptions(logger, history, sdkworker.ReplayWorkflowHistoryOptions{OriginalExecution: original})
		require.NoError(t, err, path)
	}
}
