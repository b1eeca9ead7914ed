package workflows

import (
	"cmp"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
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

// executeRow starts the workflow of a row and waits for it. After a reset there may be one already,
// which the replaced run has started: it is followed, also if it has completed. If it was ended
// from outside, or has failed before this batch began, the row runs again, and adopts what its
// agent has done.
func (s *segment) executeRow(ctx workflow.Context, row asteroid.BatchRow) asteroid.RowResult {
	var in RunAgentInput
	if err := decodeStrictly(row.Input, &in); err != nil {
		return rowFailure(err)
	}
	in.IdempotencyKey = rowKey(s.in.BatchKey, row.Key, row.Attempt)
	if s.in.Version != nil { // every row has been checked against it
		in.Version, in.CheckInputs = s.in.Version, false
	}
	in.Internal = RunAgentInternal{Row: &RowOfBatch{
		Number: row.Number, Key: row.Key, Attempt: row.Attempt, Fields: s.in.Results.Fields, Outcomes: s.in.Failures.Outcomes,
		Batch: s.in.Batch, Pass: s.in.Pass, Segment: s.in.Segment,
	}}
	options := workflow.ChildWorkflowOptions{
		WorkflowID:        rowID(s.in.Batch, row.Key, row.Attempt),
		ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL, WaitForCancellation: true,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:         summaryLine("Row " + row.Key),
	}
	const mostStarts = 3
	for starts := 1; ; starts++ {
		result, again := s.awaitRow(ctx, options, in)
		if !again || starts == mostStarts || s.cancelled {
			return result
		}
		options.WorkflowIDReusePolicy = enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
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
		return s.followRow(ctx, options.WorkflowID)
	case err != nil:
		return rowFailure(err), false
	case result.Status == "":
		return rowFailure(errNoInterceptor()), false
	default:
		return result, false
	}
}

// followRow waits for a row's workflow that this run of the segment has not started.
func (s *segment) followRow(ctx workflow.Context, id string) (result asteroid.RowResult, again bool) {
	done := false
	workflow.Go(ctx, func(ctx workflow.Context) {
		if workflow.Await(ctx, func() bool { return done }) != nil { // the rows are being cancelled
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			_ = workflow.RequestCancelExternalWorkflow(ctx, id, "").Get(ctx, nil) // it may have ended meanwhile
		}
	})
	followCtx, _ := workflow.NewDisconnectedContext(ctx)
	followed, err := followWorkflow(followCtx, asteroid.FollowWorkflowInput{WorkflowID: id})
	done = true
	if err != nil {
		return rowFailure(err), false
	}
	if followed.Status == "completed" && decode(followed.Result, &result) == nil && result.Status != "" {
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

// rowLimits counts the rows at work by the keys of their limits.
type rowLimits map[string]int

// pendingRow is a row that has not been started.
type pendingRow struct {
	asteroid.BatchRow
	limits []asteroid.Limit
}

// pendingRows reads the limits of rows.
func pendingRows(rows []asteroid.BatchRow) []pendingRow {
	pending := make([]pendingRow, len(rows))
	for i, row := range rows {
		var in struct {
			Limits []asteroid.Limit `json:"limits"`
		}
		_ = decode(row.Input, &in) // a malformed input fails when the row starts
		pending[i] = pendingRow{row, in.Limits}
	}
	return pending
}

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
