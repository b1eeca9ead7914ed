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

func TestAnnounceRunsOnceAMinuteForAllCallers(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.now = p.clock.Now
	p.server.hold, p.server.arrived = make(chan struct{}), make(chan struct{}, 10)
	p.do(t, func(ctx context.Context) error {
		c := p.connections["default"]
		var group sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			group.Go(func() { errs[i] = p.announce(ctx, c) })
		}
		<-p.server.arrived
		close(p.server.hold)
		group.Wait()
		require.NoError(t, errors.Join(errs...))
		require.Len(t, p.server.started, 1)
		p.clock.Pass(59 * time.Second)
		require.NoError(t, p.announce(ctx, c))
		require.Len(t, p.server.started, 1)
		p.clock.Pass(time.Second)
		require.NoError(t, p.announce(ctx, c))
		require.Len(t, p.server.started, 2)
		require.Equal(t, p.server.started[0], p.server.started[1])
		require.Regexp(t, `^asteroid\.Watch/default/[0-9a-f]{8} workflows asteroid\.watch$`, p.server.started[0])
		require.Equal(t, asteroid.WatchExecutionsInput{Connection: "default", TaskQueue: activity.GetInfo(ctx).TaskQueue}, p.server.inputs[0])
		return nil
	})
}

func TestAnnounceRetriesSoonAfterFailure(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.now = p.clock.Now
	p.server.startErr = errors.New("away")
	p.do(t, func(ctx context.Context) error {
		c := p.connections["default"]
		require.ErrorContains(t, p.announce(ctx, c), "away")
		require.ErrorContains(t, p.announce(ctx, c), "away")
		require.Len(t, p.server.started, 1)
		p.server.startErr = nil
		p.clock.Pass(watch.DefaultPace.Unannounced)
		require.NoError(t, p.announce(ctx, c))
		return nil
	})
}

func TestAnnounceOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.do(t, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return p.announce(ctx, p.connections["default"]) // others may be waiting for it
	})
	require.Len(t, p.server.started, 1)
}

func TestAnnounceUsesActivityTaskQueueWithoutDescribe(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.server.queue = ""
	p.do(t, func(ctx context.Context) error {
		require.NoError(t, p.announce(ctx, p.connections["default"]))
		require.Contains(t, p.server.started[0], " "+activity.GetInfo(ctx).TaskQueue+" ")
		return nil
	})
}

func TestAnnounceAcceptsKeyOfSeveralOrganizations(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.connections["default"].APIKey = asteroid.StaticAPIKey(p.api.AddAPIKey(p.api.OrganizationID(), p.api.AddOrganization("Second")))
	p.do(t, func(ctx context.Context) error { return p.announce(ctx, p.connections["default"]) })
	require.Len(t, p.server.started, 1)
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
			p := newPost(t)
			if row.change != nil {
				p = newPost(t, row.change)
			}
			p.server.startErr = row.startErr
			result := p.execute(t, asteroid.ExecuteAgentInput{Signal: row.signal})
			require.Equal(t, row.want, result.Events)
			require.Len(t, p.server.started, row.announced)
			signal, wanted := p.api.Executions()[0].Metadata[asteroid.MetadataSignal]
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
			p := newPost(t)
			var own client.Origin
			p.do(t, func(ctx context.Context) error {
				info := activity.GetInfo(ctx)
				own = client.Origin{Namespace: info.Namespace, WorkflowID: info.WorkflowExecution.ID}
				return nil
			})
			metadata := map[string]string{
				asteroid.MetadataExecutionKey: "order 7", asteroid.MetadataNamespace: own.Namespace, asteroid.MetadataWorkflowID: own.WorkflowID, asteroid.MetadataSignal: asteroid.ExecutionEventSignal,
			}
			maps.Copy(metadata, row.change)
			c := p.connections["default"]
			_, err := c.Execute(t.Context(), asteroid.ExecuteAgentInput{AgentID: p.api.AgentID("patient")}, metadata)
			require.NoError(t, err)
			result := p.execute(t, asteroid.ExecuteAgentInput{Signal: true, IdempotencyKey: "order 7"})
			require.True(t, result.Adopted)
			require.Equal(t, row.want, result.Events)
		})
	}
}

func TestExecuteAgentReportsNoEventsWithoutTemporalClient(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.service = serviceOf
	require.Empty(t, p.execute(t, asteroid.ExecuteAgentInput{Signal: true}).Events)
	_, err := p.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
}

func TestNewRejectsUnknownEvents(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Connections: map[string]asteroid.Connection{"default": asteroid.ConnectionFromEnv()}, Events: "mail"})
	require.ErrorContains(t, err, `"mail"`)
}
