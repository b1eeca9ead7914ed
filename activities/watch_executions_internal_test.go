package activities

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

var fastPace = watch.Pace{Fast: time.Millisecond, Slow: 5 * time.Millisecond, Idle: 100 * time.Millisecond, Term: time.Hour}

func TestWatchExecutionsReturnsIdle(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.pace = fastPace
	value, err := f.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.NoError(t, err)
	var result asteroid.WatchExecutionsResult
	require.NoError(t, value.Get(&result))
	require.Equal(t, asteroid.WatchExecutionsResult{Idle: true}, result)
}

func TestWatchExecutionsHandsOverState(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.pace = fastPace
	f.pace.Term = 200 * time.Millisecond
	result := f.execute(t, asteroid.ExecuteAgentInput{Signal: true})
	var beats [][]byte
	f.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var beat []byte
		if details.Get(&beat) == nil {
			beats = append(beats, beat)
		}
	})
	value, err := f.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.NoError(t, err)
	var handed asteroid.WatchExecutionsResult
	require.NoError(t, value.Get(&handed))
	require.False(t, handed.Idle)
	id, err := hex.DecodeString(strings.ReplaceAll(result.ExecutionID, "-", ""))
	require.NoError(t, err)
	require.True(t, bytes.Contains(handed.Known, id))
	require.NotEmpty(t, beats)

	// The state that another watch hands over of a running execution "gone": version, time, number
	// of UUIDs, the id and the status.
	before := asteroid.WatchExecutionsInput{Known: []byte("\x01" + strings.Repeat("\x00", 8+4) + "\x04gone\x03")}
	f.env.SetHeartbeatDetails(handed.Known)
	_, err = f.env.ExecuteActivity(asteroid.WatchExecutionsName, before)
	require.NoError(t, err)
	for _, r := range f.api.Requests() {
		require.NotContains(t, r.Path, "gone", "the last heartbeat is newer than the input")
	}
}

func TestWatchExecutionsEndsWithWorker(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.pace = fastPace
	f.pace.Idle = time.Hour
	stop := make(chan struct{})
	f.env.SetWorkerStopChannel(stop)
	close(stop)
	_, err := f.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.True(t, asteroid.IsUnavailable(err), "%v", err)
}
