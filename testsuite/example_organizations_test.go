package testsuite_test

import (
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/log"
	temporaltest "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// A workflow runs an agent of each of two organizations. The worker has a connection for each.
func ExampleAPI_AddAgentIn() {
	var suite temporaltest.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler))) // in a test: testsuite.NewLogger(t)
	env := suite.NewTestWorkflowEnvironment()
	api, err := testsuite.StartAPI(testsuite.WithClock(env.Now)) // in a test: testsuite.NewAPI(t, ...)
	if err != nil {
		panic(err)
	}
	defer api.Close()
	partner := api.AddOrganization("Partner")
	answers := func(text string) testsuite.Agent {
		return func(testsuite.Run) []testsuite.Step {
			return []testsuite.Step{testsuite.Complete("success", "Done.", text)}
		}
	}
	ours := api.AddAgent("clerk", answers("ours"))
	theirs := api.AddAgentIn(partner, "clerk", answers("theirs"))

	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{
			"default": {APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()},
			"partner": {APIKey: asteroid.StaticAPIKey(api.AddAPIKey(partner)), BaseURL: api.BaseURL()},
		},
		Now: env.Now,
	})
	if err != nil {
		panic(err)
	}
	env.SetWorkerOptions(sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})
	env.ExecuteWorkflow(func(ctx workflow.Context) ([]string, error) {
		var results []string
		for _, in := range []workflows.RunAgentInput{{AgentID: ours}, {Connection: "partner", AgentID: theirs}} {
			ended, err := workflows.RunAgent(ctx, in)
			if err != nil {
				return nil, err
			}
			results = append(results, string(ended.ExecutionResult.Result))
		}
		return results, nil
	})
	var results []string
	if err := env.GetWorkflowResult(&results); err != nil {
		panic(err)
	}
	fmt.Println(results)
	for _, execution := range api.Executions() {
		fmt.Println(execution.Agent, execution.OrganizationID == partner, execution.Status)
	}
	// Output:
	// ["ours" "theirs"]
	// clerk false completed
	// clerk true completed
}
