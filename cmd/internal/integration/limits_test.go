package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	history "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// worksFor returns an agent that works for a while.
func worksFor(d time.Duration) testsuite.Agent {
	return func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", 1)}
	}
}

// limitStack returns a stack whose limiters and runs do not mix with those of other tests.
func limitStack(t *testing.T) (s *stack, limit func(key string, n int) asteroid.Limit) {
	s = newStack(t)
	return s, func(key string, n int) asteroid.Limit {
		return asteroid.Limit{Key: t.Name() + "/" + key, Max: n}
	}
}

// mostAtOnce returns how many of the executions worked at once.
func mostAtOnce(executions []testsuite.Execution) (most int) {
	for _, e := range executions {
		at := 0
		for _, other := range executions {
			if !other.CreatedAt.After(e.CreatedAt) && (other.TerminalAt.IsZero() || other.TerminalAt.After(e.CreatedAt)) {
				at++
			}
		}
		most = max(most, at)
	}
	return most
}

func (s *stack) limiterState(limit asteroid.Limit) (state asteroid.LimiterState, err error) {
	value, err := s.client.QueryWorkflow(s.ctx(), asteroid.LimiterWorkflowID("", limit.Key), "", workflows.StateQuery)
	if err != nil {
		return state, err
	}
	return state, value.Get(&state)
}

func (s *stack) awaitLimiter(limit asteroid.Limit, condition func(asteroid.LimiterState) bool) {
	s.t.Helper()
	var state asteroid.LimiterState
	require.Eventually(s.t, func() bool {
		var err error
		state, err = s.limiterState(limit)
		return err == nil && condition(state)
	}, 2*time.Minute, 100*time.Millisecond, "%+v", state)
}

// waitsForPermit reports whether a limiter has taken the request of the workflow's agent.
func waitsForPermit(state workflows.State) bool {
	return phase(workflows.PhaseWaitingForPermit)(state) && state.Agents[0].Permit != ""
}

func TestLimitBoundsTheRunsOfAllWorkflows(t *testing.T) {
	s, limit := limitStack(t)
	agent := s.api.ServeAgent("busy", worksFor(300*time.Millisecond))
	s.startWorker()
	var runs []client.WorkflowRun
	for range 12 {
		runs = append(runs, s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent, Limits: []asteroid.Limit{limit("login", 2)}}))
	}
	for _, run := range runs {
		require.NoError(t, run.Get(s.ctx(), nil))
	}
	require.Len(t, s.api.Executions(), 12)
	require.Equal(t, 2, mostAtOnce(s.api.Executions()))
	for _, run := range runs {
		require.Zero(t, openTimers(s.history(run)), "a run that works is not woken by the timer of its wait")
	}
	s.awaitLimiter(limit("login", 2), func(state asteroid.LimiterState) bool {
		return len(state.Holders) == 0 && state.Waiting == 0 && state.Granted == 12
	})
}

// openTimers returns how many timers were neither fired nor cancelled.
func openTimers(h *history.History) (open int) {
	for _, event := range h.Events {
		switch event.EventType {
		case enums.EVENT_TYPE_TIMER_STARTED:
			open++
		case enums.EVENT_TYPE_TIMER_FIRED, enums.EVENT_TYPE_TIMER_CANCELED:
			open--
		}
	}
	return open
}

func TestLimitOfTheWorkerIsByProfile(t *testing.T) {
	s := newStack(t)
	s.options.Limits.PerProfile = 1
	agent := s.api.ServeAgent("busy", worksFor(300*time.Millisecond))
	profiles := []string{s.api.AddProfile("one"), s.api.AddProfile("two")}
	s.startWorker()
	var runs []client.WorkflowRun
	for i := range 6 {
		runs = append(runs, s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{
			AgentID: agent, AgentProfileID: profiles[i%2], Files: []asteroid.FileRef{{URI: "data:,a", Name: "a.txt"}},
		}))
	}
	for _, run := range runs {
		require.NoError(t, run.Get(s.ctx(), nil))
	}
	of := map[string][]testsuite.Execution{}
	for _, e := range s.api.Executions() {
		of[e.AgentProfileID] = append(of[e.AgentProfileID], e)
	}
	require.Len(t, of, 2)
	for _, executions := range of {
		require.Len(t, executions, 3)
		require.Equal(t, 1, mostAtOnce(executions))
	}
}

