package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// SetExecutionStatusInput is the input of asteroid.SetExecutionStatus.
type SetExecutionStatusInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	// Status is StatusPaused to pause, StatusRunning to resume, StatusCancelled to end the run.
	Status Status `json:"status"`
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
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return nil, err
	}
	switch in.Status {
	case StatusRunning, StatusPaused, StatusCancelled:
	default:
		return nil, invalid("status", fmt.Sprintf("%q cannot be set: use %q, %q or %q", clip(string(in.Status)), StatusRunning, StatusPaused, StatusCancelled))
	}
	status, err := c.setStatus(ctx, in.ExecutionID, in.Status)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	activity.GetLogger(ctx).Info("Execution status set", "executionId", in.ExecutionID, "asked", in.Status, "status", status)
	return &SetExecutionStatusResult{ExecutionID: in.ExecutionID, Status: status}, nil
}

// setStatus asks for a status and reads what the execution has become.
func (c *connection) setStatus(ctx context.Context, executionID string, status Status) (Status, error) {
	what := call{operation: "ExecutionStatusUpdate", executionID: executionID}
	_, err := c.send(ctx, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionStatusUpdate(ctx, executionID, api.UpdateExecutionStatusRequest{Status: api.UpdatableStatus(status)})
	}, http.StatusOK)
	var refused *failure
	illegal := errors.As(err, &refused) && slices.Contains([]int{http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity}, refused.status)
	if err != nil && !illegal {
		return "", err
	}
	now, readErr := c.execution(ctx, executionID)
	if readErr != nil {
		return "", readErr
	}
	// What an illegal change answers is not published: the status that is read afterwards decides.
	if illegal && !now.Status.Terminal() && now.Status != status {
		return "", err
	}
	return now.Status, nil
}
