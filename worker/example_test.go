package worker_test

import (
	"log"

	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// A worker with the plugin runs the activities and workflows of this library, and one's own workflows that call them.
func ExampleNewPlugin() {
	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{
			"default": asteroid.ConnectionFromEnv(),
			"legacy":  {APIKey: asteroid.APIKeyFromEnv("LEGACY_ASTEROID_API_KEY"), Dialect: asteroid.DialectWorkflows},
		},
		FileRoots: []string{"/tmp"},
	})
	if err != nil {
		log.Fatal(err)
	}
	temporal, err := client.NewLazyClient(client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer temporal.Close()
	w := sdkworker.New(temporal, "claims", sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})
	_ = w.Run // with sdkworker.InterruptCh()
}
