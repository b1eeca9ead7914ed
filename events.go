package asteroid

// Events says how a workflow hears that an execution of its own has changed. Whatever it says, the workflow reads the
// execution before it acts, and polls as well: an event that is lost, repeated, late or forged costs a read or some latency.
type Events string

const (
	// EventsWatch has the workflow asteroid.Watch list the executions of a connection, for all of a namespace's workflows
	// together, and signal those whose execution has changed. The default. It takes one activity slot of one worker for as long as
	// there is something to watch: give workers more than one.
	EventsWatch Events = "watch"
	// EventsWebhooks relies on the service's webhooks, which a worker.WebhookHandler turns into signals.
	EventsWebhooks Events = "webhooks"
	// EventsPoll has each workflow poll for itself.
	EventsPoll Events = "poll"
)

// ExecutionEventSignal is the signal that tells a workflow of a change; its argument is an [ExecutionEvent].
const ExecutionEventSignal = "asteroid.executionEvent"

// WatchSignal tells the workflow asteroid.Watch that there is something to watch. It has no argument.
const WatchSignal = "asteroid.watch"

// ExecutionEvent says that something has happened to an execution. It is a hint: the execution is read before anything is
// done, so only ExecutionID has to be right.
type ExecutionEvent struct {
	ExecutionID string `json:"executionId"`
	// Status is what whoever signals has seen; empty when the event does not tell.
	Status Status `json:"status,omitempty"`
	// Event and EventID are a webhook's own, such as EXECUTION_COMPLETED.
	Event   string `json:"event,omitempty"`
	EventID string `json:"eventId,omitempty"`
}
