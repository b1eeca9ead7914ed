package worker_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func options(api *testsuite.API) asteroidworker.Options {
	return asteroidworker.Options{Connections: map[string]asteroid.Connection{
		"default": {APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()},
	}}
}

func TestNewPluginServesManyTestEnvironments(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	plugin, err := asteroidworker.NewPlugin(options(api))
	require.NoError(t, err)
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	in := asteroid.ExecuteAgentInput{AgentID: api.AgentID("patient")}
	for range 2 {
		env := suite.NewTestActivityEnvironment()
		env.SetWorkerOptions(worker.Options{Plugins: []worker.Plugin{plugin}})
		for range 2 {
			_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, in)
			require.NoError(t, err)
		}
		workflowEnv := suite.NewTestWorkflowEnvironment()
		workflowEnv.SetWorkerOptions(worker.Options{Plugins: []worker.Plugin{plugin}})
		workflowEnv.ExecuteWorkflow(workflows.PipelineName, workflows.PipelineInput{})
		require.True(t, asteroid.IsInvalidInput(workflowEnv.GetWorkflowError()))
	}
}

func TestNewPluginOnClientAndWorkerRegistersOnce(t *testing.T) {
	t.Parallel()
	plugin, err := asteroidworker.NewPlugin(options(testsuite.NewAPI(t)))
	require.NoError(t, err)
	// A lazy client connects when the worker starts, after the plugins have run. That fails here,
	// late enough for this test.
	c, err := client.NewLazyClient(client.Options{
		HostPort: "127.0.0.1:1", Plugins: []client.Plugin{plugin}, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	defer c.Close()
	for range 2 {
		w := worker.New(c, "queue", worker.Options{Plugins: []worker.Plugin{plugin}})
		require.NotPanics(t, func() { require.Error(t, w.Start()) })
	}
}

func TestNewPluginRefusesOptionsWithoutConnections(t *testing.T) {
	t.Parallel()
	_, err := asteroidworker.NewPlugin(asteroidworker.Options{})
	require.ErrorContains(t, err, "no connections")
}
