package testsuite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

const limitReached = "https://docs.asteroid.ai/errors/limit-reached"

// reply is a response that is built under the lock and written without it, so that a slow client
// blocks nobody.
type reply struct {
	status   int
	body     any    // JSON, unless nil
	text     string // otherwise text/plain
	location string // for redirects
	results  deepResults
}

func answer(status int, body any) reply { return reply{status: status, body: body} }

func plain(status int, text string) reply { return reply{status: status, text: text} }

func redirect(status int, location string) reply { return reply{status: status, location: location} }

// problem returns an error response of the JSON operations. fields are the parameters at fault.
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

// invalid returns the 400 for one parameter.
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
		_, _ = io.WriteString(w, re.text) // fails only when the client is gone
	case api.APIError:
		body.Instance = new(r.URL.Path)
		writeJSON(w, re.status, body, nil)
	default:
		writeJSON(w, re.status, body, re.results)
	}
}

func writeJSON(w http.ResponseWriter, status int, body any, results deepResults) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	var encoded bytes.Buffer
	if err := json.NewEncoder(&encoded).Encode(body); err != nil {
		panic(err) // every body is of types of the contract, and deep results are left out
	}
	_, _ = w.Write(results.insert(encoded.Bytes())) // fails only when the client is gone
}
