package client

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/internal/httphdr"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// wired is a client of a fake API whose clock and transport a test controls.
type wired struct {
	t     *testing.T
	clock *clienttest.Clock
	wire  *clienttest.Wire
	api   *testsuite.API
	c     *Client
}

func newWired(t *testing.T) *wired {
	t.Helper()
	f := &wired{t: t, clock: clienttest.NewClock(), wire: clienttest.NewWire()}
	f.api = testsuite.NewAPI(t, testsuite.WithClock(f.clock.Now))
	f.api.ServeAgent("patient", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(24 * time.Hour), testsuite.Complete("success", "", nil)}
	})
	var err error
	f.c, err = New("default", asteroid.Connection{
		APIKey: asteroid.StaticAPIKey(f.api.APIKey()), BaseURL: f.api.BaseURL(), OrganizationID: f.api.OrganizationID(), Transport: f.wire,
	}, time.Minute, f.clock.Now)
	require.NoError(t, err)
	return f
}

// begin starts an execution and returns its id.
func (f *wired) begin() string {
	f.t.Helper()
	started, err := f.c.Execute(f.t.Context(), asteroid.ExecuteAgentInput{AgentID: f.api.AgentID("patient")}, map[string]string{})
	require.NoError(f.t, err)
	return started.ExecutionID
}

// answering returns a request function that gets this response without a network.
func answering(status int, header ...string) func(context.Context) (*http.Response, error) {
	return func(context.Context) (*http.Response, error) { return clienttest.Reply(status, nil, header...), nil }
}

func TestClientStopsReadsButNotWritesAtRateLimit(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		header []string
		delay  time.Duration
	}{
		"as long as Retry-After":       {[]string{"Retry-After", "30"}, 30 * time.Second},
		"a second without Retry-After": {nil, time.Second},
		"at most ten minutes":          {[]string{"Retry-After", "864000"}, httphdr.MaxRetryAfter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWired(t)
			id := f.begin()
			f.api.Inject("ExecutionGet", testsuite.Answer(429, "{}", row.header...), 1)
			_, err := f.c.Execution(t.Context(), id)
			require.Error(t, err)
			f.wire.Take(http.MethodGet)
			f.wire.Take(http.MethodPost)

			f.clock.Advance(row.delay / 2)
			_, err = f.c.Execution(t.Context(), id)
			failed, ok := errors.AsType[*Error](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, OutcomeNeverSent, failed.Outcome())
			require.Equal(t, http.StatusTooManyRequests, failed.Status)
			require.Equal(t, row.delay/2, failed.RetryAfter)
			require.Contains(t, failed.Error(), "not sent")
			_, err = f.c.Candidates(t.Context(), "agent", "key")
			require.Error(t, err)
			require.Zero(t, f.wire.Take(http.MethodGet))

			f.begin()
			require.Equal(t, 1, f.wire.Take(http.MethodPost))

			f.clock.Advance(row.delay / 2)
			_, err = f.c.Execution(t.Context(), id)
			require.NoError(t, err)
		})
	}
}

func TestClientSendsReadsAfterLackOfCapacity(t *testing.T) {
	t.Parallel()
	f := newWired(t)
	id := f.begin()
	_, err := f.c.send(t.Context(), Operation{Name: "AgentExecutePost", Execute: true}, answering(429, "Retry-After", "60"), http.StatusAccepted)
	require.Error(t, err)
	_, err = f.c.Execution(t.Context(), id)
	require.NoError(t, err)
	_, err = f.c.send(t.Context(), Operation{Name: "ExecutionStatusUpdate"}, answering(429, "Retry-After", "60"), http.StatusOK)
	require.Error(t, err)
	_, err = f.c.Execution(t.Context(), id)
	require.Error(t, err, "any other 429 stops reads")
}

func TestRateLimitGateKeepsLongerDelay(t *testing.T) {
	t.Parallel()
	clock := clienttest.NewClock()
	gate := rateLimitGate{now: clock.Now}
	gate.close(time.Minute)
	gate.close(time.Second)
	clock.Advance(30 * time.Second)
	read := &http.Request{Method: http.MethodGet}
	require.Error(t, gate.check(read))
	clock.Advance(30 * time.Second)
	require.NoError(t, gate.check(read))
}
