// Package testsuite tests code that is built on Asteroid. It serves a fake of the Asteroid API on a
// local port. The fake behaves as the service does, but needs no account, no browser and no time.
//
//	func TestInvoice(t *testing.T) {
//		api := testsuite.NewAPI(t)
//		id := api.AddAgent("clerk", func(run testsuite.Run) []testsuite.Step {
//			invoice := map[string]any{"invoice": run.Inputs["invoice"]}
//			return []testsuite.Step{
//				testsuite.Work(2 * time.Hour),
//				testsuite.Ask("Which account?", "Checking", "Savings"),
//				testsuite.WriteFile("downloads", "receipt.txt", "text/plain", []byte("paid")),
//				testsuite.Complete("success", "Paid it.", invoice),
//			}
//		})
//		// Run agent id with a client for api.BaseURL() and api.APIKey(). Then check what it did:
//		for _, execution := range api.Executions() { ... }
//	}
//
// # Agents
//
// An agent is a function that takes the input of an execution and returns its steps, see [Agent].
// [API.AddAgent] adds an agent with one script per execution; one execution too many fails, and so
// does the test. [API.ServeAgent] adds an agent that runs any number of times. Every agent is also
// a workflow with the same id. Five agents always exist, and do real work:
//
//   - inventory describes every staged file: name, size, SHA-256, type and, for CSV, rows and
//     columns, or the problem with a file that should be CSV and is not. It writes the same to
//     downloads/inventory.json.
//   - totals adds up the numeric columns of the staged CSV files.
//   - report takes the inputs executionId and result of an earlier execution, and optionally title,
//     and writes downloads/report.md.
//   - patient works for as many seconds as its input seconds says, 60 by default. With the input
//     ask it stops half-way to ask that, suggests the input answers, and continues when it is
//     answered.
//   - echo returns its inputs as its result, or a result of the size and depth that its inputs ask
//     for: bytes is the size of the JSON, levels nests that many arrays. It works for the input
//     seconds, 1 by default, and asks for a person as often as the input ask says.
//
// With the input fail, patient and echo end as failed for that reason. With the input cancel they
// end as cancelled for one of the service's own reasons: budget_exceeded is an agent that ran out
// of its budget. In a script, [Fail] and [CancelBy] do the same. An account without balance is
// refused at execute: inject Answer(402, "").
//
// # Organizations
//
// [API.AddAgent] and [API.ServeAgent] add to the first organization. To test a worker with several
// connections, [API.AddOrganization] makes another one, in which the built-in agents exist too,
// [API.AddAPIKey] its key and [API.AddAgentIn] its agents: see the example of AddAgentIn.
//
// # Pages
//
// An execution's platformUrl, liveViewUrl and recordingUrl lead to pages of the fake itself. They
// show the execution to a person and need no key. Requests for pages are no operations: they are
// not in the ledger and meet no faults.
//
// # Time
//
// The state of an execution is computed from its steps and the clock whenever the API is called;
// nothing runs in the background. With [WithClock] the clock is yours: with the Now method of the
// workflow test environment, a run of hours takes as long as the few requests that read it.
// Executions advance in the background only with webhooks and without such a clock.
//
// The environment skips time, so the API and the plugin must follow its clock:
//
//	var suite temporaltest.WorkflowTestSuite // of go.temporal.io/sdk/testsuite
//	suite.SetLogger(testsuite.NewLogger(t))  // quiet unless the test fails
//	env := suite.NewTestWorkflowEnvironment()
//	api := testsuite.NewAPI(t, testsuite.WithClock(env.Now))
//	plugin, err := asteroidworker.NewPlugin(asteroidworker.Options{
//		Connections: map[string]asteroid.Connection{
//			"default": {APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()},
//		},
//		Now: env.Now,
//	})
//	require.NoError(t, err)
//	env.SetWorkerOptions(worker.Options{Plugins: []worker.Plugin{plugin}})
//	env.ExecuteWorkflow(ProcessClaim, claim)
//
// A workflow would poll without a pause if the API's clock did not follow, so the API ends its
// execution as failed and fails the test. After a test without a request to the API, or with many
// in vain, t.Log says which of these lines may be missing.
//
// In a bubble of testing/synctest all time is virtual, that of timeouts and of Stall too. A bubble
// has no sockets, so requests go through [API.Transport]:
//
//	synctest.Test(t, func(t *testing.T) {
//		api := testsuite.NewAPI(t, testsuite.WithoutNetwork())
//		// Use api.Transport() as the Transport of the asteroid.Connection.
//	})
//
// # Mocks
//
// The plugin registers its activities when the workflow starts. So env.OnActivity with the name of
// an activity, such as "asteroid.ExecuteAgent", panics before env.ExecuteWorkflow with "not
// registered", before and after env.SetWorkerOptions. If the test registers the activity by hand,
// the plugin panics with "already registered". Call OnActivity in RunContextBefore of a second
// plugin that follows Asteroid's in worker.Options.Plugins, see the example "Mock". Activities that
// are not mocked call the fake. Mock by name: OnActivity with the activity's function mocks another
// name, without an error. Mocks return what the activity returns, a pointer to its result. Without
// the plugin, register the activities on env first, then mock them. The workflow asteroid.RunAgent,
// run as a child, needs no registration: env.OnWorkflow with its name works in any order. There a
// function that replaces it takes a workflows.Input[workflows.RunAgentInput].
//
// # Webhooks
//
// [WithWebhooks] posts a signed webhook for each change of status, and retries if the receiver
// fails:
//
//	key := testsuite.NewWebhookKey()
//	api := testsuite.NewAPI(t, testsuite.WithWebhooks(server.URL, key))
//
// [WithWebhookFaults] repeats, delays and loses them. To test a receiver without the API,
// [NewWebhookRequest] signs any body.
//
// # Strictness
//
// The fake refuses everything that the contract does not have:
//
//   - unknown members and query parameters, null, wrong types, fields that exclude each other, and
//     values outside an enumeration
//   - staged files that are unknown, older than 60 minutes, used, or of another organization
//   - statuses that cannot follow the current one
//
// A signed download link has another host name, and a test fails that fetches one with the API key.
// Every route takes both key headers and both dialects.
//
// The service does not publish how it behaves in some cases. There the fake decides as follows, and
// clients should not rely on it:
//
//   - At the concurrency limit execute and rerun answer 429 with the type limit-reached, see
//     [WithCapacityStatus].
//   - A status that cannot follow answers 400, as does a message to a terminal execution.
//   - A message answers an execution that is paused_by_agent. An execution that awaits
//     confirmation, or that a user paused, needs the status running.
//   - Any UUID is a profile, a pool or a group, and every version from 1 on exists.
//   - An accepted execution uses its staged files; a refused request does not use them.
//   - Lists are newest first by default, with pages of 50 by default and 100 at most.
//   - A signed link is valid for five minutes, see [WithLinkLifetime]. It supports ranges, and its
//     ETag and Repr-Digest hold the file's SHA-256. A recording is a line of text.
//   - EXECUTION_STARTED is sent when an execution is first running, EXECUTION_RESUMED each time
//     after that, and EXECUTION_PAUSED whether the agent or a user paused it. A webhook that fails
//     is retried four times within about three seconds.
//
// # Faults
//
// [API.Inject] makes the next requests of an operation go wrong, and [WithChance] any of them:
//
//	api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
//	api.Inject("ExecutionGet", testsuite.Answer(429, "", "Retry-After", "2"), 3)
//	api.InjectAbout(executionID, "ExecutionGet", testsuite.Answer(502, "<html>"), 3)
//
//	testsuite.StartAPI(
//		testsuite.WithSeed(42),
//		testsuite.WithChance("AgentExecutePost", 0.05, testsuite.CommitLate(10*time.Second)),
//		testsuite.WithChance("", 0.01, testsuite.ResetMidBody()))
//
// The faults differ in whether the request is carried out all the same. A client must find that out
// before it sends the request again:
//
//	fault              carried out        what the client gets
//	LoseResponse       yes                a closed connection
//	CommitLate         later              a closed connection
//	ResetMidBody       yes                half a response, then a reset
//	AnswerAfterCommit  yes                another response
//	TruncateJSON       yes                half the body as if it were all
//	AlterBody          yes                the body with one byte changed
//	AlterJSON          yes                the body as your function changes it
//	WrongContentType   yes                the response, as text/html
//	Stall              if it still waits  the response, late
//	Answer             no                 another response
//
// Carried out means served: the response that is lost may be a refusal. The ledger, see
// [API.Requests], names the fault of each request, and [API.Executions] shows the results. net/http
// repeats a GET by itself if a reused connection is closed without a response; the ledger has both
// requests.
//
// Some faults belong to the state, not to a request: [WithListDelay], [WithListJitter],
// [WithReadDelay], [WithResultDelay] and [WithFileSyncDelay]. So does a lack of capacity:
// [API.SetConcurrencyLimit] changes the limit at any time, and [WithCapacityStatus] sets the
// status. These delays go by the API's clock; CommitLate and Stall take real time.
//
// Chance is drawn from the seed, the operation and the number of the request within its operation.
// A run whose requests come in the same order meets the same faults. So does each operation,
// whatever the order of the others.
//
// The program cmd/fake serves the same API to other languages.
package testsuite
