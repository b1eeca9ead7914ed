// Package simulation runs the activities against the fake API in virtual time, under schedules of
// faults that are drawn at random. It has tests only. One process does everything: there is no
// Temporal server, no network and no waiting, so that a schedule of hours takes milliseconds.
//
//	go test ./internal/simulation                               500 schedules, always the same
//	go test ./internal/simulation -rapid.checks=7000            7,000 others of each kind
//	go test ./internal/simulation -tags noadoption              finds a deliberate breakage
//	go test ./internal/simulation -run Saved -simulation.trace  prints what happens
//
// # The model
//
// Each schedule runs in a bubble of [testing/synctest]. The real activities run in the SDK's test
// environment for activities, one environment an attempt. An interceptor gives each attempt what a
// server would: its number, its run, its times, its heartbeat details, and a client that describes
// workflows. server_test.go models how Temporal drives an activity: retries, timeouts, heartbeats,
// cancellation, resets of the activity and of its workflow. run_agent_test.go does with results and
// errors what workflows.RunAgent does.
//
// A schedule is drawn as data before it runs. It says what happens to each request of each attempt
// (lost before or after it was carried out, carried out late, answered by a gateway, slow, cut
// short), when a worker's process dies, which results and heartbeats are lost, how late an attempt
// starts and on which worker, how far the clocks differ, when somebody resets, cancels, answers in
// the console, or replaces a file. A process that dies stops where it is: nothing of it runs on,
// not even its clean-up.
//
// # What has to hold
//
//   - Agents: after the sweeps, one agent of an intent is alive. An intent gets the result of its
//     own inputs. No agent is left that nobody follows, none that somebody follows is cancelled.
//     Every intent ends within its patience, with a bounded number of requests.
//   - Messages: an accepted message came once, and an answer to its own question, or the result
//     says that it is misplaced. A refused message did not come. No question is passed over
//     without an answer.
//   - Files: every saved file is whole, and the newest once the agent has written all. Nothing is
//     left over.
//
// invariants_test.go breaks each of these once. The tags noadoption, nograce and nodigest break the
// activities: the workers then find nothing, send again without a grace period, or adopt without
// comparing the requests. Fixed seeds have to find each of them.
//
// # What the design cannot exclude
//
// The schedules stay within these limits, because beyond them the API leaves no way:
//
//   - A request is carried out, and its execution listed, within the grace period: otherwise a
//     second agent works until a sweep finds it, or longer.
//   - Executes that share an IdempotencyKey can start two agents at the same moment. The younger
//     one is cancelled while its workflow awaits it.
//   - A reset of a workflow that corrects the inputs leaves the agent of the replaced run. It is
//     cancelled if one lookup finds it, so the audit does not require that.
//   - A workflow that is reset and cancelled, with AbandonExecution, also abandons the duplicates
//     that the replaced run would have swept.
//   - Whether an agent runs stays unknown if every lookup fails until the patience ends. The error
//     then has the execution key.
//   - A message is carried out within 15 seconds, and the service's clock is not behind Temporal's.
//     An answer that comes after somebody resumed the agent without one is not reported, nor is a
//     misplaced message if the log cannot be read after it.
//   - A worker that reports a failure has reported the attempt's heartbeats before.
//   - A change of status can reach the next question, if the agent asks it between the read and the
//     request.
//   - Of two activities that save one file, the later one wins, whichever listed last.
//
// # When a schedule fails
//
// The test shrinks it and prints it as JSON. Put that into testdata/agents, messages or files under
// a name that says what happened: TestSimulationSaved runs it from then on.
package simulation
