package activities

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

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
			f := newField(t)
			id := f.begin("a", works(24*time.Hour))
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
			said, ok := errors.AsType[*temporal.ApplicationError](applicationError(failed))
			require.True(t, ok)
			require.Equal(t, ErrorTypeRateLimited, said.Type())
			require.False(t, said.NonRetryable())
			require.Equal(t, row.held/2, said.NextRetryDelay())
			require.Contains(t, said.Message(), "not sent")
			_, err = f.c.siblings(t.Context(), "agent", "key", time.Time{})
			require.Error(t, err)
			require.Zero(t, f.wire.taken(http.MethodGet))

			f.begin("b", works(time.Hour))
			require.Equal(t, 1, f.wire.taken(http.MethodPost))

			f.clock.pass(row.held / 2)
			_, err = f.c.execution(t.Context(), id)
			require.NoError(t, err)
		})
	}
}

func TestALackOfCapacityHoldsNothingBack(t *testing.T) {
	t.Parallel()
	f := newField(t)
	id := f.begin("a", works(time.Hour))
	_, err := f.c.send(t.Context(), call{operation: "AgentExecutePost", execute: true}, f.answering(429, "Retry-After", "60"), http.StatusAccepted)
	require.Error(t, err)
	_, err = f.c.execution(t.Context(), id)
	require.NoError(t, err)
	_, err = f.c.send(t.Context(), call{operation: "ExecutionStatusUpdate"}, f.answering(429, "Retry-After", "60"), http.StatusOK)
	require.Error(t, err)
	_, err = f.c.execution(t.Context(), id)
	require.Error(t, err, "any other 429 does")
}

func TestAShorterHoldDoesNotEndALongerOne(t *testing.T) {
	t.Parallel()
	clock := &handClock{now: time.Now()}
	h := hold{now: clock.Now}
	h.begin(time.Minute)
	h.begin(time.Second)
	clock.pass(30 * time.Second)
	read := &http.Request{Method: http.MethodGet}
	require.Error(t, h.check(read))
	clock.pass(30 * time.Second)
	require.NoError(t, h.check(read))
}
