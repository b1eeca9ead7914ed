package worker_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
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
	request := httptest.NewRequest("POST", "/", body)
	request.Header.Set("X-Asteroid-Signature", testsuite.SignWebhook(r.key, []byte("{}")))
	require.Equal(t, http.StatusBadRequest, r.serve(request).Code)
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

// The headers alone refuse these requests. Their bodies fail the test when they are read.
func TestWebhookHandlerRefusesByHeadersBeforeItReadsTheBody(t *testing.T) {
	t.Parallel()
	body := event("EXECUTION_COMPLETED", "event-1")
	signature := testsuite.SignWebhook(webhookKey(), []byte(body))
	for name, headers := range map[string]map[string]string{
		"nothing":                     {},
		"no signature":                {"X-Hook": "open-sesame"},
		"no base64":                   {"X-Hook": "open-sesame", "X-Asteroid-Signature": "%"},
		"a signature of another size": {"X-Hook": "open-sesame", "X-Asteroid-Signature": "AAAA"},
		"no required header":          {"X-Asteroid-Signature": signature},
		"another value":               {"X-Hook": "open-sesam", "X-Asteroid-Signature": signature},
		"an empty value":              {"X-Hook": "", "X-Asteroid-Signature": signature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, requireHeader)
			request := httptest.NewRequest("POST", "/", iotest.ErrReader(errors.New("it was read")))
			for key, value := range headers {
				request.Header.Set(key, value)
			}
			require.Equal(t, http.StatusUnauthorized, r.serve(request).Code)
			r.counts(once("unsigned"))
		})
	}
}

func requireHeader(o *asteroidworker.WebhookOptions) {
	o.RequiredHeaders = http.Header{"x-hook": {"open-sesame", "open-barley"}}
}

func TestWebhookHandlerTakesEachValueOfRequiredHeader(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, requireHeader)
	for i, value := range []string{"open-sesame", "open-barley"} {
		request := testsuite.NewWebhookRequest("/", r.key, []byte(event("EXECUTION_COMPLETED", fmt.Sprint(i))))
		request.Header.Set("X-Hook", value)
		require.Equal(t, http.StatusOK, r.serve(request).Code)
	}
	r.counts(map[string]int64{"signalled": 2})
	require.NotContains(t, r.logged.String(), "open-")
}

func TestWebhookHandlerTakesEventWithLargeResult(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	result := strings.Repeat("x", 12<<20)
	r.post(http.StatusOK, strings.Replace(event("EXECUTION_COMPLETED", "event-1"), "secret-reasoning", result, 1))
	r.counts(once("signalled"))
}

// Each form is the same time, which is 48 hours old or half a minute.
func TestWebhookHandlerUnderstandsFormsOfTime(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]func(time.Time) string{
		"RFC 3339":                  func(at time.Time) string { return strconv.Quote(at.Format(time.RFC3339)) },
		"with nanoseconds":          func(at time.Time) string { return strconv.Quote(at.Format(time.RFC3339Nano)) },
		"with a zone":               func(at time.Time) string { return strconv.Quote(at.In(tokyo).Format(time.RFC3339)) },
		"with a zone without colon": func(at time.Time) string { return strconv.Quote(at.In(tokyo).Format("2006-01-02T15:04:05.000Z0700")) },
		"with hours of a zone":      func(at time.Time) string { return strconv.Quote(at.In(tokyo).Format("2006-01-02T15:04:05-07")) },
		"without a zone":            func(at time.Time) string { return strconv.Quote(at.Format("2006-01-02T15:04:05.000")) },
		"with blanks":               func(at time.Time) string { return strconv.Quote(at.In(tokyo).Format("2006-01-02 15:04:05 -0700")) },
		"in lower case":             func(at time.Time) string { return strconv.Quote(at.Format("2006-01-02t15:04:05z")) },
		"UTC by name":               func(at time.Time) string { return strconv.Quote(at.Format("2006-01-02 15:04:05 UTC")) },
		"Go's form":                 func(at time.Time) string { return strconv.Quote(at.String()) },
		"RFC 1123":                  func(at time.Time) string { return strconv.Quote(at.Format(http.TimeFormat)) },
		"RFC 1123, UTC":             func(at time.Time) string { return strconv.Quote(at.Format(time.RFC1123)) },
		"RFC 1123, zone":            func(at time.Time) string { return strconv.Quote(at.In(tokyo).Format(time.RFC1123Z)) },
		"seconds":                   func(at time.Time) string { return fmt.Sprint(at.Unix()) },
		"seconds as a string":       func(at time.Time) string { return fmt.Sprintf("%q", fmt.Sprint(at.Unix())) },
		"seconds with a fraction":   func(at time.Time) string { return fmt.Sprintf("%d.25", at.Unix()) },
		"seconds, exponent":         func(at time.Time) string { return fmt.Sprintf("%.9e", float64(at.Unix())) },
		"milliseconds":              func(at time.Time) string { return fmt.Sprint(at.UnixMilli()) },
		"milliseconds as a string":  func(at time.Time) string { return fmt.Sprintf("%q", fmt.Sprint(at.UnixMilli())) },
		"microseconds":              func(at time.Time) string { return fmt.Sprint(at.UnixMicro()) },
		"nanoseconds":               func(at time.Time) string { return fmt.Sprint(at.UnixNano()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			for _, at := range []time.Time{noon.Add(-30 * time.Second), noon.Add(-48 * time.Hour), noon.Add(time.Hour)} {
				r.serve(testsuite.NewWebhookRequest("/", r.key, []byte(withTimestamp(form(at)))))
			}
			r.counts(map[string]int64{"signalled": 1, "stale": 2})
		})
	}
}

var tokyo = time.FixedZone("Tokyo", 9*60*60)

// withTimestamp returns the body of an event whose timestamp is this JSON value.
func withTimestamp(value string) string {
	return strings.Replace(event("EXECUTION_COMPLETED", "event-1"), `"2026-03-01T12:00:00Z"`, value, 1)
}

func TestWebhookHandlerRefusesEventWithoutReadableTimestamp(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		`null`, `""`, `"noon"`, `true`, `{}`, `[1772366400]`, `20260301`, `-1772366400`, `0`, `1e300`, `"NaN"`, `"Infinity"`,
		`"Sun, 01 Mar 2026 12:00:00 EST"`, `"2026-03-01T12:00:00 EST"`, `"2026-13-01T12:00:00Z"`, `"01.03.2026 12:00:00"`,
	} {
		r := newReceiver(t)
		r.post(http.StatusBadRequest, withTimestamp(value))
		r.counts(once("undated"))
		accepts := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.MaxAge = -1 })
		accepts.post(http.StatusOK, withTimestamp(value))
		accepts.counts(once("signalled"))
	}
	missing := newReceiver(t)
	missing.post(http.StatusBadRequest, strings.Replace(event("EXECUTION_COMPLETED", "event-1"), `"timestamp"`, `"time"`, 1))
	missing.counts(once("undated"))
}
