package clienttest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// handClock is a clock that only a test moves.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func NewClock() *Clock { return &Clock{now: time.Now()} }

// wire counts requests, and lets a test answer in the service's place.
type Wire struct {
	mu     sync.Mutex
	counts map[string]int // "list", "get", and the methods
	answer func(kind string, r *http.Request) *http.Response
}

func NewWire() *Wire { return &Wire{counts: map[string]int{}} }

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

// taken returns how many requests of a kind there were since the last call.
func (w *Wire) Taken(kind string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.counts[kind]
	w.counts[kind] = 0
	return n
}

func (w *Wire) Answer(answer func(kind string, r *http.Request) *http.Response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

func Reply(status int, body any, header ...string) *http.Response {
	raw, _ := json.Marshal(body)
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(raw))}
}

var EmptyPage = map[string]any{"items": []any{}, "page": 1, "pageSize": 100, "total": 0}
