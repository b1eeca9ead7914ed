package workflows

import (
	"errors"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// newError returns an error about an execution, of one of the asteroid types. It is not retryable:
// a retried workflow would run the agent again.
func newError(errorType, message, executionID string, execution *asteroid.Execution) error {
	return bound.Error(temporal.NewNonRetryableApplicationError(message, errorType, nil, errorDetails(executionID, execution)))
}

// cancelledError returns the error of a cancelled workflow, with what is known of the agent's run.
func cancelledError(executionID string, execution *asteroid.Execution) error {
	return temporal.NewCanceledError(bound.Details(errorDetails(executionID, execution), budget.Error))
}

func errorDetails(executionID string, execution *asteroid.Execution) asteroid.ErrorDetails {
	details := asteroid.ErrorDetails{ExecutionID: executionID, Execution: execution}
	if execution != nil {
		details.Status, details.Reason = execution.Status, execution.Reason
	}
	return details
}

// invalidBelow turns an asteroid.InvalidInput about a part of an input into one about the whole.
func invalidBelow(field string, err error) error {
	details, hasDetails := asteroid.DetailsOf(err)
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	if !hasDetails || !ok {
		return err
	}
	return asteroid.NewInvalidInput(field+"."+details.Field, strings.TrimPrefix(failure.Message(), details.Field+": "))
}
