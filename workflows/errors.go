package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/activities"
)

// newError makes an error of the activities' taxonomy about an execution. It is not retryable: a retried workflow
// would run the agent again.
func newError(errorType, message, executionID string, execution *activities.Execution) error {
	details := activities.ErrorDetails{ExecutionID: executionID, Execution: execution}
	if execution != nil {
		details.Status, details.Reason = execution.Status, execution.Reason
	}
	return temporal.NewNonRetryableApplicationError(message, errorType, nil, details)
}

func invalid(field, rule string) error {
	return temporal.NewNonRetryableApplicationError(field+": "+rule, activities.ErrorTypeInvalidInput, nil, activities.ErrorDetails{Field: field})
}

// validate checks what only RunAgent knows, and what would be told too late: files are staged before the rest of the
// input reaches the activity that checks it.
func (in *RunAgentInput) validate() error {
	execute := in.execute()
	if err := execute.Validate(); err != nil {
		return err
	}
	switch {
	case len(in.Files) > 0 && in.OnCapacityLimit == activities.CapacityQueue:
		return invalid("onCapacityLimit", "queue does not go with files: staged files would expire in the queue")
	case in.TimeoutSeconds < 0:
		return invalid("timeoutSeconds", fmt.Sprintf("is %d: must be positive, or 0 for none", in.TimeoutSeconds))
	case in.LongPollSeconds < 0 || in.LongPollSeconds > 25:
		return invalid("longPollSeconds", fmt.Sprintf("is %d: must be 1 to 25, or 0 for off", in.LongPollSeconds))
	}
	switch in.OnFailure {
	case "", FailureIsError, FailureIsResult:
	default:
		return invalid("onFailure", fmt.Sprintf("%q is neither %q nor %q", in.OnFailure, FailureIsError, FailureIsResult))
	}
	switch in.OnCancel {
	case "", CancelExecution, AbandonExecution:
	default:
		return invalid("onCancel", fmt.Sprintf("%q is neither %q nor %q", in.OnCancel, CancelExecution, AbandonExecution))
	}
	return nil
}
