package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// activityError turns the error of a call into the activity's: the cancellation if somebody asked
// for one, else the error that the workflow sees. That of a worker that stops is retryable.
func activityError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); temporal.IsCanceledError(cause) {
		return cause
	}
	if failed, ok := errors.AsType[*client.Error](err); ok {
		return applicationError(failed)
	}
	return err
}

// applicationError returns the error that the workflow gets of a failed request.
func applicationError(f *client.Error) error {
	errorType, retry, advice := classify(f)
	options := temporal.ApplicationErrorOptions{NonRetryable: !retry, Details: []any{f.Details()}}
	if retry {
		options.NextRetryDelay = f.RetryAfter
		advice = strings.TrimPrefix(advice+"; it is tried again", "; ")
	}
	return bound.Error(temporal.NewApplicationErrorWithOptions(f.Error()+" ("+advice+")", errorType, options))
}

// classify is the place where an HTTP status becomes an error type, a retry decision and advice.
// Only a 404 of a new execution is judged elsewhere, by forgiveEarlyNotFound.
func classify(f *client.Error) (errorType string, retry bool, advice string) {
	errorType, retry = asteroid.ErrorTypeUnavailable, true
	switch status := f.Status; {
	case errors.Is(f.Cause, client.ErrShortKey):
		errorType, retry, advice = asteroid.ErrorTypeUnauthorized, false, fmt.Sprintf("check the API key of connection %q", f.Connection)
	case errors.Is(f.Cause, client.ErrNoKey):
		advice = fmt.Sprintf("nothing was sent; check the APIKey function of connection %q", f.Connection)
	case status == 0 && f.NeverSent:
		advice = fmt.Sprintf("the service was not reached and nothing was sent; check the base URL of connection %q, the proxy, and that this worker trusts the certificate", f.Connection)
	case errors.Is(f.Cause, client.ErrTooLarge):
		errorType, retry, advice = asteroid.ErrorTypeResultTooLarge, false, "a retry would return the same"
	case status == 0:
		advice = "no usable response came"
	case status == http.StatusUnauthorized:
		errorType, retry, advice = asteroid.ErrorTypeUnauthorized, false, fmt.Sprintf("check the API key of connection %q", f.Connection)
	case status == http.StatusForbidden:
		errorType, retry = asteroid.ErrorTypeUnauthorized, false
		advice = fmt.Sprintf("the API key of connection %q is valid but not allowed to do this: "+
			"perhaps the agent is not shared with it, or belongs to another organization", f.Connection)
	case status == http.StatusPaymentRequired:
		errorType, retry, advice = asteroid.ErrorTypePaymentRequired, false, "check the organization's plan and balance"
	case f.Execute && f.LostTempFiles():
		errorType, retry = asteroid.ErrorTypeStagedFileExpired, false
		advice = "stage the files again and execute with the new handles"
	case status == http.StatusNotFound, status == http.StatusGone:
		errorType, retry = asteroid.ErrorTypeNotFound, false
		advice = "check the id, and that the connection belongs to the organization that owns it"
	case f.Execute && (status == http.StatusConflict || status == http.StatusTooManyRequests):
		errorType = asteroid.ErrorTypeAtCapacity
		advice = "the organization is at its limit of executions, or every profile of the pool is in use"
	case status == http.StatusTooManyRequests:
		errorType = asteroid.ErrorTypeRateLimited
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status >= 500:
	case status >= 400:
		errorType, retry, advice = asteroid.ErrorTypeInvalidInput, false, "correct the input"
	default:
		advice = fmt.Sprintf("the API documents no such response; check the base URL of connection %q", f.Connection)
	}
	return errorType, retry, advice
}

// referenceError returns the error with which an activity fails because of a reference:
// asteroid.Unavailable, NotFound or Unauthorized if the file that it names is the problem,
// asteroid.InvalidInput if the reference itself is wrong.
func referenceError(ctx context.Context, field string, err error) error {
	return transferError(ctx, field, asteroid.ErrorDetails{Field: field}, err)
}

// transferError is referenceError for a file that no input field names.
func transferError(ctx context.Context, what string, details asteroid.ErrorDetails, err error) error {
	if _, failed := errors.AsType[*client.Error](err); failed || ctx.Err() != nil {
		return activityError(ctx, err)
	}
	if final, ok := errors.AsType[*temporal.ApplicationError](err); ok { // its wrapper would have another type
		return final
	}
	cause := &files.Error{Type: asteroid.ErrorTypeInvalidInput}
	errors.As(err, &cause)
	message, retry := text.Prose(err.Error(), budget.ErrorMessage), cause.Type == asteroid.ErrorTypeUnavailable
	if !strings.HasPrefix(message, what) {
		message = what + ": " + message
	}
	if retry {
		message += "; it is tried again"
	}
	return bound.Error(temporal.NewApplicationErrorWithOptions(message, cause.Type, temporal.ApplicationErrorOptions{
		NonRetryable:   !retry,
		NextRetryDelay: cause.RetryAfter,
		Details:        []any{details},
	}))
}

const (
	// replicaLag is how long after its start the service's readers may not know an execution.
	replicaLag = time.Minute
	// tooNewInterval is the time between reads of an execution that is not known yet.
	tooNewInterval = 2 * time.Second
)

// attemptTime returns the time of the attempt, which a later attempt on another machine compares
// with its own. It is the Temporal server's, or that of Options.Now in a test with virtual time,
// which has no server.
func (a *Activities) attemptTime(ctx context.Context) time.Time {
	if a.virtualTime(ctx) {
		return a.now()
	}
	return activity.GetInfo(ctx).StartedTime
}

// waited returns how long an activity has been attempted that is retried at an interval. It needs
// no clock but the Temporal server's. The attempts count where that stands still: in the SDK's test
// environments.
func waited(ctx context.Context, interval time.Duration) time.Duration {
	info := activity.GetInfo(ctx)
	return max(info.StartedTime.Sub(info.ScheduledTime), time.Duration(info.Attempt-1)*interval)
}

// forgiveEarlyNotFound makes a 404 retryable while the execution may be too new to be read.
func (a *Activities) forgiveEarlyNotFound(ctx context.Context, err error) error {
	failed, ok := errors.AsType[*client.Error](err)
	if ok && failed.Status == http.StatusNotFound && waited(ctx, tooNewInterval) < replicaLag {
		return bound.Error(temporal.NewApplicationErrorWithOptions(failed.Error()+" (it may be too new to be read; it is tried again)",
			asteroid.ErrorTypeNotFound, temporal.ApplicationErrorOptions{NextRetryDelay: tooNewInterval, Details: []any{failed.Details()}}))
	}
	return activityError(ctx, err)
}

// stillRunning returns the error of a wait that goes on. It is benign: the SDK logs it at debug
// level and does not count it. The retry policy sets the next attempt if next is 0.
func stillRunning(message string, next time.Duration, details asteroid.ErrorDetails) error {
	return bound.Error(temporal.NewApplicationErrorWithOptions(message, asteroid.ErrorTypeStillRunning, temporal.ApplicationErrorOptions{
		Category: temporal.ApplicationErrorCategoryBenign, NextRetryDelay: next, Details: []any{details},
	}))
}
