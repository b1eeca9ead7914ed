package workflows

import (
	"cmp"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/workflow"
)

// ExecuteBatch starts the workflow asteroid.Batch as a child, with the context's
// ChildWorkflowOptions. Its result is a [BatchResult].
//
// A batch is a workflow of its own, and not a function that runs in yours: it continues as new when
// its history has become long, and takes updates that are about all its rows.
//
// Without a BatchKey the batch gets one of the parent's original run id and the destination of the
// results, so a parent that is reset means the same batch. Unless the options say otherwise, the
// child's id is made of the key, a batch of the replaced run ends when this one starts, and a
// parent that closes cancels the batch.
func ExecuteBatch(ctx workflow.Context, in BatchInput) workflow.ChildWorkflowFuture {
	options, info := workflow.GetChildWorkflowOptions(ctx), workflow.GetInfo(ctx)
	if in.BatchKey == "" {
		agents := agentsOf(ctx)
		ordinal := agents.count("batch " + in.Results.Destination)
		in.BatchKey = prefix(fmt.Sprintf("%s/%s/%s/%d", info.WorkflowExecution.ID, originalRunID(info), safeKey(in.Results.Destination), ordinal))
	}
	if options.WorkflowID == "" {
		options.WorkflowID = prefix(in.BatchKey)
		if options.WorkflowIDReusePolicy == enums.WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED {
			options.WorkflowIDReusePolicy = enums.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING //nolint:staticcheck // children have no conflict policy
		}
	}
	options.ParentClosePolicy = cmp.Or(options.ParentClosePolicy, enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL)
	options.WaitForCancellation = true // the results are written first
	return workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), BatchName, in)
}
