package asteroid

import (
	"errors"
	"strings"

	"go.temporal.io/sdk/temporal"
)

// The error types; the package comment says when each occurs and which are retried. They are what to list in a
// retry policy's NonRetryableErrorTypes.
const (
	ErrorTypeInvalidInput       = "asteroid.InvalidInput"
	ErrorTypeUnauthorized       = "asteroid.Unauthorized"
	ErrorTypePaymentRequired    = "asteroid.PaymentRequired"
	ErrorTypeNotFound           = "asteroid.NotFound"
	ErrorTypeAtCapacity         = "asteroid.AtCapacity"
	ErrorTypeRateLimited        = "asteroid.RateLimited"
	ErrorTypeUnavailable        = "asteroid.Unavailable"
	ErrorTypeStagedFileExpired  = "asteroid.StagedFileExpired"
	ErrorTypeStillRunning       = "asteroid.StillRunning"
	ErrorTypeUnknownStatus      = "asteroid.UnknownStatus"
	ErrorTypeExecutionFailed    = "asteroid.ExecutionFailed"
	ErrorTypeExecutionCancelled = "asteroid.ExecutionCancelled"
	ErrorTypeExecutionTimedOut  = "asteroid.ExecutionTimedOut"
)

// IsInvalidInput reports whether err, or an error that it wraps, is an asteroid.InvalidInput.
func IsInvalidInput(err error) bool { return hasType(err, ErrorTypeInvalidInput) }

// IsUnauthorized reports whether err, or an error that it wraps, is an asteroid.Unauthorized.
func IsUnauthorized(err error) bool { return hasType(err, ErrorTypeUnauthorized) }

// IsPaymentRequired reports whether err, or an error that it wraps, is an asteroid.PaymentRequired.
func IsPaymentRequired(err error) bool { return hasType(err, ErrorTypePaymentRequired) }

// IsNotFound reports whether err, or an error that it wraps, is an asteroid.NotFound.
func IsNotFound(err error) bool { return hasType(err, ErrorTypeNotFound) }

// IsAtCapacity reports whether err, or an error that it wraps, is an asteroid.AtCapacity.
func IsAtCapacity(err error) bool { return hasType(err, ErrorTypeAtCapacity) }

// IsRateLimited reports whether err, or an error that it wraps, is an asteroid.RateLimited.
func IsRateLimited(err error) bool { return hasType(err, ErrorTypeRateLimited) }

// IsUnavailable reports whether err, or an error that it wraps, is an asteroid.Unavailable.
func IsUnavailable(err error) bool { return hasType(err, ErrorTypeUnavailable) }

// IsStagedFileExpired reports whether err, or an error that it wraps, is an asteroid.StagedFileExpired.
func IsStagedFileExpired(err error) bool { return hasType(err, ErrorTypeStagedFileExpired) }

// IsStillRunning reports whether err, or an error that it wraps, is an asteroid.StillRunning.
func IsStillRunning(err error) bool { return hasType(err, ErrorTypeStillRunning) }

// IsUnknownStatus reports whether err, or an error that it wraps, is an asteroid.UnknownStatus.
func IsUnknownStatus(err error) bool { return hasType(err, ErrorTypeUnknownStatus) }

// IsExecutionFailed reports whether err, or an error that it wraps, is an asteroid.ExecutionFailed.
func IsExecutionFailed(err error) bool { return hasType(err, ErrorTypeExecutionFailed) }

// IsExecutionCancelled reports whether err, or an error that it wraps, is an asteroid.ExecutionCancelled.
func IsExecutionCancelled(err error) bool { return hasType(err, ErrorTypeExecutionCancelled) }

// IsExecutionTimedOut reports whether err, or an error that it wraps, is an asteroid.ExecutionTimedOut.
func IsExecutionTimedOut(err error) bool { return hasType(err, ErrorTypeExecutionTimedOut) }

// hasType looks at every ApplicationError in the chain: one of ours may be the cause of one of the user's.
func hasType(err error, errorType string) bool {
	_, ok := findError(err, func(e *temporal.ApplicationError) bool { return e.Type() == errorType })
	return ok
}

func findError(err error, match func(*temporal.ApplicationError) bool) (*temporal.ApplicationError, bool) {
	for err != nil {
		var app *temporal.ApplicationError
		if !errors.As(err, &app) {
			return nil, false
		}
		if match(app) {
			return app, true
		}
		err = app.Unwrap()
	}
	return nil, false
}

// ErrorDetails are the details of every error of this package. They never hold the API key, inputs or file contents.
type ErrorDetails struct {
	// Operation is the API's operation id, such as AgentExecutePost; empty when nothing was to be sent.
	Operation string `json:"operation,omitempty"`
	// HTTPStatus is 0 when no answer came.
	HTTPStatus int `json:"httpStatus,omitempty"`
	// RequestID is what to quote to the vendor's support.
	RequestID string `json:"requestId,omitempty"`
	// ExecutionID is set whenever the error is about a certain execution.
	ExecutionID string `json:"executionId,omitempty"`
	// ExecutionKey is set when the outcome of an execute is not known: the value of the metadata
	// temporal_execution_key that finds the execution, if there is one.
	ExecutionKey string `json:"executionKey,omitempty"`
	// UnknownOutcomes counts the requests of a failed execute that may have started an agent; 0 where nothing was started for sure.
	UnknownOutcomes int `json:"unknownOutcomes,omitempty"`
	// Status is the execution's status where the error is about that.
	Status Status `json:"status,omitempty"`
	// Execution is the whole execution in an asteroid.ExecutionFailed, ExecutionCancelled or ExecutionTimedOut.
	Execution *Execution `json:"execution,omitempty"`
	// Field names the input field that broke a rule, such as executionOptions.softTimeoutMins.
	Field string `json:"field,omitempty"`
	// Parameters are those that the service rejected, when it says which.
	Parameters []ParameterError `json:"parameters,omitempty"`
	// ProblemType, Reason, Capability, Used and Limit repeat members of the service's own error body.
	ProblemType string `json:"problemType,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Capability  string `json:"capability,omitempty"`
	Used        *int   `json:"used,omitempty"`
	Limit       *int   `json:"limit,omitempty"`
}

// ParameterError is a parameter that the service rejected.
type ParameterError struct {
	Parameter string `json:"parameter"`
	Detail    string `json:"detail"`
}

// DetailsOf returns the details of the outermost error of this package in err's chain, or of a CanceledError with which
// workflows.RunAgent ended. It reports false when there is none.
func DetailsOf(err error) (ErrorDetails, bool) {
	var details ErrorDetails
	app, ok := findError(err, func(e *temporal.ApplicationError) bool { return strings.HasPrefix(e.Type(), "asteroid.") })
	if ok && app.HasDetails() && app.Details(&details) == nil {
		return details, true
	}
	var cancelled *temporal.CanceledError
	if errors.As(err, &cancelled) && cancelled.HasDetails() && cancelled.Details(&details) == nil {
		return details, true
	}
	return ErrorDetails{}, false
}

// invalid is the error for an input that breaks a rule. It names the field and the rule, and says so before anything
// is sent.
func NewInvalidInput(field, rule string) error {
	return temporal.NewApplicationErrorWithOptions(field+": "+rule, ErrorTypeInvalidInput, temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Details:      []any{ErrorDetails{Field: field}},
	})
}
