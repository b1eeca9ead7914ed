package activities

// Decision is something that ExecuteAgent decided. Each is a log line, a count of the metric asteroid_execute_decisions
// under the label decision, and an entry of the result.
type Decision string

// The decisions of an execute.
const (
	DecisionPosted             Decision = "posted"              // the request was accepted
	DecisionRejected           Decision = "rejected"            // it was refused and created nothing
	DecisionUnknown            Decision = "unknown"             // whether it created something is not known
	DecisionWaited             Decision = "waited"              // nothing was found yet, and the grace period goes on
	DecisionAdopted            Decision = "adopted"             // an execution of the intent was found and taken
	DecisionDuplicateCancelled Decision = "duplicate_cancelled" // a further execution of the intent was cancelled
)
