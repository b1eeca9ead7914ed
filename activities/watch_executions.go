package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

// WatchExecutions lists the executions of a connection every few seconds and signals the workflows whose execution has changed, with
// an [ExecutionEventSignal]: those of its own namespace that ExecuteAgent started with Signal. It is the one activity of the
// workflow asteroid.Watch, which ExecuteAgent starts by itself.
//
// It runs for up to an hour and holds one activity slot. What it knows is its heartbeat, so that the next attempt, on
// another worker, goes on from there; a change meanwhile is told then. With up to some thousand executions a scan begins every two
// seconds, every eight while nothing changes, and at most as often as makes thirteen lists a second. An execution that is no
// longer listed is read on its own.
//
// Nothing that the service answers ends it: it pauses, for as long as a Retry-After says or longer with each failure. A
// workflow that is over is not told, one that cannot be reached is told later.
//
// Errors: asteroid.InvalidInput for an unknown connection. That the worker stops is an asteroid.Unavailable, retryable.
// When it is cancelled it returns what it knows.
func (a *Activities) WatchExecutions(ctx context.Context, in asteroid.WatchExecutionsInput) (*asteroid.WatchExecutionsResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	service := a.service(ctx)
	if service == nil {
		return nil, asteroid.NewInvalidInput("connection", errNoService.Error())
	}
	packed := in.Known
	if activity.HasHeartbeatDetails(ctx) {
		var before []byte
		if activity.GetHeartbeatDetails(ctx, &before) == nil { // else of another version: as if there were none
			packed = before
		}
	}
	w := watch.New(c, activity.GetInfo(ctx).Namespace, a.now, packed,
		func(ctx context.Context, workflowID string, event asteroid.ExecutionEvent) error {
			// Without a run id: a reset or a continue-as-new may have made another run the current one.
			return service.SignalWorkflow(ctx, workflowID, "", asteroid.ExecutionEventSignal, event)
		})
	known, idle, err := w.Run(ctx, a.pace, activity.GetLogger(ctx))
	if errors.Is(err, watch.ErrWorkerStops) {
		return nil, temporal.NewApplicationErrorWithOptions(err.Error()+"; another one goes on", asteroid.ErrorTypeUnavailable,
			temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
	}
	if err != nil {
		return nil, err
	}
	return &asteroid.WatchExecutionsResult{Known: known, Idle: idle}, nil
}
