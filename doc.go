// Package asteroid is the contract of a Temporal plugin that runs Asteroid browser agents
// (https://docs.asteroid.ai): the names, inputs, results and errors that workflows and workers
// exchange, and the settings of a worker. It does no I/O, so workflow code imports it safely.
//
// # Where the rest is
//
//	package                                            use it for
//	github.com/temporal-asteroid/asteroid/worker       a worker: the plugin, the webhook receiver
//	github.com/temporal-asteroid/asteroid/workflows    a workflow: typed calls, RunAgent, Pipeline
//	github.com/temporal-asteroid/asteroid/testsuite    a test: a fake of the Asteroid API
//	github.com/temporal-asteroid/asteroid/activities   a worker without the plugin
//
// A worker gets everything from the plugin:
//
//	import asteroidworker "github.com/temporal-asteroid/asteroid/worker"
//
//	plugin, err := asteroidworker.NewPlugin(asteroidworker.Options{
//		Connections: map[string]asteroid.Connection{
//			asteroid.DefaultConnection: asteroid.ConnectionFromEnv(), // ASTEROID_API_KEY
//		},
//		FileRoots: []string{"/srv/claims"}, // the directories that file: references may open
//	})
//	...
//	w := worker.New(temporalClient, "claims", worker.Options{Plugins: []worker.Plugin{plugin}})
//
// A workflow then runs an agent to its end. RunAgent stages the files, executes the agent, waits
// for an hour or a week, and returns the [Execution] with its result:
//
//	run, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
//		AgentID: claim.AgentID,
//		Files:   []asteroid.FileRef{{URI: "file:///srv/claims/1042.pdf"}},
//		Inputs:  asteroid.Inputs{"claim_number": claim.Number},
//	})
//	if asteroid.IsExecutionFailed(err) {
//		...
//	}
//	var filed struct{ Reference string }
//	err = run.DecodeResult(&filed)
//
// # Activities
//
//	asteroid.StageFiles          uploads files, which wait at the service for one execution
//	asteroid.ExecuteAgent        starts an agent with them and returns the execution id at once
//	asteroid.AwaitExecution      waits for a status, without an activity slot between its polls
//	asteroid.GetExecution        reads an execution
//	asteroid.SetExecutionStatus  pauses, resumes or cancels an execution
//	asteroid.SendMessage         sends the agent a message, such as the answer to its question
//	asteroid.AttachFiles         uploads files to an execution that is running
//	asteroid.ListFiles           lists an execution's files as references for another agent
//	asteroid.SaveFiles           copies an execution's files to a disk or an object store
//	asteroid.CheckDestination    checks that SaveFiles of this worker accepts a destination
//	asteroid.ListAgents          lists the agents that there are
//	asteroid.DescribeAgent       tells what a version of an agent takes and returns
//	asteroid.CheckResult         checks an execution's result against its version's schema
//	asteroid.CheckUploads        checks that an execution has the files that were staged for it
//	asteroid.SweepDuplicates     cancels further executions of one intent
//	asteroid.AcquirePermit       asks for a permit of a Limit, for RunAgent
//	asteroid.CheckPermitHolders  finds holders of permits that are gone, for the limiter
//	asteroid.PlanBatch           checks the rows of a batch and divides them into segments
//	asteroid.ReadBatchRows       returns the rows of a segment with their inputs
//	asteroid.WriteBatchPart      writes results of a segment's rows
//	asteroid.JoinBatchParts      writes the results of a batch into one file
//	asteroid.FollowWorkflow      waits until another workflow has closed
//	asteroid.WatchExecutions     signals workflows whose execution changed; it starts by itself
//
// The activity ExecuteAgent has a constant [ExecuteAgentName], an input [ExecuteAgentInput] and a
// result [ExecuteAgentResult], and the others likewise. GetExecution and AwaitExecution return an
// [Execution], and DescribeAgent an [AgentDescription]. Most inputs have a Validate method, which
// the activity calls before it sends anything. Workflow code may call it earlier.
//
// # Calling by name
//
// Inputs and results are single JSON objects in camelCase, with the API's own member names. A
// workflow in Python, TypeScript, Java or .NET calls an activity by its name, on the task queue of
// a worker that has the plugin. The input of asteroid.ExecuteAgent, for example, is:
//
//	{
//	  "agentId": "0f8fad5b-d9cb-469f-a165-70867728950e",
//	  "inputs": {
//	    "claim_number": 1042
//	  },
//	  "executionOptions": {
//	    "softTimeoutMins": 30
//	  }
//	}
//
// Inputs are strict. A member that is unknown, of another letter case, given twice or of another
// type is an asteroid.InvalidInput that names it, so that a misspelled inputs does not run an agent
// without them. null counts as absent. The values in inputs may be any JSON. A worker retries an
// input whose member schema, a number, says that it is of a newer version of this package.
//
// The retry policy of asteroid.AwaitExecution is its poll schedule. Set its maximum interval (the
// server's default is 100 seconds) and leave its maximum attempts unlimited; bound the wait with
// the schedule-to-close timeout. Cancelling the activity does not cancel the agent. Cancelling the
// workflow asteroid.RunAgent does, and a workflow in any language can call it as a child workflow.
// A child needs a key that survives a reset of its parent: workflows.ExecuteRunAgent gives it one,
// and other languages set idempotencyKey.
//
// # Connections
//
// An input never holds an API key. It names a connection, and the worker that runs the activity has
// a [Connection] of that name. So neither key nor address enters a workflow's history, and a key
// can rotate while workflows run. An input without a name means [DefaultConnection].
//
// # Files
//
// A [FileRef] names a file by URI. The worker streams the file from its source to the service: its
// content enters neither history nor, as a whole, memory. A worker opens
//
//   - file: references below the directories that it is configured with
//   - https: references on the public internet ([HTTPSOptions])
//   - data: references, which hold a small content themselves
//   - the files of another execution ([ExecutionFileURI], [References])
//   - the schemes of the stores that it is configured with ([Store])
//
// # Sizes
//
// Nothing enters history without a bound in bytes. An agent's result of up to 256 KiB is in
// [Execution.Result] (the worker's option MaxInlineResultBytes). A larger one, or one that is
// nested more than 1000 levels deep, stays at the service: [Execution.ResultOmitted] has its size,
// its digest and a reference, asteroid-execution://<execution id>/result, which is a [FileRef] for
// the next agent. [FileSelection].Result saves it. Texts of the service are truncated, visibly.
//
// An input of more than 1.75 MiB is refused with asteroid.InvalidInput before anything is sent:
// pass large content as a file.
//
// # Statuses
//
// A [Status] is the API's own word, and its [StatusClass] says what it means for a caller. A status
// that this version does not know is [ClassUnknown]. An execution with such a status goes on,
// unless it has a TerminalAt or a result ([Execution.Terminal]).
//
//	class            statuses                                 means
//	ClassPending     queued                                   waits for capacity
//	ClassProcessing  starting, running                        the agent works
//	ClassPaused      paused                                   a person or the API paused it
//	ClassNeedsHuman  paused_by_agent, awaiting_confirmation   the agent asks a person
//	ClassTerminal    completed, failed, cancelled             it never changes again
//
// What an agent asks is an asking: this question, asked at this time, by this execution. Its id is
// [Execution].Asking. A message and a resumption name it, and are refused with
// asteroid.InvalidInput (the field is asking) when the agent asks something else by then.
//
// A failed execution is a result of the activities and an error of workflows.RunAgent. A completed
// one may still have an [ExecutionResult] whose Outcome means failure.
//
// # Errors
//
// An activity fails with a [temporal.ApplicationError] of one of these types. Test for it with its
// predicate, never by message. [DetailsOf] returns the HTTP status, request id and execution id.
//
//	type                         predicate             when                                retried
//	asteroid.InvalidInput        IsInvalidInput        the input breaks a rule, a          no
//	                                                   reference leads where it must not,
//	                                                   or the API answered 400, 413, 415,
//	                                                   422 or a 4xx that is not listed
//	                                                   here
//	asteroid.Unauthorized        IsUnauthorized        401: the key is wrong; 403: the     no
//	                                                   key may not do this; or the worker
//	                                                   may not read or write a file
//	asteroid.PaymentRequired     IsPaymentRequired     402: plan or balance does not       no
//	                                                   allow the run
//	asteroid.NotFound            IsNotFound            404, 410: no such agent, execution  no (1)
//	                                                   or file
//	asteroid.AtCapacity          IsAtCapacity          execute answered 409 or 429: it     yes
//	                                                   created nothing, there is no room
//	                                                   for a run now
//	asteroid.RateLimited         IsRateLimited         429 of any other operation          yes
//	asteroid.Unavailable         IsUnavailable         408, 409, 5xx, no answer, or one    yes (2)
//	                                                   that breaks the contract; a file
//	                                                   that cannot be read or written
//	                                                   now, or arrived damaged
//	asteroid.StagedFileExpired   IsStagedFileExpired   a staged file is too old, used up   no
//	                                                   or of another organization, or the
//	                                                   run began without it: stage it
//	                                                   again and execute with the new one
//	asteroid.StillRunning        IsStillRunning        AwaitExecution: the wait goes on;   yes
//	                                                   CheckUploads: a file is not listed
//	                                                   yet
//	asteroid.UnknownStatus       IsUnknownStatus       workflows.RunAgent: the execution   no
//	                                                   ended with a status that this
//	                                                   version does not know
//	asteroid.ExecutionFailed     IsExecutionFailed     workflows.RunAgent: the execution   no
//	                                                   failed, or the service ended it
//	asteroid.ExecutionCancelled  IsExecutionCancelled  workflows.RunAgent: a user          no
//	                                                   cancelled the execution
//	asteroid.ExecutionTimedOut   IsExecutionTimedOut   workflows.RunAgent: the deadline    no
//	                                                   for the execution or for an answer
//	                                                   passed
//	asteroid.ResultTooLarge      IsResultTooLarge      DecodeResult: the result was too    no
//	                                                   large for history, see Sizes; or the
//	                                                   service described an execution in
//	                                                   more than 72 MiB
//	asteroid.PermitRequired      IsPermitRequired      the worker limits such runs:        no
//	                                                   RunAgent then takes the permits
//	asteroid.PermitLost          IsPermitLost          a reset has replaced the run that   no
//	                                                   held a permit: RunAgent takes it
//	                                                   again
//	asteroid.LimiterFull         IsLimiterFull         5,000 other runs wait for a permit  yes
//
// (1) An activity that reads or steers an execution retries a 404 during the first minute, because
// a new execution may not be readable everywhere yet.
//
// (2) After an unknown outcome, the next attempt of ExecuteAgent looks for the execution before it
// sends another request. AwaitExecution, once it has read the execution, retries every error of the
// API, and gives up after six hours in which every poll failed.
//
// A Retry-After header (seconds or a date) or a retry-after-ms header becomes the delay before the
// next attempt, between one second and ten minutes.
package asteroid
