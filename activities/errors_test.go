package activities_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestErrorTypeFollowsHTTPStatus(t *testing.T) {
	t.Parallel()
	const get, execute = asteroid.GetExecutionName, asteroid.ExecuteAgentName
	for _, row := range []struct {
		activity  string
		status    int
		errorType string
		retried   bool
		message   string
	}{
		{get, 400, asteroid.ErrorTypeInvalidInput, false, "correct the input"},
		{get, 401, asteroid.ErrorTypeUnauthorized, false, `check the API key of connection "default"`},
		{get, 402, asteroid.ErrorTypePaymentRequired, false, "plan and balance"},
		{get, 403, asteroid.ErrorTypeUnauthorized, false, "perhaps the agent is not shared with it"},
		{get, 404, asteroid.ErrorTypeNotFound, true, "too new"},
		{get, 408, asteroid.ErrorTypeUnavailable, true, "tried again"},
		{get, 409, asteroid.ErrorTypeUnavailable, true, "tried again"},
		{get, 410, asteroid.ErrorTypeNotFound, false, "check the id"},
		{get, 418, asteroid.ErrorTypeInvalidInput, false, "correct the input"},
		{get, 422, asteroid.ErrorTypeInvalidInput, false, "correct the input"},
		{get, 429, asteroid.ErrorTypeRateLimited, true, "tried again"},
		{get, 500, asteroid.ErrorTypeUnavailable, true, "tried again"},
		{get, 502, asteroid.ErrorTypeUnavailable, true, "tried again"},
		{get, 503, asteroid.ErrorTypeUnavailable, true, "tried again"},
		{get, 302, asteroid.ErrorTypeUnavailable, true, "check the base URL"},
		{execute, 400, asteroid.ErrorTypeInvalidInput, false, "correct the input"},
		{execute, 403, asteroid.ErrorTypeUnauthorized, false, "perhaps the agent is not shared with it"},
		{execute, 404, asteroid.ErrorTypeNotFound, false, "check the id"},
		{execute, 409, asteroid.ErrorTypeAtCapacity, true, "limit of executions"},
		{execute, 429, asteroid.ErrorTypeAtCapacity, true, "limit of executions"},
		// The outcome of these is unknown: the next attempt looks up the key before it posts again.
		{execute, 408, asteroid.ErrorTypeUnavailable, true, "temporal_execution_key"},
		{execute, 500, asteroid.ErrorTypeUnavailable, true, "temporal_execution_key"},
		{execute, 503, asteroid.ErrorTypeUnavailable, true, "temporal_execution_key"},
	} {
		t.Run(fmt.Sprintf("%s %d", row.activity, row.status), func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.Header().Set("X-Request-Id", "req-7")
				w.WriteHeader(row.status)
				_, _ = fmt.Fprintf(w, `{"code":%d,"message":"because"}`, row.status)
			})})
			var in any = asteroid.GetExecutionInput{ExecutionID: "e-1"}
			if row.activity == execute {
				in = asteroid.ExecuteAgentInput{AgentID: "a-1"}
			}
			_, err := env.ExecuteActivity(row.activity, in)
			application := applicationError(t, err)
			require.Equal(t, row.errorType, application.Type())
			require.Equal(t, row.retried, !application.NonRetryable())
			require.Contains(t, application.Message(), row.message)
			require.Contains(t, application.Message(), "because")
			require.EqualValues(t, 1, requests.Load())
			details, ok := asteroid.DetailsOf(err)
			require.True(t, ok)
			require.Equal(t, row.status, details.HTTPStatus)
			require.Equal(t, "req-7", details.RequestID)
		})
	}
}

func TestErrorMessageReadsEveryPublishedBody(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ contentType, body, message string }{
		"JSON message":      {"application/json", `{"code":400,"message":"no such label"}`, "no such label"},
		"JSON error":        {"application/json", `{"error":"no such label"}`, "no such label"},
		"RFC 9457":          {"application/problem+json", `{"title":"Bad","detail":"no such label","errors":[{"parameter":"status","detail":"unknown"}]}`, "no such label; status: unknown"},
		"plain text":        {"text/plain", "Invalid file upload request.", "Invalid file upload request."},
		"quoted text":       {"text/plain", `"Execution not found."`, "Execution not found."},
		"HTML of a gateway": {"text/html", "<html><body>Bad Gateway</body></html>", "an HTML page"},
		"truncated JSON":    {"application/json", `{"code":400,"mess`, `{"code":400,"mess`},
		"empty":             {"text/plain", "", "400 Bad Request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", row.contentType)
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, row.body)
			})})
			_, err := env.ExecuteActivity(asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
			require.Contains(t, applicationError(t, err).Message(), row.message)
			require.NotContains(t, err.Error(), "<html>")
		})
	}
}

