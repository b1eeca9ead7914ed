package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// register registers the query and the updates of a batch. It comes before the validation of the
// input, so that the state of a batch that fails with it can be queried.
func (b *batch) register(ctx workflow.Context) {
	err := workflow.SetQueryHandlerWithOptions(ctx, StateQuery, b.snapshot, workflow.QueryHandlerOptions{
		Description: "How far the batch has come.",
	})
	if err != nil {
		workflow.GetLogger(ctx).Error("Could not register the state query", "error", err)
	}
	update := func(name, description string, handler, validator any) {
		options := workflow.UpdateHandlerOptions{Validator: validator, Description: description}
		if err := workflow.SetUpdateHandlerWithOptions(ctx, name, handler, options); err != nil {
			workflow.GetLogger(ctx).Error("Could not register the update", "update", name, "error", err)
		}
	}
	simple := func(name, description string, act func()) {
		update(name, description, func(ctx workflow.Context) (*BatchState, error) { return b.act(ctx, act) }, func() error { return b.check(name) })
	}
	simple(PauseBatchUpdate, "Starts no new rows.", func() { b.Paused = true })
	simple(ResumeBatchUpdate, "Starts rows again.", func() { b.Paused = false })
	simple(CancelBatchUpdate, "Cancels the rows that are under way, and starts no new ones.", func() { b.cancel("the batch was cancelled") })
	simple(RerunFailedUpdate, "Runs the rows that have failed again, at the end.", func() { b.Reruns = max(1, b.Reruns) })
	update(SetConcurrencyUpdate, "Sets how many rows are under way at once.",
		func(ctx workflow.Context, in Input[SetConcurrencyInput]) (*BatchState, error) {
			return b.act(ctx, func() { b.MaxConcurrent = in.Value.MaxConcurrent })
		},
		strictValidator(func(in SetConcurrencyInput) error {
			if in.MaxConcurrent < 1 {
				return asteroid.NewInvalidInput("maxConcurrent", fmt.Sprintf("is %d: must be 1 to %d", in.MaxConcurrent, maxConcurrent))
			}
			if err := validateRange("maxConcurrent", int64(in.MaxConcurrent), maxConcurrent, ""); err != nil {
				return err
			}
			return b.check(SetConcurrencyUpdate)
		}))
}

// act carries out an update and returns the state after it.
func (b *batch) act(ctx workflow.Context, act func()) (*BatchState, error) {
	act()
	b.changed = true
	if b.state.Phase != batchPlanning {
		b.showChange(ctx)
	}
	state, err := b.snapshot()
	return &state, err
}

// check refuses an update that comes too late to have an effect.
func (b *batch) check(update string) error {
	switch {
	case b.state.Phase == batchJoining || b.state.Phase == batchDone || b.state.Phase == batchFailed:
		return asteroid.NewInvalidInput("update", "comes too late: all rows of the batch have ended. Start the batch again under its key to run the failed rows")
	case b.Stopped != "" && (b.Cancelled || update != CancelBatchUpdate):
		return asteroid.NewInvalidInput("update", "comes too late: the batch stops, because "+b.Stopped)
	default:
		return nil
	}
}
