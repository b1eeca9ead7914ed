package activities

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// GetExecution reads an execution as it is now (https://docs.asteroid.ai/api-reference/execution/get-execution), and
// its newest activities when the status has a reason: paused, asking, failed, cancelled.
//
// Errors: those of the API. A 404 is retried during the first minute after the activity was scheduled, since a new
// execution may not be readable everywhere yet; then it is asteroid.NotFound.
func (a *Activities) GetExecution(ctx context.Context, in asteroid.GetExecutionInput) (*asteroid.Execution, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	execution, err := c.Execution(ctx, in.ExecutionID)
	if err == nil {
		err = c.FillReason(ctx, execution)
	}
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	return execution, nil
}

// replicaLag is how long after it was started an execution may be unknown to the service's readers.
const replicaLag = time.Minute

// forgiveEarlyNotFound makes a 404 retryable while it may still mean "not yet".
func (a *Activities) forgiveEarlyNotFound(ctx context.Context, err error) error {
	var failed *client.Error
	if errors.As(err, &failed) && failed.Status == http.StatusNotFound && a.now().Sub(activity.GetInfo(ctx).ScheduledTime) < replicaLag {
		return temporal.NewApplicationErrorWithOptions(failed.Error()+" (it may be too new to be read; it is tried again)",
			asteroid.ErrorTypeNotFound, temporal.ApplicationErrorOptions{NextRetryDelay: tooNewPause, Details: []any{failed.Details()}})
	}
	return activityError(ctx, err)
}
