package activities

import (
	"context"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
)

// GetExecution reads an execution as it is now
// (https://docs.asteroid.ai/api-reference/execution/get-execution). If its status has a reason
// (paused, asking, failed, cancelled), it also reads the newest activities, which hold the reason.
// A result of more than Options.MaxInlineResultBytes is left out; see
// [asteroid.Execution.ResultOmitted].
//
// Errors: those of the API. A 404 is retried during the first minute after the activity was
// scheduled, since a new execution may not be readable everywhere yet; then it is
// asteroid.NotFound.
func (a *Activities) GetExecution(ctx context.Context, in asteroid.GetExecutionInput) (*asteroid.Execution, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	execution, err := c.Execution(ctx, in.ExecutionID)
	if err == nil {
		err = c.FillReason(ctx, execution)
	}
	if err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	bound.Execution(execution, a.inlineResult)
	return execution, nil
}
