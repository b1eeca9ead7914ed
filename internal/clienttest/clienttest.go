// Package clienttest helps to test what uses package client: [Clock] is a clock that a test
// advances, [Wire] a transport that counts requests and can answer them in the service's place.
package clienttest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Clock is a clock that only a test advances.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that starts at the current time.
func NewClock() *Clock { return &Clock{now: time.Now()} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Wire is a transport to a fake API.
type Wire struct {
	mu     sync.Mutex
	counts map[string]int // by kind and by method
	answer func(kind string, r *http.Request) *http.Response
}

// NewWire returns a wire that forwards every request.
func NewWire() *Wire { return &Wire{counts: map[string]int{}} }

// RoundTrip implements [http.RoundTripper].
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	kind := ""
	if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/executions") {
		kind = "get"
		if strings.HasSuffix(r.URL.Path, "/executions") {
			kind = "list"
		}
	}
	w.mu.Lock()
	w.counts[kind]++
	w.counts[r.Method]++
	answer := w.answer
	w.mu.Unlock()
	if answer != nil {
		if response := answer(kind, r); response != nil {
			return response, nil
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// Take returns the number of requests since its last call: of a kind ("list" for a list of
// executions, "get" for a read of one), or of an HTTP method.
func (w *Wire) Take(kind string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.counts[kind]
	w.counts[kind] = 0
	return n
}

// Answer sets the function that answers requests, nil for none. It gets the request's kind, may
// change the request, and returns nil to forward it.
func (w *Wire) Answer(answer func(kind string, r *http.Request) *http.Response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

// Reply returns a response with a JSON body and with headers, each a name followed by its value.
func Reply(status int, body any, header ...string) *http.Response {
	raw, _ := json.Marshal(body)
	return ReplyText(status, string(raw), header...)
}

// ReplyText is Reply for a body that need not be JSON.
func ReplyText(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// EmptyPage is the body of a list without executions.
var EmptyPage = map[string]any{"items": []any{}, "page": 1, "pageSize": 100, "total": 0}
