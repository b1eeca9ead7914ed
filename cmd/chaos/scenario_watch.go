package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// Scenarios of the watch.
var (
	stoppedQueue   = &scenario{name: "stopped queue", share: 0.3, run: (*scene).stopQueue}
	twoConnections = &scenario{name: "two connections", share: 3, run: (*scene).twoConnections}
)

// watchID returns the workflow id that the library gives the watch over an organization. With
// another id, kindQueueStopped never happens.
func (w *workload) watchID(organizationID string) string {
	sum := sha256.Sum256([]byte(w.api.BaseURL() + "\n" + organizationID))
	return asteroid.WatchWorkflowName + "/" + hex.EncodeToString(sum[:8])
}

// watchQueue returns the task queue of the watch over the separate organization, or nothing if none
// runs.
func (w *workload) watchQueue(ctx context.Context) (queue string) {
	retry(ctx, func(ctx context.Context) error {
		described, err := w.temporal.DescribeWorkflowExecution(ctx, w.watchID(w.separateOrganization), "")
		if info := described.GetWorkflowExecutionInfo(); info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			queue = info.GetTaskQueue()
		}
		if _, unknown := errors.AsType[*serviceerror.NotFound](err); unknown {
			return nil
		}
		return err
	})
	return queue
}

// awaitWatch waits until the watch over the separate organization runs, at most watchPatience.
func (w *workload) awaitWatch(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, watchPatience)
	defer done()
	for w.watchQueue(ctx) == "" && program.Sleep(ctx, 100*time.Millisecond) {
	}
}

const (
	// watchPatience is how long a watch may take to start, or to move to another task queue.
	watchPatience = time.Minute
	// tellPatience is how long a workflow may take to learn that its execution has ended while the
	// watch moves, and to close.
	tellPatience = 75 * time.Second
)

// stopQueue stops all workers of the second task queue, while the watch over the separate
// organization runs there, until it runs on another. The workflows learn by signals alone: their
// polls are ten minutes apart.
func (s *scene) stopQueue(ctx context.Context) []outcome {
	stop, release := s.disruptor.holdWorkers(taskQueueSecond)
	started := map[string][]string{} // intents by task queue
	start := func(queue string, works ...time.Duration) {
		for i, work := range works {
			in := s.input(fmt.Sprintf("%s-%s-%d", s.id, queue, i), work)
			in.Connection, in.AgentID, in.PollIntervalSeconds = connectionSeparate, s.separateAgentID, 0
			id := in.Inputs[inputIntent].(string)
			s.startRunAgent(ctx, id, queue, in)
			started[queue] = append(started[queue], id)
		}
	}
	start(taskQueueSecond, 20*time.Second, 30*time.Second)
	for _, intent := range started[taskQueueSecond] {
		s.awaitExecution(ctx, intent, func(e testsuite.Execution) bool { return e.Status == "running" })
	}
	s.awaitWatch(ctx)
	start(taskQueue, 5*time.Second, 10*time.Second, 15*time.Second, 20*time.Second, watchPatience) // the last one relies on it until then
	for _, intent := range started[taskQueue] {
		s.awaitExecution(ctx, intent, func(e testsuite.Execution) bool { return e.Status == "running" })
	}
	if s.watchQueue(ctx) == taskQueueSecond {
		stop()
		s.awaitTakeOver(ctx)
	}
	if err := release(); err != nil {
		s.disruptor.logf("%v", err)
	}
	var outcomes []outcome
	for queue, intents := range started {
		for _, id := range intents {
			o := outcome{intent: id, workflowID: id}
			s.awaitClose(ctx, &o)
			if queue == taskQueue && o.state != stateOpen {
				s.checkTold(ctx, o)
			}
			outcomes = append(outcomes, o)
		}
	}
	s.noteClosed(outcomes[0])
	return outcomes
}

// awaitTakeOver waits until the watch runs on another task queue than the second.
func (s *scene) awaitTakeOver(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, watchPatience)
	defer done()
	for program.Sleep(ctx, 200*time.Millisecond) {
		if queue := s.watchQueue(ctx); queue != "" && queue != taskQueueSecond {
			s.tally.fire(kindQueueStopped)
			s.disruptor.logf("the watch has moved to task queue %s", queue)
			return
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.findings.add(foundStuck, s.id, "no other task queue has taken over the watch within %s", watchPatience)
	}
}

// checkTold finds a workflow that has learned late that its execution has ended.
func (s *scene) checkTold(ctx context.Context, o outcome) {
	events := s.history(ctx, o.workflowID, "")
	if e, ok := s.api.Execution(o.executionID); ok && len(events) > 0 {
		checkDelay(s.findings, o, e, events[len(events)-1].GetEventTime().AsTime())
	}
}

// checkDelay finds a workflow that closed too long after its execution had ended.
func checkDelay(found *findings, o outcome, e testsuite.Execution, closedAt time.Time) {
	if late := closedAt.Sub(e.TerminalAt); late > tellPatience {
		found.add(foundStuck, o.workflowID, "%s closed %s after execution %s had ended, although another task queue could take over the watch",
			o.workflowID, late.Round(time.Second), e.ID)
	}
}

// twoConnections runs two agents at once by two connections of one organization. One watch serves
// both, and its worker dies.
func (s *scene) twoConnections(ctx context.Context) []outcome {
	var outcomes []outcome
	for _, connection := range []string{connectionAgents, connectionSecond} {
		id := s.id + "-" + connection
		in := s.input(id, between(s.random, 12*time.Second, 16*time.Second))
		in.Connection = connection
		s.startRunAgent(ctx, id, taskQueue, in)
		outcomes = append(outcomes, outcome{intent: id, workflowID: id})
	}
	s.killWatch(ctx)
	for i := range outcomes {
		s.awaitClose(ctx, &outcomes[i])
	}
	a, _ := s.api.Execution(outcomes[0].executionID)
	b, _ := s.api.Execution(outcomes[1].executionID)
	if a.ID != "" && b.ID != "" && a.StartedAt.Before(b.TerminalAt) && b.StartedAt.Before(a.TerminalAt) {
		s.tally.fire(kindTwoConnections)
	}
	s.noteClosed(outcomes[0])
	return outcomes
}

// killWatch kills the worker of the watch.
func (s *scene) killWatch(ctx context.Context) {
	for range 3 { // a round of the watch may end before its worker does
		if s.killIn(ctx, s.watchID(s.api.OrganizationID()), asteroid.WatchExecutionsName) {
			s.tally.fire(kindKilledWatch)
			return
		}
	}
}