func TestLimitSharesPermitsBetweenFairnessKeys(t *testing.T) {
	s, limit := limitStack(t)
	agent := s.api.ServeAgent("busy", worksFor(100*time.Millisecond))
	s.startWorker()
	var mu sync.Mutex
	var ended []string
	var wait sync.WaitGroup
	start := func(tenant string) {
		l := limit("login", 2)
		l.FairnessKey = tenant
		run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent, Limits: []asteroid.Limit{l}})
		wait.Go(func() {
			if run.Get(s.ctx(), nil) == nil {
				mu.Lock()
				defer mu.Unlock()
				ended = append(ended, tenant)
			}
		})
	}
	for range 30 {
		start("large")
	}
	s.awaitLimiter(limit("login", 2), func(state asteroid.LimiterState) bool { return state.Waiting >= 20 })
	for range 3 {
		start("small")
	}
	mu.Lock()
	before := len(ended)
	mu.Unlock()
	wait.Wait()
	require.Len(t, ended, 33)
	last := len(ended) - 1 - slices.Index(reversed(ended), "small")
	require.Less(t, last-before, 16, "three of small ended after %d of all", last-before)
}

func reversed(list []string) []string {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func TestLimiterFreesThePermitOfATerminatedHolder(t *testing.T) {
	s, limit := limitStack(t)
	agent := s.api.ServeAgent("busy", worksFor(time.Hour))
	quick := s.api.ServeAgent("quick", worksFor(0))
	s.startWorker()
	limits := []asteroid.Limit{limit("login", 1)}
	holder := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent, Limits: limits})
	s.awaitState(holder, phase(workflows.PhaseRunning))
	waiter := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: quick, Limits: limits})
	state := s.awaitState(waiter, waitsForPermit)
	require.Equal(t, limits[0].Key, state.Agents[0].Permit)
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), holder.GetID(), "", "a test"))
	from := time.Now()
	require.NoError(t, waiter.Get(s.ctx(), nil))
	require.Less(t, time.Since(from), time.Minute)
	record(t, "limited", s.history(waiter))
	s.awaitLimiter(limits[0], func(state asteroid.LimiterState) bool { return len(state.Holders) == 0 })
	record(t, "limiter", s.history(s.client.GetWorkflow(s.ctx(), asteroid.LimiterWorkflowID("", limits[0].Key), "")))
}

func TestLimitsOfTwoKeysAreTakenInOneOrder(t *testing.T) {
	s, limit := limitStack(t)
	agent := s.api.ServeAgent("quick", worksFor(0))
	s.startWorker()
	count := 12
	if *many {
		count = 200
	}
	var runs []client.WorkflowRun
	for i := range count {
		limits := []asteroid.Limit{limit("a", 1), limit("b", 1)}
		if i%2 == 1 {
			slices.Reverse(limits)
		}
		runs = append(runs, s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent, Limits: limits}))
	}
	for _, run := range runs {
		require.NoError(t, run.Get(s.ctx(), nil))
	}
	require.Equal(t, 1, mostAtOnce(s.api.Executions()))
}

// A run that was reset to after its grant takes a permit again, and waits for it.
func TestLimitHoldsForARunThatWasReset(t *testing.T) {
	s, limit := newResetStack(t), func(key string, n int) asteroid.Limit { return asteroid.Limit{Key: t.Name() + "/" + key, Max: n} }
	agent := s.api.ServeAgent("busy", worksFor(time.Second))
	s.startWorker()
	limits := []asteroid.Limit{limit("login", 1)}
	in := workflows.RunAgentInput{AgentID: agent, Inputs: asteroid.Inputs{"n": 1}, Limits: limits}
	first := s.startWorkflow(workflows.RunAgentName, in)
	require.NoError(t, first.Get(s.ctx(), nil))
	s.api.DeleteExecution(s.api.Executions()[0].ID) // so the reset starts another one
	long := s.api.ServeAgent("long", worksFor(3*time.Second))
	holder := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: long, Limits: limits})
	s.awaitState(holder, phase(workflows.PhaseRunning))

	// The workflow task that scheduled the execute knew of the grant.
	var execute int64
	for _, event := range s.history(first).Events {
		if a := event.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == asteroid.ExecuteAgentName {
			execute = a.WorkflowTaskCompletedEventId
		}
	}
	tasks := 0 // before it
	for _, event := range s.history(first).Events {
		if event.GetWorkflowTaskCompletedEventAttributes() != nil && event.EventId < execute {
			tasks++
		}
	}
	again := s.resetTo(first, tasks)
	require.NoError(t, again.Get(s.ctx(), nil))
	require.NoError(t, holder.Get(s.ctx(), nil))
	executions := s.api.Executions()
	slices.SortFunc(executions, func(a, b testsuite.Execution) int { return a.CreatedAt.Compare(b.CreatedAt) })
	require.Equal(t, 1, mostAtOnce(executions), "%+v", executions)
	require.Equal(t, 2, scheduled(s.history(again))[asteroid.AcquirePermitName], "the permit was taken again")
	require.Equal(t, 2, scheduled(s.history(again))[asteroid.ExecuteAgentName], "a lost permit is no unknown outcome, after which the run looks for an agent")
}

