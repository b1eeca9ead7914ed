package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// planBatch runs asteroid.PlanBatch. An attempt may take an hour with a heartbeat every minute.
func planBatch(ctx workflow.Context, in asteroid.PlanBatchInput) (*asteroid.PlanBatchResult, error) {
	return runActivity[asteroid.PlanBatchResult](ctx, asteroid.PlanBatchName, in, transferDefaults(), fmt.Sprintf("Plan pass %d", in.Pass))
}

// readBatchRows runs asteroid.ReadBatchRows.
func readBatchRows(ctx workflow.Context, in asteroid.ReadBatchRowsInput) (*asteroid.ReadBatchRowsResult, error) {
	return runActivity[asteroid.ReadBatchRowsResult](ctx, asteroid.ReadBatchRowsName, in, partDefaults(), fmt.Sprintf("Read the rows of segment %d", in.Segment))
}

// writeBatchPart runs asteroid.WriteBatchPart.
func writeBatchPart(ctx workflow.Context, in asteroid.WriteBatchPartInput) error {
	_, err := runActivity[asteroid.WriteBatchPartResult](ctx, asteroid.WriteBatchPartName, in, partDefaults(), fmt.Sprintf("Write the results of %d rows", len(in.Rows)))
	return err
}

// joinBatchParts runs asteroid.JoinBatchParts. An attempt may take an hour with a heartbeat every
// minute.
func joinBatchParts(ctx workflow.Context, in asteroid.JoinBatchPartsInput) (*asteroid.JoinBatchPartsResult, error) {
	return runActivity[asteroid.JoinBatchPartsResult](ctx, asteroid.JoinBatchPartsName, in, transferDefaults(), "Write the whole results")
}

// followWorkflow runs asteroid.FollowWorkflow, which is retried until the workflow has closed.
func followWorkflow(ctx workflow.Context, in asteroid.FollowWorkflowInput) (*asteroid.FollowWorkflowResult, error) {
	return runActivity[asteroid.FollowWorkflowResult](ctx, asteroid.FollowWorkflowName, in, awaitDefaults(), "Follow workflow "+in.WorkflowID)
}

// partDefaults give an attempt time for the whole results of a hundred rows, which are read from
// the service one by one. The heartbeats, every 20 seconds, tell of a worker that was killed.
func partDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout:    15 * time.Minute,
		ScheduleToCloseTimeout: defaultTimeout,
		HeartbeatTimeout:       time.Minute,
		RetryPolicy:            retry(2*time.Second, time.Minute),
	}
}
