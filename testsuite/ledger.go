package testsuite

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"
)

// Execution is what the API knows about an execution, as of when it was asked.
type Execution struct {
	ID             string
	AgentID, Agent string // id and name
	OrganizationID string
	Status         string

	Inputs            map[string]any // numbers are float64; never nil
	Metadata          map[string]string
	Files             []File // staged for it or uploaded to it
	Outputs           []File // that the agent wrote so far
	Messages          []Message
	ParentExecutionID string

	CreatedAt             time.Time
	StartedAt, TerminalAt time.Time // zero until then

	Outcome string          // empty until completed
	Result  json.RawMessage // nil until completed
}

// Request is one request that the API has received.
type Request struct {
	// Operation is the operation id of the contract, Download for a signed link, or empty if nothing is
	// served there.
	Operation    string
	Method, Path string
	// KeyHeader is the header that carried the API key: X-Api-Key in the workflows dialect,
	// X-Asteroid-Agents-Api-Key in the agents dialect. It is empty without a key and names both, with a
	// comma, if both were sent.
	KeyHeader string
	RequestID string // as sent back in X-Request-Id
	Status    int    // of the answer, zero before there is one
	At        time.Time
	// Fault names what was made to go wrong, such as LoseResponse or Answer 429; empty if nothing was. Status is
	// then what carrying the request out came to, even if the client got to see another status or none.
	Fault string
}

// maxRequests bounds the ledger of a server that runs for long.
const maxRequests = 100_000

// record notes each request when it arrives and its status as soon as there is one, gives each answer an id, and
// has go wrong what is to. Faults are drawn in the order of the ledger.
func (s *service) record(next http.Handler, operation func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := &Request{
			Operation: operation(r), Method: r.Method, Path: r.URL.Path, KeyHeader: usedKeyHeader(r.Header), RequestID: newUUID(),
		}
		var fault Fault
		s.locked(func(now time.Time) reply {
			entry.At = now
			fault = s.faults.next(entry.Operation, s.faultOptions)
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

// statusWriter enters the status of an answer into the ledger before the client can see it. Unwrap lets
// http.ResponseController through.
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

// ReadFrom keeps the server's way of sending a file without copying it through this process.
func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) {
	if !w.written {
		w.WriteHeader(http.StatusOK)
	}
	return io.Copy(w.ResponseWriter, r)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
