package asteroid

// The activity types: the names under which a worker registers the activities, and by which a
// workflow in any language calls them.
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
	ListAgentsName         = "asteroid.ListAgents"
	DescribeAgentName      = "asteroid.DescribeAgent"
	CheckResultName        = "asteroid.CheckResult"
	AcquirePermitName      = "asteroid.AcquirePermit"
	CheckPermitHoldersName = "asteroid.CheckPermitHolders"
	PlanBatchName          = "asteroid.PlanBatch"
	ReadBatchRowsName      = "asteroid.ReadBatchRows"
	WriteBatchPartName     = "asteroid.WriteBatchPart"
	JoinBatchPartsName     = "asteroid.JoinBatchParts"
	FollowWorkflowName     = "asteroid.FollowWorkflow"
)

// WatchWorkflowName is the type of the workflow that runs asteroid.WatchExecutions. ExecuteAgent
// starts it on a worker with [EventsWatch]. The names of the workflows that a user starts are in
// package [github.com/temporal-asteroid/asteroid/workflows].
const WatchWorkflowName = "asteroid.Watch"

// LimiterWorkflowName is the type of the workflow that hands out the permits of a [Limit].
// AcquirePermit starts it.
const LimiterWorkflowName = "asteroid.Limiter"
