package workflows

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

const (
	recoveryTimeout          = 15 * time.Minute
	cancelledRecoveryTimeout = 3 * time.Minute // when the workflow was cancelled
)

// recordUnknownOutcome makes the next execute look up first what a failed one may have started.
func (r *AgentRun) recordUnknownOutcome(scheduled time.Time, err error) {
	details, ok := asteroid.DetailsOf(err)
	if !ok || temporal.IsTimeoutError(err) {
		details.UnknownOutcomes++ // the outcome of the last attempt is unknown
	}
	if details.UnknownOutcomes == 0 {
		return
	}
	r.request.Internal.FreshKey = false
	r.request.Internal.UnknownOutcomes = max(r.request.Internal.UnknownOutcomes, details.UnknownOutcomes)
	if r.request.Internal.UnknownSince.IsZero() {
		r.request.Internal.UnknownSince = scheduled
	}
	// Without the interceptor the activity made the key.
	r.request.IdempotencyKey = cmp.Or(r.request.IdempotencyKey, details.ExecutionKey)
}

// recoverStart returns the error of a failed start, or the workflow's cancellation. After an
// unknown outcome an agent may be running, which must be neither lost nor left alone. So it looks
// up the execution first, and if it finds one, the start has succeeded. In a cancelled workflow
// Result then cancels that execution. (The server does not retry an activity whose cancellation is
// requested: after its worker's death it ends in a timeout.)
func (r *AgentRun) recoverStart(ctx workflow.Context, err error) error {
	cancelled := ctx.Err() != nil
	if cancelled {
		err = temporal.NewCanceledError()
	}
	if r.request.Internal.UnknownOutcomes == 0 || r.request.IdempotencyKey == "" || cancelled && r.in.OnCancel == AbandonExecution {
		return err
	}
	lookupErr := r.adoptExecution(ctx)
	switch {
	case lookupErr == nil:
		return nil
	case !cancelled && ctx.Err() != nil:
		return r.recoverStart(ctx, err)
	case !asteroid.IsNotFound(lookupErr):
		workflow.GetLogger(ctx).Error("Could not look up what an execute of unknown outcome may have started",
			"executionKey", r.request.IdempotencyKey, "error", lookupErr)
	}
	if cancelled {
		err = temporal.NewCanceledError(asteroid.ErrorDetails{ExecutionKey: r.request.IdempotencyKey, UnknownOutcomes: r.request.Internal.UnknownOutcomes})
	}
	return err
}

// adoptExecution looks up the execution of the request's key and begins to track it. It starts
// none.
func (r *AgentRun) adoptExecution(ctx workflow.Context) error {
	timeout := recoveryTimeout
	if ctx.Err() != nil {
		var done workflow.CancelFunc
		ctx, done = workflow.NewDisconnectedContext(ctx)
		defer done()
		timeout = cancelledRecoveryTimeout
		r.enterPhase(ctx, PhaseCancelling)
	}
	options := workflow.GetActivityOptions(ctx)
	options.ScheduleToCloseTimeout, options.Summary = timeout, "Look up an execution of agent "+r.in.AgentID
	lookup := r.request
	lookup.AdoptOnly, lookup.TempFiles = true, nil
	found, err := ExecuteAgent(workflow.WithActivityOptions(ctx, options), lookup)
	if err == nil {
		r.recordExecution(ctx, *found)
	}
	return err
}

const (
	sweepTimeout = 5 * time.Minute // a sweep must not delay a result for long
	// A cancelled start kept no grace period: its duplicates are swept during cancelledSweepWindow.
	cancelledSweepWindow = 150 * time.Second
	sweepInterval        = 30 * time.Second
)

// sweepDuplicates cancels late duplicates of executes that may have been carried out twice.
func (r *AgentRun) sweepDuplicates(ctx workflow.Context) {
	if len(r.pendingSweeps) == 0 {
		return
	}
	until := workflow.Now(ctx)
	if ctx.Err() != nil {
		until = r.started.Add(cancelledSweepWindow)
	}
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	for _, in := range r.pendingSweeps {
		for {
			swept, err := SweepDuplicates(workflow.WithScheduleToCloseTimeout(ctx, sweepTimeout), in)
			if err != nil {
				workflow.GetLogger(ctx).Error("Could not sweep late duplicates", "executionKey", in.ExecutionKey, "error", err)
			} else {
				r.executed.DuplicatesCancelled = append(r.executed.DuplicatesCancelled, swept.Cancelled...)
			}
			left := until.Sub(workflow.Now(ctx))
			if left <= 0 {
				break
			}
			_ = workflow.Sleep(ctx, min(left, sweepInterval)) // nothing cancels this context
		}
	}
}
