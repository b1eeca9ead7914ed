// Package metrics declares the metrics of the library, in one table: [All]. The code counts through
// its entries only, the documentation prints them, and tests compare both with a real scrape.
package metrics

import (
	"time"

	"go.temporal.io/sdk/client"
)

// Kind is how a metric is recorded.
type Kind string

// The kinds of the SDK's handler. A timer counts, too: in Prometheus it is a histogram.
const (
	Counter Kind = "counter"
	Gauge   Kind = "gauge"
	Timer   Kind = "timer"
)

// Metric is one metric, or a family of them with other values of its labels.
type Metric struct {
	// Name is what the SDK's handler gets. The handler adds the suffix that its system uses; see
	// PrometheusName.
	Name string
	Kind Kind
	// Labels are those that the library sets, each with a bounded number of values. The SDK's
	// handler adds its own, such as namespace and task_queue.
	Labels []string
	Help   string
}

// The labels. None has the id of an execution or a workflow, nor text that an agent wrote.
const (
	// labelAgent is the id of an agent. It is NoAgent until the service has shown that the agent
	// exists, so that wrong ids do not become series.
	labelAgent = "agent"
	// labelAgentName is the agent's name at the service, and NoAgent until it was read. An agent
	// that is renamed begins new series.
	labelAgentName  = "agent_name"
	labelConnection = "connection"
	labelOutcome    = "outcome"
	labelStatus     = "status"
)

// NoAgent stands for an agent that is not known.
const NoAgent = "none"

// The metrics of workflows. A replay records none of them.
var (
	AgentRuns = &Metric{"asteroid_agent_runs", Counter, []string{labelAgent, labelAgentName, labelOutcome},
		"Runs of RunAgent, StartAgent with Result, and Pipeline that have ended. " +
			"outcome is completed, failed, cancelled, timed_out, unknown_status, invalid_input or error."}
	AgentRunDuration = &Metric{"asteroid_agent_run_duration", Timer, []string{labelAgent, labelAgentName, labelOutcome},
		"How long these runs took, from the workflow's first step for the agent to its last."}
	CapacityWait = &Metric{"asteroid_capacity_wait_duration", Timer, []string{labelAgent, labelOutcome},
		"Waits for capacity at the service, from the first refusal. outcome is started or gave_up."}
	QuestionsAsked = &Metric{"asteroid_questions_asked", Counter, []string{labelAgent, labelAgentName, labelStatus},
		"Questions and requests for confirmation, by the execution's status."}
	PersonWait = &Metric{"asteroid_person_wait_duration", Timer, []string{labelAgent, labelAgentName, labelOutcome},
		"Waits for a person, from when the workflow learned of the question. outcome is answered (the agent went on) or " +
			"unanswered (the run ended otherwise, or the workflow stopped waiting)."}
)

// The metrics of batches and limits, which are workflows', too. A limit's key is no label: it may
// be a login, and there may be thousands.
var (
	BatchRows = &Metric{"asteroid_batch_rows", Counter, []string{labelStatus, "attempt"},
		"Rows of batches that have ended. status is succeeded, failed or cancelled. attempt is first, or again for a row " +
			"that has run before under its batch's key."}
	Batches = &Metric{"asteroid_batches", Counter, []string{labelOutcome},
		"Batches that have ended. outcome is succeeded (all rows), incomplete (rows failed or were not run), cancelled, or " +
			"error (no rows could be read, or no results written)."}
	PermitWait = &Metric{"asteroid_permit_wait_duration", Timer, []string{labelConnection, labelOutcome},
		"Waits of runs for all permits of their limits, from the first request; the shortest are those that found free ones. " +
			"outcome is granted or gave_up."}
	PermitsGranted = &Metric{"asteroid_permits_granted", Counter, []string{labelConnection},
		"Permits that limiters have granted."}
	PermitsFreed = &Metric{"asteroid_permits_freed", Counter, []string{labelConnection, "reason"},
		"Permits that limiters have taken from holders that did not give them back. reason is gone (the workflow has closed), " +
			"replaced (a reset has replaced the run, and the new one does not answer) or operator."}
)

// The metrics of activities.
var (
	Request = &Metric{"asteroid_request_duration", Timer, []string{labelConnection, "operation", labelStatus},
		"Requests to the API, until their response was read. operation is the API's operation id. status is 2xx, 3xx, 4xx, 429, " +
			"5xx, unanswered, or unsent (no connection, no key, or held back after a 429)."}
	Decision = &Metric{"asteroid_execute_decisions", Counter, []string{"decision"},
		"What attempts of asteroid.ExecuteAgent decided: posted, rejected, unknown, waited, adopted or duplicate_cancelled."}
	FileBytes = &Metric{"asteroid_file_bytes", Counter, []string{"direction"},
		"Bytes of files sent to the service (upload, with the form around each file) or saved from it (download), failed transfers included."}
	Files = &Metric{"asteroid_files", Counter, []string{"direction"},
		"Files that were transferred whole, by direction as above."}
)

