package watch

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/internal/client"
)

func TestPacerSlowsDownWhileNothingChanges(t *testing.T) {
	t.Parallel()
	p, w := pacer{pace: DefaultPace}, &Watch{pagesRead: 2}
	for _, seconds := range []float64{2, 3, 4.5, 6.75, 8, 8} {
		require.Equal(t, seconds, p.delay(w, 0, nil).Seconds())
	}
	w.changed = true
	require.Equal(t, 2*time.Second, p.delay(w, 0, nil))
	require.Equal(t, 1500*time.Millisecond, p.delay(w, 500*time.Millisecond, nil), "between the starts of two rounds")
	require.Equal(t, minDelay, p.delay(w, time.Minute, nil))
}

func TestPacerBoundsRequestsForManyPages(t *testing.T) {
	t.Parallel()
	for _, executions := range []int{10_000, 20_000, 40_000, 100_000} {
		w := &Watch{pagesRead: executions/100 + 1, changed: true}
		every := (&pacer{pace: DefaultPace}).delay(w, 0, nil)
		require.LessOrEqual(t, every, 8*time.Second, "a change is noticed within ten seconds")
		require.LessOrEqual(t, float64(w.pagesRead)/float64(executions)*float64(time.Minute/time.Millisecond)/float64(every/time.Millisecond), 0.09)
	}
}

func TestPacerBacksOffAfterFailures(t *testing.T) {
	t.Parallel()
	delay := func(p *pacer, err error) float64 { return p.delay(&Watch{}, 0, err).Seconds() }
	failing := &pacer{pace: DefaultPace}
	for _, seconds := range []float64{2, 4, 8, 16, 30, 30} {
		require.Equal(t, seconds, delay(failing, &client.Error{Status: 503}))
	}
	require.Equal(t, 2.0, delay(failing, nil))
	require.Equal(t, 2.0, delay(failing, errors.New("network")), "starts over")
	rejected := &pacer{pace: DefaultPace}
	for range 10 {
		delay(rejected, &client.Error{Status: http.StatusUnauthorized})
	}
	require.Equal(t, 60.0, delay(rejected, &client.Error{Status: http.StatusForbidden}))
	require.Equal(t, 7.0, delay(rejected, &client.Error{Status: 429, RetryAfter: 7 * time.Second}))
	limited := &pacer{pace: DefaultPace}
	for _, seconds := range []float64{1, 2, 4, 8, 16, 30, 30} {
		require.Equal(t, seconds, delay(limited, &client.Error{Status: 429}))
	}
}
