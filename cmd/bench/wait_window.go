package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

// waitResult is the measurement of one way to wait.
type waitResult struct {
	way          way
	runs         int
	idle         snapshot      // before the first run
	parkDuration time.Duration // from idle until all runs were parked
	start, end   snapshot      // of the window

	heldSlots                  []float64 // activity slots, sampled about once a second
	workerMemory, serverMemory []float64 // in bytes, sampled alike

	progress []float64 // from the end of each sampled run to the end of its workflow, in milliseconds
	timeouts int       // workflows that took longer than progressTimeout; progress holds that for them
}

// snapshot holds the totals at one time.
type snapshot struct {
	at             time.Time
	counts         counts
	worker, server usage
	events         float64 // mean history length of the runs
}

// sampledHistories is the number of histories whose length is read.
const sampledHistories = 100

// window measures the steady state, in which every run is parked.
func (m *measurement) window(ctx context.Context) (result waitResult, err error) {
	result = waitResult{way: m.way, runs: m.settings.runs, idle: m.idle, parkDuration: m.parkDuration}
	if result.start, err = m.snapshot(ctx); err != nil {
		return result, err
	}
	until := result.start.at.Add(m.timing.window)
	for time.Now().Before(until) {
		if !program.Sleep(ctx, min(time.Second, m.timing.window/10)) {
			return result, context.Cause(ctx)
		}
		now, err := m.readUsage(ctx)
		if err != nil {
			return result, err
		}
		result.heldSlots = append(result.heldSlots, float64(now.counts.Running))
		result.workerMemory = append(result.workerMemory, float64(now.worker.memory))
		result.serverMemory = append(result.serverMemory, float64(now.server.memory))
	}
	if result.end, err = m.snapshot(ctx); err == nil {
		m.logf("%d attempts and %d reads in %s", result.attempts(), result.reads(), result.length().Round(time.Second))
	}
	return result, err
}

// readUsage returns a snapshot without the history lengths.
func (m *measurement) readUsage(ctx context.Context) (now snapshot, err error) {
	if now.counts, err = callChild[counts](ctx, m.workerControl+"/counts", struct{}{}); err != nil {
		return now, err
	}
	now.at = time.Now()
	now.worker, err = usageOf(m.worker.Pid())
	if err == nil {
		now.server, err = usageOf(m.temporal.Pid())
	}
	if errors.Is(err, errNoUsage) {
		err = nil // the counts are still valid
	}
	return now, err
}

func (m *measurement) snapshot(ctx context.Context) (snapshot, error) {
	var events int64
	sampled := min(sampledHistories, m.settings.runs)
	for i := range sampled {
		described, err := m.client.DescribeWorkflowExecution(ctx, workflowID(i*m.settings.runs/sampled), "")
		if err != nil {
			return snapshot{}, err
		}
		events += described.GetWorkflowExecutionInfo().GetHistoryLength()
	}
	now, err := m.readUsage(ctx)
	now.events = float64(events) / float64(sampled)
	return now, err
}

// progressTimeout bounds the wait for a workflow to notice the end of its run.
const progressTimeout = 10 * time.Minute

// sample ends some runs one after another, and measures how long their workflows take to complete.
func (m *measurement) sample(ctx context.Context, result *waitResult) error {
	type sampled struct {
		elapsed time.Duration
		err     error
	}
	samples := make(chan sampled, m.settings.samples)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, i := range rand.Perm(m.settings.runs)[:m.settings.samples] { //nolint:gosec // a sample, not a secret
		// Random intervals, so that the ends fall into every phase of a poll or a scan.
		if !program.Sleep(ctx, time.Duration(2*rand.Float64()*float64(m.settings.spacing))) { //nolint:gosec // the same
			return context.Cause(ctx)
		}
		go func() {
			elapsed, err := m.timeToComplete(ctx, workflowID(i))
			samples <- sampled{elapsed, err}
		}()
	}
	for range m.settings.samples {
		s := <-samples
		switch {
		case errors.Is(s.err, context.DeadlineExceeded) && ctx.Err() == nil:
			result.timeouts++
			result.progress = append(result.progress, float64(progressTimeout.Milliseconds()))
		case s.err != nil:
			return s.err
		default:
			result.progress = append(result.progress, s.elapsed.Seconds()*1000)
		}
	}
	if result.timeouts > 0 {
		m.logf("%d of %d workflows did not notice the end of their run within %s", result.timeouts, m.settings.samples, progressTimeout)
	}
	m.logf("of %d workflows, half noticed the end of their run within %.0f ms, all within %.0f ms",
		len(result.progress), percentile(result.progress, 0.5), percentile(result.progress, 1))
	return nil
}

// timeToComplete ends the run of a workflow and returns how long the workflow takes to complete.
func (m *measurement) timeToComplete(ctx context.Context, workflowID string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	completed := make(chan error, 1)
	var completedAt time.Time
	go func() {
		err := m.client.GetWorkflow(ctx, workflowID, "").Get(ctx, nil)
		completedAt = time.Now()
		completed <- err
	}()
	program.Sleep(ctx, 100*time.Millisecond) // lets Get begin to wait; a late Get still returns the result
	terminalAt, err := callChild[time.Time](ctx, m.apiInfo.Control+"/end", workflowID)
	if err != nil {
		return 0, err
	}
	if err := <-completed; err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // the client wraps a deadline in its own error types
		}
		return 0, fmt.Errorf("workflow %s: %w", workflowID, err)
	}
	return completedAt.Sub(terminalAt), nil
}
