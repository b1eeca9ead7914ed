package activities

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

func TestAnnounceChecksOnceAMinuteForAllCallers(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.useClock()
	f.server.blocked, f.server.arrived = make(chan struct{}), make(chan struct{}, 10)
	f.do(t, func(ctx context.Context) error {
		c := f.connections["default"]
		var group sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			group.Go(func() { errs[i] = f.announce(ctx, c) })
		}
		<-f.server.arrived
		close(f.server.blocked)
		group.Wait()
		require.NoError(t, errors.Join(errs...))
		require.Regexp(t, `^asteroid\.Watch/[0-9a-f]{16} workflows asteroid\.watch$`, f.server.started[0])
		require.Equal(t, activity.GetInfo(ctx).TaskQueue, f.server.inputs[0].TaskQueue)
		described, _, _ := f.server.counts()
		f.clock.Advance(59 * time.Second)
		require.NoError(t, f.announce(ctx, c))
		again, _, _ := f.server.counts()
		require.Equal(t, described, again)
		f.clock.Advance(time.Second)
		f.server.scanned(f.clock.Now())
		require.NoError(t, f.announce(ctx, c))
		again, started, _ := f.server.counts()
		require.Equal(t, described+1, again)
		require.Equal(t, 1, started, "a busy watch needs no signal")
		return nil
	})
}

func TestAnnounceRetriesSoonAfterFailure(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.useClock()
	f.server.startErr = errors.New("away")
	f.do(t, func(ctx context.Context) error {
		c := f.connections["default"]
		require.ErrorContains(t, f.announce(ctx, c), "away")
		require.ErrorContains(t, f.announce(ctx, c), "away")
		require.Len(t, f.server.started, 1)
		f.server.startErr = nil
		f.clock.Advance(watch.DefaultPace.Unchecked)
		require.NoError(t, f.announce(ctx, c))
		return nil
	})
}

func TestAnnounceOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.do(t, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return f.announce(ctx, f.connections["default"]) // other activities may wait for this announcement
	})
	require.Len(t, f.server.started, 1)
}

func TestAnnounceUsesActivityTaskQueueWithoutDescribe(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.server.queue = ""
	f.do(t, func(ctx context.Context) error {
		require.NoError(t, f.announce(ctx, f.connections["default"]))
		require.Contains(t, f.server.started[0], " "+activity.GetInfo(ctx).TaskQueue+" ")
		return nil
	})
}

func TestAnnounceAcceptsKeyOfSeveralOrganizations(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.connections["default"].APIKey = asteroid.StaticAPIKey(f.api.AddAPIKey(f.api.OrganizationID(), f.api.AddOrganization("Second")))
	f.do(t, func(ctx context.Context) error { return f.announce(ctx, f.connections["default"]) })
	require.Len(t, f.server.started, 1)
}

func TestExecuteAgentReportsSourceOfEvents(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change    func(*Options)
		signal    bool
		startErr  error
		want      asteroid.Events
		announced int
	}{
		"by the watch":                   {nil, true, nil, asteroid.EventsWatch, 1},
		"not wanted":                     {nil, false, nil, "", 0},
		"by webhooks":                    {func(o *Options) { o.Events = asteroid.EventsWebhooks }, true, nil, asteroid.EventsWebhooks, 0},
		"the worker has its own polls":   {func(o *Options) { o.Events = asteroid.EventsPoll }, true, nil, "", 0},
		"the watch could not be started": {nil, true, errors.New("away"), "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWatchFixture(t)
			if row.change != nil {
				f = newWatchFixture(t, row.change)
			}
			f.server.startErr = row.startErr
			result := f.execute(t, asteroid.ExecuteAgentInput{Signal: row.signal})
			require.Equal(t, row.want, result.Events)
			require.Len(t, f.server.started, row.announced)
			signal, wanted := f.api.Executions()[0].Metadata[asteroid.MetadataSignal]
			require.Equal(t, row.signal, wanted)
			if wanted {
				require.Equal(t, asteroid.ExecutionEventSignal, signal)
			}
		})
	}
}

func TestExecuteAgentReportsEventsOfAdoptedExecution(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change map[string]string
		want   asteroid.Events
	}{
		"this workflow":                 {nil, asteroid.EventsWatch},
		"an earlier run of it":          {map[string]string{asteroid.MetadataRunID: "earlier"}, asteroid.EventsWatch},
		"another workflow":              {map[string]string{asteroid.MetadataWorkflowID: "other"}, ""},
		"one of another namespace":      {map[string]string{asteroid.MetadataNamespace: "other"}, ""},
		"a workflow without the signal": {map[string]string{asteroid.MetadataSignal: "-"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWatchFixture(t)
			var own client.Origin
			f.do(t, func(ctx context.Context) error {
				info := activity.GetInfo(ctx)
				own = client.Origin{Namespace: info.Namespace, WorkflowID: info.WorkflowExecution.ID}
				return nil
			})
			metadata := map[string]string{
				asteroid.MetadataExecutionKey: "order 7", asteroid.MetadataNamespace: own.Namespace, asteroid.MetadataWorkflowID: own.WorkflowID, asteroid.MetadataSignal: asteroid.ExecutionEventSignal,
			}
			maps.Copy(metadata, row.change)
			c := f.connections["default"]
			_, err := c.Execute(t.Context(), asteroid.ExecuteAgentInput{AgentID: f.api.AgentID("patient")}, metadata)
			require.NoError(t, err)
			result := f.execute(t, asteroid.ExecuteAgentInput{Signal: true, IdempotencyKey: "order 7"})
			require.True(t, result.Adopted)
			require.Equal(t, row.want, result.Events)
		})
	}
}

func TestExecuteAgentReportsNoEventsWithoutTemporalClient(t *testing.T) {
	t.Parallel()
	f := newWatchFixture(t)
	f.service = temporalClient
	require.Empty(t, f.execute(t, asteroid.ExecuteAgentInput{Signal: true}).Events)
	_, err := f.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
}

func TestNewRejectsUnknownEvents(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Connections: map[string]asteroid.Connection{"default": asteroid.ConnectionFromEnv()}, Events: "mail"})
	require.ErrorContains(t, err, `"mail"`)
}
