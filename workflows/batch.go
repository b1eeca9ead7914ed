package workflows

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// The phases of a batch.
const (
	batchPlanning   = "planning"
	batchRunning    = "running"
	batchPaused     = "paused"
	batchStopping   = "stopping"
	batchCancelling = "cancelling"
	batchJoining    = "joining"
	batchDone       = "done"
	batchFailed     = "failed"
)

// batch is one run of the workflow asteroid.Batch.
type batch struct {
	in       BatchInput
	plan     asteroid.BatchPlan
	template json.RawMessage
	id       string // of the workflow
	batchProgress

	state      BatchState // as the query returns it, but for what follows from the progress
	attributes batchAttributes
	changed    bool // the loop has something to look at
	draining   bool // the run continues as new: it gives no more commands
	starting   int  // segments whose start the server has not confirmed
	sending    int  // signals that the server has not confirmed
}

// errContinue says that the run continues as new.
var errContinue = errors.New("the batch continues as new")

// runBatch is the workflow asteroid.Batch. inputErr is what is wrong with the form of its input.
func runBatch(ctx workflow.Context, in BatchInput, inputErr error) (*BatchResult, error) {
	b := newBatch(ctx, in)
	b.register(ctx)
	announceBatches(ctx)
	err := inputErr
	if err == nil && in.Internal.Progress == nil { // else the first run has checked it
		err = in.validate()
	}
	var result *BatchResult
	if err == nil {
		result, err = b.run(ctx)
	}
	switch {
	case errors.Is(err, errContinue):
		return nil, b.continueAsNew(ctx)
	case err != nil:
		b.measure(ctx, asteroid.RowCounts{}, err)
		return nil, b.fail(ctx, err)
	}
	b.measure(ctx, result.Counts, nil)
	if b.WorkflowCancelled {
		if bound.Size(result) > budget.Error {
			result.Warnings = nil
		}
		return nil, temporal.NewCanceledError(*result)
	}
	return result, nil
}

// run runs the rows and has the results written.
func (b *batch) run(ctx workflow.Context) (*BatchResult, error) {
	runCtx, _ := workflow.NewDisconnectedContext(ctx) // what has begun is brought to its end
	b.listen(ctx, runCtx)
	if err := b.runPasses(ctx, runCtx); err != nil {
		return nil, err
	}
	result, err := b.join(runCtx)
	if err != nil {
		return nil, err
	}
	_ = workflow.Await(runCtx, func() bool { return workflow.AllHandlersFinished(runCtx) }) // nothing cancels this context
	return result, nil
}

func newBatch(ctx workflow.Context, in BatchInput) *batch {
	info := workflow.GetInfo(ctx)
	b := &batch{in: in, id: info.WorkflowExecution.ID}
	if progress := in.Internal.Progress; progress != nil {
		b.batchProgress = *progress
	} else {
		b.batchProgress = batchProgress{
			StartedAt: info.WorkflowStartTime, MaxConcurrent: cmp.Or(in.MaxConcurrent, defaultConcurrent), Reruns: in.Failures.Reruns,
		}
	}
	b.in.Internal.PlanID = cmp.Or(in.Internal.PlanID, originalRunID(info))
	b.plan = asteroid.BatchPlan{
		Connection: in.Template.Connection, BatchKey: cmp.Or(in.BatchKey, prefix(b.id)), PlanID: b.in.Internal.PlanID, Results: in.Results,
	}
	b.in.Template.Internal = RunAgentInternal{}
	b.template, _ = encode(b.in.Template) // validate reports an error
	if b.Pass == 0 {
		b.enter(ctx, batchPlanning)
	} else {
		b.enter(ctx, b.phase())
	}
	return b
}

// runPasses runs the rows, and those that have failed as often as they are to run again.
func (b *batch) runPasses(ctx, runCtx workflow.Context) error {
	for {
		if b.Pass == 0 || b.passOver() {
			more, err := b.planPass(ctx, runCtx)
			if err != nil || !more {
				return err
			}
		}
		if err := b.runPass(runCtx); err != nil {
			return err
		}
	}
}

