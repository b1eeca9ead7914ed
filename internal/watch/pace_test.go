package watch

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/internal/client"
)

func TestScansAreSlowerWhileNothingMoves(t *testing.T) {
	t.Parallel()
	p, w := pacer{at: DefaultPace}, &Watch{pages: 2}
	for _, seconds := range []float64{2, 3, 4.5, 6.75, 8, 8} {
		require.Equal(t, seconds, p.next(w, 0, nil).Seconds())
	}
	w.moved = true
	require.Equal(t, 2*time.Second, p.next(w, 0, nil))
	require.Equal(t, 1500*time.Millisecond, p.next(w, 500*time.Millisecond, nil), "from beginning to beginning")
	require.Equal(t, minPause, p.next(w, time.Minute, nil))
}

func TestScansOfManyPagesKeepWithinTheBudget(t *testing.T) {
	t.Parallel()
	for _, runs := range []int{10_000, 20_000, 40_000, 100_000} {
		w := &Watch{pages: runs/100 + 1, moved: true}
		every := (&pacer{at: DefaultPace}).next(w, 0, nil)
		require.LessOrEqual(t, every, 8*time.Second, "a change is to be seen within ten")
		require.LessOrEqual(t, float64(w.pages)/float64(runs)*float64(time.Minute/time.Millisecond)/float64(every/time.Millisecond), 0.09)
	}
}

func TestPausesAfterFailures(t *testing.T) {
	t.Parallel()
	next := func(p *pacer, err error) float64 { return p.next(&Watch{}, 0, err).Seconds() }
	away := &pacer{at: DefaultPace}
	for _, seconds := range []float64{2, 4, 8, 16, 30, 30} {
		require.Equal(t, seconds, next(away, &client.Error{Status: 503}))
	}
	require.Equal(t, 2.0, next(away, nil))
	require.Equal(t, 2.0, next(away, errors.New("network")), "from the beginning")
	refused := &pacer{at: DefaultPace}
	for range 10 {
		next(refused, &client.Error{Status: http.StatusUnauthorized})
	}
	require.Equal(t, 60.0, next(refused, &client.Error{Status: http.StatusForbidden}))
	require.Equal(t, 7.0, next(refused, &client.Error{Status: 429, RetryAfter: 7 * time.Second}))
	require.Equal(t, 1.0, next(refused, &client.Error{Status: 429}))
}