// Runs that wait when everything is restarted go on in their order.
func TestLimitKeepsTheOrderOverARestart(t *testing.T) {
	s, limit := limitStack(t)
	agent := s.api.ServeAgent("busy", worksFor(100*time.Millisecond))
	stop := s.startWorker()
	limits := []asteroid.Limit{limit("login", 1)}
	holder := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.ServeAgent("long", worksFor(time.Hour)), Limits: limits})
	s.awaitState(holder, phase(workflows.PhaseRunning))
	var runs []client.WorkflowRun
	for i := range 6 {
		run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent, Inputs: asteroid.Inputs{"n": i}, Limits: limits})
		s.awaitLimiter(limits[0], func(state asteroid.LimiterState) bool { return state.Waiting == i+1 })
		runs = append(runs, run)
	}
	stop()
	s.startWorker()
	require.NoError(t, s.client.CancelWorkflow(s.ctx(), holder.GetID(), ""))
	for _, run := range runs {
		require.NoError(t, run.Get(s.ctx(), nil))
	}
	executions := slices.DeleteFunc(s.api.Executions(), func(e testsuite.Execution) bool { return e.AgentID != agent })
	slices.SortFunc(executions, func(a, b testsuite.Execution) int { return a.CreatedAt.Compare(b.CreatedAt) })
	for i, e := range executions {
		require.EqualValues(t, i, e.Inputs["n"])
	}
	require.Len(t, executions, 6)
}

func TestLimiterTakesUpdates(t *testing.T) {
	s, limit := limitStack(t)
	agent := s.api.ServeAgent("busy", worksFor(time.Hour))
	s.startWorker()
	limits := []asteroid.Limit{limit("login", 1)}
	for range 4 {
		run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent, Limits: limits})
		t.Cleanup(func() { _ = s.client.CancelWorkflow(context.Background(), run.GetID(), "") })
	}
	s.awaitLimiter(limits[0], func(state asteroid.LimiterState) bool { return len(state.Holders) == 1 && state.Waiting == 3 })
	update := func(name string, arg any) (state asteroid.LimiterState, err error) {
		handle, err := s.client.UpdateWorkflow(s.ctx(), client.UpdateWorkflowOptions{
			WorkflowID: asteroid.LimiterWorkflowID("", limits[0].Key), UpdateName: name, Args: []any{arg}, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err != nil {
			return state, err
		}
		return state, handle.Get(s.ctx(), &state)
	}
	state, err := update(asteroid.SetLimitUpdate, asteroid.SetLimitInput{Max: 3})
	require.NoError(t, err)
	require.True(t, state.MaxSet)
	s.awaitLimiter(limits[0], func(state asteroid.LimiterState) bool { return len(state.Holders) == 3 && state.Waiting == 1 })
	_, err = update(asteroid.FreePermitUpdate, asteroid.FreePermitInput{Token: state.Holders[0].Token})
	require.NoError(t, err)
	s.awaitLimiter(limits[0], func(state asteroid.LimiterState) bool { return len(state.Holders) == 3 && state.Waiting == 0 })
	_, err = update(asteroid.FreePermitUpdate, asteroid.FreePermitInput{Token: "nobody"})
	require.ErrorContains(t, err, "no run with this token")
	_, err = update(asteroid.SetLimitUpdate, map[string]any{"maximum": 3})
	require.ErrorContains(t, err, "the members are max")
	_, err = update(asteroid.SetLimitUpdate, asteroid.SetLimitInput{Max: -1})
	require.Error(t, err)
}

// The limiter's history stays bounded, and no permit is lost when it continues as new.
func TestLimiterContinuesAsNew(t *testing.T) {
	if !*many {
		t.Skip("needs -many")
	}
	s, limit := limitStack(t)
	agent := s.api.ServeAgent("quick", worksFor(0))
	s.startWorker()
	const n = 400
	var runs []client.WorkflowRun
	for i := range n {
		l := limit("login", 5)
		l.FairnessKey = fmt.Sprint(i % 3)
		runs = append(runs, s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent, Limits: []asteroid.Limit{l}}))
	}
	for _, run := range runs {
		require.NoError(t, run.Get(s.ctx(), nil))
	}
	require.LessOrEqual(t, mostAtOnce(s.api.Executions()), 5)
	s.awaitLimiter(limit("login", 5), func(state asteroid.LimiterState) bool {
		return len(state.Holders) == 0 && state.Waiting == 0 && state.Granted == n
	})
	described, err := s.client.DescribeWorkflowExecution(s.ctx(), asteroid.LimiterWorkflowID("", limit("login", 5).Key), "")
	require.NoError(t, err)
	info := described.WorkflowExecutionInfo
	require.NotEqual(t, info.FirstRunId, info.Execution.RunId, "it continued as new")
	require.Less(t, cmp.Or(info.HistoryLength, 1), int64(3000))
}

