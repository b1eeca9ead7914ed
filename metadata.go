package asteroid

// The metadata that ExecuteAgent writes into every execution. It is visible to everybody who can
// read the execution, and the service repeats it in webhooks.
const (
	// MetadataPrefix begins the reserved keys, in any letter case. [ExecuteAgentInput.Validate]
	// refuses metadata with such a key.
	MetadataPrefix = "temporal_"
	// MetadataExecutionKey identifies the intent to run an agent. Two executions with the same
	// value have the same intent, unless one of them is a rerun that a person made of another.
	MetadataExecutionKey = "temporal_execution_key"
	// MetadataNamespace, MetadataWorkflowID and MetadataRunID identify the workflow that started
	// the execution. The latter two are absent for an activity that no workflow started.
	MetadataNamespace  = "temporal_namespace"
	MetadataWorkflowID = "temporal_workflow_id"
	MetadataRunID      = "temporal_run_id"
	// MetadataFirstRunID and MetadataOriginalRunID identify the chain of runs: the first run id
	// survives retries, continue-as-new and resets, the original run id survives resets only.
	// Activities that the typed calls of package workflows did not schedule do not know them.
	MetadataFirstRunID    = "temporal_first_run_id"
	MetadataOriginalRunID = "temporal_original_run_id"
	// MetadataRequest holds digests of the request's members. Executes with the same key and
	// another request are refused.
	MetadataRequest = "temporal_request"
	// MetadataActivityID identifies the activity that started the execution: the run id of the
	// workflow (or of the standalone activity), a slash, and the activity id.
	MetadataActivityID = "temporal_activity_id"
	// MetadataSignal is the name of the signal that the workflow expects when the execution
	// changes. It is absent when the workflow expects none.
	MetadataSignal = "temporal_signal"
	// MetadataToken proves that a worker with a webhook secret started the execution. It is an HMAC
	// over the namespace, the workflow id and the execution key, behind the id of the secret. It is
	// absent on workers without a secret.
	MetadataToken = "temporal_token"
)
