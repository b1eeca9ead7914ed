package asteroid

// Status is the state of an execution in the API's own words
// (https://docs.asteroid.ai/fundamentals/execution-statuses). A status that this version does not
// know is kept as the service sent it; see [Status.Class].
type Status string

// The published statuses. A poll may miss some of them: an execution can go from starting to
// completed.
const (
	StatusQueued               Status = "queued"
	StatusStarting             Status = "starting"
	StatusRunning              Status = "running"
	StatusPaused               Status = "paused"
	StatusPausedByAgent        Status = "paused_by_agent"
	StatusAwaitingConfirmation Status = "awaiting_confirmation"
	StatusCompleted            Status = "completed"
	StatusFailed               Status = "failed"
	StatusCancelled            Status = "cancelled"
)

// StatusClass is what a status means for a caller. Code that decides by status should decide by
// class, so that it also handles a status that a later version adds to a class.
type StatusClass string

// The classes of statuses.
const (
	// ClassUnknown is a status that this version does not know. By itself it does not count as
	// terminal; see [Execution.Terminal].
	ClassUnknown StatusClass = "unknown"
	// ClassPending is an execution that waits for capacity.
	ClassPending StatusClass = "pending"
	// ClassProcessing is an execution whose agent works.
	ClassProcessing StatusClass = "processing"
	// ClassPaused is an execution that was paused through the console or the API, and that has to
	// be resumed the same way.
	ClassPaused StatusClass = "paused"
	// ClassNeedsHuman is an execution whose agent stopped to ask a question or for an approval.
	ClassNeedsHuman StatusClass = "needsHuman"
	// ClassTerminal is an execution that never changes again.
	ClassTerminal StatusClass = "terminal"
)

var statusClasses = map[Status]StatusClass{
	StatusQueued:               ClassPending,
	StatusStarting:             ClassProcessing,
	StatusRunning:              ClassProcessing,
	StatusPaused:               ClassPaused,
	StatusPausedByAgent:        ClassNeedsHuman,
	StatusAwaitingConfirmation: ClassNeedsHuman,
	StatusCompleted:            ClassTerminal,
	StatusFailed:               ClassTerminal,
	StatusCancelled:            ClassTerminal,
}

// Class returns the class of s, and [ClassUnknown] for a status that is not published.
func (s Status) Class() StatusClass {
	if class, ok := statusClasses[s]; ok {
		return class
	}
	return ClassUnknown
}

// Terminal reports whether s never changes again: completed, failed or cancelled. Of an execution,
// [Execution.Terminal] tells more.
func (s Status) Terminal() bool { return s.Class() == ClassTerminal }

// NeedsHuman reports whether the agent stopped to ask a person: paused_by_agent or
// awaiting_confirmation.
func (s Status) NeedsHuman() bool { return s.Class() == ClassNeedsHuman }

// ReasonUserRequested is the [Execution.Reason] of a cancellation that a user or the API asked for.
// An execution that was cancelled for any other reason (timeout, worker_lost, budget_exceeded, ...)
// was ended by the service, and counts as failed.
const ReasonUserRequested = "user_requested"
