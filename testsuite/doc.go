// Package testsuite is for people who test what they build on Asteroid: a fake of the Asteroid API that is
// served on a local port and behaves as the service does, but needs no account, no browser and no time.
//
//	func TestInvoice(t *testing.T) {
//		api := testsuite.NewAPI(t)
//		id := api.AddAgent("clerk", func(run testsuite.Run) []testsuite.Step {
//			return []testsuite.Step{
//				testsuite.Work(2 * time.Hour),
//				testsuite.Ask("Which account?", "Checking", "Savings"),
//				testsuite.WriteFile("downloads", "receipt.txt", "text/plain", []byte("paid")),
//				testsuite.Complete("success", "Paid it.", map[string]any{"invoice": run.Inputs["invoice"]}),
//			}
//		})
//		// Point a client at api.BaseURL() with api.APIKey(), have it run agent id, then look:
//		for _, execution := range api.Executions() { ... }
//	}
//
// # Agents
//
// An agent is a function from what an execution was given to the steps that it takes, see [Agent]. One that
// was added with [API.AddAgent] has a script for each execution to come, and one execution too many fails the
// test; [API.ServeAgent] adds one that can be run any number of times. Every agent can be reached as a workflow
// under the same id. Four are always there, and do real work:
//
//   - inventory describes every staged file: name, size, SHA-256, type and, for CSV, rows and columns, or the
//     problem with a file that should be CSV and is not. It writes the same to downloads/inventory.json.
//   - totals adds up the numeric columns of the staged CSV files.
//   - report takes the inputs executionId and result, those of an earlier execution, and optionally title,
//     and writes downloads/report.md.
//   - patient works for as many seconds as its input seconds says, 60 by default. With the input ask it stops
//     half-way to ask that, suggesting the input answers, and goes on when it is answered.
//
// # Time
//
// Nothing runs in the background. What an execution is at is computed from its steps and the clock whenever
// somebody looks. With [WithClock] the clock is yours: given the Now method of the workflow test environment,
// a run of hours takes as long as the few requests that look at it. Only with webhooks, and without such a clock, do
// executions move on in the background.
//
// # Webhooks
//
// [WithWebhooks] posts a signed webhook for each change of status, and tries again if the receiver fails:
//
//	key := testsuite.NewWebhookKey()
//	api := testsuite.NewAPI(t, testsuite.WithWebhooks(server.URL, key))
//
// [WithWebhookFaults] repeats, delays and loses them. To test a receiver without the API, [NewWebhookRequest] signs any body.
//
// # What it is strict about
//
// The fake refuses what the contract does not have: unknown members and query parameters, null, wrong types,
// fields that exclude each other, values that are no member of an enumeration, staged files that are unknown,
// older than 60 minutes, used, or of another organization, and statuses that cannot follow the present one. A
// signed download link is on another host name, and one that is fetched with the API key fails the test. Both
// key headers and both dialects are taken on every route.
//
// Where the service's behaviour is not published, the fake decides, and a client should not rely on it:
//
//   - At the concurrency limit execute and rerun answer 429, of the type limit-reached, see [WithCapacityStatus].
//   - A status that cannot follow answers 400, as does a message to an execution that has ended.
//   - A message answers an execution that is paused_by_agent; one that awaits confirmation needs the status
//     running, and so does one that a user paused.
//   - Any UUID is a profile, a pool or a group, and any version from 1 on exists.
//   - A staged file serves one accepted execution; a refused request does not use it up.
//   - Lists are newest first, with pages of 50 unless told otherwise, and of 100 at most.
//   - A signed link lives for five minutes, see [WithLinkLifetime], takes ranges, and tells the file's SHA-256 in ETag and
//     Repr-Digest. A recording is a line of text.
//   - EXECUTION_STARTED comes when an execution is first running, EXECUTION_RESUMED each time after that, EXECUTION_PAUSED
//     whoever pauses it. A webhook that fails is tried again four times within about three seconds.
//
// # Faults
//
// [API.Inject] has the next requests of an operation go wrong, and [WithChance] any of them:
//
//	api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
//	api.Inject("ExecutionGet", testsuite.Answer(429, "", "Retry-After", "2"), 3)
//
//	testsuite.StartAPI(
//		testsuite.WithSeed(42),
//		testsuite.WithChance("AgentExecutePost", 0.05, testsuite.CommitLate(10*time.Second)),
//		testsuite.WithChance("", 0.01, testsuite.ResetMidBody()))
//
// What matters is whether the request was carried out all the same, for a client must find out before it sends it
// again:
//
//	fault              carried out        what the client gets
//	LoseResponse       yes                a closed connection
//	CommitLate         later              a closed connection
//	ResetMidBody       yes                half an answer, then a reset
//	AnswerAfterCommit  yes                another answer
//	TruncateJSON       yes                half the body as if it were all
//	AlterBody          yes                the body with one byte changed
//	WrongContentType   yes                the answer, as text/html
//	Stall              if it still waits  the answer, late
//	Answer             no                 another answer
//
// Carried out means served: a request that is refused is then a refusal that gets lost. The ledger, see
// [API.Requests], names the fault of each request, and [API.Executions] shows what came of them. A client's
// net/http repeats a GET by itself if a connection that it used before is closed without an answer; the
// ledger has both.
//
// Faults of state rather than of a request are [WithListDelay], [WithListJitter], [WithReadDelay],
// [WithResultDelay] and [WithFileSyncDelay], and a lack of capacity: [API.SetConcurrencyLimit] makes it come and
// go, [WithCapacityStatus] says with which status. Delays like these go by the API's clock; CommitLate and Stall
// take real time.
//
// Chance is drawn by the seed, the operation and the number of the request within its operation. So a run
// whose requests come in the same order meets the same faults, and so does each operation whatever the order of the
// others.
//
// The program cmd/fake serves the same API to other languages.
package testsuite
