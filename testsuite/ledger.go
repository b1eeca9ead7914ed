package testsuite

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"
)

// Execution is a snapshot of an execution.
type Execution struct {
	ID             string
	AgentID, Agent string // its id and its name
	OrganizationID string
	Status         string

	Inputs            map[string]any // numbers are float64; never nil
	Metadata          map[string]string
	Files             []File // staged for it or uploaded to it
	Outputs           []File // written by the agent so far
	Messages          []Message
	ParentExecutionID string
	AgentProfileID    string // the one that it ran with; empty for none

	CreatedAt             time.Time
	StartedAt, TerminalAt time.Time // zero until then

	Outcome string          // empty until completed
	Result  json.RawMessage // nil until completed
}

// Request is one request that the API received.
type Request struct {
	// Operation is the operation id of the contract. It is Download for a signed link, and empty
	// for a route that does not exist.
	Operation    string
	Method, Path string
	// KeyHeader is the header that carried the API key: X-Api-Key in the workflows dialect,
	// X-Asteroid-Agents-Api-Key in the agents dialect. It is empty without a key. If both were
	// sent, it names both, separated by a comma.
	KeyHeader string
	RequestID string // as sent back in X-Request-Id
	Status    int    // of the response, zero until then
	At        time.Time
	// Fault names the injected fault, such as LoseResponse or Answer 429. It is empty without one.
	// With a fault, Status is the result of carrying the request out, even if the client received
	// another status or none.
	Fault string
}

// maxRequests bounds the ledger of a server that runs for long.
const maxRequests = 100_000

// recordRequests adds each request to the ledger when it arrives, and its status before the client
// sees it. It sets X-Request-Id and applies the request's fault. Faults are drawn in the order of
// the ledger.
func (s *service) recordRequests(next http.Handler, operation func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := &Request{
			Operation: operation(r), Method: r.Method, Path: r.URL.Path, KeyHeader: usedKeyHeader(r.Header), RequestID: newUUID(),
		}
		var fault Fault
		s.locked(func(now time.Time) reply {
			entry.At = now
			fault = s.faults.next(entry.Operation, entry.Path, s.faultOptions)
			entry.Fault = fault.name
			if s.requests = append(s.requests, entry); len(s.requests) > 2*maxRequests {
				s.requests = slices.Clone(s.requests[maxRequests:])
			}
			return reply{}
		})
		w.Header().Set("X-Request-Id", entry.RequestID)
		fault.apply(s, entry, w, r, next)
	})
}

// statusWriter records the status of a response before the client can see it. Unwrap gives
// http.ResponseController access to the connection.
type statusWriter struct {
	http.ResponseWriter
	service *service
	entry   *Request
	written bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.written {
		w.written = true
		w.service.mu.Lock()
		w.entry.Status = status
		w.service.mu.Unlock()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(content []byte) (int, error) {
	if !w.written {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(content)
}

// ReadFrom lets the server send a file without copying it through this process.
func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) {
	if !w.written {
		w.WriteHeader(http.StatusOK)
	}
	return io.Copy(w.ResponseWriter, r)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
