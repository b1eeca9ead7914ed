package integration

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/watch"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// watched is what the workflow awaited has to tell.
type watched struct {
	Events asteroid.Events
	Told   []asteroid.Status
}

// awaited runs an agent and does not poll: it ends by signals alone.
func awaited(ctx workflow.Context, in asteroid.ExecuteAgentInput) (*watched, error) {
	started, err := workflows.ExecuteAgent(ctx, in)
	if err != nil {
		return nil, err
	}
	result := &watched{Events: started.Events}
	for signals := workflow.GetSignalChannel(ctx, asteroid.ExecutionEventSignal); ; {
		var event asteroid.ExecutionEvent
		signals.Receive(ctx, &event)
		if event.ExecutionID != started.ExecutionID {
			return nil, errors.New("told of another execution")
		}
		if result.Told = append(result.Told, event.Status); event.Status.Terminal() {
			return result, nil
		}
	}
}

// awaits starts the workflow awaited with an agent that works for as long as a test wants.
func (s *stack) awaits(d time.Duration) client.WorkflowRun {
	s.t.Helper()
	name := "works " + d.String()
	id := s.api.AgentID(name)
	if id == "" {
		id = s.api.ServeAgent(name, func(testsuite.Run) []testsuite.Step {
			return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", nil)}
		})
	}
	return s.start(awaited, asteroid.ExecuteAgentInput{AgentID: id, Signal: true})
}

func (s *stack) told(run client.WorkflowRun) watched {
	s.t.Helper()
	var result watched
	require.NoError(s.t, run.Get(s.ctx(), &result))
	return result
}

// watches returns the ids of the watches over this test's fake that go on.
func (s *stack) watches() (ids []string) {
	s.t.Helper()
	// Not by visibility, which lags: the fake's queue is this test's own.
	listed, err := s.client.WorkflowService().ListOpenWorkflowExecutions(s.ctx(), &workflowservice.ListOpenWorkflowExecutionsRequest{Namespace: "default", MaximumPageSize: 1000})
	require.NoError(s.t, err)
	for _, info := range listed.Executions {
		if info.Type.Name == workflows.WatchName && info.TaskQueue == s.queue && info.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			ids = append(ids, info.Execution.WorkflowId)
		}
	}
	return ids
}

// theWatch waits for the one watch of this test.
func (s *stack) theWatch() string {
	s.t.Helper()
	var ids []string
	require.Eventually(s.t, func() bool { ids = s.watches(); return len(ids) == 1 }, time.Minute, 100*time.Millisecond)
	return ids[0]
}

// scans waits until the executions have been listed n times more.
func (s *stack) scans(n int) {
	s.t.Helper()
	count := func() (lists int) {
		for _, r := range s.api.Requests() {
			if r.Operation == "ExecutionsList" {
				lists++
			}
		}
		return lists
	}
	until := count() + 2*n // each lists what goes on and what has ended
	require.Eventually(s.t, func() bool { return count() >= until }, 90*time.Second, 50*time.Millisecond)
}

func TestTheFirstAgentThatWantsSignalsStartsTheWatch(t *testing.T) {
	s := newStack(t)
	s.work(awaited)
	runs := make([]client.WorkflowRun, 20)
	for i := range runs {
		runs[i] = s.awaits(5 * time.Second)
	}
	id := s.theWatch()
	for _, run := range runs {
		result := s.told(run)
		require.Equal(t, asteroid.EventsWatch, result.Events)
		require.Equal(t, asteroid.StatusCompleted, result.Told[len(result.Told)-1])
	}
	quick := s.told(s.awaits(0))
	require.Equal(t, asteroid.StatusCompleted, quick.Told[len(quick.Told)-1])
	require.Equal(t, []string{id}, s.watches())
	for _, r := range s.api.Requests() {
		require.NotEqual(t, "ExecutionGet", r.Operation, "what has just ended is in a list")
	}
}

func TestWithoutSignalsNothingWatches(t *testing.T) {
	s := newStack(t)
	s.options.Events = asteroid.EventsPoll
	s.work(awaited)
	run := s.awaits(time.Hour)
	require.Eventually(t, func() bool {
		return scheduled(s.history(run))[asteroid.ExecuteAgentName] == 1 && len(s.api.Executions()) == 1
	}, time.Minute, 50*time.Millisecond)
	require.Empty(t, s.watches())
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), run.GetID(), "", "the test is over"))
}

func TestTheWatchMovesOnWhenItsWorkerStops(t *testing.T) {
	s := newStack(t)
	first := s.work(awaited)
	run := s.awaits(20 * time.Second)
	id := s.theWatch()
	s.scans(2)
	s.work(awaited)
	began := time.Now()
	first()
	require.Less(t, time.Since(began), 4*time.Second, "the watch does not hold its worker up")
	s.scans(2)
	result := s.told(run)
	require.Equal(t, asteroid.StatusCompleted, result.Told[len(result.Told)-1])
	require.Equal(t, []string{id}, s.watches())
}

