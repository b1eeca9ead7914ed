package parallel_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

func TestEachCallsEveryIndexOnceWithinLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int32
		calls := make([]atomic.Int32, 10)
		began := time.Now()
		require.NoError(t, parallel.Each(t.Context(), 3, len(calls), func(_ context.Context, i int) error {
			if running.Add(1) > 3 {
				t.Error("more than three calls at a time")
			}
			calls[i].Add(1)
			time.Sleep(time.Second)
			running.Add(-1)
			return nil
		}))
		require.Equal(t, 4*time.Second, time.Since(began), "three calls at a time")
		for i := range calls {
			require.EqualValues(t, 1, calls[i].Load(), i)
		}
	})
}

func TestEachReturnsFirstErrorAndSkipsTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := errors.New("first")
		var calls atomic.Int32
		err := parallel.Each(t.Context(), 2, 100, func(ctx context.Context, i int) error {
			calls.Add(1)
			if i == 0 {
				time.Sleep(time.Second)
				return first
			}
			<-ctx.Done()
			return errors.New("second")
		})
		require.Equal(t, first, err)
		require.EqualValues(t, 2, calls.Load())
	})
}

func TestEachReturnsCauseOfEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("cause")
	cancel(cause)
	err := parallel.Each(ctx, 2, 10, func(context.Context, int) error { t.Error("called"); return nil })
	require.Equal(t, cause, err)
}

func TestEachPanicsInCaller(t *testing.T) {
	t.Parallel()
	defer func() {
		require.Contains(t, recover(), "boom")
	}()
	_ = parallel.Each(t.Context(), 2, 10, func(_ context.Context, i int) error {
		if i == 1 {
			panic("boom")
		}
		return nil
	})
	t.Error("no panic")
}

func TestSleepWaitsUnlessContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		require.True(t, parallel.Sleep(t.Context(), time.Minute))
		require.Equal(t, time.Minute, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.False(t, parallel.Sleep(ctx, time.Minute))
		require.Equal(t, time.Minute+time.Second, time.Since(began))
		require.False(t, parallel.Sleep(ctx, 0), "an ended context wins")
	})
}
