package workflows_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Claim is the input of FileClaim.
type Claim struct {
	Number            string
	ReaderID, FilerID string
	Documents         []asteroid.FileRef
}

// FileClaim has one agent read a claim's documents. A second agent files the claim: it gets the
// execution id and the result of the first.
func FileClaim(ctx workflow.Context, claim Claim) (string, error) {
	read, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
		AgentID: claim.ReaderID,
		Files:   claim.Documents,
		Inputs:  asteroid.Inputs{"claim_number": claim.Number},
	})
	if err != nil {
		return "", err // asteroid.IsExecutionFailed(err), asteroid.IsExecutionCancelled(err), ...
	}
	filed, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
		AgentID: claim.FilerID,
		Inputs:  asteroid.Inputs{"executionId": read.ExecutionID, "result": read.Result()},
	})
	if err != nil {
		return "", err
	}
	return filed.ExecutionID, nil
}

// Test your own workflow with the fake API and virtual time: the reader takes two hours, the test
// none.
func ExampleRunAgent() {
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()

	api, err := testsuite.StartAPI(testsuite.WithClock(env.Now)) // in a test: testsuite.NewAPI(t, ...)
	if err != nil {
		panic(err)
	}
	defer api.Close()
	reader := api.AddAgent("reader", func(run testsuite.Run) []testsuite.Step {
		return []testsuite.Step{
			testsuite.Work(2 * time.Hour),
			testsuite.Complete("success", "Read it.", map[string]any{"claim": run.Inputs["claim_number"], "files": len(run.Files)}),
		}
	})
	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{
			"default": {APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()},
		},
		Now: env.Now,
	})
	if err != nil {
		panic(err)
	}
	env.SetWorkerOptions(sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})

	env.ExecuteWorkflow(FileClaim, Claim{
		Number: "C-1042", ReaderID: reader, FilerID: api.AgentID("report"),
		Documents: []asteroid.FileRef{{URI: "data:text/plain,water%20damage", Name: "statement.txt"}},
	})
	fmt.Println(env.GetWorkflowError())
	for _, execution := range api.Executions() {
		fmt.Println(execution.Agent, execution.Status, execution.TerminalAt.Sub(execution.CreatedAt).Round(time.Minute))
	}
	handed := api.Executions()[1].Inputs["result"]
	fmt.Println("handed on:", handed)
	// Output:
	// <nil>
	// reader completed 2h0m0s
	// report completed 0s
	// handed on: map[claim:C-1042 files:1]
}

// StartAgent returns the execution id while the agent works.
func ExampleStartAgent() {
	fileAndReport := func(ctx workflow.Context, agentID string) error {
		run, err := workflows.StartAgent(ctx, workflows.RunAgentInput{AgentID: agentID})
		if err != nil {
			return err
		}
		workflow.GetLogger(ctx).Info("The agent is at work", "executionId", run.ExecutionID())
		// ... other steps, while it works ...
		result, err := run.Result(ctx)
		if err != nil {
			return err
		}
		var filed struct{ Reference string }
		return result.DecodeResult(&filed)
	}
	_ = fileAndReport
}

// Pipeline needs no workflow code: any client starts it by name.
func ExamplePipeline() {
	start := func(ctx context.Context, temporal client.Client, reader, filer string, documents []asteroid.FileRef) (client.WorkflowRun, error) {
		return temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: "claims"},
			workflows.PipelineName, workflows.PipelineInput{Steps: []workflows.PipelineStep{
				{RunAgentInput: workflows.RunAgentInput{AgentID: reader, Files: documents}},
				{RunAgentInput: workflows.RunAgentInput{AgentID: filer}, ExecutionIDInput: "executionId", ResultInput: "result"},
			}})
	}
	_ = start
}
