package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/internal/intent"
)

// ExecuteRunAgent starts the workflow asteroid.RunAgent as a child, with the context's
// ChildWorkflowOptions. Its result is a [RunAgentResult].
//
// Use it instead of workflow.ExecuteChildWorkflow. A parent that is reset starts a new child while
// the old one goes on. Here both have the same intent, which is the parent's, and so they follow
// the same execution. With a WorkflowID of your own the new child can only start if it may replace
// the old one: set the WorkflowIDReusePolicy to WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING.
//
// An IdempotencyKey in the input replaces the parent's intent.
func ExecuteRunAgent(ctx workflow.Context, in RunAgentInput) workflow.ChildWorkflowFuture {
	if agents := agentsOf(ctx); agents.workflowWide && in.IdempotencyKey == "" {
		breathe(ctx, in.Inputs)
		in.Internal.Intent = newIntent(workflow.GetInfo(ctx), agents.count(intent.Of(in.executeInput(), intent.OfFiles(in.Files)).Identity()))
	}
	breathe(ctx, in.Inputs)
	return workflow.ExecuteChildWorkflow(ctx, RunAgentName, in)
}
