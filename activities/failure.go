package activities

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// failure is a call that did not do what it was to do: not sent, not answered, refused, or answered with something
// that the contract does not promise.
type failure struct {
	call
	connection  string
	status      int // 0: no answer came
	contentType string
	message     string // what the service or the network said, without the key
	body        api.APIError
	requestID   string
	retryAfter  time.Duration
	neverSent   bool // certain that the service saw nothing of it
	doubtful    int  // requests before this one that may have started an agent
	// executionKey finds what they started.
	executionKey string
	cause        error
}

func (f *failure) Error() string {
	said := f.message
	if f.status != 0 {
		said = strings.TrimRight(fmt.Sprintf("%d %s: %s", f.status, http.StatusText(f.status), said), ": ")
	}
	if f.subject != "" {
		return fmt.Sprintf("%s (%s): %s", f.operation, f.subject, said)
	}
	return f.operation + ": " + said
}

func (f *failure) Unwrap() error { return f.cause }

// outcome says what is known of a request that was to create something.
type outcome int

const (
	outcomeAmbiguous outcome = iota // it may have been carried out
	outcomeRejected                 // nothing was created
	outcomeNeverSent                // nothing was even seen
)

// outcome follows NOTES "Errors": a 4xx but 408 created nothing; every 5xx, 408, 3xx and silence are unknown.
func (f *failure) outcome() outcome {
	switch {
	case f.neverSent:
		return outcomeNeverSent
	case f.status >= 400 && f.status < 500 && f.status != http.StatusRequestTimeout:
		return outcomeRejected
	default:
		return outcomeAmbiguous
	}
}

// Bounds for the delay that a Retry-After may ask for: it is honoured, but a wrong one can neither hammer the service
// nor park a workflow for a day.
const (
	minRetryAfter = time.Second
	maxRetryAfter = 10 * time.Minute
)

// temporalError is the one place where an HTTP status becomes an error type and a decision to retry.
func (f *failure) temporalError() error {
	errorType, retry, advice := ErrorTypeUnavailable, true, ""
	switch status := f.status; {
	case errors.Is(f.cause, errNoKey):
		advice = "nothing was sent; it is tried again"
	case status == 0 && f.neverSent:
		advice = fmt.Sprintf("the service was not reached; check the base URL of connection %q and the network", f.connection)
	case status == 0:
		advice = "no usable answer came; it is tried again"
	case status == http.StatusUnauthorized:
		errorType, retry = ErrorTypeUnauthorized, false
		advice = fmt.Sprintf("check the API key of connection %q", f.connection)
	case status == http.StatusForbidden:
		errorType, retry = ErrorTypeUnauthorized, false
		advice = fmt.Sprintf("the API key of connection %q is valid but may not do this: "+
			"the agent may not be open to it, or it belongs to another organization", f.connection)
	case status == http.StatusPaymentRequired:
		errorType, retry = ErrorTypePaymentRequired, false
		advice = "check the organization's plan and balance"
	case f.execute && f.lostTempFiles():
		errorType, retry = ErrorTypeStagedFileExpired, false
		advice = "stage the files again and execute with the new handles"
	case status == http.StatusNotFound, status == http.StatusGone:
		errorType, retry = ErrorTypeNotFound, false
		advice = "check the id, and that the connection belongs to the organization that owns it"
	case f.execute && (status == http.StatusConflict || status == http.StatusTooManyRequests):
		errorType = ErrorTypeAtCapacity
		advice = "the organization is at its limit of executions, or every profile of the pool is in use; it is tried again"
	case status == http.StatusTooManyRequests:
		errorType, advice = ErrorTypeRateLimited, "it is tried again"
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status >= 500:
		advice = "it is tried again"
	case status >= 400:
		errorType, retry, advice = ErrorTypeInvalidInput, false, "correct the input"
	default:
		advice = fmt.Sprintf("the contract has no such answer; check the base URL of connection %q", f.connection)
	}
	options := temporal.ApplicationErrorOptions{NonRetryable: !retry, Details: []any{f.details()}}
	if retry {
		options.NextRetryDelay = f.retryAfter
	}
	return temporal.NewApplicationErrorWithOptions(f.Error()+" ("+advice+")", errorType, options)
}

// lostTempFiles reports whether the service refused because it does not have a staged file any more. What it says then
// is not published, so the parameter's name counts, and prose that names the files and says that they are gone.
func (f *failure) lostTempFiles() bool {
	switch f.status {
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
	said := strings.ToLower(f.message)
	has := func(phrase string) bool { return strings.Contains(said, phrase) }
	return slices.ContainsFunc([]string{"temp file", "tempfile", "temporary file", "staged file"}, has) &&
		slices.ContainsFunc([]string{"expired", "not found", "unknown", "not exist", "no longer", "already", "used"}, has)
}

func (f *failure) details() ErrorDetails {
	details := ErrorDetails{
		Operation:   f.operation,
		HTTPStatus:  f.status,
		RequestID:   f.requestID,
		ExecutionID: f.executionID,
		Doubtful:    f.doubtful, ExecutionKey: f.executionKey,
		ProblemType: value(f.body.Type),
		Reason:      value(f.body.Reason),
		Capability:  value(f.body.Capability),
		Used:        f.body.Used,
		Limit:       f.body.Limit,
	}
	if f.body.Errors != nil {
		for _, e := range *f.body.Errors {
			details.Parameters = append(details.Parameters, ParameterError{Parameter: e.Parameter, Detail: e.Detail})
		}
	}
	return details
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
	var text string
	switch {
	case json.Unmarshal(raw, &body) == nil:
		text = first(body.Message, body.Error, value(body.Detail), value(body.Title))
		if body.Errors != nil {
			for _, e := range *body.Errors {
				text += fmt.Sprintf("; %s: %s", e.Parameter, e.Detail)
			}
		}
	case json.Unmarshal(raw, &text) == nil:
	case strings.Contains(contentType, "html"):
		text = "an HTML page, probably of a gateway"
	default:
		text = string(raw)
	}
	text = strings.ToValidUTF8(strings.TrimSpace(text), "")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text, body.APIError
}

// retryAfter reads how long the service asks to be left alone: retry-after-ms, or Retry-After in seconds or as a date.
// 0 means that it does not ask.
func retryAfter(header http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil {
		return bounded(ms * float64(time.Millisecond))
	}
	asked := header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(asked, 64); err == nil {
		return bounded(seconds * float64(time.Second))
	}
	if date, err := http.ParseTime(asked); err == nil {
		return bounded(float64(date.Sub(now)))
	}
	return 0
}

// bounded makes a delay of nanoseconds that were asked for; 0 when nothing sensible was.
func bounded(nanoseconds float64) time.Duration {
	if !(nanoseconds > 0) { // not a number, too
		return 0
	}
	return max(minRetryAfter, time.Duration(min(nanoseconds, float64(maxRetryAfter))))
}

// first returns the first string that is not empty.
func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// value returns what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
