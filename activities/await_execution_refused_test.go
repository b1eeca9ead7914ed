package activities_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/worker"
)

// A wait of hours must survive what a gateway, a rotated key or a lagging replica answers once.
func TestAwaitExecutionToleratesRefusalsOnceItHasReadTheExecution(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]struct {
		status            int
		contentType, body string
	}{
		"HTML page of a gateway": {403, "text/html", "<html>no</html>"},
		"expired key":            {401, "application/json", `{"message":"no such key"}`},
		"404 in JSON":            {404, "application/json", `{"message":"no such execution"}`},
		"410":                    {410, "application/json", `{}`},
		"400":                    {400, "application/json", `{"message":"bad"}`},
		"502 page":               {502, "text/html", "<html>bad gateway</html>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := clienttest.NewClock()
			refused := false
			wait := newAwaitExecution(t, worker.Options{Now: clock.Now, Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
				if !refused {
					_, _ = io.WriteString(w, executionJSON("running"))
					return
				}
				w.Header().Set("Content-Type", refusal.contentType)
				w.WriteHeader(refusal.status)
				_, _ = io.WriteString(w, refusal.body)
			})}, asteroid.AwaitExecutionInput{ExecutionID: "e-1"})
			require.True(t, asteroid.IsStillRunning(wait.nextErr()))
			clock.Advance(20 * time.Minute)
			refused = true
			for range 5 {
				failed := applicationError(t, wait.nextErr())
				require.False(t, failed.NonRetryable(), "%v", failed)
				require.GreaterOrEqual(t, failed.NextRetryDelay(), 15*time.Second)
				require.LessOrEqual(t, failed.NextRetryDelay(), 5*time.Minute)
				clock.Advance(time.Hour)
			}
			refused = false
			require.True(t, asteroid.IsStillRunning(wait.nextErr()), "the streak is over")
			refused = true
			require.False(t, applicationError(t, wait.nextErr()).NonRetryable())
			clock.Advance(6 * time.Hour)
			err := wait.nextErr()
			require.True(t, applicationError(t, err).NonRetryable())
			require.ErrorContains(t, err, "was not terminal when it was last read")
			require.NotContains(t, err.Error(), "tried again")
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, "e-1", details.ExecutionID)
		})
	}
}

func TestAwaitExecutionEndsWithAnExecutionThatItHasNeverRead(t *testing.T) {
	t.Parallel()
	wait := newAwaitExecution(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	})}, asteroid.AwaitExecutionInput{ExecutionID: "e-1"})
	err := wait.nextErr()
	require.True(t, asteroid.IsUnauthorized(err), "%v", err)
	require.True(t, applicationError(t, err).NonRetryable())
}

func TestAwaitExecutionEndsWithAResponseThatStaysMalformed(t *testing.T) {
	t.Parallel()
	const nan = `{"id":"e-1","status":"completed","executionResult":{"outcome":"success","result":NaN}}`
	for name, row := range map[string]struct {
		answers []string
		final   bool
	}{
		"the same three times": {[]string{nan, nan, nan}, true},
		"another in between":   {[]string{nan, nan, nan[:40], nan, nan}, false},
		"a gateway's page":     {[]string{"<html>back soon</html>", "<html>back soon</html>", "<html>back soon</html>", "<html>back soon</html>"}, false},
		"nothing":              {[]string{"", "", "", ""}, false},
		"cut short":            {[]string{nan[:40], nan[:40], nan[:40], nan[:40]}, false},
		"good in between":      {[]string{nan, nan, executionJSON("running"), nan, nan}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			wait := newAwaitExecution(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, row.answers[n])
				n++
			})}, asteroid.AwaitExecutionInput{ExecutionID: "e-1"})
			var err error
			for range row.answers {
				require.True(t, err == nil || !applicationError(t, err).NonRetryable(), "%v", err)
				err = wait.nextErr()
			}
			require.Equal(t, row.final, applicationError(t, err).NonRetryable())
			if row.final {
				require.ErrorContains(t, err, `has the member "result", which is not JSON`)
				require.NotContains(t, err.Error(), "tried again")
			}
		})
	}
}

// Nothing was sent where no connection opened, so an execute may be repeated without a lookup.
func TestExecuteAgentCountsAFailedHandshakeAsNeverSent(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11} // the client refuses it
	old.StartTLS()
	t.Cleanup(old.Close)
	for name, address := range map[string]string{
		"untrusted certificate": untrusted.URL,
		"plain HTTP":            "https" + plain.URL[len("http"):],
		"old TLS":               old.URL,
		"nobody listens":        "https://127.0.0.1:1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			execute := newExecuteAgent(t, worker.Options{Connections: asDefault(asteroid.Connection{
				APIKey: asteroid.StaticAPIKey("test-key"), BaseURL: address, OrganizationID: "org-1",
			})}, asteroid.ExecuteAgentInput{AgentID: "a-1"})
			err := execute.nextErr()
			require.True(t, asteroid.IsUnavailable(err), "%v", err)
			require.ErrorContains(t, err, "nothing was sent")
			require.ErrorContains(t, err, "certificate")
			details, _ := asteroid.DetailsOf(err)
			require.Zero(t, details.UnknownOutcomes)
		})
	}
}
