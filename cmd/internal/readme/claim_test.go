package readme

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

func TestFileClaim(t *testing.T) {
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(testsuite.NewLogger(t)) // shows warnings if the test fails
	env := suite.NewTestWorkflowEnvironment()
	api := testsuite.NewAPI(t, testsuite.WithClock(env.Now))
	reader := api.AddAgent("reader", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{
			testsuite.Work(2 * time.Hour), // takes milliseconds
			testsuite.Complete("success", "Read it.", map[string]any{"amount": 250}),
		}
	})
	plugin, err := asteroidworker.NewPlugin(asteroidworker.Options{
		Connections: map[string]asteroid.Connection{
			"default": {APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()},
		},
		Now: env.Now,
	})
	require.NoError(t, err)
	env.SetWorkerOptions(worker.Options{Plugins: []worker.Plugin{plugin}})

	env.ExecuteWorkflow(FileClaim, Claim{ReaderID: reader, FilerID: api.AgentID("report")})
	require.NoError(t, env.GetWorkflowError())
	filed := api.Executions()[1]
	require.Equal(t, map[string]any{"amount": 250.0}, filed.Inputs["result"])
}
