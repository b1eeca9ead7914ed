package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

// WatchExecutions lists the executions of a connection every few seconds and signals the workflows
// whose executions have changed, with an [asteroid.ExecutionEventSignal]: workflows of its own
// namespace whose executions ExecuteAgent started with Signal. It is the only activity of the
// workflow asteroid.Watch, which ExecuteAgent starts.
//
// It runs for up to an hour and occupies one activity slot. Its state is in its heartbeat, so the
// next attempt, on another worker, continues from there and signals what has changed meanwhile.
// With up to some thousand executions a scan begins every 2 seconds while executions change, and
// every 8 seconds while none does. With more, scans are spaced so that they make at most 13 list
// requests a second. An execution that is no longer listed is read on its own.
//
// No response of the service ends it. After a failure it waits as long as Retry-After says, or
// longer with each failure. It gives up a signal to a closed workflow, and repeats one to a
// workflow that it cannot reach.
//
// Errors: asteroid.InvalidInput for an unknown connection; asteroid.Unavailable, retryable, when
// the worker stops. When it is cancelled it returns its state.
func (a *Activities) WatchExecutions(ctx context.Context, in asteroid.WatchExecutionsInput) (*asteroid.WatchExecutionsResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	service := a.service(ctx)
	if service == nil {
		return nil, asteroid.NewInvalidInput("connection", errNoService.Error())
	}
	packed, ok := heartbeatDetails[[]byte](ctx)
	if !ok {
		packed = in.Known
	}
	w := watch.New(c, activity.GetInfo(ctx).Namespace, a.now, packed,
		func(ctx context.Context, workflowID string, event asteroid.ExecutionEvent) error {
			// Without a run id: another run may be the current one after a reset or
			// continue-as-new.
			return service.SignalWorkflow(ctx, workflowID, "", asteroid.ExecutionEventSignal, event)
		})
	w.Trust(a.watchTrust(ctx))
	known, idle, err := w.Run(ctx, a.pace, activity.GetLogger(ctx))
	if errors.Is(err, watch.ErrWorkerStops) {
		return nil, temporal.NewApplicationErrorWithOptions(err.Error()+"; another attempt continues", asteroid.ErrorTypeUnavailable,
			temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
	}
	if err != nil {
		return nil, err
	}
	return &asteroid.WatchExecutionsResult{Known: known, Idle: idle}, nil
}
