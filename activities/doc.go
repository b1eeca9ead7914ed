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
// The counter asteroid_execute_decisions, with the label decision (posted, rejected, unknown,
// waited, adopted, duplicate_cancelled), shows how often ExecuteAgent had to do more than send a
// request.
//
// The counters asteroid_watch_failed_scans, asteroid_watch_failed_signals and
// asteroid_watch_takeovers show trouble of the watch. Each kind of it is logged once while it
// lasts, with what to do. Workflows poll meanwhile.
// asteroid_watch_refused_tokens counts executions with a wrong token, each at every scan.
package activities
