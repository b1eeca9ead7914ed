package activities

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// GetExecutionInput is the input of asteroid.GetExecution.
type GetExecutionInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *GetExecutionInput) Validate() error {
	return checkID("executionId", in.ExecutionID)
}

// GetExecution reads an execution as it is now (https://docs.asteroid.ai/api-reference/execution/get-execution), and
// its newest activities when the status has a reason: paused, asking, failed, cancelled.
//
// Errors: those of the API. A 404 is retried during the first minute after the activity was scheduled, since a new
// execution may not be readable everywhere yet; then it is asteroid.NotFound.
func (a *Activities) GetExecution(ctx context.Context, in GetExecutionInput) (*Execution, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	execution, err := c.execution(ctx, in.ExecutionID)
	if err == nil {
		err = c.addReason(ctx, execution)
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
	var failed *failure
	if errors.As(err, &failed) && failed.status == http.StatusNotFound && a.now().Sub(activity.GetInfo(ctx).ScheduledTime) < replicaLag {
		return temporal.NewApplicationErrorWithOptions(failed.Error()+" (it may be too new to be read; it is tried again)",
			ErrorTypeNotFound, temporal.ApplicationErrorOptions{NextRetryDelay: tooNewPause, Details: []any{failed.details()}})
	}
	return ended(ctx, err)
}
