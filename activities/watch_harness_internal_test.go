package activities

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"
	sdktestsuite "go.temporal.io/sdk/testsuite"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/internal/watch"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// fakeTemporal is the client by which activities reach the Temporal server.
type fakeTemporal struct {
	sdkclient.Client

	mu          sync.Mutex
	started     []string // workflow id, task queue and signal
	inputs      []asteroid.WatchExecutionsInput
	terminated  []string // run ids
	described   int      // reads of the watch
	watch       *fakeWatch
	within      bool // the activity is the watch's own
	startErr    error
	describeErr error         // of the watch
	queue       string        // task queue of the workflow; empty: it cannot be described
	blocked     chan struct{} // unless nil, a start waits until this is closed
	arrived     chan struct{} // unless nil, receives an item at each start
	beats       []fakeBeat
	beatErr     error
	completed   []*asteroid.WatchExecutionsResult
	signalErr   error
}

// fakeWatch is what the server says of a watch.
type fakeWatch struct {
	status      enums.WorkflowExecutionStatus
	runID       string
	queue       string
	startedAt   time.Time
	activity    string            // its task queue; empty: no activity is pending
	beat        *fakeBeat         // of the activity
	heartbeatAt time.Time         // of a beat of another version
	input       *commonpb.Payload // of the run
	result      *commonpb.Payload // of its activity
	completedAt time.Time         // when the activity ended
}

type fakeBeat struct {
	packed []byte
	proof  watch.Proof
}

func (s *fakeTemporal) SignalWithStartWorkflow(
	ctx context.Context, id, signal string, _ any, options sdkclient.StartWorkflowOptions, _ any, args ...any,
) (sdkclient.WorkflowRun, error) {
	if s.arrived != nil {
		s.arrived <- struct{}{}
	}
	if s.blocked != nil {
		select {
		case <-s.blocked:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, id+" "+options.TaskQueue+" "+signal)
	in := args[0].(asteroid.WatchExecutionsInput)
	s.inputs = append(s.inputs, in)
	if s.startErr == nil && (s.watch == nil || s.watch.status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING) {
		s.watch = &fakeWatch{
			status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING, runID: "new", queue: options.TaskQueue, startedAt: in.ScannedAt,
			activity: in.TaskQueue, beat: &fakeBeat{in.Known, watch.Proof{Connection: in.Connection, ScannedAt: in.ScannedAt}},
		}
	}
	return nil, s.startErr
}

func (s *fakeTemporal) DescribeWorkflowExecution(
	_ context.Context, id, _ string,
) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.within && !isWatchID(id) {
		if s.queue == "" {
			return nil, serviceerror.NewPermissionDenied("no", "")
		}
		return &workflowservice.DescribeWorkflowExecutionResponse{
			ExecutionConfig: &workflowpb.WorkflowExecutionConfig{TaskQueue: &taskqueuepb.TaskQueue{Name: s.queue}},
		}, nil
	}
	s.described++
	if s.describeErr != nil {
		return nil, s.describeErr
	}
	if s.watch == nil {
		return nil, serviceerror.NewNotFound("none")
	}
	return s.watch.description(), nil
}

func isWatchID(id string) bool { return len(id) > 15 && id[:15] == "asteroid.Watch/" }

func (w *fakeWatch) description() *workflowservice.DescribeWorkflowExecutionResponse {
	info := &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{RunId: w.runID}, Status: w.status}
	info.StartTime = sameType(info.StartTime)
	info.StartTime.Seconds, info.StartTime.Nanos = w.startedAt.Unix(), int32(w.startedAt.Nanosecond())
	d := &workflowservice.DescribeWorkflowExecutionResponse{
		ExecutionConfig: &workflowpb.WorkflowExecutionConfig{TaskQueue: &taskqueuepb.TaskQueue{Name: w.queue}}, WorkflowExecutionInfo: info,
	}
	if w.activity == "" {
		return d
	}
	pending := &workflowpb.PendingActivityInfo{ActivityType: &commonpb.ActivityType{Name: asteroid.WatchExecutionsName}}
	pending.ActivityOptions = &activitypb.ActivityOptions{TaskQueue: &taskqueuepb.TaskQueue{Name: w.activity}}
	switch {
	case w.beat != nil:
		pending.HeartbeatDetails, _ = encodeBeat(w.beat.packed, w.beat.proof)
	case !w.heartbeatAt.IsZero():
		pending.HeartbeatDetails = &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte("encrypted")}}}
		pending.LastHeartbeatTime = sameType(pending.LastHeartbeatTime)
		pending.LastHeartbeatTime.Seconds = w.heartbeatAt.Unix()
	}
	d.PendingActivities = append(d.PendingActivities, pending)
	return d
}

// sameType returns a value of a type whose package is none of the module's direct dependencies.
func sameType[T any](*T) *T { return new(T) }

