package integration

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/watch"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// collected is the result of the workflow collectEvents.
type collected struct {
	Events   asteroid.Events
	Statuses []asteroid.Status
}

// collectEvents executes an agent without polling. It completes on signals alone.
func collectEvents(ctx workflow.Context, in asteroid.ExecuteAgentInput) (*collected, error) {
	started, err := workflows.ExecuteAgent(ctx, in)
	if err != nil {
		return nil, err
	}
	result := &collected{Events: started.Events}
	for signals := workflow.GetSignalChannel(ctx, asteroid.ExecutionEventSignal); ; {
		var event asteroid.ExecutionEvent
		signals.Receive(ctx, &event)
		if event.ExecutionID != started.ExecutionID {
			return nil, errors.New("received an event of another execution")
		}
		if result.Statuses = append(result.Statuses, event.Status); event.Status.Terminal() {
			return result, nil
		}
	}
}

// startCollector starts the workflow collectEvents with an agent that works for d.
func (s *stack) startCollector(d time.Duration) client.WorkflowRun {
	s.t.Helper()
	name := "works " + d.String()
	id := s.api.AgentID(name)
	if id == "" {
		id = s.api.ServeAgent(name, func(testsuite.Run) []testsuite.Step {
			return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", nil)}
		})
	}
	return s.startWorkflow(collectEvents, asteroid.ExecuteAgentInput{AgentID: id, Signal: true})
}

func (s *stack) collectedBy(run client.WorkflowRun) collected {
	s.t.Helper()
	var result collected
	require.NoError(s.t, run.Get(s.ctx(), &result))
	return result
}

// watches returns the ids of the running watches of this test's fake API.
func (s *stack) watches() (ids []string) {
	s.t.Helper()
	// The list lags a little behind. It holds the workflows of all tests, so this filters by the
	// test's own queue.
	listed, err := s.client.WorkflowService().ListOpenWorkflowExecutions(s.ctx(), &workflowservice.ListOpenWorkflowExecutionsRequest{Namespace: "default", MaximumPageSize: 1000})
	require.NoError(s.t, err)
	for _, info := range listed.Executions {
		if info.Type.Name == workflows.WatchName && info.TaskQueue == s.queue && info.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			ids = append(ids, info.Execution.WorkflowId)
		}
	}
	return ids
}

// awaitWatch waits until this test has exactly one watch and returns its id.
func (s *stack) awaitWatch() string {
	s.t.Helper()
	var ids []string
	require.Eventually(s.t, func() bool { ids = s.watches(); return len(ids) == 1 }, time.Minute, 100*time.Millisecond)
	return ids[0]
}

// awaitScans waits for n more scans of the executions.
func (s *stack) awaitScans(n int) {
	s.t.Helper()
	count := func() (lists int) {
		for _, r := range s.api.Requests() {
			if r.Operation == "ExecutionsList" {
				lists++
			}
		}
		return lists
	}
	until := count() + 2*n // a scan lists active and terminal executions
	require.Eventually(s.t, func() bool { return count() >= until }, 90*time.Second, 50*time.Millisecond)
}

func TestWatchStartsWithFirstAgentThatWantsSignals(t *testing.T) {
	s := newStack(t)
	s.startWorker(collectEvents)
	runs := make([]client.WorkflowRun, 20)
	for i := range runs {
		runs[i] = s.startCollector(5 * time.Second)
	}
	id := s.awaitWatch()
	for _, run := range runs {
		result := s.collectedBy(run)
		require.Equal(t, asteroid.EventsWatch, result.Events)
		require.Equal(t, asteroid.StatusCompleted, result.Statuses[len(result.Statuses)-1])
	}
	quick := s.collectedBy(s.startCollector(0))
	require.Equal(t, asteroid.StatusCompleted, quick.Statuses[len(quick.Statuses)-1])
	require.Equal(t, []string{id}, s.watches())
	for _, r := range s.api.Requests() {
		require.NotEqual(t, "ExecutionGet", r.Operation, "the lists hold executions that have just become terminal")
	}
}

func TestWatchDoesNotStartWithEventsPoll(t *testing.T) {
	s := newStack(t)
	s.options.Events = asteroid.EventsPoll
	s.startWorker(collectEvents)
	run := s.startCollector(time.Hour)
	require.Eventually(t, func() bool {
		return scheduled(s.history(run))[asteroid.ExecuteAgentName] == 1 && len(s.api.Executions()) == 1
	}, time.Minute, 50*time.Millisecond)
	require.Empty(t, s.watches())
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), run.GetID(), "", "the test is over"))
}

