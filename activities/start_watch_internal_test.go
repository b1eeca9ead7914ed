package activities

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdktestsuite "go.temporal.io/sdk/testsuite"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/internal/watch"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// temporalServer stands for the server that activities reach by their client.
type temporalServer struct {
	sdkclient.Client
	mu       sync.Mutex
	started  []string // id, queue
	inputs   []asteroid.WatchExecutionsInput
	told     []asteroid.ExecutionEvent
	startErr error
	queue    string        // of the workflow; empty: it cannot be described
	hold     chan struct{} // a start waits until this is closed
	arrived  chan struct{} // gets an item for each start
}

func (s *temporalServer) SignalWithStartWorkflow(ctx context.Context, id, signal string, _ any, options sdkclient.StartWorkflowOptions, _ any, args ...any) (sdkclient.WorkflowRun, error) {
	if s.arrived != nil {
		s.arrived <- struct{}{}
	}
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, id+" "+options.TaskQueue+" "+signal)
	s.inputs = append(s.inputs, args[0].(asteroid.WatchExecutionsInput))
	return nil, s.startErr
}

func (s *temporalServer) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if s.queue == "" {
		return nil, serviceerror.NewPermissionDenied("no", "")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{
		ExecutionConfig: &workflowpb.WorkflowExecutionConfig{TaskQueue: &taskqueuepb.TaskQueue{Name: s.queue}},
	}, nil
}

func (s *temporalServer) SignalWorkflow(_ context.Context, _, _, _ string, arg any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, arg.(asteroid.ExecutionEvent))
	return nil
}

// post is a worker with activities over a fake API, and what stands for the server.
type post struct {
	*Activities
	env    *sdktestsuite.TestActivityEnvironment
	server *temporalServer
	api    *testsuite.API
	clock  *clienttest.Clock
}

func newPost(t *testing.T, change ...func(*Options)) *post {
	t.Helper()
	p := &post{server: &temporalServer{queue: "workflows"}, api: testsuite.NewAPI(t), clock: clienttest.NewClock()}
	options := Options{Connections: map[string]asteroid.Connection{"default": {APIKey: asteroid.StaticAPIKey(p.api.APIKey()), BaseURL: p.api.BaseURL()}}}
	for _, c := range change {
		c(&options)
	}
	var err error
	p.Activities, err = New(options)
	require.NoError(t, err)
	var suite sdktestsuite.WorkflowTestSuite
	p.env = suite.NewTestActivityEnvironment()
	p.service = func(context.Context) sdkclient.Client { return p.server }
	p.Register(p.env)
	return p
}

// do runs fn as an activity.
func (p *post) do(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	p.env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: t.Name()})
	_, err := p.env.ExecuteActivity(t.Name())
	require.NoError(t, err)
}

func TestTheWatchIsAnnouncedOnceAMinuteByAllTogether(t *testing.T) {
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
		p.clock.Advance(59 * time.Second)
		require.NoError(t, p.announce(ctx, c))
		require.Len(t, p.server.started, 1)
		p.clock.Advance(time.Second)
		require.NoError(t, p.announce(ctx, c))
		require.Len(t, p.server.started, 2)
		require.Equal(t, p.server.started[0], p.server.started[1])
		require.Regexp(t, `^asteroid\.Watch/default/[0-9a-f]{8} workflows asteroid\.watch$`, p.server.started[0])
		require.Equal(t, asteroid.WatchExecutionsInput{Connection: "default", TaskQueue: activity.GetInfo(ctx).TaskQueue}, p.server.inputs[0])
		return nil
	})
}

func TestAnAnnouncementThatFailsIsRepeatedSoon(t *testing.T) {
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
		p.clock.Advance(watch.DefaultPace.Unannounced)
		require.NoError(t, p.announce(ctx, c))
		return nil
	})
}

func TestAnAnnouncementOutlivesWhoBeganIt(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.do(t, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return p.announce(ctx, p.connections["default"]) // others may be waiting for it
	})
	require.Len(t, p.server.started, 1)
}

