// Package activities is where a Temporal workflow meets the Asteroid agents API: every request that crosses
// the wire is made by an activity of this package.
//
// Workflow authors rarely call it. They add the plugin of
// [github.com/temporal-asteroid/asteroid/worker] to their worker and use the typed calls of
// [github.com/temporal-asteroid/asteroid/workflows], which fill in sensible activity options. What they do take
// from here are the input and result types, [FileRef], [Execution], and the error predicates.
//
// # The activities
//
//	asteroid.StageFiles          stream files to the service, where they wait for one execution
//	asteroid.ExecuteAgent        start an agent with them; the execution id comes back at once
//	asteroid.AwaitExecution      wait an hour or a week without holding a worker slot
//	asteroid.GetExecution        read an execution now
//	asteroid.SetExecutionStatus  pause, resume or cancel it
//	asteroid.SendMessage         answer the agent's question
//	asteroid.AttachFiles         give it more files while it works
//	asteroid.ListFiles           refer to what it left, for the next agent
//	asteroid.SaveFiles           copy what it left to where it stays
//	asteroid.CheckDestination    see whether the worker takes the place for that
//	asteroid.CheckUploads        see whether a run has the files that were staged for it
//	asteroid.SweepDuplicates     cancel what an execute of unknown outcome started once too often
//	asteroid.WatchExecutions     tell workflows of changes; it runs by itself
//
// Each takes one struct and returns one struct, in camelCase JSON with the API's own names, so that a workflow in
// Python, TypeScript, Java or .NET can call them by name.
//
// # Connections
//
// An input never holds an API key. It names a connection ("default" if empty), and the worker that runs the activity
// knows what that means:
//
//	acts, err := activities.New(activities.Options{
//		Connections: map[string]asteroid.Connection{
//			"default": {APIKey: asteroid.APIKeyFromEnv("ASTEROID_API_KEY")},
//		},
//	})
//
// # Errors
//
// An activity fails with a [go.temporal.io/sdk/temporal.ApplicationError] of one of these types. Ask with the
// predicate, never by message; [DetailsOf] gives the HTTP status, request id and execution id.
//
//	type                         predicate             when                                             retried
//	asteroid.InvalidInput        IsInvalidInput        the input breaks a rule, a reference leads       no
//	                                                   where it must not, or the API answered
//	                                                   400, 413, 415, 422 or an unlisted 4xx
//	asteroid.Unauthorized        IsUnauthorized        401: the key is wrong; 403: it may not do this;  no
//	                                                   a file is not open to the worker
//	asteroid.PaymentRequired     IsPaymentRequired     402: plan or balance does not allow the run      no
//	asteroid.NotFound            IsNotFound            404, 410: no such agent, execution or file       no (1)
//	asteroid.AtCapacity          IsAtCapacity          execute answered 409 or 429: nothing was         yes
//	                                                   created, there is no room for another run now
//	asteroid.RateLimited         IsRateLimited         429 anywhere else                                yes
//	asteroid.Unavailable         IsUnavailable         408, 409, 5xx, no answer, or one that is not     yes (2)
//	                                                   what the contract promises; a file that cannot
//	                                                   be read or written now, or arrived damaged
//	asteroid.StagedFileExpired   IsStagedFileExpired   a staged file is too old, used up or foreign:    no
//	                                                   stage again and execute with the new handles
//	asteroid.StillRunning        IsStillRunning        AwaitExecution looked and the run goes on        yes
//	asteroid.UnknownStatus       IsUnknownStatus       the run stayed in a status that this version     no
//	                                                   does not know
//	asteroid.ExecutionFailed     IsExecutionFailed     workflows.RunAgent: the run failed, or the       no
//	                                                   service ended it
//	asteroid.ExecutionCancelled  IsExecutionCancelled  workflows.RunAgent: somebody cancelled the run   no
//	asteroid.ExecutionTimedOut   IsExecutionTimedOut   workflows.RunAgent: its own deadline passed      no
//
// (1) Whatever reads or steers an execution forgives a 404 during the first minute: a new one may not be readable
// everywhere yet. (2) After an unknown outcome, the next attempt of ExecuteAgent looks for the agent's run before it
// sends again; see there.
//
// Retry-After (seconds or a date) and retry-after-ms become the delay before the next attempt, between a second and ten
// minutes.
//
// # Metrics
//
// The counter asteroid_execute_decisions, with the label decision (posted, rejected, unknown, waited, adopted,
// duplicate_cancelled), tells how often ExecuteAgent had to do more than send a request.
package activities
