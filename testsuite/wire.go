package testsuite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// maxBody bounds a JSON request body.
const maxBody = 4 << 20

const limitReached = "https://docs.asteroid.ai/errors/limit-reached"

// reply is an answer that is built under the lock and written without it, so that a slow reader holds up
// nobody.
type reply struct {
	status   int
	body     any    // JSON, unless nil
	text     string // otherwise text/plain
	location string // for redirects
}

func answer(status int, body any) reply { return reply{status: status, body: body} }

func plain(status int, text string) reply { return reply{status: status, text: text} }

func redirect(status int, location string) reply { return reply{status: status, location: location} }

// problem is an error in the form of the JSON operations. fields name the parameters at fault, if any are.
func problem(status int, message string, fields ...api.FieldError) reply {
	body := api.APIError{
		Code: status, Message: message,
		Type: new("about:blank"), Title: new(http.StatusText(status)), Status: new(status), Detail: new(message),
	}
	if len(fields) > 0 {
		body.Errors = &fields
	}
	return reply{status: status, body: body}
}

// invalid is the 400 for one parameter.
func invalid(parameter, format string, args ...any) reply {
	detail := fmt.Sprintf(format, args...)
	return problem(http.StatusBadRequest, parameter+": "+detail, api.FieldError{Parameter: parameter, Detail: detail})
}

func (re reply) write(w http.ResponseWriter, r *http.Request) {
	switch body := re.body.(type) {
	case nil:
		if re.location != "" {
			w.Header().Set("Location", re.location)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(re.status)
		_, _ = io.WriteString(w, re.text) // an error is the client's going away
	case api.APIError:
		body.Instance = new(r.URL.Path)
		writeJSON(w, re.status, body)
	default:
		writeJSON(w, re.status, body)
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // likewise
}

// decode reads a JSON body into target, which points to a struct of the contract, and refuses what the
// contract does not have. An absent body is refused unless it is optional.
func decode(w http.ResponseWriter, r *http.Request, target any, optional bool) *reply {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		return new(problem(status, fmt.Sprintf("The body cannot be read: %v.", err)))
	}
	if len(raw) == 0 && optional {
		return nil
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return new(problem(http.StatusBadRequest, fmt.Sprintf("The body must be application/json, not %q.", media)))
	}
	if !json.Valid(raw) {
		return new(problem(http.StatusBadRequest, "The body is not valid JSON."))
	}
	if faults := check(raw, target); len(faults) > 0 {
		return new(problem(http.StatusBadRequest, faults[0].Parameter+": "+faults[0].Detail, faults...))
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber() // what comes in goes out again digit by digit
	if err := decoder.Decode(target); err != nil {
		return new(problem(http.StatusBadRequest, fmt.Sprintf("The body does not fit: %v.", err)))
	}
	return nil
}