func TestTheWatchMovesOnWhenItsWorkerIsKilled(t *testing.T) {
	s := newStack(t)
	stop := s.work(awaited)
	run := s.awaits(30 * time.Second)
	id := s.theWatch()
	s.scans(2)
	child := s.child()
	stop() // the watch moves to the worker that is to be killed
	s.scans(2)
	require.NoError(t, child.Process.Kill())
	s.work(awaited)
	s.scans(2)
	result := s.told(run)
	require.Equal(t, asteroid.StatusCompleted, result.Told[len(result.Told)-1])
	require.Equal(t, []string{id}, s.watches())
}

func TestAWatchThatSomebodyTerminatesIsStartedByTheNextAgent(t *testing.T) {
	s := newStack(t)
	stop := s.work(awaited)
	first := s.awaits(25 * time.Second)
	id := s.theWatch()
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), id, "", "by mistake"))
	stop()
	s.work(awaited) // which has announced nothing yet
	second := s.awaits(time.Second)
	require.Equal(t, asteroid.StatusCompleted, last(s.told(second).Told))
	require.Equal(t, asteroid.StatusCompleted, last(s.told(first).Told))
	require.Equal(t, id, s.theWatch())
}

func last(told []asteroid.Status) asteroid.Status { return told[len(told)-1] }

func TestTwoWatchesDoNoHarm(t *testing.T) {
	s := newStack(t)
	s.work(awaited)
	_, err := s.client.ExecuteWorkflow(s.ctx(), client.StartWorkflowOptions{ID: "another watch of " + t.Name(), TaskQueue: s.queue}, workflows.WatchName, asteroid.WatchExecutionsInput{})
	require.NoError(t, err)
	result := s.told(s.awaits(5 * time.Second))
	require.Equal(t, asteroid.StatusCompleted, last(result.Told))
	require.Len(t, s.watches(), 2)
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), "another watch of "+t.Name(), "", "the test is over"))
}

func TestTheWatchGoesOnAfterAnOutage(t *testing.T) {
	s := newStack(t)
	s.work(awaited)
	s.api.Inject("ExecutionsList", testsuite.Answer(503, ""), 2)
	s.api.Inject("ExecutionsList", testsuite.Answer(429, "", "Retry-After", "2"), 2)
	s.api.Inject("ExecutionsList", testsuite.LoseResponse(), 2)
	s.api.Inject("ExecutionsList", testsuite.Answer(401, `{"message":"no"}`), 1)
	require.Equal(t, asteroid.StatusCompleted, last(s.told(s.awaits(3*time.Second)).Told))
}

func TestTheWatchEndsWhenThereIsNothingToWatch(t *testing.T) {
	s := newStack(t)
	s.work(awaited)
	s.told(s.awaits(time.Second))
	id := s.theWatch()
	require.NoError(t, s.client.GetWorkflow(s.ctx(), id, "").Get(s.ctx(), nil))
	require.Empty(t, s.watches())
	s.told(s.awaits(time.Second)) // starts another
	require.Equal(t, id, s.theWatch())
}

func TestAWatchOfAnUnknownConnectionFails(t *testing.T) {
	s := newStack(t)
	s.work(awaited)
	run := s.start(workflows.WatchName, asteroid.WatchExecutionsInput{Connection: "other"})
	require.ErrorContains(t, run.Get(s.ctx(), nil), `has none named "other"`)
}

func TestAWatchThatIsCancelledEnds(t *testing.T) {
	s := newStack(t)
	s.work(awaited)
	run := s.awaits(time.Hour)
	id := s.theWatch()
	s.scans(1)
	require.NoError(t, s.client.CancelWorkflow(s.ctx(), id, ""))
	watch := s.client.GetWorkflow(s.ctx(), id, "")
	require.ErrorContains(t, watch.Get(s.ctx(), nil), "canceled")
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), run.GetID(), "", "the test is over"))
}

func TestAWatchHandsOverToTheNext(t *testing.T) {
	s := newStack(t)
	s.work(awaited)
	run := s.awaits(40 * time.Second)
	id := s.theWatch()
	first, err := s.client.DescribeWorkflowExecution(s.ctx(), id, "")
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCompleted, last(s.told(run).Told))
	next, err := s.client.DescribeWorkflowExecution(s.ctx(), id, "")
	require.NoError(t, err)
	require.NotEqual(t, first.WorkflowExecutionInfo.Execution.RunId, next.WorkflowExecutionInfo.Execution.RunId)
	require.Less(t, next.WorkflowExecutionInfo.HistoryLength, int64(20))
}

// shortenWatch makes the watch end within a test. TestMain calls it.
func shortenWatch() {
	watch.DefaultPace.Idle, watch.DefaultPace.Term, watch.DefaultPace.Announced = 6*time.Second, 20*time.Second, time.Second
}