func TestWatchMovesWhenItsWorkerStops(t *testing.T) {
	s := newStack(t)
	stop := s.startWorker(collectEvents)
	run := s.startCollector(20 * time.Second)
	id := s.awaitWatch()
	s.awaitScans(2)
	s.startWorker(collectEvents)
	began := time.Now()
	stop()
	require.Less(t, time.Since(began), 4*time.Second, "the watch must not delay the stop of its worker")
	s.awaitScans(2)
	result := s.collectedBy(run)
	require.Equal(t, asteroid.StatusCompleted, result.Statuses[len(result.Statuses)-1])
	require.Equal(t, []string{id}, s.watches())
}

func TestWatchMovesWhenItsWorkerIsKilled(t *testing.T) {
	s := newStack(t)
	stop := s.startWorker(collectEvents)
	run := s.startCollector(30 * time.Second)
	id := s.awaitWatch()
	s.awaitScans(2)
	child := s.startChildWorker()
	stop() // the watch moves to the child worker
	s.awaitScans(2)
	require.NoError(t, child.Process.Kill())
	s.startWorker(collectEvents)
	s.awaitScans(2)
	result := s.collectedBy(run)
	require.Equal(t, asteroid.StatusCompleted, result.Statuses[len(result.Statuses)-1])
	require.Equal(t, []string{id}, s.watches())
}

func TestWatchTerminatedIsStartedByNextAgent(t *testing.T) {
	s := newStack(t)
	stop := s.startWorker(collectEvents)
	first := s.startCollector(25 * time.Second)
	id := s.awaitWatch()
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), id, "", "by mistake"))
	stop()
	s.startWorker(collectEvents) // a new worker has not announced the watch yet
	second := s.startCollector(time.Second)
	require.Equal(t, asteroid.StatusCompleted, last(s.collectedBy(second).Statuses))
	require.Equal(t, asteroid.StatusCompleted, last(s.collectedBy(first).Statuses))
	require.Equal(t, id, s.awaitWatch())
}

func last(statuses []asteroid.Status) asteroid.Status { return statuses[len(statuses)-1] }

func TestWatchToleratesSecondWatch(t *testing.T) {
	s := newStack(t)
	s.startWorker(collectEvents)
	_, err := s.client.ExecuteWorkflow(s.ctx(), client.StartWorkflowOptions{ID: "another watch of " + t.Name(), TaskQueue: s.queue}, workflows.WatchName, asteroid.WatchExecutionsInput{})
	require.NoError(t, err)
	result := s.collectedBy(s.startCollector(5 * time.Second))
	require.Equal(t, asteroid.StatusCompleted, last(result.Statuses))
	require.Len(t, s.watches(), 2)
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), "another watch of "+t.Name(), "", "the test is over"))
}

func TestWatchContinuesAfterOutage(t *testing.T) {
	s := newStack(t)
	s.startWorker(collectEvents)
	s.api.Inject("ExecutionsList", testsuite.Answer(503, ""), 2)
	s.api.Inject("ExecutionsList", testsuite.Answer(429, "", "Retry-After", "2"), 2)
	s.api.Inject("ExecutionsList", testsuite.LoseResponse(), 2)
	s.api.Inject("ExecutionsList", testsuite.Answer(401, `{"message":"no"}`), 1)
	require.Equal(t, asteroid.StatusCompleted, last(s.collectedBy(s.startCollector(3*time.Second)).Statuses))
}

func TestWatchCompletesWhenIdle(t *testing.T) {
	s := newStack(t)
	s.startWorker(collectEvents)
	s.collectedBy(s.startCollector(time.Second))
	id := s.awaitWatch()
	require.NoError(t, s.client.GetWorkflow(s.ctx(), id, "").Get(s.ctx(), nil))
	require.Eventually(t, func() bool { return len(s.watches()) == 0 }, 10*time.Second, 100*time.Millisecond)
	s.collectedBy(s.startCollector(time.Second)) // starts another
	require.Equal(t, id, s.awaitWatch())
}

func TestWatchFailsForUnknownConnection(t *testing.T) {
	s := newStack(t)
	s.startWorker(collectEvents)
	run := s.startWorkflow(workflows.WatchName, asteroid.WatchExecutionsInput{Connection: "other"})
	require.ErrorContains(t, run.Get(s.ctx(), nil), `has none named "other"`)
}

