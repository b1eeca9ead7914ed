package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const (
	startCheckTimeout = 15 * time.Second
	keyCheckTimeout   = 2 * time.Second
)

// Check asks the service of each connection once whether the connection can be used. See Check of
// package worker.
func Check(ctx context.Context, options Options) error {
	a, err := New(options)
	if err != nil {
		return err
	}
	noAnswer := fmt.Errorf("no answer within %s", startCheckTimeout)
	return a.eachConnection(ctx, startCheckTimeout, func(ctx context.Context, c *client.Client) error {
		defer c.CloseIdle()
		return c.Check(ctx)
	}, func(name string) error {
		return &client.Error{Connection: name, Message: noAnswer.Error(), Cause: noAnswer}
	})
}

// MissingKeys joins an error for each connection whose APIKey function returns no usable key. It
// sends nothing. A function that does not return within two seconds is not counted among them.
func (a *Activities) MissingKeys(ctx context.Context) error {
	return a.eachConnection(ctx, keyCheckTimeout, func(ctx context.Context, c *client.Client) error {
		if err := c.CheckKey(ctx); ctx.Err() == nil {
			return err
		}
		return nil
	}, func(string) error { return nil })
}

// eachConnection calls check for all connections at once and joins their errors in the order of
// their names, one line each. It returns when the time is over, whatever an APIKey function does;
// late returns the error of a check that is not over by then.
func (a *Activities) eachConnection(
	ctx context.Context, timeout time.Duration, check func(context.Context, *client.Client) error, late func(name string) error,
) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	names := slices.Sorted(maps.Keys(a.connections))
	results := make([]chan error, len(names))
	for i, name := range names {
		results[i] = make(chan error, 1)
		go func() { results[i] <- check(ctx, a.connections[name]) }()
	}
	errs := make([]error, len(names))
	for i, name := range names {
		select {
		case errs[i] = <-results[i]:
		case <-ctx.Done():
			select {
			case errs[i] = <-results[i]: // there was an answer while another connection was awaited
			default:
				errs[i] = late(name)
			}
		}
		errs[i] = connectionError(name, errs[i])
	}
	return errors.Join(errs...)
}

// connectionError returns the error of a check in one line, with its type and with what to do.
func connectionError(name string, err error) error {
	if err == nil {
		return nil
	}
	errorType, problem := asteroid.ErrorTypeOf(err), err.Error()
	details, _ := asteroid.DetailsOf(err)
	if failed, ok := errors.AsType[*client.Error](err); ok {
		details = failed.Details()
		errorType, problem = describeFailedCheck(failed)
	} else if invalid, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		problem = strings.TrimPrefix(invalid.Message(), "connection: ")
	}
	return temporal.NewNonRetryableApplicationError(text.Line(fmt.Sprintf("connection %q: %s", name, problem), budget.ErrorMessage),
		cmp.Or(errorType, asteroid.ErrorTypeUnavailable), nil, details)
}

// describeFailedCheck returns the type of a failed request and what to do about it. The advice of
// an activity's error would be wrong: nothing repeats the request, and it is about no agent.
func describeFailedCheck(f *client.Error) (errorType, problem string) {
	errorType, _, _ = classify(f)
	advice := ""
	switch status := f.Status; {
	case errors.Is(f.Cause, client.ErrNoKey):
		return errorType, f.Message
	case f.NeverSent && status == 0:
		advice = "check the base URL, the name service, the proxy, and that this machine trusts the certificate"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		advice = "check the API key, and that it belongs to this service"
	case status == http.StatusPaymentRequired:
		advice = "check the organization's plan and balance"
	case status == http.StatusTooManyRequests, status >= 500:
		advice = "the service is there but does not answer now: try again"
	default: // it does not answer, or whoever answers is not the service
		errorType, advice = asteroid.ErrorTypeUnavailable, "check the base URL, and try again"
	}
	return errorType, strings.TrimPrefix(f.Error(), ": ") + " (" + advice + ")"
}
