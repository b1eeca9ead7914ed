package testsuite_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	temporaltest "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// A second plugin mocks an activity of Asteroid's plugin. The other activities call the fake.
func Example_mock() {
	startAgent := func(ctx workflow.Context) (string, error) {
		started, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: "clerk"})
		if err != nil {
			return "", err
		}
		return started.ExecutionID, nil
	}

	var suite temporaltest.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	api, err := testsuite.StartAPI(testsuite.WithClock(env.Now)) // in a test: testsuite.NewAPI(t, ...)
	if err != nil {
		panic(err)
	}
	defer api.Close()
	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{
			"default": {APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()},
		},
		Now: env.Now,
	})
	if err != nil {
		panic(err)
	}
	mocks, err := temporal.NewSimplePlugin(temporal.SimplePluginOptions{
		Name: "mocks",
		RunContextBefore: func(context.Context, temporal.SimplePluginRunContextBeforeOptions) error {
			env.OnActivity(asteroid.ExecuteAgentName, mock.Anything, mock.Anything).
				Return(&asteroid.ExecuteAgentResult{ExecutionID: "execution-1"}, nil)
			return nil
		},
	})
	if err != nil {
		panic(err)
	}
	env.SetWorkerOptions(sdkworker.Options{Plugins: []sdkworker.Plugin{plugin, mocks}}) // in this order

	env.ExecuteWorkflow(startAgent)
	var id string
	if err := env.GetWorkflowResult(&id); err != nil {
		panic(err)
	}
	fmt.Println("execution:", id)
	fmt.Println("requests:", len(api.Requests()))
	// Output:
	// execution: execution-1
	// requests: 0
}