func TestWatchStopsWhenCancelled(t *testing.T) {
	s := newStack(t)
	s.startWorker(collectEvents)
	run := s.startCollector(time.Hour)
	id := s.awaitWatch()
	s.awaitScans(1)
	require.NoError(t, s.client.CancelWorkflow(s.ctx(), id, ""))
	watch := s.client.GetWorkflow(s.ctx(), id, "")
	require.ErrorContains(t, watch.Get(s.ctx(), nil), "canceled")
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), run.GetID(), "", "the test is over"))
}

func TestWatchContinuesAsNew(t *testing.T) {
	s := newStack(t)
	s.startWorker(collectEvents)
	run := s.startCollector(40 * time.Second)
	id := s.awaitWatch()
	first, err := s.client.DescribeWorkflowExecution(s.ctx(), id, "")
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCompleted, last(s.collectedBy(run).Statuses))
	next, err := s.client.DescribeWorkflowExecution(s.ctx(), id, "")
	require.NoError(t, err)
	require.NotEqual(t, first.WorkflowExecutionInfo.Execution.RunId, next.WorkflowExecutionInfo.Execution.RunId)
	require.Less(t, next.WorkflowExecutionInfo.HistoryLength, int64(20))
}

// onQueue returns the stack with another task queue.
func (s *stack) onQueue(queue string) *stack {
	other := *s
	other.queue = s.t.Name() + queue
	return &other
}

// eventsOf returns the statuses of the signals in a workflow's history, in order, and when the
// terminal one came.
func (s *stack) eventsOf(run client.WorkflowRun) (statuses []asteroid.Status, ended time.Time) {
	s.t.Helper()
	for _, e := range s.history(run).Events {
		signal := e.GetWorkflowExecutionSignaledEventAttributes()
		if signal.GetSignalName() != asteroid.ExecutionEventSignal {
			continue
		}
		var event asteroid.ExecutionEvent
		require.NoError(s.t, converter.GetDefaultDataConverter().FromPayloads(signal.Input, &event))
		if statuses = append(statuses, event.Status); event.Status.Terminal() {
			ended = e.EventTime.AsTime()
		}
	}
	return statuses, ended
}

func TestWatchIsTakenOverByAnotherQueue(t *testing.T) {
	s := newStack(t)
	a, b := s.onQueue("-a"), s.onQueue("-b")
	stopA := a.startWorker(collectEvents)
	a.startCollector(time.Hour)
	a.awaitWatch()
	a.awaitScans(1)
	b.startWorker(collectEvents)
	runs := make([]client.WorkflowRun, 60)
	for i := range runs {
		id := s.api.AgentID("patient")
		runs[i] = b.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: id, Inputs: asteroid.Inputs{"seconds": 15 + i/4}})
	}
	require.Eventually(t, func() bool { return len(s.api.Executions()) == 1+len(runs) }, 2*time.Minute, 50*time.Millisecond)
	stopA()
	require.Empty(t, b.watches())
	for _, run := range runs {
		require.NoError(t, run.Get(s.ctx(), nil))
	}
	require.Len(t, b.watches(), 1)
	require.Empty(t, a.watches())
	ended := map[string]time.Time{}
	for _, e := range s.api.Executions() {
		ended[e.Metadata[asteroid.MetadataWorkflowID]] = e.TerminalAt
	}
	for _, run := range runs {
		statuses, told := s.eventsOf(run)
		require.Equal(t, 1, count(statuses, asteroid.StatusCompleted), "%v", statuses)
		require.LessOrEqual(t, count(statuses, asteroid.StatusRunning), 1, "%v", statuses)
		require.Less(t, told.Sub(ended[run.GetID()]), 40*time.Second)
	}
}

// A watch that forgets what it has told tells of the status running again, or of no end.
func TestWatchTellsOnceThroughTerminationAndStops(t *testing.T) {
	s := newStack(t)
	stop := s.startWorker(collectEvents)
	var runs []client.WorkflowRun
	for i := range 40 {
		runs = append(runs, s.startCollector(time.Duration(15+i/4)*time.Second))
	}
	id := s.awaitWatch()
	require.Eventually(t, func() bool {
		all := s.api.Executions()
		return len(all) == len(runs) && !slices.ContainsFunc(all, func(e testsuite.Execution) bool { return e.Status == "starting" })
	}, 20*time.Second, 100*time.Millisecond)
	s.awaitScans(2) // no signal is under way, whose state the terminated watch could not record
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), id, "", "by mistake"))
	require.Eventually(t, func() bool { return len(s.watches()) == 1 }, 10*time.Second, 100*time.Millisecond)
	s.awaitScans(1)
	s.startWorker(collectEvents)
	stop()
	for _, run := range runs {
		statuses := s.collectedBy(run).Statuses
		require.LessOrEqual(t, count(statuses, asteroid.StatusRunning), 1)
		s.requireToldOnce(run, statuses)
	}
}

