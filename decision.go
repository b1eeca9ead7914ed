package asteroid

// Decision is a decision of ExecuteAgent. The activity logs each one, counts it in the metric
// asteroid_execute_decisions under the label decision, and returns it in its result.
type Decision string

const (
	// DecisionPosted means that the service accepted the request.
	DecisionPosted Decision = "posted"
	// DecisionRejected means that the service refused the request and created nothing.
	DecisionRejected Decision = "rejected"
	// DecisionUnknown means that the request may or may not have created an execution.
	DecisionUnknown Decision = "unknown"
	// DecisionWaited means that no execution was found yet, and that the grace period goes on.
	DecisionWaited Decision = "waited"
	// DecisionAdopted means that an execution of the intent was found, and is the result.
	DecisionAdopted Decision = "adopted"
	// DecisionDuplicateCancelled means that a further execution of the intent was cancelled.
	DecisionDuplicateCancelled Decision = "duplicate_cancelled"
)
