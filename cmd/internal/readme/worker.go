// Package readme has the code of README.md. Its tests keep the two the same, and run what runs
// without an account.
package readme

import (
	"context"
	"crypto/rsa"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// RunWorker is a worker with the plugin.
func RunWorker(temporalClient client.Client, interrupt <-chan any) error {
	plugin, err := asteroidworker.NewPlugin(asteroidworker.Options{
		Connections: map[string]asteroid.Connection{
			"default": asteroid.ConnectionFromEnv(), // reads ASTEROID_API_KEY
		},
		FileRoots: []string{"/srv/claims"}, // what file: references may open
	})
	if err != nil {
		return err
	}
	w := worker.New(temporalClient, "claims", worker.Options{
		Plugins:           []worker.Plugin{plugin},
		WorkerStopTimeout: 20 * time.Second, // without it a stop interrupts uploads
	})
	w.RegisterWorkflow(FileClaim)
	return w.Run(interrupt)
}

// CheckWorker checks a worker's options before it starts.
func CheckWorker(ctx context.Context, temporalClient client.Client, options asteroidworker.Options) error {
	if err := asteroidworker.Check(ctx, options); err != nil {
		return err // which connection cannot be used, and what to do
	}
	attributes := options.SearchAttributes
	return asteroidworker.EnsureSearchAttributes(ctx, temporalClient, "default", attributes)
}

// StartPipeline starts the workflow that runs agents one after another.
func StartPipeline(ctx context.Context, temporalClient client.Client, reader, filer string) (client.WorkflowRun, error) {
	documents := []asteroid.FileRef{{URI: "file:///srv/claims/1042.pdf"}}
	run, err := temporalClient.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: "claims"},
		workflows.PipelineName, workflows.PipelineInput{Steps: []workflows.PipelineStep{
			{RunAgentInput: workflows.RunAgentInput{AgentID: reader, Files: documents}},
			{
				RunAgentInput:    workflows.RunAgentInput{AgentID: filer},
				ExecutionIDInput: "executionId", // inputs of the second agent
				ResultInput:      "result",
			},
		}})
	return run, err
}

// WebhookHandler receives webhooks for the workflows of a namespace.
func WebhookHandler(temporalClient client.Client, key *rsa.PublicKey, secret string) (*asteroidworker.WebhookHandler, error) {
	handler, err := asteroidworker.NewWebhookHandler(asteroidworker.WebhookOptions{
		Clients:    map[string]client.Client{"default": temporalClient},
		PublicKeys: []*rsa.PublicKey{key}, // asteroidworker.ParseWebhookPublicKey reads Asteroid's
		Secrets:    []string{secret},      // the same as Options.WebhookSecrets of the workers
	})
	return handler, err
}