// requireToldOnce requires that no signal came after those that a collector has received.
func (s *stack) requireToldOnce(run client.WorkflowRun, statuses []asteroid.Status) {
	s.t.Helper()
	told, _ := s.eventsOf(run)
	require.Equal(s.t, statuses, told)
}

func TestWatchServesAllConnectionsOfAnOrganization(t *testing.T) {
	s := newStack(t)
	second := s.options.Connections[asteroid.DefaultConnection]
	second.APIKey = asteroid.StaticAPIKey(s.api.AddAPIKey(s.api.OrganizationID()))
	s.options.Connections["second"] = second
	s.startWorker(collectEvents)
	s.startCollector(0)
	id := s.api.AgentID("works 0s")
	var runs []client.WorkflowRun
	for i := range 20 {
		connection := []string{"", "second"}[i%2]
		runs = append(runs, s.startWorkflow(collectEvents, asteroid.ExecuteAgentInput{Connection: connection, AgentID: id, Signal: true}))
	}
	s.awaitWatch()
	for _, run := range runs {
		s.requireToldOnce(run, s.collectedBy(run).Statuses)
	}
	s.awaitScans(2)
	require.Len(t, s.watches(), 1)
	for _, run := range runs {
		told, _ := s.eventsOf(run)
		require.Equal(t, 1, count(told, asteroid.StatusCompleted))
	}
}

func TestWatchIsTakenOverByAnotherConnection(t *testing.T) {
	s := newStack(t)
	second := s.options.Connections[asteroid.DefaultConnection]
	revoked := s.api.AddAPIKey(s.api.OrganizationID())
	first := second
	first.OrganizationID = s.api.OrganizationID()
	var key atomic.Value
	key.Store(revoked)
	first.APIKey = func(context.Context) (string, error) { return key.Load().(string), nil }
	s.options.Connections["first"] = first
	s.startWorker(collectEvents)
	agent := s.api.ServeAgent("works", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(35 * time.Second), testsuite.Complete("success", "", nil)}
	})
	s.startWorkflow(collectEvents, asteroid.ExecuteAgentInput{Connection: "first", AgentID: agent, Signal: true})
	s.awaitWatch()
	s.awaitScans(1)
	run := s.startWorkflow(collectEvents, asteroid.ExecuteAgentInput{AgentID: agent, Signal: true})
	require.Eventually(t, func() bool { return len(s.api.Executions()) == 2 }, time.Minute, 20*time.Millisecond)
	key.Store("revoked-and-unknown")
	statuses := s.collectedBy(run).Statuses
	require.Equal(t, asteroid.StatusCompleted, last(statuses))
	require.Contains(t, s.logged.String(), "the API key must be valid and allowed to list")
	require.Contains(t, s.logged.String(), "Took over the watch")
	s.requireToldOnce(run, statuses)
}

func TestWatchHandsOverAtOnceWhenItsWorkerStops(t *testing.T) {
	s := newStack(t)
	s.stopTimeout = -1
	stop := s.startWorker(collectEvents)
	run := s.startCollector(time.Hour)
	id := s.awaitWatch()
	s.awaitScans(2)
	first, err := s.client.DescribeWorkflowExecution(s.ctx(), id, "")
	require.NoError(t, err)
	s.logged.Reset()
	stop()
	next, err := s.client.DescribeWorkflowExecution(s.ctx(), id, "")
	require.NoError(t, err)
	require.Empty(t, next.PendingActivities, "the activity is completed when the worker has stopped")
	require.Equal(t, first.WorkflowExecutionInfo.Execution.RunId, next.WorkflowExecutionInfo.Execution.RunId)
	require.NotRegexp(t, "level=(WARN|ERROR)", s.logged.String())
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), run.GetID(), "", "the test is over"))
}

func count(statuses []asteroid.Status, status asteroid.Status) (n int) {
	for _, s := range statuses {
		if s == status {
			n++
		}
	}
	return n
}

// shortenWatch shortens the times of the watch, so that it completes within a test. TestMain calls
// it.
func shortenWatch() {
	// Longer than the time between heartbeats, which tell that a watch is idle and may soon end.
	watch.DefaultPace.Idle = 16 * time.Second
	watch.DefaultPace.Term, watch.DefaultPace.Checked, watch.DefaultPace.Stale = 20*time.Second, time.Second, 15*time.Second
}
