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
func (r *AgentRun) recordUnknownOutcome(ctx workflow.Context, scheduled time.Time, err error) {
	details, ok := asteroid.DetailsOf(err)
	if !ok || temporal.IsTimeoutError(err) {
		// The outcome of the last attempt is unknown.
		details.UnknownOutcomes++
		details.LastUnknown = workflow.Now(ctx)
	}
	if details.UnknownOutcomes == 0 {
		return
	}
	internal := &r.request.Internal
	internal.ExecutionKey = cmp.Or(details.ExecutionKey, internal.ExecutionKey)
	internal.UnknownOutcomes = max(internal.UnknownOutcomes, details.UnknownOutcomes)
	if details.LastUnknown.After(internal.LastUnknown) {
		internal.LastUnknown = details.LastUnknown
	}
	if internal.UnknownSince.IsZero() {
		internal.UnknownSince = scheduled
	}
}

// executionKey returns the metadata by which people find what a start of unknown outcome has
// started, if the key is known.
func (r *AgentRun) executionKey() string {
	return cmp.Or(r.request.Internal.ExecutionKey, r.request.IdempotencyKey)
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
	hasKey := r.executionKey() != "" || r.request.Internal.Intent != (asteroid.Intent{})
	if r.request.Internal.UnknownOutcomes == 0 || !hasKey || cancelled && r.in.OnCancel == AbandonExecution {
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
			"executionKey", r.executionKey(), "error", lookupErr)
	}
	if cancelled {
		details, _ := asteroid.DetailsOf(lookupErr)
		err = temporal.NewCanceledError(asteroid.ErrorDetails{
			ExecutionKey: cmp.Or(r.executionKey(), details.ExecutionKey), UnknownOutcomes: r.request.Internal.UnknownOutcomes,
			LastUnknown: r.request.Internal.LastUnknown,
		})
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
	lookup.AdoptOnly = true
	found, err := ExecuteAgent(workflow.WithActivityOptions(ctx, options), lookup)
	if err == nil {
		r.recordExecution(ctx, *found)
	}
	return err
}
