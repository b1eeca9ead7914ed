package asteroid

import (
	"errors"
	"strings"

	"go.temporal.io/sdk/temporal"
)

// The error types. The package comment says when each occurs and which are retried. A retry policy
// names them in NonRetryableErrorTypes.
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
	ErrorTypeResultTooLarge     = "asteroid.ResultTooLarge"
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

// IsStagedFileExpired reports whether err, or an error that it wraps, is an
// asteroid.StagedFileExpired.
func IsStagedFileExpired(err error) bool { return hasType(err, ErrorTypeStagedFileExpired) }

// IsStillRunning reports whether err, or an error that it wraps, is an asteroid.StillRunning.
func IsStillRunning(err error) bool { return hasType(err, ErrorTypeStillRunning) }

// IsUnknownStatus reports whether err, or an error that it wraps, is an asteroid.UnknownStatus.
func IsUnknownStatus(err error) bool { return hasType(err, ErrorTypeUnknownStatus) }

// IsExecutionFailed reports whether err, or an error that it wraps, is an asteroid.ExecutionFailed.
func IsExecutionFailed(err error) bool { return hasType(err, ErrorTypeExecutionFailed) }

// IsExecutionCancelled reports whether err, or an error that it wraps, is an
// asteroid.ExecutionCancelled.
func IsExecutionCancelled(err error) bool { return hasType(err, ErrorTypeExecutionCancelled) }

// IsExecutionTimedOut reports whether err, or an error that it wraps, is an
// asteroid.ExecutionTimedOut.
func IsExecutionTimedOut(err error) bool { return hasType(err, ErrorTypeExecutionTimedOut) }

// IsResultTooLarge reports whether err, or an error that it wraps, is an asteroid.ResultTooLarge.
func IsResultTooLarge(err error) bool { return hasType(err, ErrorTypeResultTooLarge) }

// hasType reports whether any ApplicationError in the chain has the type: an error of this package
// may be the cause of an error of the user's.
func hasType(err error, errorType string) bool {
	_, ok := findError(err, func(candidate string) bool { return candidate == errorType })
	return ok
}

// ErrorTypeOf returns the type of the outermost asteroid error in err's chain, such as
// asteroid.NotFound, and nothing if there is none.
func ErrorTypeOf(err error) string {
	app, ok := findError(err, isAsteroidType)
	if !ok {
		return ""
	}
	return app.Type()
}

func isAsteroidType(errorType string) bool { return strings.HasPrefix(errorType, "asteroid.") }

// findError returns the outermost ApplicationError in the chain whose type matches.
func findError(err error, match func(errorType string) bool) (*temporal.ApplicationError, bool) {
	for err != nil {
		var app *temporal.ApplicationError
		if !errors.As(err, &app) {
			return nil, false
		}
		if match(app.Type()) {
			return app, true
		}
		err = app.Unwrap()
	}
	return nil, false
}
