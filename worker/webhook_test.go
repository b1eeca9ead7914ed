package worker_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestAnEventIsSignalledToTheWorkflowThatItsMetadataNames(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]activities.Status{
		"EXECUTION_STARTED":               activities.StatusRunning,
		"EXECUTION_RESUMED":               activities.StatusRunning,
		"EXECUTION_PAUSED":                "", // by a user or by the agent
		"EXECUTION_AWAITING_CONFIRMATION": activities.StatusAwaitingConfirmation,
		"EXECUTION_COMPLETED":             activities.StatusCompleted,
		"EXECUTION_FAILED":                activities.StatusFailed,
		"EXECUTION_CANCELLED":             activities.StatusCancelled,
		"EXECUTION_ARCHIVED":              "", // nobody has heard of it yet
	} {
		r := newReceiver(t)
		r.post(http.StatusOK, event(name, "event-1"))
		require.Equal(t, []signal{{
			workflowID: "claim-7", runID: "", name: "asteroid.executionEvent",
			event: activities.ExecutionEvent{ExecutionID: "execution-1", Status: status, Event: name, EventID: "event-1"},
		}}, r.temporal.received())
		r.counts(once("signalled"))
	}
}

func TestWhatNoWorkflowWaitsForIsAcknowledged(t *testing.T) {
	t.Parallel()
	completed := func(changes map[string]string) string {
		return eventAt(noon, "EXECUTION_COMPLETED", "event-1", of(changes))
	}
	for name, body := range map[string]string{
		"an action":         event("EXECUTION_ACTION_STARTED", "event-1"),
		"a step":            event("EXECUTION_STEP_STARTED", "event-1"),
		"a workflow":        event("EXECUTION_WORKFLOW_UPDATED", "event-1"),
		"a message":         event("USER_MESSAGE_RECEIVED", "event-1"),
		"a batch":           strings.Replace(event("EXECUTION_COMPLETED", "event-1"), `"execution"`, `"batch"`, 1),
		"no signal":         completed(map[string]string{activities.MetadataSignal: ""}),
		"another signal":    completed(map[string]string{activities.MetadataSignal: "stop"}),
		"another namespace": completed(map[string]string{activities.MetadataNamespace: "payroll"}),
		"no namespace":      completed(map[string]string{activities.MetadataNamespace: ""}),
		"no workflow":       completed(map[string]string{activities.MetadataWorkflowID: ""}),
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

func TestEachNamespaceHasItsClient(t *testing.T) {
	t.Parallel()
	payroll := &temporal{}
	r := newReceiver(t, func(o *worker.WebhookOptions) { o.Clients["payroll"] = payroll })
	r.post(http.StatusOK, eventAt(noon, "EXECUTION_FAILED", "event-1", of(map[string]string{activities.MetadataNamespace: "payroll"})))
	require.Empty(t, r.temporal.received())
	require.Len(t, payroll.received(), 1)
}

func TestWhatNobodyHasSignedIsRefusedWhateverItIs(t *testing.T) {
	t.Parallel()
	other := testsuite.NewWebhookKey()
	body := event("EXECUTION_COMPLETED", "event-1")
	signature := testsuite.SignWebhook(webhookKey(), []byte(body))
	for name, request := range map[string]struct{ body, signature string }{
		"no signature":          {body, ""},
		"of another key":        {body, testsuite.SignWebhook(other, []byte(body))},
		"of another body":       {body, testsuite.SignWebhook(webhookKey(), []byte(body+" "))},
		"no base64":             {body, "%%%"},
		"base64 for URLs":       {body, base64.URLEncoding.EncodeToString([]byte("\xff\xfe\xfd\xfc"))},
		"half of it":            {body, signature[:len(signature)/2]},
		"more than it":          {body, signature + "AAAA"},
		"with stray bits":       {body, signature[:len(signature)-3] + string(signature[len(signature)-3]+1) + "=="},
		"no JSON":               {"nonsense", signature},
		"empty":                 {"", signature},
		"changed after signing": {strings.Replace(body, "claim-7", "claim-8", 1), signature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			request, signature := httptest.NewRequest("POST", "/", strings.NewReader(request.body)), request.signature
			if signature != "" {
				request.Header.Set("X-Asteroid-Signature", signature)
			}
			require.Equal(t, http.StatusUnauthorized, r.serve(request).Code)
			require.Empty(t, r.temporal.received())
			r.counts(once("unsigned"))
		})
	}
}

func TestBothKeysAreGoodWhileTheyAreRotated(t *testing.T) {
	t.Parallel()
	next := testsuite.NewWebhookKey()
	r := newReceiver(t, func(o *worker.WebhookOptions) { o.PublicKeys = append(o.PublicKeys, &next.PublicKey) })
	r.post(http.StatusOK, event("EXECUTION_STARTED", "event-1"))
	r.key = next
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-2"))
	r.counts(map[string]int64{"signalled": 2})
}

func TestWhatIsSignedButNoEventIsABadRequest(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":                      "",
		"no JSON":                    "EXECUTION_COMPLETED",
		"an unwrapped result":        `{"paid": "INV-1042"}`,
		"an unwrapped text":          `"paid"`,
		"null":                       `null`,
		"a list":                     `[]`,
		"cut off":                    event("EXECUTION_COMPLETED", "event-1")[:100],
		"two":                        event("EXECUTION_COMPLETED", "event-1") + "{}",
		"without an event id":        event("EXECUTION_COMPLETED", ""),
		"without an event":           event("", "event-1"),
		"without an execution":       strings.Replace(event("EXECUTION_COMPLETED", "event-1"), `"execution_id"`, `"id"`, 1),
		"without a type":             strings.Replace(event("EXECUTION_COMPLETED", "event-1"), `"type"`, `"kind"`, 1),
		"metadata that is no object": `{"type":"execution","event_id":"e","info":{"event":"EXECUTION_FAILED","execution_id":"x","metadata":[]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			r.post(http.StatusBadRequest, body)
			require.Empty(t, r.temporal.received())
			r.counts(once("invalid"))
		})
	}
}

func TestABodyIsBounded(t *testing.T) {
	t.Parallel()
	body := event("EXECUTION_COMPLETED", "event-1")
	r := newReceiver(t, func(o *worker.WebhookOptions) { o.MaxBodyBytes = int64(len(body)) })
	r.post(http.StatusOK, body)
	r.post(http.StatusBadRequest, body+" ")
	r.counts(map[string]int64{"signalled": 1, "invalid": 1})

	byDefault := newReceiver(t)
	byDefault.post(http.StatusOK, body+strings.Repeat(" ", worker.DefaultWebhookMaxBodyBytes-len(body)))
	byDefault.post(http.StatusBadRequest, body+strings.Repeat(" ", worker.DefaultWebhookMaxBodyBytes-len(body)+1))
}

func TestABodyThatBreaksOffIsABadRequest(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	body := io.MultiReader(strings.NewReader("{"), iotest.ErrReader(errors.New("reset")))
	require.Equal(t, http.StatusBadRequest, r.serve(httptest.NewRequest("POST", "/", body)).Code)
	r.counts(once("invalid"))
}

func TestOnlyPostIsTaken(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		request := testsuite.NewWebhookRequest("/", r.key, []byte(event("EXECUTION_COMPLETED", "event-1")))
		request.Method = method
		answer := r.serve(request)
		require.Equal(t, http.StatusMethodNotAllowed, answer.Code)
		require.Equal(t, "POST", answer.Header().Get("Allow"))
	}
	require.Empty(t, r.temporal.received())
}

func TestAnEventIsTakenUpToAnAge(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		maxAge, age time.Duration
		status      int
	}{
		{0, 24 * time.Hour, http.StatusOK},
		{0, 24*time.Hour + time.Second, http.StatusBadRequest},
		{0, -5 * time.Minute, http.StatusOK},
		{0, -5*time.Minute - time.Second, http.StatusBadRequest},
		{time.Minute, time.Minute, http.StatusOK},
		{time.Minute, time.Minute + time.Second, http.StatusBadRequest},
		{-1, 10000 * time.Hour, http.StatusOK},
		{-1, -10000 * time.Hour, http.StatusOK},
	} {
		t.Run(fmt.Sprint(row.maxAge, " ", row.age), func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, func(o *worker.WebhookOptions) { o.MaxAge = row.maxAge })
			r.post(row.status, eventAt(noon.Add(-row.age), "EXECUTION_COMPLETED", "event-1", of(nil)))
			if row.status == http.StatusOK {
				r.counts(once("signalled"))
			} else {
				r.counts(once("stale"))
			}
		})
	}
}

func TestAnEventThatDoesNotTellItsTimeIsTaken(t *testing.T) {
	t.Parallel()
	body := event("EXECUTION_COMPLETED", "event-1")
	for _, at := range []string{`null`, `"noon"`, `1772366400`} {
		r := newReceiver(t)
		r.post(http.StatusOK, strings.Replace(body, `"2026-03-01T12:00:00Z"`, at, 1))
		r.counts(once("signalled"))
	}
}

func TestTheSameEventIsSignalledOnce(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	for range 3 {
		r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-1"))
	}
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-2"))
	require.Len(t, r.temporal.received(), 2)
	r.counts(map[string]int64{"signalled": 2, "duplicate": 2})

	r.now = noon.Add(24 * time.Hour) // the oldest that an event may get
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-1"))
	require.Len(t, r.temporal.received(), 2)
}

func TestAnEventThatCouldNotBeSignalledIsSignalledWhenItComesAgain(t *testing.T) {
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

func TestWhatNoRetryWouldMendIsAcknowledged(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.temporal.errors = []error{serviceerror.NewNotFound("workflow execution already completed"), serviceerror.NewInvalidArgument("too many signals")}
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-1"))
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-2"))
	r.counts(map[string]int64{"gone": 1, "refused": 1})
}

func TestTheSignalOutlivesTheSenderButNotItsTimeout(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(o *worker.WebhookOptions) { o.SignalTimeout = 30 * time.Millisecond })
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

func TestAnswersWithOneStatusAreTheSameToTheByte(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(o *worker.WebhookOptions) { o.MaxBodyBytes = 2000 })
	r.temporal.errors = []error{nil, serviceerror.NewNotFound("gone"), serviceerror.NewInvalidArgument("no"), errors.New("one"), errors.New("other")}
	old := eventAt(noon.Add(-48*time.Hour), "EXECUTION_COMPLETED", "event-1", of(nil))
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
		answer := r.serve(request)
		whole := fmt.Sprint(answer.Header(), answer.Body)
		if before, ok := seen[answer.Code]; ok {
			require.Equal(t, before, whole)
		}
		seen[answer.Code] = whole
	}
	require.Len(t, seen, 4, "200, 400, 401 and 500")
	r.counts(map[string]int64{
		"signalled": 1, "gone": 1, "refused": 1, "failed": 2, "duplicate": 1, "ignored": 1, "invalid": 3, "stale": 1, "unsigned": 4,
	})
}

func TestNeitherBodyNorSignatureNorKeyIsLogged(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(o *worker.WebhookOptions) { o.MaxBodyBytes = 2000 })
	r.temporal.errors = []error{errors.New("down"), serviceerror.NewNotFound("gone"), serviceerror.NewInvalidArgument("no"), nil}
	completed := event("EXECUTION_COMPLETED", "event-1")
	bodies := []string{
		completed, completed, completed, completed, completed, `{"secret-member":"secret-value"}`, "secret-nonsense",
		eventAt(noon.Add(-48*time.Hour), "EXECUTION_COMPLETED", "event-1", of(nil)), strings.Repeat("secret-", 1000),
	}
	for _, body := range bodies {
		r.serve(testsuite.NewWebhookRequest("/", r.key, []byte(body)))
		r.now = r.now.Add(time.Hour) // so that nothing is held back
		forged := testsuite.NewWebhookRequest("/", r.key, []byte(body))
		forged.Header.Set("X-Asteroid-Signature", "c2VjcmV0LXNpZ25hdHVyZQ==")
		r.serve(forged)
		r.now = noon
		require.NotContains(t, r.logged.String(), testsuite.SignWebhook(r.key, []byte(body)))
	}
	logged := r.logged.String()
	require.Contains(t, logged, "level=ERROR")
	require.Contains(t, logged, "unwrap result")
	require.Contains(t, logged, "none of the public keys")
	for _, secret := range []string{"secret", "c2VjcmV0", r.key.N.String(), testsuite.WebhookPublicKey(r.key), "reasoning"} {
		require.NotContains(t, logged, secret)
	}
}

func TestAFloodOfUnsignedRequestsIsLoggedOnceAMinute(t *testing.T) {
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

func TestManyRequestsAtATime(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	var group sync.WaitGroup
	for n := range 50 {
		for range 2 {
			group.Go(func() {
				answer := r.serve(testsuite.NewWebhookRequest("/", r.key, []byte(event("EXECUTION_COMPLETED", fmt.Sprint(n)))))
				if answer.Code != http.StatusOK {
					t.Errorf("status %d", answer.Code)
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

func TestWhatIsWrongWithTheOptionsOfAReceiverIsAnError(t *testing.T) {
	t.Parallel()
	key, clients := &webhookKey().PublicKey, map[string]client.Client{"claims": &temporal{}}
	keys := []*rsa.PublicKey{key}
	for want, options := range map[string]worker.WebhookOptions{
		"no Clients":      {PublicKeys: keys},
		"empty namespace": {PublicKeys: keys, Clients: map[string]client.Client{"": &temporal{}}},
		"nil client":      {PublicKeys: keys, Clients: map[string]client.Client{"claims": nil}},
		"no PublicKeys":   {Clients: clients},
		"no RSA key":      {Clients: clients, PublicKeys: []*rsa.PublicKey{key, nil}},
		"MaxBodyBytes":    {Clients: clients, PublicKeys: keys, MaxBodyBytes: -1},
		"SignalTimeout":   {Clients: clients, PublicKeys: keys, SignalTimeout: -1},
	} {
		_, err := worker.NewWebhookHandler(options)
		require.ErrorContains(t, err, want)
	}
	_, err := worker.NewWebhookHandler(worker.WebhookOptions{Clients: clients, PublicKeys: keys})
	require.NoError(t, err)
}
