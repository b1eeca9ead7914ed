package worker_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/token"
	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

// webhookKey is shared by the tests, because generating an RSA key is slow.
var webhookKey = sync.OnceValue(testsuite.NewWebhookKey)

// webhookSecret is the secret of the receivers and of the workers whose events they get.
var webhookSecret = strings.Repeat("s3cr3t", 6)

// tokenOf returns the token that a worker with the secret writes into metadata.
func tokenOf(secret string, metadata map[string]string) string {
	secrets, err := token.New([]string{secret})
	if err != nil {
		panic(err)
	}
	return secrets.Make(metadata)
}

// noon is the current time of the receivers in these tests.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// signal is a recorded call of SignalWorkflow.
type signal struct {
	workflowID, runID, name string
	event                   asteroid.ExecutionEvent
}

// recordingClient records signals, or returns the errors that a test sets.
type recordingClient struct {
	client.Client
	mu      sync.Mutex
	errors  []error // of the next signals; nil means success
	signals []signal
	during  func(ctx context.Context) // runs in each call, if set
}

func (c *recordingClient) SignalWorkflow(ctx context.Context, workflowID, runID, name string, arg any) error {
	if c.during != nil {
		c.during(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if len(c.errors) > 0 {
		err, c.errors = c.errors[0], c.errors[1:]
	}
	if err == nil {
		c.signals = append(c.signals, signal{workflowID, runID, name, arg.(asteroid.ExecutionEvent)})
	}
	return err
}

func (c *recordingClient) received() []signal {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]signal(nil), c.signals...)
}

// outcomes counts asteroid_webhook_events by outcome, and asteroid_webhook_tokens by token and
// secret.
type outcomes struct {
	client.MetricsHandler
	mu     *sync.Mutex
	counts map[string]int64
	label  string
}

func (o outcomes) WithTags(tags map[string]string) client.MetricsHandler {
	o.label = tags["outcome"]
	if tags["token"] != "" {
		o.label = tags["token"] + " " + tags["secret"]
	}
	return o
}

func (o outcomes) Counter(name string) client.MetricsCounter {
	return counter(func(n int64) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if n > 0 { // the handler announces its counters
			o.counts[name+" "+o.label] += n
		}
	})
}

type counter func(int64)

func (c counter) Inc(n int64) { c(n) }

// receiver is a handler with its fake dependencies.
type receiver struct {
	*asteroidworker.WebhookHandler
	t        testing.TB
	key      *rsa.PrivateKey
	temporal *recordingClient
	counted  outcomes
	logged   *lockedBuffer
	now      time.Time
}

// lockedBuffer is a buffer for the logs of concurrent requests.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func newReceiver(t testing.TB, change ...func(*asteroidworker.WebhookOptions)) *receiver {
	t.Helper()
	r := &receiver{t: t, key: webhookKey(), temporal: &recordingClient{}, logged: &lockedBuffer{}, now: noon}
	r.counted = outcomes{mu: &sync.Mutex{}, counts: map[string]int64{}}
	options := asteroidworker.WebhookOptions{
		Clients:    map[string]client.Client{"claims": r.temporal},
		PublicKeys: []*rsa.PublicKey{&r.key.PublicKey},
		Secrets:    []string{webhookSecret},
		Metrics:    r.counted,
		Logger:     log.NewStructuredLogger(slog.New(slog.NewTextHandler(r.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		Now:        func() time.Time { return r.now },
	}
	for _, f := range change {
		f(&options)
	}
	var err error
	r.WebhookHandler, err = asteroidworker.NewWebhookHandler(options)
	require.NoError(t, err)
	return r
}

// serve returns the handler's response to a request.
func (r *receiver) serve(request *http.Request) *httptest.ResponseRecorder {
	response := httptest.NewRecorder()
	r.ServeHTTP(response, request)
	return response
}

// post sends a signed body and requires this response status.
func (r *receiver) post(status int, body string) {
	r.t.Helper()
	response := r.serve(signed(r, body))
	require.Equal(r.t, status, response.Code, r.logged)
}

// signed returns a request with a body that is signed with the receiver's key.
func signed(r *receiver, body string) *http.Request {
	return testsuite.NewWebhookRequest("/", r.key, []byte(body))
}

// counts requires how many events had each outcome.
func (r *receiver) counts(want map[string]int64) {
	r.t.Helper()
	require.Equal(r.t, want, r.countsOf("asteroid_webhook_events"))
}

// countsOf returns a metric's counts by its labels.
func (r *receiver) countsOf(metric string) map[string]int64 {
	r.counted.mu.Lock()
	defer r.counted.mu.Unlock()
	got := map[string]int64{}
	for name, n := range r.counted.counts {
		if label, ok := strings.CutPrefix(name, metric+" "); ok {
			got[label] = n
		}
	}
	return got
}

// once returns the counts after a single event with this outcome.
func once(outcome string) map[string]int64 { return map[string]int64{outcome: 1} }

// metadataWith returns ExecuteAgent's metadata with changes. An empty value removes its key. The
// token is valid unless the changes replace it.
func metadataWith(changes map[string]string) map[string]string {
	metadata := map[string]string{
		asteroid.MetadataNamespace: "claims", asteroid.MetadataWorkflowID: "claim-7",
		asteroid.MetadataRunID: "run-1", asteroid.MetadataSignal: asteroid.ExecutionEventSignal, "order": "secret-1042",
		asteroid.MetadataExecutionKey: "claims/claim-7/key",
	}
	maps.Copy(metadata, changes)
	metadata[asteroid.MetadataToken] = tokenOf(webhookSecret, metadata)
	maps.Copy(metadata, changes)
	maps.DeleteFunc(metadata, func(_, value string) bool { return value == "" })
	return metadata
}

// event returns the body of an event at noon, for a workflow that asked for signals.
func event(name, id string) string { return eventAt(noon, name, id, metadataWith(nil)) }

func eventAt(at time.Time, name, id string, metadata map[string]string) string {
	pairs := ""
	for key, value := range metadata {
		pairs += fmt.Sprintf(`%q:%q,`, key, value)
	}
	return fmt.Sprintf(`{"type":"execution","event_id":%q,"timestamp":%q,"info":{"event":%q,"execution_id":"execution-1",`+
		`"execution_url":"https://platform.asteroid.ai/executions/execution-1","agent_id":"agent-1","agent_name":"clerk",`+
		`"payload":{"outcome":"success","reasoning":"secret-reasoning"},"metadata":{%s"number":7}}}`,
		id, at.Format(time.RFC3339Nano), name, pairs)
}
