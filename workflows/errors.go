package workflows

import (
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

// newError makes an error of the activities' taxonomy about an execution. It is not retryable: a retried workflow
// would run the agent again.
func newError(errorType, message, executionID string, execution *asteroid.Execution) error {
	details := asteroid.ErrorDetails{ExecutionID: executionID, Execution: execution}
	if execution != nil {
		details.Status, details.Reason = execution.Status, execution.Reason
	}
	return temporal.NewNonRetryableApplicationError(message, errorType, nil, details)
}

// cancelledError is how a cancelled workflow ends, with what is known of the agent's run.
func cancelledError(executionID string, execution *asteroid.Execution) error {
	details := asteroid.ErrorDetails{ExecutionID: executionID, Execution: execution}
	if execution != nil {
		details.Status, details.Reason = execution.Status, execution.Reason
	}
	return temporal.NewCanceledError(details)
}

func invalid(field, rule string) error {
	return temporal.NewNonRetryableApplicationError(field+": "+rule, asteroid.ErrorTypeInvalidInput, nil, asteroid.ErrorDetails{Field: field})
}

// invalidBelow is an asteroid.InvalidInput about a part of an input, as one about the whole.
func invalidBelow(field string, err error, details asteroid.ErrorDetails) error {
	said, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return err
	}
	return invalid(field+"."+details.Field, strings.TrimPrefix(said.Message(), details.Field+": "))
}

// maxSeconds is ten years: more is a mistake, and soon overflows.
const maxSeconds = 10 * 365 * 24 * 3600

// validate checks what only RunAgent knows, and what would be told too late: files are staged before the rest of the
// input reaches the activity that checks it.
func (in *RunAgentInput) validate() error {
	execute := in.execute()
	if err := execute.Validate(); err != nil {
		return err
	}
	switch {
	case len(in.Files) > 0 && in.OnCapacityLimit == asteroid.CapacityQueue:
		return invalid("onCapacityLimit", "queue does not go with files: staged files would expire in the queue")
	case in.TimeoutSeconds < 0 || in.TimeoutSeconds > maxSeconds:
		return invalid("timeoutSeconds", fmt.Sprintf("is %d: must be 1 to %d, or 0 for none", in.TimeoutSeconds, maxSeconds))
	case in.CapacityTimeoutSeconds < 0 || in.CapacityTimeoutSeconds > maxSeconds:
		return invalid("capacityTimeoutSeconds", fmt.Sprintf("is %d: must be 1 to %d, or 0 for six hours", in.CapacityTimeoutSeconds, maxSeconds))
	case in.HumanTimeoutSeconds < 0 || in.HumanTimeoutSeconds > maxSeconds:
		return invalid("humanTimeoutSeconds", fmt.Sprintf("is %d: must be 1 to %d, or 0 for none", in.HumanTimeoutSeconds, maxSeconds))
	case in.BackstopSeconds < 0 || in.BackstopSeconds > maxSeconds:
		return invalid("backstopSeconds", fmt.Sprintf("is %d: must be 1 to %d, or 0 for ten minutes", in.BackstopSeconds, maxSeconds))
	case in.LongPollSeconds < 0 || in.LongPollSeconds > 25:
		return invalid("longPollSeconds", fmt.Sprintf("is %d: must be 1 to 25, or 0 for off", in.LongPollSeconds))
	}
	if c := in.Collect; c != nil {
		err := c.FileSelection.Validate()
		if details, ok := asteroid.DetailsOf(err); ok {
			return invalidBelow("collect", err, details)
		}
	}
	if p := in.Reexecution; p != nil {
		switch {
		case p.MaximumExecutions < 2:
			return invalid("reexecution.maximumExecutions", fmt.Sprintf("is %d: must be at least 2, the first one included", p.MaximumExecutions))
		case p.InitialIntervalSeconds < 0 || p.InitialIntervalSeconds > maxSeconds:
			return invalid("reexecution.initialIntervalSeconds", fmt.Sprintf("is %d: must be 1 to %d, or 0 for 30", p.InitialIntervalSeconds, maxSeconds))
		}
	}
	switch in.OnMissingFiles {
	case "", MissingFilesFail, MissingFilesReexecute, MissingFilesIgnore:
	default:
		return invalid("onMissingFiles", fmt.Sprintf("%q is none of %q, %q, %q", in.OnMissingFiles, MissingFilesFail, MissingFilesReexecute, MissingFilesIgnore))
	}
	switch in.OnFailure {
	case "", FailureIsError, FailureIsResult:
	default:
		return invalid("onFailure", fmt.Sprintf("%q is neither %q nor %q", in.OnFailure, FailureIsError, FailureIsResult))
	}
	switch in.OnHumanTimeout {
	case "", HumanTimeoutFail, HumanTimeoutCancel, HumanTimeoutKeepWaiting:
	default:
		return invalid("onHumanTimeout", fmt.Sprintf("%q is none of %q, %q, %q", in.OnHumanTimeout, HumanTimeoutFail, HumanTimeoutCancel, HumanTimeoutKeepWaiting))
	}
	switch in.OnCancel {
	case "", CancelExecution, AbandonExecution:
	default:
		return invalid("onCancel", fmt.Sprintf("%q is neither %q nor %q", in.OnCancel, CancelExecution, AbandonExecution))
	}
	return nil
}
