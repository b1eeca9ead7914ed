package asteroid

// Events is the way in which a workflow learns that one of its executions has changed. The workflow
// reads the execution before it acts, and also polls, so an event that is lost, repeated, late or
// forged costs a read or some latency.
type Events string

const (
	// EventsWatch has the workflow asteroid.Watch list the executions of a connection, for all
	// workflows of the namespace together, and signal each workflow whose execution has changed. It
	// is the default. It takes one activity slot of one worker while there is something to watch,
	// so give workers more than one.
	EventsWatch Events = "watch"
	// EventsWebhooks relies on the service's webhooks, which a worker.WebhookHandler turns into
	// signals. Give workers and handler the same secret: see WebhookSecrets of worker.Options.
	EventsWebhooks Events = "webhooks"
	// EventsPoll has each workflow poll its own executions.
	EventsPoll Events = "poll"
)

// ExecutionEventSignal is the name of the signal that notifies a workflow of a change. Its argument
// is an [ExecutionEvent].
const ExecutionEventSignal = "asteroid.executionEvent"

// WatchSignal is the name of the signal that notifies the workflow asteroid.Watch of an execution
// to watch. It has no argument. Only ExecuteAgent and AwaitExecution send it.
const WatchSignal = "asteroid.watch"

// ExecutionEvent is a hint that an execution has changed. Its receiver reads the execution before
// it acts, so only ExecutionID must be right.
type ExecutionEvent struct {
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`
	// Status is the status that the sender has seen. It may be empty.
	Status Status `json:"status,omitempty"`
	// Event and EventID are the type and id of a webhook, such as EXECUTION_COMPLETED. Both are
	// empty in a signal of the watch.
	Event   string `json:"event,omitempty"`
	EventID string `json:"eventId,omitempty"`
}
