package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/activity"
)

// SetExecutionStatusInput is the input of asteroid.SetExecutionStatus.
type SetExecutionStatusInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	// Status is StatusPaused to pause, StatusRunning to resume, StatusCancelled to end the run.
	Status Status `json:"status"`
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *SetExecutionStatusInput) Validate() error {
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	switch in.Status {
	case StatusRunning, StatusPaused, StatusCancelled:
		return nil
	default:
		return invalid("status", fmt.Sprintf("%q cannot be set: use %q, %q or %q", clip(string(in.Status)), StatusRunning, StatusPaused, StatusCancelled))
	}
}

// SetExecutionStatusResult is the result of asteroid.SetExecutionStatus.
type SetExecutionStatusResult struct {
	ExecutionID string `json:"executionId"`
	// Status is what the execution was right afterwards. It may not be what was asked for: a run that was already
	// over stays what it was, and a change can take a moment.
	Status Status `json:"status"`
}

// SetExecutionStatus pauses, resumes or cancels an execution, and reads what it has become
// (https://docs.asteroid.ai/api-reference/execution/update-execution-status). It can be repeated without harm.
//
// A run that is over is not an error: whoever cancels a run that has just completed learns that it has.
//
// Errors: asteroid.InvalidInput for another status, or when the service refuses the change for a run that is not
// over; asteroid.NotFound, retryable during the first minute; and those of the API.
func (a *Activities) SetExecutionStatus(ctx context.Context, in SetExecutionStatusInput) (*SetExecutionStatusResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	status, err := c.setStatus(ctx, in.ExecutionID, in.Status)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	activity.GetLogger(ctx).Info("Execution status set", "executionId", in.ExecutionID, "asked", in.Status, "status", status)
	return &SetExecutionStatusResult{ExecutionID: in.ExecutionID, Status: status}, nil
}