func (s *fakeTemporal) TerminateWorkflow(_ context.Context, _, runID, _ string, _ ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.terminated = append(s.terminated, runID)
	if s.watch == nil || s.watch.runID != runID || s.watch.status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return serviceerror.NewNotFound("workflow execution already completed")
	}
	s.watch.status = enums.WORKFLOW_EXECUTION_STATUS_TERMINATED
	return nil
}

// GetWorkflowHistory returns the first event of the watch, and the end of its activity if any.
func (s *fakeTemporal) GetWorkflowHistory(context.Context, string, string, bool, enums.HistoryEventFilterType) sdkclient.HistoryEventIterator {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := &fakeEvents{{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
			Input: &commonpb.Payloads{Payloads: []*commonpb.Payload{s.watch.input}},
		},
	}}}
	if s.watch.result != nil {
		completed := &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
			ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
				Result: &commonpb.Payloads{Payloads: []*commonpb.Payload{s.watch.result}},
			},
		}}
		completed.EventTime = sameType(completed.EventTime)
		completed.EventTime.Seconds = s.watch.completedAt.Unix()
		*events = append(*events, completed)
	}
	return events
}

type fakeEvents []*historypb.HistoryEvent

func (e *fakeEvents) HasNext() bool { return len(*e) > 0 }

func (e *fakeEvents) Next() (*historypb.HistoryEvent, error) {
	next := (*e)[0]
	*e = (*e)[1:]
	return next, nil
}

func (s *fakeTemporal) SignalWorkflow(context.Context, string, string, string, any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signalErr
}

func (s *fakeTemporal) recordHeartbeat(
	_ context.Context, _ sdkclient.Client, in *workflowservice.RecordActivityTaskHeartbeatRequest,
) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	packed, proof, err := decodeBeat(in.Details)
	if err != nil {
		return nil, err
	}
	s.beats = append(s.beats, fakeBeat{packed, proof})
	return &workflowservice.RecordActivityTaskHeartbeatResponse{}, s.beatErr
}

func (s *fakeTemporal) CompleteActivity(_ context.Context, _ []byte, result any, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		return errors.New("not completed but failed")
	}
	s.completed = append(s.completed, result.(*asteroid.WatchExecutionsResult))
	return nil
}

// scanned records a heartbeat of the watch after a whole scan.
func (s *fakeTemporal) scanned(at time.Time) {
	s.set(func() { s.watch.beat.proof.ScannedAt = at })
}

// set changes the server's state.
func (s *fakeTemporal) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// counts returns how often the watch was described, started or signalled, and terminated.
func (s *fakeTemporal) counts() (described, started, terminated int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.described, len(s.started), len(s.terminated)
}

func (s *fakeTemporal) recorded() []fakeBeat {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.beats)
}

// watchFixture is the activities with a fake API and a fake Temporal server.
type watchFixture struct {
	*Activities
	env    *sdktestsuite.TestActivityEnvironment
	server *fakeTemporal
	api    *testsuite.API
	clock  *clienttest.Clock
}

func newWatchFixture(t *testing.T, change ...func(*Options)) *watchFixture {
	t.Helper()
	f := &watchFixture{
		server: &fakeTemporal{queue: "workflows"}, api: testsuite.NewAPI(t), clock: clienttest.NewClock(),
	}
	options := Options{Connections: map[string]asteroid.Connection{
		"default": {APIKey: asteroid.StaticAPIKey(f.api.APIKey()), BaseURL: f.api.BaseURL()},
	}}
	for _, c := range change {
		c(&options)
	}
	var err error
	f.Activities, err = New(options)
	require.NoError(t, err)
	var suite sdktestsuite.WorkflowTestSuite
	f.env = suite.NewTestActivityEnvironment()
	f.service = func(context.Context) sdkclient.Client { return f.server }
	f.heartbeat = f.server.recordHeartbeat
	f.Register(f.env)
	t.Cleanup(func() { f.HandOver(t.Context()) }) // ends the guards
	return f
}

// useClock makes the test's clock that of the worker and of the Temporal server.
func (f *watchFixture) useClock() {
	f.now, f.virtualTime = f.clock.Now, func(context.Context) bool { return true }
}

// do runs fn as an activity of the environment.
func (f *watchFixture) do(t *testing.T, fn func(ctx context.Context) error) {
	t.Helper()
	f.env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: t.Name()})
	_, err := f.env.ExecuteActivity(t.Name())
	require.NoError(t, err)
}

// execute runs ExecuteAgent on the agent "patient".
func (f *watchFixture) execute(t *testing.T, in asteroid.ExecuteAgentInput) asteroid.ExecuteAgentResult {
	t.Helper()
	in.AgentID = f.api.AgentID("patient")
	value, err := f.env.ExecuteActivity(asteroid.ExecuteAgentName, in)
	require.NoError(t, err)
	var result asteroid.ExecuteAgentResult
	require.NoError(t, value.Get(&result))
	return result
}
