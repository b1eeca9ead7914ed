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
	result.Number, result.Key = row.Number, row.Key
	if result.StartedAt.IsZero() {
		result.StartedAt, result.EndedAt = started, workflow.Now(ctx)
	}
	fitRow(&result)
	return result
}

// rowNext says what a row does after its workflow has ended.
type rowNext int

const (
	rowOver    rowNext = iota // nothing
	rowResumes                // it runs again, and adopts what its agent has done
	rowRetries                // it runs its next attempt
)

// executeRow starts the workflow of a row and waits for it. If there has been one already, which a
// replaced run of the segment or another batch of the same key has started, it is followed, also if
// it has ended. If its agent may still be at work then, the row runs again and adopts it. If it has
// failed before this batch began, the row goes on with the next attempt, as every batch of the key
// does.
func (s *segment) executeRow(ctx workflow.Context, row asteroid.BatchRow) asteroid.RowResult {
	var in RunAgentInput
	if err := decodeStrictly(row.Input, &in); err != nil {
		result := rowFailure(err)
		result.Attempt = row.Attempt
		return result
	}
	in.Internal = RunAgentInternal{Row: &RowOfBatch{
		Number: row.Number, Key: row.Key, Attempt: row.Attempt, Fields: s.in.Results.Fields, Outcomes: s.in.Failures.Outcomes,
		Batch: s.in.Batch, Pass: s.in.Pass, Segment: s.in.Segment,
		Request: intent.Of(in.executeInput(), intent.OfFiles(in.Files)).Identity(),
	}}
	const mostAttempts, mostStarts = 10, 3
	for last := row.Attempt + mostAttempts; ; row.Attempt++ {
		result, next := s.executeAttempt(ctx, row, in, mostStarts)
		result.Attempt = row.Attempt
		if next != rowRetries || row.Attempt == last || s.cancelled {
			return result
		}
	}
}

// executeAttempt runs one attempt of a row, whose workflow it starts so many times at most.
func (s *segment) executeAttempt(ctx workflow.Context, row asteroid.BatchRow, in RunAgentInput, mostStarts int) (asteroid.RowResult, rowNext) {
	rowOfBatch := *in.Internal.Row
	rowOfBatch.Attempt, rowOfBatch.First = row.Attempt, true
	in.Internal.Row = &rowOfBatch
	in.IdempotencyKey = rowKey(workflow.GetInfo(ctx).Namespace, s.in.BatchKey, row.Key, row.Attempt)
	options := workflow.ChildWorkflowOptions{
		WorkflowID:        rowID(s.in.BatchKey, row.Key, row.Attempt),
		ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL, WaitForCancellation: true,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, // so it is the first one
		StaticSummary:         summaryLine("Row " + row.Key),
	}
	for starts := 1; ; starts++ {
		result, next := s.awaitRow(ctx, options, in)
		if next != rowResumes || starts == mostStarts || s.cancelled {
			return result, next
		}
		options.WorkflowIDReusePolicy, rowOfBatch.First = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, false
	}
}

// awaitRow waits for the workflow of a row, and tells what the row does then.
func (s *segment) awaitRow(ctx workflow.Context, options workflow.ChildWorkflowOptions, in RunAgentInput) (result asteroid.RowResult, next rowNext) {
	if ctx.Err() != nil {
		return rowFailure(ctx.Err()), rowOver
	}
	err := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, options), RunAgentName, in).Get(ctx, &result)
	switch {
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		return s.followRow(ctx, options.WorkflowID, in.Internal.Row)
	case err != nil:
		return rowFailure(err), rowOver
	case result.Status == "":
		return rowFailure(errNoInterceptor()), rowOver
	default:
		return result, rowOver
	}
}

// followRow waits for a row's workflow that this run of the segment has not started.
func (s *segment) followRow(ctx workflow.Context, id string, row *RowOfBatch) (result asteroid.RowResult, next rowNext) {
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
		return rowFailure(err), rowOver
	}
	if followed.Status == "completed" && decode(followed.Result, &result) == nil && result.Status != "" {
		if result.Request != "" && result.Request != row.Request {
			return rowFailure(asteroid.NewInvalidInput("batchKey", fmt.Sprintf(
				"was used for row %s with a different request, in the workflow %s: give a new batch a new key", text.Clip(row.Key), id))), rowOver
		}
		adaptRow(&result, row)
		return result, s.afterFollowed(&result)
	}
	result = asteroid.RowResult{
		Status: asteroid.RowFailed, ErrorType: followed.ErrorType,
		Error: cmp.Or(followed.Error, "the row's workflow ended as "+cmp.Or(followed.Status, "missing")),
	}
	if followed.Status == "canceled" {
		result.Status = asteroid.RowCancelled
	}
	return result, rowResumes
}

// afterFollowed returns what a row does after another workflow has run it to this result. It
// depends on the result as the planner does, so batches that share the row take the same attempt.
func (s *segment) afterFollowed(result *asteroid.RowResult) rowNext {
	switch earlier := result.EndedAt.Before(s.in.StartedAt); {
	case result.Status == asteroid.RowSucceeded:
		return rowOver
	case !result.AgentEnded():
		return rowResumes
	case earlier || result.Status == asteroid.RowCancelled:
		return rowRetries
	default:
		return rowOver
	}
}

// adaptRow makes a result that of this batch, which may want other fields and judge outcomes
// otherwise than the one that has run the row. WriteBatchPart reads the fields.
func adaptRow(result *asteroid.RowResult, row *RowOfBatch) {
	if result.ExecutionStatus != asteroid.StatusCompleted {
		return
	}
	if len(row.Fields) > 0 {
		result.Fields, result.FieldsOmitted = nil, true
	}
	if result.ErrorType == "" && result.Status != asteroid.RowCancelled { // else RunAgent failed, although the agent has not
		judgeOutcome(result, result.Outcome, row.Outcomes)
	}
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
