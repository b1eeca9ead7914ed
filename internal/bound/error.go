package bound

import (
	"errors"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// wrapping is what a failure adds to the texts in it: type, encoding, field tags.
const wrapping = 200

// Error returns an ApplicationError of an asteroid type so that message, details and causes
// together have at most budget.Error bytes, encoded. It returns any other error unchanged.
func Error(err error) error {
	app, ok := err.(*temporal.ApplicationError) //nolint:errorlint // a wrapper around it is the caller's own error
	if !ok || asteroid.ErrorTypeOf(err) != app.Type() || errorSize(err) <= budget.Error {
		return err
	}
	options := temporal.ApplicationErrorOptions{
		NonRetryable: app.NonRetryable(), Category: app.Category(), NextRetryDelay: app.NextRetryDelay(), Cause: app.Unwrap(),
	}
	message := text.Prose(app.Message(), budget.ErrorMessage)
	details, hasDetails := asteroid.DetailsOf(err)
	room := budget.Error - wrapping - len(message)
	if options.Cause != nil {
		if size := errorSize(options.Cause); size > room-min(Size(details), room/2) {
			options.Cause = shorten(options.Cause)
		}
		room -= errorSize(options.Cause)
	}
	if hasDetails {
		details = Details(details, room)
		options.Details = []any{details}
		room -= Size(details)
	}
	if room < 0 { // an execution key may have 1500 bytes
		message = text.Prose(message, max(len(message)+room, budget.ErrorCauseText))
	}
	return temporal.NewApplicationErrorWithOptions(message, app.Type(), options)
}

// Final returns the message of an error that is final now without what retryable errors say.
func Final(message string) string {
	return strings.NewReplacer(" (it is tried again)", "", "; it is tried again", "").Replace(message)
}

// errorSize returns the size of an error in history.
func errorSize(err error) int {
	return temporal.GetDefaultFailureConverter().ErrorToFailure(err).Size()
}

// shorten returns a cause without details and without causes of its own. It keeps the type.
func shorten(cause error) error {
	message := text.Prose(cause.Error(), budget.ErrorCauseText)
	app, ok := errors.AsType[*temporal.ApplicationError](cause)
	if !ok {
		return errors.New(message)
	}
	return temporal.NewApplicationErrorWithOptions(message, app.Type(), temporal.ApplicationErrorOptions{NonRetryable: app.NonRetryable()})
}

// Details returns the details with at most limit bytes in JSON. What identifies the execution is
// kept to the last; the texts of the service go first.
func Details(d asteroid.ErrorDetails, limit int) asteroid.ErrorDetails {
	for _, reduce := range detailReductions {
		if Size(d) <= limit {
			break
		}
		d = reduce(d)
	}
	return d
}

// detailReductions leave out more and more.
var detailReductions = []func(asteroid.ErrorDetails) asteroid.ErrorDetails{
	func(d asteroid.ErrorDetails) asteroid.ErrorDetails {
		d.Execution = reduceExecution(d.Execution, 600)
		return shortenDetails(d, 400, 5)
	},
	func(d asteroid.ErrorDetails) asteroid.ErrorDetails {
		d.Execution = reduceExecution(d.Execution, 150)
		return shortenDetails(d, 100, 1)
	},
	func(d asteroid.ErrorDetails) asteroid.ErrorDetails {
		if e := d.Execution; e != nil {
			d.Execution = &asteroid.Execution{
				ExecutionID: e.ExecutionID, AgentID: e.AgentID, Status: e.Status, CreatedAt: e.CreatedAt, Reason: text.Prose(e.Reason, 100),
			}
		}
		return shortenDetails(d, 50, 0)
	},
	func(d asteroid.ErrorDetails) asteroid.ErrorDetails {
		return asteroid.ErrorDetails{
			Operation: d.Operation, HTTPStatus: d.HTTPStatus, ExecutionID: d.ExecutionID, ExecutionKey: d.ExecutionKey,
			UnknownOutcomes: d.UnknownOutcomes, Status: d.Status, Field: d.Field,
		}
	},
}

// reduceExecution returns an execution without its result, and with shorter texts.
func reduceExecution(e *asteroid.Execution, limit int) *asteroid.Execution {
	if e == nil {
		return nil
	}
	reduced := *e
	OmitResult(&reduced)
	if r := reduced.ExecutionResult; r != nil {
		short := *r
		short.Reasoning = text.Prose(short.Reasoning, limit)
		reduced.ExecutionResult = &short
	}
	reduced.Reason, reduced.Questions = text.Prose(e.Reason, limit), Questions(e.Questions, limit)
	reduced.ScriptFailures = slices.Clone(e.ScriptFailures[:min(len(e.ScriptFailures), 2)])
	for i := range reduced.ScriptFailures {
		f := &reduced.ScriptFailures[i]
		f.Node, f.Script, f.Error = text.Line(f.Node, limit/6), text.Line(f.Script, limit/6), text.Prose(f.Error, limit/3)
	}
	for _, address := range []*string{&reduced.PlatformURL, &reduced.LiveViewURL, &reduced.RecordingURL} {
		*address = URL(*address, limit/2)
	}
	return &reduced
}

// shortenDetails shortens what the service or the caller wrote, and keeps so many parameters.
func shortenDetails(d asteroid.ErrorDetails, limit, parameters int) asteroid.ErrorDetails {
	for _, t := range []*string{&d.Operation, &d.RequestID, &d.Field, &d.ProblemType, &d.Reason, &d.Capability} {
		*t = text.Prose(*t, limit)
	}
	d.Status = asteroid.Status(text.Prose(string(d.Status), limit))
	var kept []asteroid.ParameterError
	for _, p := range d.Parameters[:min(len(d.Parameters), parameters)] {
		kept = append(kept, asteroid.ParameterError{Parameter: text.Prose(p.Parameter, 50), Detail: text.Prose(p.Detail, 100)})
	}
	d.Parameters = kept
	return d
}
