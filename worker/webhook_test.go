package worker_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

func TestWebhookHandlerSignalsWorkflowNamedInMetadata(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]asteroid.Status{
		"EXECUTION_STARTED":               asteroid.StatusRunning,
		"EXECUTION_RESUMED":               asteroid.StatusRunning,
		"EXECUTION_PAUSED":                "", // paused or paused_by_agent
		"EXECUTION_AWAITING_CONFIRMATION": asteroid.StatusAwaitingConfirmation,
		"EXECUTION_COMPLETED":             asteroid.StatusCompleted,
		"EXECUTION_FAILED":                asteroid.StatusFailed,
		"EXECUTION_CANCELLED":             asteroid.StatusCancelled,
		"EXECUTION_ARCHIVED":              "", // an unknown event
	} {
		r := newReceiver(t)
		r.post(http.StatusOK, event(name, "event-1"))
		require.Equal(t, []signal{{
			workflowID: "claim-7", runID: "", name: "asteroid.executionEvent",
			event: asteroid.ExecutionEvent{ExecutionID: "execution-1", Status: status, Event: name, EventID: "event-1"},
		}}, r.temporal.received())
		r.counts(once("signalled"))
	}
}

func TestWebhookHandlerIgnoresEventThatNoWorkflowAwaits(t *testing.T) {
	t.Parallel()
	completed := func(changes map[string]string) string {
		return eventAt(noon, "EXECUTION_COMPLETED", "event-1", metadataWith(changes))
	}
	for name, body := range map[string]string{
		"an action":         event("EXECUTION_ACTION_STARTED", "event-1"),
		"a step":            event("EXECUTION_STEP_STARTED", "event-1"),
		"a workflow":        event("EXECUTION_WORKFLOW_UPDATED", "event-1"),
		"a message":         event("USER_MESSAGE_RECEIVED", "event-1"),
		"a batch":           strings.Replace(event("EXECUTION_COMPLETED", "event-1"), `"execution"`, `"batch"`, 1),
		"no signal":         completed(map[string]string{asteroid.MetadataSignal: ""}),
		"another signal":    completed(map[string]string{asteroid.MetadataSignal: "stop"}),
		"another namespace": completed(map[string]string{asteroid.MetadataNamespace: "payroll"}),
		"no namespace":      completed(map[string]string{asteroid.MetadataNamespace: ""}),
		"no workflow":       completed(map[string]string{asteroid.MetadataWorkflowID: ""}),
		"no metadata":       strings.Replace(event("EXECUTION_COMPLETED", "event-1"), `"metadata"`, `"other"`, 1),
		"metadata null": `{"type":"execution","event_id":"e","timestamp":"2026-03-01T12:00:00Z",` +
			`"info":{"event":"EXECUTION_COMPLETED","execution_id":"x","metadata":null}}`,
		"metadata of another type": `{"type":"execution","event_id":"e","timestamp":"2026-03-01T12:00:00Z","info":{"event":"EXECUTION_COMPLETED",` +
			`"execution_id":"x","metadata":{"temporal_namespace":"claims","temporal_workflow_id":7,"temporal_signal":"asteroid.executionEvent"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			r.post(http.StatusOK, body)
			require.Empty(t, r.temporal.received())
			r.counts(once("ignored"))
		})
	}
}

func TestWebhookHandlerUsesClientOfNamespace(t *testing.T) {
	t.Parallel()
	payroll := &recordingClient{}
	r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.Clients["payroll"] = payroll })
	r.post(http.StatusOK, eventAt(noon, "EXECUTION_FAILED", "event-1", metadataWith(map[string]string{asteroid.MetadataNamespace: "payroll"})))
	require.Empty(t, r.temporal.received())
	require.Len(t, payroll.received(), 1)
}

func TestWebhookHandlerSignalsRepeatedEventOnce(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	for range 3 {
		r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-1"))
	}
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-2"))
	require.Len(t, r.temporal.received(), 2)
	r.counts(map[string]int64{"signalled": 2, "duplicate": 2})

	r.now = noon.Add(24 * time.Hour) // the greatest accepted age
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-1"))
	require.Len(t, r.temporal.received(), 2)
}

func TestWebhookHandlerSignalsRepeatedEventAfterFailedSignal(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.temporal.errors = []error{
		serviceerror.NewUnavailable("down"), context.DeadlineExceeded, serviceerror.NewPermissionDenied("no", ""),
		serviceerror.NewNamespaceNotFound("claims"), nil,
	}
	for range 4 {
		r.post(http.StatusInternalServerError, event("EXECUTION_COMPLETED", "event-1"))
	}
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-1"))
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-1"))
	require.Len(t, r.temporal.received(), 1)
	r.counts(map[string]int64{"failed": 4, "signalled": 1, "duplicate": 1})
}

func TestWebhookHandlerAcknowledgesPermanentSignalFailures(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.temporal.errors = []error{serviceerror.NewNotFound("workflow execution already completed"), serviceerror.NewInvalidArgument("too many signals")}
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-1"))
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-2"))
	r.counts(map[string]int64{"gone": 1, "refused": 1})
}

func TestWebhookHandlerSignalOutlivesSenderUntilSignalTimeout(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.SignalTimeout = 30 * time.Millisecond })
	r.temporal.during = func(ctx context.Context) {
		require.NoError(t, ctx.Err())
		<-ctx.Done()
		require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
	}
	r.temporal.errors = []error{context.DeadlineExceeded}
	hungUp, cancel := context.WithCancel(t.Context())
	cancel()
	request := testsuite.NewWebhookRequest("/", r.key, []byte(event("EXECUTION_COMPLETED", "event-1")))
	require.Equal(t, http.StatusInternalServerError, r.serve(request.WithContext(hungUp)).Code)
}

func TestWebhookHandlerRespondsIdenticallyForSameStatus(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.MaxBodyBytes = 2000 })
	r.temporal.errors = []error{nil, serviceerror.NewNotFound("gone"), serviceerror.NewInvalidArgument("no"), errors.New("one"), errors.New("other")}
	old := eventAt(noon.Add(-48*time.Hour), "EXECUTION_COMPLETED", "event-1", metadataWith(nil))
	signed := func(body string) *http.Request { return testsuite.NewWebhookRequest("/", r.key, []byte(body)) }
	unsigned := func(body, signature string) *http.Request {
		request := signed(body)
		request.Header.Set("X-Asteroid-Signature", signature)
		return request
	}
	seen := map[int]string{}
	for _, request := range []*http.Request{
		signed(event("EXECUTION_COMPLETED", "event-1")), signed(event("EXECUTION_COMPLETED", "event-2")),
		signed(event("EXECUTION_COMPLETED", "event-3")), signed(event("EXECUTION_COMPLETED", "event-4")),
		signed(event("EXECUTION_COMPLETED", "event-5")), signed(event("EXECUTION_COMPLETED", "event-1")),
		signed(event("EXECUTION_ACTION_STARTED", "event-6")),
		signed("{}"), signed("nonsense"), signed(old), signed(strings.Repeat(" ", 2001)),
		unsigned("{}", ""), unsigned("nonsense", "AAAA"), unsigned(old, "%"), unsigned("", testsuite.SignWebhook(r.key, []byte("x"))),
	} {
		response := r.serve(request)
		whole := fmt.Sprint(response.Header(), response.Body)
		if before, ok := seen[response.Code]; ok {
			require.Equal(t, before, whole)
		}
		seen[response.Code] = whole
	}
	require.Len(t, seen, 4, "200, 400, 401 and 500")
	r.counts(map[string]int64{
		"signalled": 1, "gone": 1, "refused": 1, "failed": 2, "duplicate": 1, "ignored": 1, "invalid": 3, "stale": 1, "unsigned": 4,
	})
}

func TestWebhookHandlerLogsNoBodySignatureOrKey(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.MaxBodyBytes = 2000 })
	r.temporal.errors = []error{errors.New("down"), serviceerror.NewNotFound("gone"), serviceerror.NewInvalidArgument("no"), nil}
	completed := event("EXECUTION_COMPLETED", "event-1")
	bodies := []string{
		completed, completed, completed, completed, completed, `{"secret-member":"secret-value"}`, "secret-nonsense",
		eventAt(noon.Add(-48*time.Hour), "EXECUTION_COMPLETED", "event-1", metadataWith(nil)), strings.Repeat("secret-", 1000),
		eventAt(noon, "EXECUTION_COMPLETED", "event-2", metadataWith(map[string]string{asteroid.MetadataToken: "no-token"})),
	}
	for _, body := range bodies {
		r.serve(testsuite.NewWebhookRequest("/", r.key, []byte(body)))
		r.now = r.now.Add(time.Hour) // so that the warning is not suppressed
		forged := testsuite.NewWebhookRequest("/", r.key, []byte(body))
		forged.Header.Set("X-Asteroid-Signature", base64.StdEncoding.EncodeToString([]byte(strings.Repeat("secret-signature", 16))))
		r.serve(forged)
		r.now = noon
		require.NotContains(t, r.logged.String(), testsuite.SignWebhook(r.key, []byte(body)))
	}
	logged := r.logged.String()
	require.Contains(t, logged, "level=ERROR")
	require.Contains(t, logged, "unwrap result")
	require.Contains(t, logged, "none of the public keys")
	require.Contains(t, logged, "without a valid token")
	for _, secret := range []string{"secret", "c2VjcmV0", webhookSecret, tokenOf(webhookSecret, metadataWith(nil)), "no-token", r.key.N.String(), testsuite.WebhookPublicKey(r.key), "reasoning"} {
		require.NotContains(t, logged, secret)
	}
}

func TestWebhookHandlerLogsUnsignedRequestsOncePerMinute(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	for range 100 {
		r.serve(httptest.NewRequest("POST", "/", strings.NewReader("{}")))
	}
	require.Equal(t, 1, strings.Count(r.logged.String(), "\n"))
	r.now = noon.Add(time.Minute)
	r.serve(httptest.NewRequest("POST", "/", strings.NewReader("{}")))
	require.Equal(t, 2, strings.Count(r.logged.String(), "\n"))
}

func TestWebhookHandlerServesConcurrentRequests(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	var group sync.WaitGroup
	for n := range 50 {
		for range 2 {
			group.Go(func() {
				response := r.serve(testsuite.NewWebhookRequest("/", r.key, []byte(event("EXECUTION_COMPLETED", fmt.Sprint(n)))))
				if response.Code != http.StatusOK {
					t.Errorf("status %d", response.Code)
				}
			})
		}
	}
	group.Wait()
	ids := map[string]bool{}
	for _, signal := range r.temporal.received() {
		ids[signal.event.EventID] = true
	}
	require.Len(t, ids, 50)
}

func TestNewWebhookHandlerRefusesInvalidOptions(t *testing.T) {
	t.Parallel()
	key, clients := &webhookKey().PublicKey, map[string]client.Client{"claims": &recordingClient{}}
	keys := []*rsa.PublicKey{key}
	secrets := []string{webhookSecret}
	for want, options := range map[string]asteroidworker.WebhookOptions{
		"no Clients":      {PublicKeys: keys},
		"empty namespace": {PublicKeys: keys, Clients: map[string]client.Client{"": &recordingClient{}}},
		"nil client":      {PublicKeys: keys, Clients: map[string]client.Client{"claims": nil}},
		"no PublicKeys":   {Clients: clients},
		"no RSA key":      {Clients: clients, PublicKeys: []*rsa.PublicKey{key, nil}},
		"MaxBodyBytes":    {Clients: clients, PublicKeys: keys, MaxBodyBytes: -1},
		"SignalTimeout":   {Clients: clients, PublicKeys: keys, SignalTimeout: -1},
		"PerMinute":       {Clients: clients, PublicKeys: keys, MaxSignalsPerMinute: -1},
		"has less than":   {Clients: clients, PublicKeys: keys, Secrets: []string{"hunter2"}},
		"Tokens is":       {Clients: clients, PublicKeys: keys, Secrets: secrets, Tokens: "maybe"},
		"no Secrets":      {Clients: clients, PublicKeys: keys, Tokens: asteroidworker.WebhookTokensRequire},
		"RequiredHeaders": {Clients: clients, PublicKeys: keys, RequiredHeaders: http.Header{"X-Hook": {""}}},
	} {
		_, err := asteroidworker.NewWebhookHandler(options)
		require.ErrorContains(t, err, want)
	}
	_, err := asteroidworker.NewWebhookHandler(asteroidworker.WebhookOptions{Clients: clients, PublicKeys: keys, Secrets: secrets})
	require.NoError(t, err)
}
