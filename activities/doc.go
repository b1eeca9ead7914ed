// Package activities implements the activities of the Asteroid agents API. A workflow reaches the
// API through them only.
//
// Workflow authors rarely import this package. They add the plugin of
// [github.com/temporal-asteroid/asteroid/worker] to their worker, which registers the activities,
// and use the typed calls of [github.com/temporal-asteroid/asteroid/workflows], which fill in
// activity options. Inputs, results and error predicates are in package asteroid.
//
// # The activities
//
//	asteroid.StageFiles          streams files to the service, where they wait for one execution
//	asteroid.ExecuteAgent        starts an agent with them; returns the execution id at once
//	asteroid.AwaitExecution      waits an hour or a week without holding a worker slot
//	asteroid.GetExecution        reads an execution now
//	asteroid.SetExecutionStatus  pauses, resumes or cancels it
//	asteroid.SendMessage         answers the agent's question
//	asteroid.AttachFiles         adds files to it while it runs
//	asteroid.ListFiles           returns references to its files, for the next agent
//	asteroid.SaveFiles           copies its files to a destination of your own
//	asteroid.CheckDestination    checks whether the worker accepts such a destination
//	asteroid.CheckUploads        checks whether an execution has the files that were staged for it
//	asteroid.SweepDuplicates     cancels duplicates that an unknown outcome has left
//	asteroid.WatchExecutions     signals workflows when executions change; ExecuteAgent starts it
//
// Each takes one struct and returns one struct, in camelCase JSON with the API's own names. A
// workflow in Python, TypeScript, Java or .NET can therefore call them by name.
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
// # Connections
//
// An input never holds an API key. It names a connection ("default" if empty), and the worker that
// runs the activity resolves the name by Options.Connections.
//
// # Errors
//
// Each error is an ApplicationError of a type that package asteroid lists, with its predicate.
//
// # Metrics
//
// The counter asteroid_execute_decisions, with the label decision (posted, rejected, unknown,
// waited, adopted, duplicate_cancelled), shows how often ExecuteAgent had to do more than send a
// request.
package activities
