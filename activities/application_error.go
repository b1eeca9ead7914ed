package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

// ended turns what stopped a call into what the activity returns: a cancellation where somebody asked for one, else the
// error that the workflow sees. A context that ended for another reason (the worker stops) leaves a retryable error.
func activityError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); temporal.IsCanceledError(cause) {
		return cause
	}
	if failed, ok := errors.AsType[*client.Error](err); ok {
		return applicationError(failed)
	}
	return err
}

// applicationError is the one place where an HTTP status becomes an error type and a decision to retry.
func applicationError(f *client.Error) error {
	errorType, retry, advice := asteroid.ErrorTypeUnavailable, true, ""
	switch status := f.Status; {
	case errors.Is(f.Cause, client.ErrNoKey):
		advice = "nothing was sent; it is tried again"
	case status == 0 && f.NeverSent:
		advice = fmt.Sprintf("the service was not reached; check the base URL of connection %q and the network", f.Connection)
	case status == 0:
		advice = "no usable answer came; it is tried again"
	case status == http.StatusUnauthorized:
		errorType, retry = asteroid.ErrorTypeUnauthorized, false
		advice = fmt.Sprintf("check the API key of connection %q", f.Connection)
	case status == http.StatusForbidden:
		errorType, retry = asteroid.ErrorTypeUnauthorized, false
		advice = fmt.Sprintf("the API key of connection %q is valid but may not do this: "+
			"the agent may not be open to it, or it belongs to another organization", f.Connection)
	case status == http.StatusPaymentRequired:
		errorType, retry = asteroid.ErrorTypePaymentRequired, false
		advice = "check the organization's plan and balance"
	case f.Execute && f.LostTempFiles():
		errorType, retry = asteroid.ErrorTypeStagedFileExpired, false
		advice = "stage the files again and execute with the new handles"
	case status == http.StatusNotFound, status == http.StatusGone:
		errorType, retry = asteroid.ErrorTypeNotFound, false
		advice = "check the id, and that the connection belongs to the organization that owns it"
	case f.Execute && (status == http.StatusConflict || status == http.StatusTooManyRequests):
		errorType = asteroid.ErrorTypeAtCapacity
		advice = "the organization is at its limit of executions, or every profile of the pool is in use; it is tried again"
	case status == http.StatusTooManyRequests:
		errorType, advice = asteroid.ErrorTypeRateLimited, "it is tried again"
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status >= 500:
		advice = "it is tried again"
	case status >= 400:
		errorType, retry, advice = asteroid.ErrorTypeInvalidInput, false, "correct the input"
	default:
		advice = fmt.Sprintf("the contract has no such answer; check the base URL of connection %q", f.Connection)
	}
	options := temporal.ApplicationErrorOptions{NonRetryable: !retry, Details: []any{f.Details()}}
	if retry {
		options.NextRetryDelay = f.RetryAfter
	}
	return temporal.NewApplicationErrorWithOptions(f.Error()+" ("+advice+")", errorType, options)
}

// referenceError is what an activity returns for trouble with a reference: asteroid.Unavailable, NotFound or Unauthorized
// where the trouble is with what it names, asteroid.InvalidInput where the reference itself is wrong.
func referenceError(ctx context.Context, field string, err error) error {
	return transferError(ctx, field, asteroid.ErrorDetails{Field: field}, err)
}

// transferError is referenceError for a file that no field of the input names.
func transferError(ctx context.Context, what string, details asteroid.ErrorDetails, err error) error {
	var asked *client.Error
	if ctx.Err() != nil || errors.As(err, &asked) {
		return activityError(ctx, err)
	}
	if final, ok := errors.AsType[*temporal.ApplicationError](err); ok { // with what is around it, it would have another type
		return final
	}
	trouble := &files.Error{Type: asteroid.ErrorTypeInvalidInput}
	errors.As(err, &trouble)
	message, retry := err.Error(), trouble.Type == asteroid.ErrorTypeUnavailable
	if !strings.HasPrefix(message, what) {
		message = what + ": " + message
	}
	if retry {
		message += "; it is tried again"
	}
	return temporal.NewApplicationErrorWithOptions(message, trouble.Type, temporal.ApplicationErrorOptions{
		NonRetryable:   !retry,
		NextRetryDelay: trouble.RetryAfter,
		Details:        []any{details},
	})
}