// A signal that arrives while the limiter continues as new is not lost.
func TestLimiterTakesEveryRequestOfAStorm(t *testing.T) {
	s, limit := limitStack(t)
	l := limit("login", 1)
	agent := s.api.ServeAgent("busy", worksFor(time.Hour))
	s.startWorker()
	holder := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent, Limits: []asteroid.Limit{l}})
	t.Cleanup(func() { _ = s.client.TerminateWorkflow(context.Background(), holder.GetID(), "", "the test is over") })
	s.awaitState(holder, phase(workflows.PhaseRunning))
	limiter := asteroid.LimiterWorkflowID("", l.Key)
	t.Cleanup(func() { _ = s.client.TerminateWorkflow(context.Background(), limiter, "", "the test is over") })
	const n, senders = 2000, 4
	errs := make([]error, senders)
	var wait sync.WaitGroup
	for sender := range senders {
		wait.Go(func() {
			for i := range n / senders {
				request := asteroid.PermitRequest{
					Token: fmt.Sprint(sender, "|", i), WorkflowID: "nobody", RunID: "run", FirstRunID: "run", Max: 1, RequestedAt: time.Now(),
				}
				errs[sender] = errors.Join(errs[sender], s.client.SignalWorkflow(s.ctx(), limiter, "", asteroid.AcquirePermitSignal, request))
			}
		})
	}
	wait.Wait()
	require.NoError(t, errors.Join(errs...))
	s.awaitLimiter(l, func(state asteroid.LimiterState) bool { return state.Waiting == n })
	described, err := s.client.DescribeWorkflowExecution(s.ctx(), limiter, "")
	require.NoError(t, err)
	require.NotEqual(t, described.WorkflowExecutionInfo.FirstRunId, described.WorkflowExecutionInfo.Execution.RunId, "it continued as new")
}

// A limiter on a task queue without workers grants nothing, and the runs that wait say why.
func TestLimitTellsThatNoWorkerServesTheLimiter(t *testing.T) {
	s, limit := limitStack(t)
	agent := s.api.ServeAgent("quick", worksFor(0))
	s.startWorker()
	l, other := limit("login", 1), *s
	other.queue += "/other"
	limiter := asteroid.LimiterWorkflowID("", l.Key)
	_, err := s.client.ExecuteWorkflow(s.ctx(), client.StartWorkflowOptions{ID: limiter, TaskQueue: other.queue},
		asteroid.LimiterWorkflowName, asteroid.LimiterInput{Connection: asteroid.DefaultConnection, Key: l.Key})
	require.NoError(t, err)

	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent, Limits: []asteroid.Limit{l}})
	state := s.awaitState(run, waitsForPermit)
	require.Equal(t, other.queue, state.Agents[0].PermitUnservedQueue)
	require.Contains(t, s.logged.String(), "The limiter grants no permits")
	other.startWorker()
	require.NoError(t, run.Get(s.ctx(), nil))
}
