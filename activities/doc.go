// Package activities implements the activities of the Asteroid agents API. A workflow reaches the
// API through them only.
//
// Workflow authors rarely import this package. They add the plugin of
// [github.com/temporal-asteroid/asteroid/worker] to their worker, which registers the activities,
// and use the typed calls of [github.com/temporal-asteroid/asteroid/workflows], which fill in
// activity options. Package asteroid lists the activities, and has their names, inputs, results and
// errors.
//
// # Registration
//
// [New] checks the options, and [Activities.Register] registers every activity under its published
// name:
//
//	acts, err := activities.New(activities.Options{
//		Connections: map[string]asteroid.Connection{
//			"default": {APIKey: asteroid.APIKeyFromEnv("ASTEROID_API_KEY")},
//		},
//	})
//	...
//	acts.Register(worker)
//
// [NewInterceptor] is the last net for results and errors that are too large for history. Give it
// to the worker too; the plugin does.
//
// # Metrics
//
// The activities count requests, files, the decisions of ExecuteAgent and what the watch does,
// through the worker's metrics handler. Package worker lists all metrics of the library. Each kind
// of trouble of the watch is logged once while it lasts, with what to do. Workflows poll meanwhile.
package activities
