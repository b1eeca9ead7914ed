package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// SetExecutionStatus pauses, resumes or cancels an execution, and returns the status that it then
// has (https://docs.asteroid.ai/api-reference/execution/update-execution-status). Repeating it is
// harmless. If the service has accepted the change and the execution cannot be read, the result is
// the status that was asked for.
//
// Before it resumes an execution, or when Input.Asking is set, it reads what the agent asks. It
// resumes nothing that asks something else than Input.Asking says. If the asking is over and the
// agent works or has ended, nothing is left to do, and the result holds the status.
//
// An execution that is terminal already is not an error: the result holds its status.
//
// Errors: asteroid.InvalidInput for another status, with the field asking when the agent asks
// something else, which the error names, or when the service refuses the change of an execution
// that is not terminal; asteroid.NotFound, retryable during the first minute; and those of the API.
func (a *Activities) SetExecutionStatus(ctx context.Context, in asteroid.SetExecutionStatusInput) (*asteroid.SetExecutionStatusResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	if in.Status == asteroid.StatusRunning || in.Asking != "" {
		d, err := c.Dialogue(ctx, in.ExecutionID, client.Mark{})
		if err != nil {
			return nil, a.forgiveEarlyNotFound(ctx, err)
		}
		if changeIsOver(ctx, d.Execution, in) {
			return &asteroid.SetExecutionStatusResult{ExecutionID: in.ExecutionID, Status: d.Execution.Status}, nil
		}
		if err := checkAsking(d, in.Asking); err != nil {
			return nil, err
		}
	}
	execution, err := c.SetStatus(ctx, in.ExecutionID, in.Status)
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	activity.GetLogger(ctx).Info("Execution status set", "executionId", in.ExecutionID, "asked", in.Status, "status", execution.Status)
	return &asteroid.SetExecutionStatusResult{ExecutionID: in.ExecutionID, Status: execution.Status}, nil
}

// changeIsOver reports whether the execution has gone on since the asking. On a later attempt this
// may be the work of an earlier one, even if the agent asks the next question already.
func changeIsOver(ctx context.Context, e *asteroid.Execution, in asteroid.SetExecutionStatusInput) bool {
	working := e.Status.Class() == asteroid.ClassProcessing && in.Status == asteroid.StatusRunning
	resumedBefore := activity.GetInfo(ctx).Attempt > 1 && e.Asking != "" && e.Asking != in.Asking
	return e.Terminal() || working || resumedBefore
}
