package workflows_test

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Handover names the two agents of HandOver.
type Handover struct{ GathererID, FilerID string }

// HandOver has one agent gather documents and passes its downloads to a second one. The history
// holds references such as asteroid-execution://<id>/downloads/policy.pdf. The bytes go from the
// service through the worker's memory, some kilobytes at a time, to the service, and touch no disk.
func HandOver(ctx workflow.Context, agents Handover) ([]string, error) {
	gathered, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
		AgentID: agents.GathererID,
		Collect: &workflows.Collect{FileSelection: asteroid.FileSelection{Names: []string{"*.pdf"}}},
	})
	if err != nil {
		return nil, err
	}
	if _, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
		AgentID: agents.FilerID,
		Files:   asteroid.References(gathered.Outputs),
		Inputs:  asteroid.Inputs{"executionId": gathered.ExecutionID},
	}); err != nil {
		return nil, err
	}
	var handed []string
	for _, file := range gathered.Outputs {
		handed = append(handed, strings.ReplaceAll(file.URI, gathered.ExecutionID, "<id>"))
	}
	return handed, nil
}

func ExampleCollect() {
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	api, err := testsuite.StartAPI(testsuite.WithClock(env.Now)) // in a test: testsuite.NewAPI(t, ...)
	if err != nil {
		panic(err)
	}
	defer api.Close()
	gatherer := api.AddAgent("gatherer", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{
			testsuite.WriteFile("downloads", "policy.pdf", "application/pdf", []byte("%PDF-1.7 ...")),
			testsuite.WriteFile("downloads", "log.txt", "text/plain", []byte("Found it.")),
			testsuite.Complete("success", "Found the policy.", nil),
		}
	})
	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{
			"default": {APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()},
		},
		Now: env.Now, SettleInterval: time.Millisecond, // the files of the fake are there at once
	})
	if err != nil {
		panic(err)
	}
	env.SetWorkerOptions(sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})

	env.ExecuteWorkflow(HandOver, Handover{GathererID: gatherer, FilerID: api.AgentID("inventory")})
	var handed []string
	fmt.Println(env.GetWorkflowResult(&handed), handed)
	filed := api.Executions()[1]
	fmt.Println("the second agent got", filed.Files[0].Name, "of", filed.Files[0].Size, "bytes")
	// Output:
	// <nil> [asteroid-execution://<id>/downloads/policy.pdf]
	// the second agent got policy.pdf of 12 bytes
}
