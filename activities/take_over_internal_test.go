package activities

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/internal/watch"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// runningWatch is a watch on other queues whose last whole scan is so old.
func (f *watchFixture) runningWatch(age time.Duration) *fakeWatch {
	return &fakeWatch{
		status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING, runID: "old", queue: "theirs", startedAt: f.now().Add(-time.Hour),
		activity: "theirs", beat: &fakeBeat{[]byte("known"), watch.Proof{Connection: "default", ScannedAt: f.now().Add(-age)}},
	}
}

func TestAnnounceTakesOverDeadWatch(t *testing.T) {
	t.Parallel()
	input, err := converter.GetDefaultDataConverter().ToPayload(asteroid.WatchExecutionsInput{Known: []byte("given")})
	require.NoError(t, err)
	result, err := converter.GetDefaultDataConverter().ToPayload(asteroid.WatchExecutionsResult{Known: []byte("returned")})
	require.NoError(t, err)
	completed := func(age time.Duration) func(*watchFixture, *fakeWatch) {
		return func(f *watchFixture, w *fakeWatch) {
			w.activity, w.input, w.result, w.completedAt = "", input, result, f.now().Add(-age)
		}
	}
	for name, row := range map[string]struct {
		change func(f *watchFixture, w *fakeWatch)
		age    time.Duration
		known  string // by the watch that was started, if any
		ended  bool
		lives  bool
	}{
		"it lives":                        {nil, 80 * time.Second, "", false, true},
		"it made no scan":                 {nil, 90 * time.Second, "known", true, true},
		"it made no scan for days":        {nil, 48 * time.Hour, "known", true, true},
		"it has just started":             {func(f *watchFixture, w *fakeWatch) { w.activity, w.startedAt = "", f.now() }, 0, "", false, true},
		"no worker ran its activity":      {func(_ *watchFixture, w *fakeWatch) { w.activity, w.input = "", input }, 0, "given", true, true},
		"it has handed over to nobody":    {completed(2 * time.Minute), 0, "returned", true, true},
		"it has just handed over":         {completed(time.Second), 0, "", false, true},
		"its heartbeat cannot be decoded": {func(f *watchFixture, w *fakeWatch) { w.beat, w.heartbeatAt = nil, f.now() }, 0, "", false, true},
		"that heartbeat is old": {func(f *watchFixture, w *fakeWatch) {
			w.beat, w.heartbeatAt, w.input = nil, f.now().Add(-time.Hour), input
		}, 0, "given", true, true},
		"it was terminated": {func(_ *watchFixture, w *fakeWatch) { w.status = enums.WORKFLOW_EXECUTION_STATUS_TERMINATED }, time.Second, "known", false, true},
		"it is idle":        {func(f *watchFixture, w *fakeWatch) { w.beat.proof.IdleSince = f.now().Add(-2 * time.Minute) }, 0, "", false, true},
		"it soon ends":      {func(f *watchFixture, w *fakeWatch) { w.beat.proof.IdleSince = f.now().Add(-3 * time.Minute) }, 0, "known", false, true},
		"this key may not list either": {
			func(f *watchFixture, _ *fakeWatch) { f.api.Inject("ExecutionsList", testsuite.Answer(403, "{}"), 10) }, time.Hour, "", false, false,
		},
		"this worker may not describe": {
			func(f *watchFixture, _ *fakeWatch) { f.server.describeErr = serviceerror.NewPermissionDenied("no", "") }, 0, "", false, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWatchFixture(t)
			f.useClock()
			f.server.watch = f.runningWatch(row.age)
			if row.change != nil {
				row.change(f, f.server.watch)
			}
			f.do(t, func(ctx context.Context) error {
				require.Equal(t, row.lives, f.announce(ctx, f.connections["default"]) == nil)
				return nil
			})
			_, started, terminated := f.server.counts()
			require.Equal(t, row.known != "", started == 1)
			require.Equal(t, row.ended, terminated == 1)
			if started == 1 {
				require.Equal(t, row.known, string(f.server.inputs[0].Known))
				require.Equal(t, f.now().UTC(), f.server.inputs[0].ScannedAt.UTC())
			}
		})
	}
}

