package worker_test

import (
	"log"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

// A worker with the plugin runs this library's activities and workflows, and your own workflows
// that call them.
func ExampleNewPlugin() {
	plugin, err := asteroidworker.NewPlugin(asteroidworker.Options{
		Connections: map[string]asteroid.Connection{
			"default": asteroid.ConnectionFromEnv(),
			"legacy":  {APIKey: asteroid.APIKeyFromEnv("LEGACY_ASTEROID_API_KEY"), Dialect: asteroid.DialectWorkflows},
		},
		FileRoots: []string{"/tmp"},
	})
	if err != nil {
		log.Fatal(err)
	}
	temporalClient, err := client.NewLazyClient(client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer temporalClient.Close()
	w := worker.New(temporalClient, "claims", worker.Options{Plugins: []worker.Plugin{plugin}})
	_ = w.Run // call it with worker.InterruptCh()
}
