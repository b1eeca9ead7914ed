package workflows

import (
	"cmp"
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// finalError returns the error with which RunAgent or StartAgent fails: an ApplicationError of an
// asteroid type that is not retryable, or a CanceledError, either with the execution id once it is
// known. The server judges an error by its outermost one. It would retry a workflow that fails with
// an ActivityError, whatever that wraps, and the retry would run a second agent. execution is the
// last one that was read, if any.
func (r *AgentRun) finalError(err error, execution *asteroid.Execution) error {
	details, _ := asteroid.DetailsOf(err)
	known := details.ExecutionID != ""
	if !known && r.executed.ExecutionID != "" {
		details.ExecutionID, details.ExecutionKey = r.executed.ExecutionID, r.executed.ExecutionKey
	}
	if details.Execution == nil && execution != nil {
		details.Execution, details.Status = execution, execution.Status
	}
	if temporal.IsCanceledError(err) {
		if details.ExecutionID == "" && details.ExecutionKey == "" {
			return err
		}
		return temporal.NewCanceledError(bound.Details(details, budget.Error))
	}
	if isFinal(err) && (known || r.executed.ExecutionID == "") {
		return err
	}
	message := err.Error()
	if cause, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		message = cause.Message()
	}
	return bound.Error(temporal.NewNonRetryableApplicationError(message, finalType(err), err, details))
}

// isFinal reports whether the server does not retry a workflow that fails with err.
func isFinal(err error) bool {
	outermost, ok := err.(*temporal.ApplicationError) //nolint:errorlint // the server looks at no other
	return ok && outermost.NonRetryable()
}

func finalType(err error) string {
	return cmp.Or(asteroid.ErrorTypeOf(err), asteroid.ErrorTypeUnavailable)
}

// keepFinal wraps the error of a workflow function anew if the server would retry the workflow
// although an agent of it has run, or may have. fmt.Errorf, errors.Join and a child workflow's
// error lose that an error in them is not retryable.
func keepFinal(ctx workflow.Context, err error) error {
	if err == nil || isFinal(err) || workflow.IsContinueAsNewError(err) || temporal.IsCanceledError(err) && ctx.Err() != nil {
		return err
	}
	details, ok := asteroid.DetailsOf(err)
	if !ok || details.ExecutionID == "" && details.UnknownOutcomes == 0 {
		return err
	}
	return bound.Error(temporal.NewNonRetryableApplicationError(err.Error(), finalType(err), err, details))
}