func TestTheWatchGoesWhereTheActivityIsWhenItsWorkflowCannotBeDescribed(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.server.queue = ""
	p.do(t, func(ctx context.Context) error {
		require.NoError(t, p.announce(ctx, p.connections["default"]))
		require.Contains(t, p.server.started[0], " "+activity.GetInfo(ctx).TaskQueue+" ")
		return nil
	})
}

func TestAKeyOfSeveralOrganizationsIsWatchedToo(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.connections["default"].APIKey = asteroid.StaticAPIKey(p.api.AddAPIKey(p.api.OrganizationID(), p.api.AddOrganization("Second")))
	p.do(t, func(ctx context.Context) error { return p.announce(ctx, p.connections["default"]) })
	require.Len(t, p.server.started, 1)
}

func (p *post) execute(t *testing.T, in asteroid.ExecuteAgentInput) asteroid.ExecuteAgentResult {
	t.Helper()
	in.AgentID = p.api.AgentID("patient")
	value, err := p.env.ExecuteActivity(asteroid.ExecuteAgentName, in)
	require.NoError(t, err)
	var result asteroid.ExecuteAgentResult
	require.NoError(t, value.Get(&result))
	return result
}

func TestSignalsArePromisedToWhoWantsThemAndGetsThem(t *testing.T) {
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

func TestSignalsAboutAnAdoptedExecutionGoToWhoStartedIt(t *testing.T) {
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

func TestWithoutAServerWorkflowsPoll(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.service = temporalClient
	require.Empty(t, p.execute(t, asteroid.ExecuteAgentInput{Signal: true}).Events)
	_, err := p.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
}

func TestEventsOfAnUnknownKindAreRefused(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Connections: map[string]asteroid.Connection{"default": asteroid.ConnectionFromEnv()}, Events: "mail"})
	require.ErrorContains(t, err, `"mail"`)
}

var quickly = watch.Pace{Fast: time.Millisecond, Slow: 5 * time.Millisecond, Idle: 100 * time.Millisecond, Term: time.Hour}

func TestAWatchWithNothingToDoIsIdle(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.pace = quickly
	value, err := p.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.NoError(t, err)
	var result asteroid.WatchExecutionsResult
	require.NoError(t, value.Get(&result))
	require.Equal(t, asteroid.WatchExecutionsResult{Idle: true}, result)
}

func TestAWatchHandsOverWhatItKnows(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.pace = quickly
	p.pace.Term = 200 * time.Millisecond
	result := p.execute(t, asteroid.ExecuteAgentInput{Signal: true})
	var beats [][]byte
	p.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var beat []byte
		if details.Get(&beat) == nil {
			beats = append(beats, beat)
		}
	})
	value, err := p.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.NoError(t, err)
	var handed asteroid.WatchExecutionsResult
	require.NoError(t, value.Get(&handed))
	require.False(t, handed.Idle)
	id, err := hex.DecodeString(strings.ReplaceAll(result.ExecutionID, "-", ""))
	require.NoError(t, err)
	require.True(t, bytes.Contains(handed.Known, id))
	require.NotEmpty(t, beats)

	// What another watch would hand over of a running execution called gone: version, time, number of UUIDs, the id, the status.
	before := asteroid.WatchExecutionsInput{Known: []byte("\x01" + strings.Repeat("\x00", 8+4) + "\x04gone\x03")}
	p.env.SetHeartbeatDetails(handed.Known)
	_, err = p.env.ExecuteActivity(asteroid.WatchExecutionsName, before)
	require.NoError(t, err)
	for _, r := range p.api.Requests() {
		require.NotContains(t, r.Path, "gone", "the last heartbeat is newer than the input")
	}
}

func TestAWatchEndsWithItsWorker(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.pace = quickly
	p.pace.Idle = time.Hour
	stop := make(chan struct{})
	p.env.SetWorkerStopChannel(stop)
	close(stop)
	_, err := p.env.ExecuteActivity(asteroid.WatchExecutionsName, asteroid.WatchExecutionsInput{})
	require.True(t, asteroid.IsUnavailable(err), "%v", err)
}
