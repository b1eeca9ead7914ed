package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
)

// Error is a request that failed: not sent, not answered, rejected, or answered with something that
// the contract does not allow.
type Error struct {
	Operation
	Connection string
	Status     int    // the HTTP status; 0 without a usable response
	Message    string // what the service or the network reported, without the key
	Cause      error  // what the network reported
	RetryAfter time.Duration
	NeverSent  bool // the service certainly saw nothing of the request
	// Malformed is the SHA-256 of a response that begins and ends like JSON of the contract but is
	// none, in hex. Two reads with one digest got the same response.
	Malformed   string
	contentType string
	requestID   string
	problem     problem

	// UnknownOutcomes counts earlier requests that may have started an agent. ExecutionKey is the
	// metadata that finds those agents. The caller sets both.
	UnknownOutcomes int
	LastUnknown     time.Time
	ExecutionKey    string
}

// errorf returns an error of an answered request.
func (c *Client) errorf(op Operation, format string, args ...any) *Error {
	return &Error{Operation: op, Connection: c.Name, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	message := e.Message
	if e.Status != 0 {
		message = strings.TrimRight(fmt.Sprintf("%d %s: %s", e.Status, http.StatusText(e.Status), message), ": ")
	}
	if e.subject != "" {
		return fmt.Sprintf("%s (%s): %s", e.purpose(), e.subject, message)
	}
	return e.purpose() + ": " + message
}

func (e *Error) Unwrap() error { return e.Cause }

// Outcome is what a failed request did at the service.
type Outcome int

// The outcomes.
const (
	OutcomeUnknown   Outcome = iota // the service may have carried out the request
	OutcomeRejected                 // the service created nothing
	OutcomeNeverSent                // the service did not see the request
)

// Outcome classifies the request. A 4xx other than 408 is rejected. A 408, 3xx, 5xx or missing
// response is unknown.
func (e *Error) Outcome() Outcome {
	switch {
	case e.NeverSent:
		return OutcomeNeverSent
	case e.Status >= 400 && e.Status < 500 && e.Status != http.StatusRequestTimeout:
		return OutcomeRejected
	default:
		return OutcomeUnknown
	}
}

// HasStatus reports whether err is an [*Error] with one of the HTTP statuses.
func HasStatus(err error, statuses ...int) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && slices.Contains(statuses, failed.Status)
}

// rejected reports whether the service rejected a request for another reason than its rate limit.
func rejected(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && failed.Outcome() == OutcomeRejected && failed.Status != http.StatusTooManyRequests
}

// LostTempFiles reports whether the service rejected an execute because it no longer has a staged
// file. The API does not document that error. An error of the parameter tempFiles counts, and so
// does a message that names staged files and says that they are gone.
func (e *Error) LostTempFiles() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity:
	default:
		return false
	}
	for _, p := range e.problem.parameters {
		if strings.HasPrefix(strings.ToLower(p.Parameter), "tempfiles") {
			return true
		}
	}
	message := strings.ToLower(e.Message)
	has := func(phrase string) bool { return strings.Contains(message, phrase) }
	return slices.ContainsFunc([]string{"temp file", "tempfile", "temporary file", "staged file"}, has) &&
		slices.ContainsFunc([]string{"expired", "not found", "unknown", "not exist", "no longer", "already", "used"}, has)
}

// maxMessage bounds in bytes what an error repeats of a response.
const maxMessage = 500

// problem holds the members of an error body that errors repeat.
type problem struct {
	kind, reason, capability string
	used, limit              *int
	parameters               []asteroid.ParameterError
}

// maxParameters bounds what an error repeats of rejected parameters.
const maxParameters = 10

// decodeErrorBody reads an error body of any documented form: JSON with message (and the members of
// RFC 9457), JSON with error, quoted text, plain text. It returns the message and the members, if
// any. clean is called for each string, after it was decoded.
func decodeErrorBody(contentType string, raw []byte, clean func(string) string) (string, problem) {
	var p problem
	var message string
	body, err := splitObject(raw)
	switch {
	case err == nil:
		message = cmp.Or(body.text("message"), body.text("error"), body.text("detail"), body.text("title"))
		p = problem{
			kind: clean(body.text("type")), reason: clean(body.text("reason")), capability: clean(body.text("capability")),
			used: body.count("used"), limit: body.count("limit"),
		}
		rejected := body.objects("errors")
		for _, e := range rejected[:min(len(rejected), maxParameters)] {
			parameter := asteroid.ParameterError{Parameter: clean(e.text("parameter")), Detail: clean(e.text("detail"))}
			message += fmt.Sprintf("; %s: %s", parameter.Parameter, parameter.Detail)
			p.parameters = append(p.parameters, parameter)
		}
	case json.Unmarshal(raw, &message) == nil:
	case strings.Contains(contentType, "html"):
		message = "an HTML page, probably from a gateway"
	default:
		message = string(raw)
	}
	return clean(message), p
}

// Details returns the error's details as workflows see them.
func (e *Error) Details() asteroid.ErrorDetails {
	return asteroid.ErrorDetails{
		Operation:       e.Name,
		HTTPStatus:      e.Status,
		RequestID:       e.requestID,
		ExecutionID:     e.executionID,
		UnknownOutcomes: e.UnknownOutcomes, LastUnknown: e.LastUnknown,
		ExecutionKey: e.ExecutionKey,
		ProblemType:  e.problem.kind,
		Reason:       e.problem.reason,
		Capability:   e.problem.capability,
		Used:         e.problem.used,
		Limit:        e.problem.limit,
		Parameters:   e.problem.parameters,
	}
}

// notServed reports whether a service does not know the operation: it answers a 404 that is not
// JSON.
func notServed(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && failed.Status == http.StatusNotFound && !strings.Contains(failed.contentType, "json")
}