// planPass plans the next pass, and reports whether there is one.
func (b *batch) planPass(ctx, runCtx workflow.Context) (bool, error) {
	if b.Pass > 0 && (b.Stopped != "" || b.Reruns == 0 || b.ofPass().Failed == 0) {
		return false, nil
	}
	b.enter(runCtx, batchPlanning)
	in := asteroid.PlanBatchInput{BatchPlan: b.plan, Pass: b.Pass + 1, Template: b.template, InputColumns: b.in.InputColumns}
	if in.Pass == 1 {
		in.Rows = b.in.Rows
	}
	plan, err := planBatch(ctx, in) // a cancelled workflow need not wait for it
	switch {
	case err != nil && ctx.Err() != nil && b.Pass == 0:
		return false, ctx.Err()
	case err != nil && b.Pass == 0:
		return false, err
	case err != nil: // the results of the passes before it are written in any case
		b.Stopped = cmp.Or(b.Stopped, text.Prose(fmt.Sprintf("pass %d could not be planned: %s", in.Pass, errorText(err)), budget.ErrorMessage))
		return false, nil
	}
	b.Before = b.Before.plus(b.Closed)
	b.Before.Failed, b.Closed = max(0, b.Before.Failed-plan.Rows), segmentCounts{}
	if b.Pass > 0 {
		b.Reruns--
	}
	b.Mark = plan.Mark
	b.Pass, b.PassRows, b.Segments, b.Next, b.Samples = in.Pass, plan.Rows, plan.Segments, 1, nil
	if in.Pass == 1 {
		b.AllRows, b.AlreadySucceeded, b.Skipped, b.in.Rows.Inline = plan.Rows, plan.Succeeded, plan.Skipped, nil
		b.SearchAttributes = plan.SearchAttributes
	}
	b.Warnings = boundWarnings(append(b.Warnings, plan.Warnings...))
	return plan.Rows > 0, nil
}

// boundWarnings keeps the first warnings.
func boundWarnings(warnings []string) []string {
	const most = 20
	warnings = warnings[:min(len(warnings), most)]
	for i := range warnings {
		warnings[i] = text.Prose(warnings[i], budget.ErrorMessage)
	}
	return warnings
}

// passOver reports whether all segments of the pass have ended.
func (b *batch) passOver() bool {
	return len(b.Open) == 0 && (b.Next > b.Segments || b.Stopped != "")
}

// runPass runs the segments of a pass.
func (b *batch) runPass(ctx workflow.Context) error {
	for !b.passOver() {
		b.changed = false
		b.judge()
		b.distribute(ctx)
		b.showChange(ctx)
		_ = workflow.Await(ctx, func() bool { return b.changed || b.long(ctx) || b.passOver() }) // nothing cancels this context
		if b.long(ctx) && !b.passOver() {
			return errContinue
		}
	}
	return nil
}

// judge stops the batch when too many rows of the pass have failed.
func (b *batch) judge() {
	if counts := b.ofPass(); b.Stopped == "" {
		b.Stopped = b.in.Failures.stop(counts.ended(), counts.Failed)
	}
}

// stop returns why no more rows start after so many have ended and failed, or nothing.
func (f FailuresOfBatch) stop(ended, failed int) string {
	const fewest = 20 // rows that say anything about a share
	switch {
	case f.StopAfter > 0 && failed >= f.StopAfter:
		return fmt.Sprintf("%d rows have failed, and stopAfter is %d", failed, f.StopAfter)
	case f.StopShare > 0 && ended >= fewest && float64(failed) > f.StopShare*float64(ended):
		return fmt.Sprintf("%d of %d rows have failed, and stopShare is %g", failed, ended, f.StopShare)
	default:
		return ""
	}
}

// join has the whole results written, which also happens when rows have not run.
func (b *batch) join(ctx workflow.Context) (*BatchResult, error) {
	b.enter(ctx, batchJoining)
	joined, err := joinBatchParts(ctx, asteroid.JoinBatchPartsInput{BatchPlan: b.plan, Passes: b.Pass})
	if err != nil {
		return nil, err
	}
	b.state.Result = &BatchResult{
		Counts: joined.Counts, AlreadySucceeded: b.AlreadySucceeded, Results: joined.Results,
		StartedAt: b.StartedAt, EndedAt: workflow.Now(ctx), Warnings: b.Warnings,
	}
	if joined.Counts.NotRun > 0 || joined.Counts.Cancelled > 0 {
		b.state.Result.Stopped = b.Stopped
	}
	b.enter(ctx, batchDone)
	return b.state.Result, nil
}

// fail returns the error of the batch, after the state shows it.
func (b *batch) fail(ctx workflow.Context, err error) error {
	b.state.Error = text.Prose(errorText(err), budget.ErrorMessage)
	b.enter(ctx, batchFailed)
	errorType := asteroid.ErrorTypeOf(err)
	if errorType == "" || temporal.IsCanceledError(err) {
		return err
	}
	details, _ := asteroid.DetailsOf(err)
	message := err.Error()
	cause, isApplication := errors.AsType[*temporal.ApplicationError](err)
	if isApplication {
		message = cause.Message()
	}
	return bound.Error(temporal.NewApplicationErrorWithOptions(message, errorType, temporal.ApplicationErrorOptions{
		NonRetryable: isApplication && cause.NonRetryable(), Details: []any{details},
	}))
}
