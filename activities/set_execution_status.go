package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
)

// SetExecutionStatus pauses, resumes or cancels an execution, and reads what it has become
// (https://docs.asteroid.ai/api-reference/execution/update-execution-status). It can be repeated without harm.
//
// A run that is over is not an error: whoever cancels a run that has just completed learns that it has.
//
// Errors: asteroid.InvalidInput for another status, or when the service refuses the change for a run that is not
// over; asteroid.NotFound, retryable during the first minute; and those of the API.
func (a *Activities) SetExecutionStatus(ctx context.Context, in asteroid.SetExecutionStatusInput) (*asteroid.SetExecutionStatusResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	status, err := c.SetStatus(ctx, in.ExecutionID, in.Status)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	activity.GetLogger(ctx).Info("Execution status set", "executionId", in.ExecutionID, "asked", in.Status, "status", status)
	return &asteroid.SetExecutionStatusResult{ExecutionID: in.ExecutionID, Status: status}, nil
}