func TestErrorDetailsCarryLimit(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"code":429,"message":"full","type":"https://docs.asteroid.ai/errors/limit-reached","capability":"concurrent_executions","used":5,"limit":5}`)
	})})
	_, err := env.ExecuteActivity(asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: "a-1"})
	require.True(t, asteroid.IsAtCapacity(err))
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, "concurrent_executions", details.Capability)
	require.Equal(t, 5, *details.Used)
	require.Equal(t, 5, *details.Limit)
	require.Equal(t, "https://docs.asteroid.ai/errors/limit-reached", details.ProblemType)
}

func TestErrorRetryDelayFollowsRetryAfter(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		header, value string
		atLeast, most time.Duration
	}{
		"seconds":           {"Retry-After", "30", 30 * time.Second, 30 * time.Second},
		"milliseconds":      {"retry-after-ms", "2500", 2500 * time.Millisecond, 2500 * time.Millisecond},
		"date":              {"Retry-After", "in a minute", 50 * time.Second, time.Minute},
		"too little":        {"retry-after-ms", "1", time.Second, time.Second},
		"a day":             {"Retry-After", "86400", 10 * time.Minute, 10 * time.Minute},
		"beyond any number": {"Retry-After", "1e300", 10 * time.Minute, 10 * time.Minute},
		"a date long past":  {"Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT", 0, 0},
		"negative":          {"Retry-After", "-5", 0, 0},
		"nonsense":          {"Retry-After", "soon", 0, 0},
		"none":              {"X-Other", "1", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(row.header, strings.Replace(row.value, "in a minute", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), 1))
				w.WriteHeader(http.StatusServiceUnavailable)
			})})
			_, err := env.ExecuteActivity(asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
			delay := applicationError(t, err).NextRetryDelay()
			require.GreaterOrEqual(t, delay, row.atLeast)
			require.LessOrEqual(t, delay, row.most)
		})
	}
}

func TestErrorOfMalformedResponseIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"truncated JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"e-1","stat`) },
		"HTML with 200":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>login</html>") },
		"another execution": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"id":"e-2","status":"running","agentId":"a","organizationId":"o","createdAt":"2026-01-02T03:04:05Z"}`)
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "500")
			_, _ = io.WriteString(w, `{"id":"e-1"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t, worker.Options{Connections: serveAPI(t, answer)})
			_, err := env.ExecuteActivity(asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
			require.True(t, asteroid.IsUnavailable(err), "%v", err)
			require.False(t, applicationError(t, err).NonRetryable())
		})
	}
}

func TestErrorOfUnreachableServiceIsUnavailable(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: asDefault(asteroid.Connection{
		APIKey: asteroid.StaticAPIKey("test-key"), BaseURL: "http://127.0.0.1:1",
	})})
	for name, in := range map[string]any{
		asteroid.GetExecutionName: asteroid.GetExecutionInput{ExecutionID: "e-1"},
		asteroid.ExecuteAgentName: asteroid.ExecuteAgentInput{AgentID: "a-1"}, // never sent, so it may be retried
	} {
		_, err := env.ExecuteActivity(name, in)
		require.True(t, asteroid.IsUnavailable(err), "%v", err)
		require.False(t, applicationError(t, err).NonRetryable())
		require.Contains(t, err.Error(), "was not reached")
	}
}

func TestErrorPredicatesUnwrap(t *testing.T) {
	t.Parallel()
	inner := temporal.NewNonRetryableApplicationError("no", asteroid.ErrorTypeNotFound, nil, asteroid.ErrorDetails{ExecutionID: "e-1"})
	outer := fmt.Errorf("claim 7: %w", temporal.NewApplicationErrorWithCause("step", "mine", inner))
	require.True(t, asteroid.IsNotFound(outer))
	require.False(t, asteroid.IsInvalidInput(outer))
	details, ok := asteroid.DetailsOf(outer)
	require.True(t, ok)
	require.Equal(t, "e-1", details.ExecutionID)
	_, ok = asteroid.DetailsOf(io.EOF)
	require.False(t, ok)
	require.False(t, asteroid.IsNotFound(nil))
}
