package activities

import (
	"bytes"
	"context"
	"encoding/hex"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/watch"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

var fastPace = watch.Pace{Fast: time.Millisecond, Slow: 5 * time.Millisecond, Idle: 100 * time.Millisecond, Term: time.Hour, Checked: time.Minute, Stale: time.Minute}

func TestWatchExecutionsReturnsIdle(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.pace = fastPace
	value, err := f.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.NoError(t, err)
	var result asteroid.WatchExecutionsResult
	require.NoError(t, value.Get(&result))
	require.True(t, result.Idle)
	require.Empty(t, result.Known)
}

func TestWatchExecutionsHandsOverState(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.pace = fastPace
	f.pace.Term = 200 * time.Millisecond
	result := f.execute(t, asteroid.ExecuteAgentInput{Signal: true})
	value, err := f.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.NoError(t, err)
	var handed asteroid.WatchExecutionsResult
	require.NoError(t, value.Get(&handed))
	require.False(t, handed.Idle)
	id, err := hex.DecodeString(strings.ReplaceAll(result.ExecutionID, "-", ""))
	require.NoError(t, err)
	require.True(t, bytes.Contains(handed.Known, id))
	beats := f.server.recorded()
	require.NotEmpty(t, beats)
	require.Equal(t, "default", beats[0].proof.Connection)
	require.False(t, beats[0].proof.ScannedAt.IsZero())
	require.True(t, bytes.Contains(beats[len(beats)-1].packed, id))

	// The state that another watch hands over of a running execution "gone": version, time, number
	// of UUIDs, the id and the status.
	before := asteroid.WatchExecutionsInput{Known: []byte("\x01" + strings.Repeat("\x00", 8+4) + "\x04gone\x03")}
	f.server.set(func() {
		f.server.within, f.server.watch.runID, f.server.watch.beat = true, "default-test-run-id", &beats[len(beats)-1]
	})
	f.env.SetHeartbeatDetails("cannot be decoded")
	_, err = f.env.ExecuteActivity(asteroid.WatchExecutionsName, before)
	require.NoError(t, err)
	for _, r := range f.api.Requests() {
		require.NotContains(t, r.Path, "gone", "the last heartbeat is newer than the input")
	}
}

func TestWatchExecutionsHandsOverWhenWorkerStops(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(f *watchFixture){
		"by the SDK":    func(f *watchFixture) { f.env.SetWorkerStopChannel(closed()) },
		"by the plugin": func(f *watchFixture) { go f.handOverOnceWatching() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWatchFixture(t)
			f.pace = fastPace
			f.pace.Idle = time.Hour
			stop(f)
			_, err := f.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{Known: []byte("\x01" + strings.Repeat("\x00", 8+4) + "\x04gone\x03")})
			require.ErrorIs(t, err, activity.ErrResultPending)
			require.Len(t, f.server.completed, 1)
			require.False(t, f.server.completed[0].Idle)
		})
	}
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// handOverOnceWatching hands over once an attempt runs.
func (f *watchFixture) handOverOnceWatching() {
	for len(f.server.recorded()) == 0 {
		runtime.Gosched()
	}
	f.HandOver(context.Background())
}

func TestWatchExecutionsEndsWithoutScans(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(f *watchFixture){
		"the key may not list":      func(f *watchFixture) { f.api.Inject("ExecutionsList", testsuite.Answer(403, "{}"), 1000) },
		"the worker may not signal": func(f *watchFixture) { f.server.signalErr = serviceerror.NewPermissionDenied("no", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWatchFixture(t)
			f.pace = fastPace
			f.pace.Blind = 200 * time.Millisecond
			f.execute(t, asteroid.ExecuteAgentInput{Signal: true, Inputs: asteroid.Inputs{"seconds": 0.1}})
			fail(f)
			_, err := f.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
			require.True(t, asteroid.IsUnavailable(err), "%v", err)
			require.ErrorContains(t, err, "no whole scan")
		})
	}
}

func TestWatchRoundBoundsARun(t *testing.T) {
	t.Parallel()
	for round, want := range map[time.Duration]time.Duration{0: time.Hour, 10 * time.Minute: 10 * time.Minute, time.Hour: time.Hour} {
		require.Equal(t, want, newWatchFixture(t, func(o *Options) { o.WatchRound = round }).pace.Term)
	}
	for _, round := range []time.Duration{-1, time.Second, 2 * time.Hour} {
		_, err := New(Options{Connections: map[string]asteroid.Connection{"default": asteroid.ConnectionFromEnv()}, WatchRound: round})
		require.ErrorContains(t, err, "between a minute and an hour")
	}
}