// The scan before a take-over takes a while, in which a slow watch may go on.
func TestAnnounceReadsTheWatchAgainBeforeItTakesOver(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		age     time.Duration // of the whole scan that its newest heartbeat tells of
		started int
	}{
		"it signalled and made no scan": {2 * time.Minute, 1},
		"it lives after all":            {time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := clienttest.NewWire()
			f := newWatchFixture(t, func(o *Options) {
				c := o.Connections["default"]
				c.Transport = wire
				o.Connections["default"] = c
			})
			f.useClock()
			f.server.watch = f.runningWatch(2 * time.Minute)
			beat := &fakeBeat{[]byte("more"), watch.Proof{Connection: "default", ScannedAt: f.now().Add(-row.age)}}
			wire.Answer(func(kind string, _ *http.Request) *http.Response {
				if kind == "list" {
					f.server.set(func() { f.server.watch.beat = beat })
				}
				return nil
			})
			f.do(t, func(ctx context.Context) error { return f.announce(ctx, f.connections["default"]) })
			_, started, terminated := f.server.counts()
			require.Equal(t, row.started, started)
			require.Equal(t, row.started, terminated)
			if started == 1 {
				require.Equal(t, "more", string(f.server.inputs[0].Known))
			}
		})
	}
}

// A watch on the queues of this worker is dead although this worker could scan: so its queues are
// at fault, and it is not started there again.
func TestAnnounceLeavesQueuesThatRunNoWatch(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.useClock()
	f.do(t, func(ctx context.Context) error {
		c := f.connections["default"]
		dies := func() { f.clock.Advance(watch.DefaultPace.Stale) }
		require.NoError(t, f.announce(ctx, c))
		require.Contains(t, f.server.started[0], " workflows ")
		dies()
		require.NoError(t, f.announce(ctx, c))
		require.Contains(t, f.server.started[1], " "+activity.GetInfo(ctx).TaskQueue+" ", "the workflows' queue may lack the workflow")
		dies()
		require.ErrorIs(t, f.announce(ctx, c), errNoWatch)
		f.clock.Advance(time.Hour)
		require.ErrorIs(t, f.announce(ctx, c), errNoWatch)
		require.Len(t, f.server.started, 2)
		f.server.scanned(f.clock.Now())
		f.clock.Advance(15 * time.Second)
		require.NoError(t, f.announce(ctx, c), "a worker of these queues watches after all")
		return nil
	})
}

func TestAnnounceSharesTheWatchOfAnOrganization(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	f := newWatchFixture(t)
	other := f.api.AddOrganization("Second")
	for name, organizations := range map[string][]string{
		"one": {f.api.OrganizationID()}, "same": {f.api.OrganizationID()}, "other": {other},
		"both": {f.api.OrganizationID(), other}, "also both": {other, f.api.OrganizationID()}, "another pair": {other, f.api.AddOrganization("Third")},
	} {
		f := newWatchFixture(t, func(o *Options) {
			o.Connections = map[string]asteroid.Connection{name: {APIKey: asteroid.StaticAPIKey(f.api.AddAPIKey(organizations...)), BaseURL: f.api.BaseURL()}}
		})
		f.do(t, func(ctx context.Context) error { return f.announce(ctx, f.connections[name]) })
		ids[name] = f.server.started[0][:len("asteroid.Watch/")+16]
	}
	require.Equal(t, ids["one"], ids["same"])
	require.Equal(t, ids["both"], ids["also both"])
	for _, pair := range [][2]string{{"one", "other"}, {"one", "both"}, {"both", "another pair"}, {"other", "both"}} {
		require.NotEqual(t, ids[pair[0]], ids[pair[1]], pair)
	}
}

func TestAwaitExecutionPollsOftenWhileNoWatchLives(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		startErr error
		want     time.Duration
	}{
		"a watch lives": {nil, 0},
		"none lives":    {errors.New("away"), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWatchFixture(t)
			f.server.startErr = row.startErr
			started := f.execute(t, asteroid.ExecuteAgentInput{Inputs: asteroid.Inputs{"seconds": 3600}})
			in := asteroid.AwaitExecutionInput{ExecutionID: started.ExecutionID}
			in.Internal.EnsureWatch = true
			_, err := f.env.ExecuteActivity(asteroid.AwaitExecutionName, in)
			require.True(t, asteroid.IsStillRunning(err), "%v", err)
			var poll *temporal.ApplicationError
			require.ErrorAs(t, err, &poll)
			require.Equal(t, row.want, poll.NextRetryDelay())
		})
	}
}

func TestAnnounceLeavesLivingWatchAloneWhenWorkerClockIsWrong(t *testing.T) {
	t.Parallel()
	for _, wrong := range []time.Duration{-time.Hour, time.Hour} {
		f := newWatchFixture(t, func(o *Options) { o.Now = func() time.Time { return time.Now().Add(wrong) } })
		f.server.watch = f.runningWatch(0)
		f.server.watch.beat.proof.ScannedAt = time.Now()
		require.Equal(t, asteroid.EventsWatch, f.execute(t, asteroid.ExecuteAgentInput{Signal: true}).Events)
		_, started, terminated := f.server.counts()
		require.Zero(t, started+terminated, wrong)
	}
}
