package workflows

import (
	"cmp"
	"fmt"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/intent"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// runRow runs a row and returns its result, whatever became of it.
func (s *segment) runRow(ctx workflow.Context, row asteroid.BatchRow) asteroid.RowResult {
	started := workflow.Now(ctx)
	result := s.executeRow(ctx, row)
	result.Number, result.Key, result.Attempt = row.Number, row.Key, row.Attempt
	if result.StartedAt.IsZero() {
		result.StartedAt, result.EndedAt = started, workflow.Now(ctx)
	}
	fitRow(&result)
	return result
}

// executeRow starts the workflow of a row and waits for it. If there has been one already, which a
// replaced run of the segment or another batch of the same key has started, it is followed, also if
// it has completed. If it was ended from outside, or has failed before this batch began, the row
// runs again, and adopts what its agent has done.
func (s *segment) executeRow(ctx workflow.Context, row asteroid.BatchRow) asteroid.RowResult {
	var in RunAgentInput
	if err := decodeStrictly(row.Input, &in); err != nil {
		return rowFailure(err)
	}
	in.IdempotencyKey = rowKey(s.in.BatchKey, row.Key, row.Attempt)
	rowOfBatch := &RowOfBatch{
		Number: row.Number, Key: row.Key, Attempt: row.Attempt, Fields: s.in.Results.Fields, Outcomes: s.in.Failures.Outcomes,
		Batch: s.in.Batch, Pass: s.in.Pass, Segment: s.in.Segment,
		Request: intent.Of(in.executeInput(), intent.OfFiles(in.Files)).Identity(), First: true,
	}
	in.Internal = RunAgentInternal{Row: rowOfBatch}
	options := workflow.ChildWorkflowOptions{
		WorkflowID:        rowID(s.in.BatchKey, row.Key, row.Attempt),
		ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL, WaitForCancellation: true,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, // so it is the first one
		StaticSummary:         summaryLine("Row " + row.Key),
	}
	const mostStarts = 3
	for starts := 1; ; starts++ {
		result, again := s.awaitRow(ctx, options, in)
		if !again || starts == mostStarts || s.cancelled {
			return result
		}
		options.WorkflowIDReusePolicy, rowOfBatch.First = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, false
	}
}

// awaitRow waits for the workflow of a row, and reports whether the row should run again.
func (s *segment) awaitRow(ctx workflow.Context, options workflow.ChildWorkflowOptions, in RunAgentInput) (result asteroid.RowResult, again bool) {
	if ctx.Err() != nil {
		return rowFailure(ctx.Err()), false
	}
	err := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), RunAgentName, in).Get(ctx, &result)
	switch {
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		return s.followRow(ctx, options.WorkflowID, in.Internal.Row)
	case err != nil:
		return rowFailure(err), false
	case result.Status == "":
		return rowFailure(errNoInterceptor()), false
	default:
		return result, false
	}
}

// followRow waits for a row's workflow that this run of the segment has not started.
func (s *segment) followRow(ctx workflow.Context, id string, row *RowOfBatch) (result asteroid.RowResult, again bool) {
	done := false
	followCtx, stopFollowing := workflow.NewDisconnectedContext(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		if workflow.Await(ctx, func() bool { return done }) != nil { // the rows are being cancelled
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			s.cancelFollowed(ctx, id, stopFollowing)
		}
	})
	followed, err := followWorkflow(followCtx, asteroid.FollowWorkflowInput{WorkflowID: id})
	done = true
	if err != nil {
		return rowFailure(err), false
	}
	if followed.Status == "completed" && decode(followed.Result, &result) == nil && result.Status != "" {
		if result.Request != "" && result.Request != row.Request {
			return rowFailure(asteroid.NewInvalidInput("batchKey", fmt.Sprintf(
				"was used for row %s with a different request, in the workflow %s: give a new batch a new key", text.Clip(row.Key), id))), false
		}
		earlier := result.Status == asteroid.RowFailed && result.StartedAt.Before(s.in.StartedAt)
		return result, earlier || result.Status == asteroid.RowCancelled
	}
	result = asteroid.RowResult{
		Status: asteroid.RowFailed, ErrorType: followed.ErrorType,
		Error: cmp.Or(followed.Error, "the row's workflow ended as "+cmp.Or(followed.Status, "missing")),
	}
	if followed.Status == "canceled" {
		result.Status = asteroid.RowCancelled
	}
	return result, true
}

// cancelFollowed cancels a row's workflow that is being followed, if it is of this batch. That of
// another batch goes on, and is followed no more.
func (s *segment) cancelFollowed(ctx workflow.Context, id string, stopFollowing func()) {
	now, err := followWorkflow(ctx, asteroid.FollowWorkflowInput{WorkflowID: id, Once: true})
	switch {
	case err == nil && strings.HasPrefix(now.ParentID, segmentsOf(s.in.Batch)):
		_ = workflow.RequestCancelExternalWorkflow(ctx, id, "").Get(ctx, nil) // it may have ended meanwhile
	case err != nil || now.Open:
		stopFollowing()
	}
}

// rowLimits counts the rows at work by the keys of their limits.
type rowLimits map[string]int

// free reports whether a row with these limits would not wait for another one.
func (p rowLimits) free(limits []asteroid.Limit) bool {
	for _, limit := range limits {
		if p[limit.Key] >= max(1, limit.Max) {
			return false
		}
	}
	return true
}

func (p rowLimits) take(limits []asteroid.Limit) {
	for _, limit := range limits {
		p[limit.Key]++
	}
}

func (p rowLimits) giveBack(limits []asteroid.Limit) {
	for _, limit := range limits {
		p[limit.Key]--
	}
}
