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
	"github.com/temporal-asteroid/asteroid/internal/api"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// failure is a call that did not do what it was to do: not sent, not answered, refused, or answered with something
// that the contract does not promise.
type Error struct {
	Operation
	Connection      string
	Status          int // 0: no answer came
	contentType     string
	Message         string // what the service or the network said, without the key
	body            api.APIError
	requestID       string
	RetryAfter      time.Duration
	NeverSent       bool // certain that the service saw nothing of it
	UnknownOutcomes int  // requests before this one that may have started an agent
	// executionKey finds what they started.
	ExecutionKey string
	Cause        error
}

func (f *Error) Error() string {
	said := f.Message
	if f.Status != 0 {
		said = strings.TrimRight(fmt.Sprintf("%d %s: %s", f.Status, http.StatusText(f.Status), said), ": ")
	}
	if f.subject != "" {
		return fmt.Sprintf("%s (%s): %s", f.Name, f.subject, said)
	}
	return f.Name + ": " + said
}

func (f *Error) Unwrap() error { return f.Cause }

// outcome says what is known of a request that was to create something.
type outcome int

const (
	OutcomeUnknown   outcome = iota // it may have been carried out
	OutcomeRejected                 // nothing was created
	outcomeNeverSent                // nothing was even seen
)

// outcome follows NOTES "Errors": a 4xx but 408 created nothing; every 5xx, 408, 3xx and silence are unknown.
func (f *Error) Outcome() outcome {
	switch {
	case f.NeverSent:
		return outcomeNeverSent
	case f.Status >= 400 && f.Status < 500 && f.Status != http.StatusRequestTimeout:
		return OutcomeRejected
	default:
		return OutcomeUnknown
	}
}

// refused reports whether the service refused a request for good: by a 4xx that does not limit the rate.
func Refused(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && failed.Outcome() == OutcomeRejected && failed.Status != http.StatusTooManyRequests
}

// lostTempFiles reports whether the service refused because it does not have a staged file any more. What it says then
// is not published, so the parameter's name counts, and prose that names the files and says that they are gone.
func (f *Error) LostTempFiles() bool {
	switch f.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity:
	default:
		return false
	}
	if f.body.Errors != nil {
		for _, e := range *f.body.Errors {
			if strings.HasPrefix(strings.ToLower(e.Parameter), "tempfiles") {
				return true
			}
		}
	}
	said := strings.ToLower(f.Message)
	has := func(phrase string) bool { return strings.Contains(said, phrase) }
	return slices.ContainsFunc([]string{"temp file", "tempfile", "temporary file", "staged file"}, has) &&
		slices.ContainsFunc([]string{"expired", "not found", "unknown", "not exist", "no longer", "already", "used"}, has)
}

// maxMessage bounds what is repeated of a service's prose: an HTML page of a gateway tells no more in full.
const maxMessage = 500

// decodeErrorBody reads an error body of any published form: JSON with message (and the members of RFC 9457), JSON
// with error, quoted text, plain text. It returns the text to show and the members, if any.
func decodeErrorBody(contentType string, raw []byte) (string, api.APIError) {
	var body struct {
		api.APIError
		Error string `json:"error"`
	}
	var said string
	switch {
	case json.Unmarshal(raw, &body) == nil:
		said = cmp.Or(body.Message, body.Error, value(body.Detail), value(body.Title))
		if body.Errors != nil {
			for _, e := range *body.Errors {
				said += fmt.Sprintf("; %s: %s", e.Parameter, e.Detail)
			}
		}
	case json.Unmarshal(raw, &said) == nil:
	case strings.Contains(contentType, "html"):
		said = "an HTML page, probably of a gateway"
	default:
		said = string(raw)
	}
	return text.Truncate(strings.ToValidUTF8(strings.TrimSpace(said), ""), maxMessage), body.APIError
}

// value returns what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Details returns what a workflow is told of the error.
func (f *Error) Details() asteroid.ErrorDetails {
	details := asteroid.ErrorDetails{
		Operation:       f.Name,
		HTTPStatus:      f.Status,
		RequestID:       f.requestID,
		ExecutionID:     f.executionID,
		UnknownOutcomes: f.UnknownOutcomes, ExecutionKey: f.ExecutionKey,
		ProblemType: value(f.body.Type),
		Reason:      value(f.body.Reason),
		Capability:  value(f.body.Capability),
		Used:        f.body.Used,
		Limit:       f.body.Limit,
	}
	if f.body.Errors != nil {
		for _, e := range *f.body.Errors {
			details.Parameters = append(details.Parameters, asteroid.ParameterError{Parameter: e.Parameter, Detail: e.Detail})
		}
	}
	return details
}
