package activities

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// wired is a connection to a fake API, whose clock and wire a test controls.
type wired struct {
	t     *testing.T
	clock *handClock
	wire  *wire
	api   *testsuite.API
	c     *connection
}

func newWired(t *testing.T) *wired {
	t.Helper()
	f := &wired{t: t, clock: newClock(), wire: newWire()}
	f.api = testsuite.NewAPI(t, testsuite.WithClock(f.clock.Now))
	f.api.ServeAgent("patient", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(24 * time.Hour), testsuite.Complete("success", "", nil)}
	})
	var err error
	f.c, err = newConnection("default", Connection{
		APIKey: StaticAPIKey(f.api.APIKey()), BaseURL: f.api.BaseURL(), OrganizationID: f.api.OrganizationID(), Transport: f.wire,
	}, time.Minute, f.clock.Now)
	require.NoError(t, err)
	return f
}

// begin executes the agent and returns the execution id.
func (f *wired) begin() string {
	f.t.Helper()
	started, err := f.c.execute(f.t.Context(), ExecuteAgentInput{AgentID: f.api.AgentID("patient")}, map[string]string{})
	require.NoError(f.t, err)
	return started.ExecutionID
}

func answering(status int, header ...string) func(context.Context) (*http.Response, error) {
	return func(context.Context) (*http.Response, error) { return reply(status, nil, header...), nil }
}

func TestALimitedRateHoldsBackReadsButNothingElse(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		header []string
		held   time.Duration
	}{
		"as long as it says":            {[]string{"Retry-After", "30"}, 30 * time.Second},
		"a second when it says nothing": {nil, time.Second},
		"not for days":                  {[]string{"Retry-After", "864000"}, maxRetryAfter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWired(t)
			id := f.begin()
			f.api.Inject("ExecutionGet", testsuite.Answer(429, "{}", row.header...), 1)
			_, err := f.c.execution(t.Context(), id)
			require.Error(t, err)
			f.wire.taken(http.MethodGet)
			f.wire.taken(http.MethodPost)

			f.clock.pass(row.held / 2)
			_, err = f.c.execution(t.Context(), id)
			failed, ok := errors.AsType[*failure](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, outcomeNeverSent, failed.outcome())
			require.Equal(t, http.StatusTooManyRequests, failed.status)
			require.Equal(t, row.held/2, failed.retryAfter)
			require.Contains(t, failed.Error(), "not sent")
			_, err = f.c.siblings(t.Context(), "agent", "key", time.Time{})
			require.Error(t, err)
			require.Zero(t, f.wire.taken(http.MethodGet))

			f.begin()
			require.Equal(t, 1, f.wire.taken(http.MethodPost))

			f.clock.pass(row.held / 2)
			_, err = f.c.execution(t.Context(), id)
			require.NoError(t, err)
		})
	}
}

func TestALackOfCapacityHoldsNothingBack(t *testing.T) {
	t.Parallel()
	f := newWired(t)
	id := f.begin()
	_, err := f.c.send(t.Context(), call{operation: "AgentExecutePost", execute: true}, answering(429, "Retry-After", "60"), http.StatusAccepted)
	require.Error(t, err)
	_, err = f.c.execution(t.Context(), id)
	require.NoError(t, err)
	_, err = f.c.send(t.Context(), call{operation: "ExecutionStatusUpdate"}, answering(429, "Retry-After", "60"), http.StatusOK)
	require.Error(t, err)
	_, err = f.c.execution(t.Context(), id)
	require.Error(t, err, "any other 429 does")
}

func TestAShorterHoldDoesNotEndALongerOne(t *testing.T) {
	t.Parallel()
	clock := newClock()
	h := hold{now: clock.Now}
	h.begin(time.Minute)
	h.begin(time.Second)
	clock.pass(30 * time.Second)
	read := &http.Request{Method: http.MethodGet}
	require.Error(t, h.check(read))
	clock.pass(30 * time.Second)
	require.NoError(t, h.check(read))
}