// The metrics of the watch.
var (
	WatchScan = &Metric{"asteroid_watch_scan_duration", Timer, []string{labelConnection, labelOutcome},
		"Scans of the executions, with the signals that followed. outcome is whole or failed."}
	WatchScannedAt = &Metric{"asteroid_watch_last_scan_timestamp_seconds", Gauge, []string{labelConnection},
		"When the last whole scan was, in seconds since 1970 by the Temporal server's clock. 0 on a worker that runs no watch: " +
			"the age is time() - max by (connection) (... > 0)."}
	WatchActive = &Metric{"asteroid_watch_executions", Gauge, []string{labelConnection},
		"Executions at work that the last whole scan listed, of this namespace's workflows. 0 on a worker that runs no watch."}
	QuestionsOpen = &Metric{"asteroid_questions_open", Gauge, []string{labelConnection},
		"Those of these executions that wait for a person."}
	WatchSignal = &Metric{"asteroid_watch_signals", Counter, []string{labelConnection, labelOutcome},
		"Signals about changed executions. outcome is sent (or the workflow has closed) or failed; a failed one is sent again."}
	WatchTakeover = &Metric{"asteroid_watch_takeovers", Counter, []string{labelConnection},
		"Watches that this worker took over, because they made no whole scan."}
	WatchRefusedToken = &Metric{"asteroid_watch_refused_tokens", Counter, []string{labelConnection},
		"Executions with a wrong token, each at every scan."}
)

// The metrics of the webhook handler, through WebhookOptions.Metrics.
var (
	WebhookEvent = &Metric{"asteroid_webhook_events", Counter, []string{labelOutcome},
		"Events by what became of them; see WebhookHandler."}
	WebhookToken = &Metric{"asteroid_webhook_tokens", Counter, []string{"token", "secret"},
		"Tokens of status events: valid, missing or wrong. secret is the id of a valid one's secret, else none."}
)

// All is the table of the library's metrics.
var All = []*Metric{
	AgentRuns, AgentRunDuration, CapacityWait, QuestionsAsked, PersonWait,
	BatchRows, Batches, PermitWait, PermitsGranted, PermitsFreed,
	Request, Decision, FileBytes, Files,
	WatchScan, WatchScannedAt, WatchActive, QuestionsOpen, WatchSignal, WatchTakeover, WatchRefusedToken,
	WebhookEvent, WebhookToken,
}

// PrometheusName is the metric's name in a scrape, with a handler that follows Prometheus'
// conventions. A timer has the suffixes _count, _sum and _bucket behind it.
func (m *Metric) PrometheusName() string {
	switch m.Kind {
	case Counter:
		return m.Name + "_total"
	case Timer:
		return m.Name + "_seconds"
	default:
		return m.Name
	}
}

// with returns the handler for the metric's labels, whose values come in the order of Labels.
func (m *Metric) with(handler client.MetricsHandler, values []string) client.MetricsHandler {
	tags := make(map[string]string, len(m.Labels))
	for i, label := range m.Labels {
		tags[label] = values[i]
	}
	return handler.WithTags(tags)
}

// Counter returns the counter with these values of its labels.
func (m *Metric) Counter(handler client.MetricsHandler, values ...string) client.MetricsCounter {
	return m.with(handler, values).Counter(m.Name)
}

// Count adds one to a counter.
func (m *Metric) Count(handler client.MetricsHandler, values ...string) {
	m.Counter(handler, values...).Inc(1)
}

// Announce makes the series of a counter that may count soon. Prometheus takes a series that begins
// with 1 for one that has always been 1, and so misses the first event, which may be the only one.
func (m *Metric) Announce(handler client.MetricsHandler, values ...string) {
	m.Counter(handler, values...).Inc(0)
}

// Set sets a gauge.
func (m *Metric) Set(handler client.MetricsHandler, value float64, values ...string) {
	m.with(handler, values).Gauge(m.Name).Update(value)
}

// Record adds a duration to a timer.
func (m *Metric) Record(handler client.MetricsHandler, d time.Duration, values ...string) {
	m.with(handler, values).Timer(m.Name).Record(d)
}
