package asteroid

// Status is the state of an execution in the API's own words (fundamentals/execution-statuses). A status that this
// version does not know is kept as it came; see [Status.Class].
type Status string

// The published statuses.
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

// StatusClass says what a status means for whoever waits.
type StatusClass string

// The classes. Everything that decides by status decides by one of these, so that a new status is classified once.
const (
	// ClassUnknown is a status that this version has never heard of. It is not taken for an end.
	ClassUnknown StatusClass = "unknown"
	// ClassPending waits for capacity.
	ClassPending StatusClass = "pending"
	// ClassProcessing is at work.
	ClassProcessing StatusClass = "processing"
	// ClassPaused was halted by somebody through the console or the API, who will also resume it.
	ClassPaused StatusClass = "paused"
	// ClassNeedsHuman halted by itself: the agent asks, or wants an approval.
	ClassNeedsHuman StatusClass = "needsHuman"
	// ClassTerminal never changes again.
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

// Class returns the class of s, [ClassUnknown] for a status that is not published.
func (s Status) Class() StatusClass {
	if class, ok := statusClasses[s]; ok {
		return class
	}
	return ClassUnknown
}

// Terminal reports whether s never changes again.
func (s Status) Terminal() bool { return s.Class() == ClassTerminal }

// NeedsHuman reports whether the agent halted to ask somebody.
func (s Status) NeedsHuman() bool { return s.Class() == ClassNeedsHuman }

// ReasonUserRequested is the reason of a cancellation that somebody wished for. A run that is cancelled for any other
// reason (timeout, worker_lost, budget_exceeded, ...) was ended by the service: it failed.
const ReasonUserRequested = "user_requested"
