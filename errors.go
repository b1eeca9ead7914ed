package asteroid

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
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
	ErrorTypePermitRequired     = "asteroid.PermitRequired"
	ErrorTypePermitLost         = "asteroid.PermitLost"
	ErrorTypeLimiterFull        = "asteroid.LimiterFull"
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

// IsPermitRequired reports whether err, or an error that it wraps, is an asteroid.PermitRequired.
func IsPermitRequired(err error) bool { return hasType(err, ErrorTypePermitRequired) }

// IsPermitLost reports whether err, or an error that it wraps, is an asteroid.PermitLost.
func IsPermitLost(err error) bool { return hasType(err, ErrorTypePermitLost) }

// IsLimiterFull reports whether err, or an error that it wraps, is an asteroid.LimiterFull.
func IsLimiterFull(err error) bool { return hasType(err, ErrorTypeLimiterFull) }

// hasType reports whether any ApplicationError in the chain has the type: an error of this package
// may be the cause of an error of the user's, or joined to one.
func hasType(err error, errorType string) bool {
	app, ok := err.(*temporal.ApplicationError) //nolint:errorlint // the others are looked at one by one
	return ok && app.Type() == errorType || slices.ContainsFunc(unwrap(err), func(inner error) bool { return hasType(inner, errorType) })
}

// ErrorTypeOf returns the type of the outermost asteroid error in err's chain, such as
// asteroid.NotFound, and nothing if there is none. Of joined errors, one about an execution counts
// before the others.
func ErrorTypeOf(err error) string {
	app := outermost(err)
	if app == nil {
		return ""
	}
	return app.Type()
}

// outermost returns the error that [ErrorTypeOf] is about, or nil.
func outermost(err error) *temporal.ApplicationError {
	app, ok := err.(*temporal.ApplicationError) //nolint:errorlint // the others are looked at one by one
	if ok && strings.HasPrefix(app.Type(), "asteroid.") {
		return app
	}
	var first *temporal.ApplicationError
	for _, inner := range unwrap(err) {
		found := outermost(inner)
		if found != nil && aboutExecution(found) {
			return found
		}
		first = cmp.Or(first, found)
	}
	return first
}

// aboutExecution reports whether an error names an execution, or may have started one.
func aboutExecution(err *temporal.ApplicationError) bool {
	details, _ := decodeDetails(err.Details)
	return details.ExecutionID != "" || details.UnknownOutcomes > 0
}

// unwrap returns the errors that err wraps directly.
func unwrap(err error) []error {
	switch wrapper := err.(type) { //nolint:errorlint // this is what errors.As is made of
	case interface{ Unwrap() []error }:
		return wrapper.Unwrap()
	case interface{ Unwrap() error }:
		if inner := wrapper.Unwrap(); inner != nil {
			return []error{inner}
		}
	}
	return nil
}

// DetailsOf returns the details of the error that [ErrorTypeOf] is about, else those of the
// CanceledError with which workflows.RunAgent ended. It reports false when there are none.
func DetailsOf(err error) (ErrorDetails, bool) {
	if app := outermost(err); app != nil {
		if details, ok := decodeDetails(app.Details); ok {
			return details, true
		}
	}
	var cancelled *temporal.CanceledError
	if errors.As(err, &cancelled) && cancelled.HasDetails() {
		return decodeDetails(cancelled.Details)
	}
	return ErrorDetails{}, false
}

// decodeDetails reports false for details of another type. Of an error that was made in this
// process, and not decoded, the SDK panics when the details have another Go type.
func decodeDetails(decode func(...any) error) (details ErrorDetails, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if decode(&details) != nil {
		return ErrorDetails{}, false
	}
	return details, true
}

// NewInvalidInput returns an asteroid.InvalidInput, which is final, with the field in its details.
// Its message is the field, a colon and the rule that the field breaks, cut at 1000 bytes. It
// exists for the other packages of this module.
func NewInvalidInput(field, rule string) error {
	field = text.Line(field, budget.Name)
	return temporal.NewApplicationErrorWithOptions(
		text.Prose(field+": "+rule, budget.ErrorMessage), ErrorTypeInvalidInput,
		temporal.ApplicationErrorOptions{
			NonRetryable: true,
			Details:      []any{ErrorDetails{Field: field}},
		})
}
