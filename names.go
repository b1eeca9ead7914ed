package asteroid

// The activity types, as registered and as a workflow in another language calls them.
const (
	StageFilesName         = "asteroid.StageFiles"
	ExecuteAgentName       = "asteroid.ExecuteAgent"
	AwaitExecutionName     = "asteroid.AwaitExecution"
	GetExecutionName       = "asteroid.GetExecution"
	SetExecutionStatusName = "asteroid.SetExecutionStatus"
	SendMessageName        = "asteroid.SendMessage"
	SweepDuplicatesName    = "asteroid.SweepDuplicates"
	CheckUploadsName       = "asteroid.CheckUploads"
	AttachFilesName        = "asteroid.AttachFiles"
	ListFilesName          = "asteroid.ListFiles"
	SaveFilesName          = "asteroid.SaveFiles"
	CheckDestinationName   = "asteroid.CheckDestination"
	WatchExecutionsName    = "asteroid.WatchExecutions"
)

// WatchWorkflowName is the workflow type that ExecuteAgent starts where [EventsWatch] asks for it; package workflows has it.
const WatchWorkflowName = "asteroid.Watch"

// The metadata that ExecuteAgent writes into every execution. Every key that begins with [MetadataPrefix] is reserved:
// an input that sets one is refused.
const (
	// MetadataPrefix begins the reserved keys.
	MetadataPrefix = "temporal_"
	// MetadataExecutionKey identifies the intent to run an agent: two executions with the same value are the same
	// intent, unless one of them is a rerun that a person made.
	MetadataExecutionKey = "temporal_execution_key"
	// MetadataNamespace, MetadataWorkflowID and MetadataRunID lead from an execution back to the workflow that
	// started it. The latter two are absent for an activity that no workflow started.
	MetadataNamespace  = "temporal_namespace"
	MetadataWorkflowID = "temporal_workflow_id"
	MetadataRunID      = "temporal_run_id"
	// MetadataActivityID tells which activity started an execution: the run id of the workflow (or of the standalone
	// activity), a slash, and the activity id.
	MetadataActivityID = "temporal_activity_id"
	// MetadataSignal names the signal that the workflow wants when the execution changes. Absent, it wants none.
	MetadataSignal = "temporal_signal"
)
