// Package worker adds the Asteroid agents API to a Temporal worker. In the examples this package is
// imported as asteroidworker, and worker is the SDK's:
//
//	plugin, err := asteroidworker.NewPlugin(asteroidworker.Options{
//		Connections: map[string]asteroid.Connection{"default": asteroid.ConnectionFromEnv()},
//	})
//	...
//	w := worker.New(temporalClient, "claims", worker.Options{Plugins: []worker.Plugin{plugin}})
//
// The worker then runs the activities of [github.com/temporal-asteroid/asteroid/activities] and the
// workflows of [github.com/temporal-asteroid/asteroid/workflows]. Your own workflows can call them.
//
// # Events
//
// Signals tell workflows that an execution has changed. By default the workflow asteroid.Watch
// sends them; it needs no setup. With a public address, serve a [WebhookHandler] instead and set
// Options.Events to [asteroid.EventsWebhooks].
//
// # Lists of workflows
//
// With Options.SearchAttributes, each workflow shows in search attributes which agent it runs, the
// status of its execution, and what the agent asks while it waits for a person. A batch shows how
// far it is. A list of workflows can have them as columns, and the query "AsteroidQuestion IS NOT
// NULL AND ExecutionStatus = 'Running'" finds those that wait. [EnsureSearchAttributes] creates
// them. [WithStartCheck] warns if a namespace lacks them.
//
// # Replayers, test environments, clients
//
// The same plugin serves replayers (worker.WorkflowReplayerOptions.Plugins) and both test
// environments (SetWorkerOptions). A client that is given the plugin passes it to each of its
// workers. If client and worker are both given the plugin, it still registers once.
//
// # Start
//
// A wrong key or address shows when the first agent is started. [Check] finds it before.
//
// # Metrics
//
// The metrics go to the MetricsHandler of the Temporal client, as the SDK's own do, and those of
// webhooks to WebhookOptions.Metrics. The names below are those of a Prometheus scrape. The handler
// makes them: it gets a counter without _total and a timer without _seconds. A timer is a histogram
// with _bucket, _sum and _count. With go.temporal.io/sdk/contrib/opentelemetry, set
// UseMonotonicCounters (a counter is a gauge otherwise), and a View with buckets in seconds: an
// agent runs for hours.
//
// The labels in parentheses are the library's. Each has few values: an agent's id only once the
// service knows the agent, and never the id of an execution or a workflow. The SDK adds labels such
// as namespace, task_queue, workflow_type and activity_type.
//
//   - asteroid_agent_runs_total (counter; agent, agent_name, outcome): Runs of RunAgent, StartAgent
//     with Result, and Pipeline that have ended. outcome is completed, failed, cancelled,
//     timed_out, unknown_status, invalid_input or error.
//   - asteroid_agent_run_duration_seconds (timer; agent, agent_name, outcome): How long these runs
//     took, from the workflow's first step for the agent to its last.
//   - asteroid_capacity_wait_duration_seconds (timer; agent, outcome): Waits for capacity at the
//     service, from the first refusal. outcome is started or gave_up.
//   - asteroid_questions_asked_total (counter; agent, agent_name, status): Questions and requests
//     for confirmation, by the execution's status.
//   - asteroid_person_wait_duration_seconds (timer; agent, agent_name, outcome): Waits for a
//     person, from when the workflow learned of the question. outcome is answered (the agent went
//     on) or unanswered (the run ended otherwise, or the workflow stopped waiting).
//   - asteroid_batch_rows_total (counter; status, attempt): Rows of batches that have ended. status
//     is succeeded, failed or cancelled. attempt is first, or again for a row that has run before
//     under its batch's key.
//   - asteroid_batches_total (counter; outcome): Batches that have ended. outcome is succeeded (all
//     rows), incomplete (rows failed or were not run), cancelled, or error (no rows could be read,
//     or no results written).
//   - asteroid_permit_wait_duration_seconds (timer; connection, outcome): Waits of runs for all
//     permits of their limits, from the first request; the shortest are those that found free ones.
//     outcome is granted or gave_up.
//   - asteroid_permits_granted_total (counter; connection): Permits that limiters have granted.
//   - asteroid_permits_freed_total (counter; connection, reason): Permits that limiters have taken
//     from holders that did not give them back. reason is gone (the workflow has closed), replaced
//     (a reset has replaced the run, and the new one does not answer) or operator.
//   - asteroid_request_duration_seconds (timer; connection, operation, status): Requests to the
//     API, until their response was read. operation is the API's operation id. status is 2xx, 3xx,
//     4xx, 429, 5xx, unanswered, or unsent (no connection, no key, or held back after a 429).
//   - asteroid_execute_decisions_total (counter; decision): What attempts of asteroid.ExecuteAgent
//     decided: posted, rejected, unknown, waited, adopted or duplicate_cancelled.
//   - asteroid_file_bytes_total (counter; direction): Bytes of files sent to the service (upload,
//     with the form around each file) or saved from it (download), failed transfers included.
//   - asteroid_files_total (counter; direction): Files that were transferred whole, by direction as
//     above.
//   - asteroid_watch_scan_duration_seconds (timer; connection, outcome): Scans of the executions,
//     with the signals that followed. outcome is whole or failed.
//   - asteroid_watch_last_scan_timestamp_seconds (gauge; connection): When the last whole scan was,
//     in seconds since 1970 by the Temporal server's clock. 0 on a worker that runs no watch: the
//     age is time() - max by (connection) (... > 0).
//   - asteroid_watch_executions (gauge; connection): Executions at work that the last whole scan
//     listed, of this namespace's workflows. 0 on a worker that runs no watch.
//   - asteroid_questions_open (gauge; connection): Those of these executions that wait for a
//     person.
//   - asteroid_watch_signals_total (counter; connection, outcome): Signals about changed
//     executions. outcome is sent (or the workflow has closed) or failed; a failed one is sent
//     again.
//   - asteroid_watch_takeovers_total (counter; connection): Watches that this worker took over,
//     because they made no whole scan.
//   - asteroid_watch_refused_tokens_total (counter; connection): Executions with a wrong token,
//     each at every scan.
//   - asteroid_webhook_events_total (counter; outcome): Events by what became of them; see
//     WebhookHandler.
//   - asteroid_webhook_tokens_total (counter; token, secret): Tokens of status events: valid,
//     missing or wrong. secret is the id of a valid one's secret, else none.
//
// Most counters are there with 0 before they count, so that Prometheus sees the first event. A
// timer is there from its first duration on. Replays and queries count nothing. What a workflow
// task has counted is counted again if the worker fails before the server has the task's result.
//
// # Spans
//
// With the tracing interceptor of go.temporal.io/sdk/contrib/opentelemetry, the context of each
// request to the API has the activity's span. A Connection.Transport that traces makes its span a
// child of that one. It must not record headers, which have the API key, nor queries, which have
// the signatures of links to files. It should not propagate the trace either: that sends trace ids
// and baggage to Asteroid, and to the hosts of links.
package worker
