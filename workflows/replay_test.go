package workflows_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

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
	for _, history := range histories {
		require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(logger, history), history)
	}
}
