package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// handClock is a clock that only a test moves.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock() *handClock { return &handClock{now: time.Now()} }

// wire counts requests, and lets a test answer in the service's place.
type wire struct {
	mu     sync.Mutex
	counts map[string]int // "list", "get", and the methods
	answer func(kind string, r *http.Request) *http.Response
}

func newWire() *wire { return &wire{counts: map[string]int{}} }

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
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
func (w *wire) taken(kind string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.counts[kind]
	w.counts[kind] = 0
	return n
}

func (w *wire) instead(answer func(kind string, r *http.Request) *http.Response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

func reply(status int, body any, header ...string) *http.Response {
	raw, _ := json.Marshal(body)
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(raw))}
}

var emptyPage = map[string]any{"items": []any{}, "page": 1, "pageSize": 100, "total": 0}

// field is a watch over a fake API, whose time and rounds a test drives.
type field struct {
	*watch
	t     *testing.T
	clock *handClock
	api   *testsuite.API
	wire  *wire

	mu   sync.Mutex
	said []string // workflow id, execution's name, status
	fail error    // what signals end with
	name map[string]string
}

func newField(t *testing.T) *field {
	t.Helper()
	f := &field{t: t, clock: newClock(), wire: newWire(), name: map[string]string{}}
	f.api = testsuite.NewAPI(t, testsuite.WithClock(f.clock.Now))
	c, err := newConnection("default", Connection{
		APIKey: StaticAPIKey(f.api.APIKey()), BaseURL: f.api.BaseURL(), OrganizationID: f.api.OrganizationID(), Transport: f.wire,
	}, time.Minute, f.clock.Now)
	require.NoError(t, err)
	f.watch = &watch{c: c, namespace: "ns", organizationID: f.api.OrganizationID(), now: f.clock.Now, ended: map[string]time.Time{}, known: map[string]*watched{}}
	f.signal = func(_ context.Context, workflowID string, event ExecutionEvent) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.said = append(f.said, fmt.Sprintf("%s %s %s", workflowID, f.name[event.ExecutionID], event.Status))
		return f.fail
	}
	return f
}

// takeOver puts another attempt in the place of this one, which knows what the first has left.
func (f *field) takeOver() {
	newest, known := unpack(pack(f.newest, f.known))
	f.watch = &watch{
		c: f.c, namespace: f.namespace, organizationID: f.organizationID, now: f.now, signal: f.signal,
		ended: map[string]time.Time{}, known: known, newest: newest,
	}
}

// begin starts an execution with the metadata of a workflow called wf, of which a test may change some.
func (f *field) begin(name string, agent testsuite.Agent, changed ...string) string {
	f.t.Helper()
	metadata := map[string]string{MetadataNamespace: "ns", MetadataWorkflowID: "wf", MetadataSignal: ExecutionEventSignal}
	for i := 0; i+1 < len(changed); i += 2 {
		metadata[changed[i]] = changed[i+1]
	}
	maps.DeleteFunc(metadata, func(_, value string) bool { return value == "" })
	agentID := f.api.AgentID(name)
	if agentID == "" {
		agentID = f.api.ServeAgent(name, agent)
	}
	started, err := f.c.execute(f.t.Context(), ExecuteAgentInput{AgentID: agentID}, metadata)
	require.NoError(f.t, err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.name[started.ExecutionID] = name
	return started.ExecutionID
}

// rounds lets time pass and makes a round, n times.
func (f *field) rounds(n int, each time.Duration) {
	f.t.Helper()
	for range n {
		f.clock.pass(each)
		require.NoError(f.t, f.round(f.t.Context()))
	}
}

// heard returns what was said since the last call.
func (f *field) heard() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	said := f.said
	f.said = nil
	return said
}

func works(d time.Duration) testsuite.Agent {
	return func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", nil)}
	}
}
