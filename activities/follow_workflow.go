package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// FollowWorkflow waits until another workflow has closed, and returns how. It follows the workflow
// when that continues as new, is retried or is reset. Like AwaitExecution it occupies nothing while
// it waits: each attempt describes the workflow once and fails with asteroid.StillRunning while it
// is open. The attempts follow each other after one second at first, and at last after thirty.
//
// Errors: asteroid.InvalidInput; asteroid.StillRunning; asteroid.Unavailable, retried, if Temporal
// does not answer.
func (a *Activities) FollowWorkflow(ctx context.Context, in asteroid.FollowWorkflowInput) (*asteroid.FollowWorkflowResult, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	last, err := a.endOfChain(ctx, in.WorkflowID, in.RunID)
	switch {
	case err != nil:
		return nil, err
	case last == nil:
		return &asteroid.FollowWorkflowResult{Missing: true}, nil
	case isOpen(last) && !in.Once:
		return nil, stillRunning(fmt.Sprintf("the workflow %s is open", text.Clip(in.WorkflowID)), followInterval(activity.GetInfo(ctx).Attempt),
			asteroid.ErrorDetails{})
	}
	result := &asteroid.FollowWorkflowResult{
		RunID: last.GetExecution().GetRunId(), Open: isOpen(last), ParentID: last.GetParentExecution().GetWorkflowId(),
		Status: closedStatuses[last.GetStatus()],
	}
	return result, a.readOutcome(ctx, in.WorkflowID, result)
}

func followInterval(attempt int32) time.Duration {
	interval, most := time.Second, 30*time.Second
	for i := attempt; i > 1 && interval < most; i-- {
		interval = interval * 3 / 2
	}
	return min(interval, most)
}

var closedStatuses = map[enumspb.WorkflowExecutionStatus]string{
	enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:        "completed",
	enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:           "failed",
	enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:         "canceled",
	enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:       "terminated",
	enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:        "timedOut",
	enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW: "continuedAsNew",
}

// isOpen reports whether a workflow has not closed. A paused one has not.
func isOpen(info *workflowpb.WorkflowExecutionInfo) bool { return info.GetCloseTime() == nil }

// endOfChain returns the last run of the chain that a run belongs to, or nil if there is no such
// workflow. An empty run id means the latest run.
func (a *Activities) endOfChain(ctx context.Context, workflowID, runID string) (*workflowpb.WorkflowExecutionInfo, error) {
	service := a.service(ctx)
	if service == nil {
		return nil, temporal.NewApplicationError("this worker has no Temporal client", asteroid.ErrorTypeUnavailable)
	}
	info, err := describeRun(ctx, service, workflowID, runID)
	if err != nil || info == nil || runID == "" || isOpen(info) {
		return info, err
	}
	latest, err := describeRun(ctx, service, workflowID, "")
	if err != nil {
		return nil, err
	}
	if latest != nil && latest.GetFirstRunId() == info.GetFirstRunId() {
		return latest, nil
	}
	const most = 100 // runs of one chain whose workflow id another chain has now
	for range most {
		next, err := nextRun(ctx, service, info)
		if err != nil || next == nil {
			return info, err
		}
		info = next
	}
	return info, nil
}

// describeRun returns nil for a workflow that does not exist.
func describeRun(ctx context.Context, service sdkclient.Client, workflowID, runID string) (*workflowpb.WorkflowExecutionInfo, error) {
	described, err := service.DescribeWorkflowExecution(ctx, workflowID, runID)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return nil, nil
	} else if err != nil {
		return nil, temporalError(ctx, "describing the workflow", err)
	}
	return described.GetWorkflowExecutionInfo(), nil
}

// nextRun returns the run as which a run has continued, or nil.
func nextRun(ctx context.Context, service sdkclient.Client, info *workflowpb.WorkflowExecutionInfo) (*workflowpb.WorkflowExecutionInfo, error) {
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
		return nil, nil
	}
	run := info.GetExecution()
	closing := service.GetWorkflowHistory(ctx, run.GetWorkflowId(), run.GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	for closing.HasNext() {
		event, err := closing.Next()
		if err != nil {
			return nil, temporalError(ctx, "reading the end of the workflow", err)
		}
		if next := event.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId(); next != "" {
			return describeRun(ctx, service, run.GetWorkflowId(), next)
		}
	}
	return nil, nil
}

// temporalError is the error of a request to Temporal that failed.
func temporalError(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return activityError(ctx, err)
	}
	return bound.Error(temporal.NewApplicationError(text.Line(fmt.Sprintf("%s: %v; it is tried again", what, err), budget.ErrorMessage),
		asteroid.ErrorTypeUnavailable))
}

// maxFollowed is the largest result of a followed workflow that is returned.
const maxFollowed = 64 << 10

// readOutcome reads the result or the error of a closed workflow.
func (a *Activities) readOutcome(ctx context.Context, workflowID string, into *asteroid.FollowWorkflowResult) error {
	if into.Status != "completed" && into.Status != "failed" {
		return nil
	}
	var value json.RawMessage
	err := a.service(ctx).GetWorkflow(ctx, workflowID, into.RunID).GetWithOptions(ctx, &value, sdkclient.WorkflowRunGetOptions{DisableFollowingRuns: true})
	if failed, ok := errors.AsType[*temporal.WorkflowExecutionError](err); ok {
		into.Error = text.Prose(failed.Error(), budget.ErrorMessage)
		if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
			into.ErrorType, into.Error = application.Type(), text.Prose(application.Message(), budget.ErrorMessage)
		}
		return nil
	}
	_, unanswered := errors.AsType[serviceerror.ServiceError](err) // else the result cannot be decoded
	if err != nil && (unanswered || into.Status == "failed" || ctx.Err() != nil) {
		return temporalError(ctx, "reading the end of the workflow", err)
	}
	if err == nil && len(value) <= maxFollowed {
		into.Result = value
	}
	return nil
}
