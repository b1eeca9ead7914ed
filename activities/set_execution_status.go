package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
)

// SetExecutionStatus pauses, resumes or cancels an execution, and returns the status that it then
// has (https://docs.asteroid.ai/api-reference/execution/update-execution-status). Repeating it is
// harmless.
//
// An execution that is terminal already is not an error: the result holds its status.
//
// Errors: asteroid.InvalidInput for another status, or when the service refuses the change of an
// execution that is not terminal; asteroid.NotFound, retryable during the first minute; and those
// of the API.
func (a *Activities) SetExecutionStatus(ctx context.Context, in asteroid.SetExecutionStatusInput) (*asteroid.SetExecutionStatusResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	execution, err := c.SetStatus(ctx, in.ExecutionID, in.Status)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	activity.GetLogger(ctx).Info("Execution status set", "executionId", in.ExecutionID, "asked", in.Status, "status", execution.Status)
	return &asteroid.SetExecutionStatusResult{ExecutionID: in.ExecutionID, Status: execution.Status}, nil
}
