package worker_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

func TestWebhookHandlerRefusesBodyWithoutValidSignature(t *testing.T) {
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

func TestWebhookHandlerAcceptsBothKeysDuringRotation(t *testing.T) {
	t.Parallel()
	next := testsuite.NewWebhookKey()
	r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.PublicKeys = append(o.PublicKeys, &next.PublicKey) })
	r.post(http.StatusOK, event("EXECUTION_STARTED", "event-1"))
	r.key = next
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-2"))
	r.counts(map[string]int64{"signalled": 2})
}

func TestWebhookHandlerRefusesSignedBodyThatIsNotAnEvent(t *testing.T) {
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

func TestWebhookHandlerRefusesBodyOverMaxBodyBytes(t *testing.T) {
	t.Parallel()
	body := event("EXECUTION_COMPLETED", "event-1")
	r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.MaxBodyBytes = int64(len(body)) })
	r.post(http.StatusOK, body)
	r.post(http.StatusBadRequest, body+" ")
	r.counts(map[string]int64{"signalled": 1, "invalid": 1})

	byDefault := newReceiver(t)
	byDefault.post(http.StatusOK, body+strings.Repeat(" ", asteroidworker.DefaultWebhookMaxBodyBytes-len(body)))
	byDefault.post(http.StatusBadRequest, body+strings.Repeat(" ", asteroidworker.DefaultWebhookMaxBodyBytes-len(body)+1))
}

func TestWebhookHandlerRefusesBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	body := io.MultiReader(strings.NewReader("{"), iotest.ErrReader(errors.New("reset")))
	require.Equal(t, http.StatusBadRequest, r.serve(httptest.NewRequest("POST", "/", body)).Code)
	r.counts(once("invalid"))
}

func TestWebhookHandlerAcceptsOnlyPost(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		request := testsuite.NewWebhookRequest("/", r.key, []byte(event("EXECUTION_COMPLETED", "event-1")))
		request.Method = method
		response := r.serve(request)
		require.Equal(t, http.StatusMethodNotAllowed, response.Code)
		require.Equal(t, "POST", response.Header().Get("Allow"))
	}
	require.Empty(t, r.temporal.received())
}

func TestWebhookHandlerAcceptsEventsUpToMaxAge(t *testing.T) {
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
			r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.MaxAge = row.maxAge })
			r.post(row.status, eventAt(noon.Add(-row.age), "EXECUTION_COMPLETED", "event-1", metadataWith(nil)))
			if row.status == http.StatusOK {
				r.counts(once("signalled"))
			} else {
				r.counts(once("stale"))
			}
		})
	}
}

func TestWebhookHandlerAcceptsEventWithoutReadableTimestamp(t *testing.T) {
	t.Parallel()
	body := event("EXECUTION_COMPLETED", "event-1")
	for _, at := range []string{`null`, `"noon"`, `1772366400`} {
		r := newReceiver(t)
		r.post(http.StatusOK, strings.Replace(body, `"2026-03-01T12:00:00Z"`, at, 1))
		r.counts(once("signalled"))
	}
}
