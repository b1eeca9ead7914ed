package activities

import (
	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
)

// Registry is the part of a worker, or of a test environment, that registers activities.
type Registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register registers every activity under its published name.
func (a *Activities) Register(registry Registry) {
	for name, fn := range map[string]any{
		asteroid.StageFilesName:         a.StageFiles,
		asteroid.ExecuteAgentName:       a.ExecuteAgent,
		asteroid.AwaitExecutionName:     a.AwaitExecution,
		asteroid.GetExecutionName:       a.GetExecution,
		asteroid.SetExecutionStatusName: a.SetExecutionStatus,
		asteroid.SendMessageName:        a.SendMessage,
		asteroid.SweepDuplicatesName:    a.SweepDuplicates,
		asteroid.CheckUploadsName:       a.CheckUploads,
		asteroid.AttachFilesName:        a.AttachFiles,
		asteroid.ListFilesName:          a.ListFiles,
		asteroid.SaveFilesName:          a.SaveFiles,
		asteroid.CheckDestinationName:   a.CheckDestination,
		asteroid.WatchExecutionsName:    a.WatchExecutions,
		asteroid.ListAgentsName:         a.ListAgents,
		asteroid.DescribeAgentName:      a.DescribeAgent,
		asteroid.CheckResultName:        a.CheckResult,
		asteroid.AcquirePermitName:      a.AcquirePermit,
		asteroid.CheckPermitHoldersName: a.CheckPermitHolders,
		asteroid.PlanBatchName:          a.PlanBatch,
		asteroid.ReadBatchRowsName:      a.ReadBatchRows,
		asteroid.WriteBatchPartName:     a.WriteBatchPart,
		asteroid.JoinBatchPartsName:     a.JoinBatchParts,
		asteroid.FollowWorkflowName:     a.FollowWorkflow,
	} {
		registry.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
}
