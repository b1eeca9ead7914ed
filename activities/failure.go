package activities

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

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

// refused reports whether the service refused a request for good: by a 4xx that does not limit the rate.
func refused(err error) bool {
	failed, ok := errors.AsType[*failure](err)
	return ok && failed.outcome() == outcomeRejected && failed.status != http.StatusTooManyRequests
}

// Bounds for the delay that a Retry-After may ask for: it is honoured, but a wrong one can neither hammer the service
// nor park a workflow for a day.
const (
	minRetryAfter = time.Second
	maxRetryAfter = 10 * time.Minute
)

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
		text = cmp.Or(body.Message, body.Error, value(body.Detail), value(body.Title))
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

// value returns what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Details returns what a workflow is told of the error.
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
