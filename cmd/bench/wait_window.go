package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// waited is what one way to wait took.
type waited struct {
	way            way
	runs           int
	idle           snapshot      // before the first run
	parked         time.Duration // from then until all were
	began, ended   snapshot
	held           []float64 // activity slots, every second or so
	worker, server []float64 // memory in bytes, as often
	progress       []float64 // from the end of a run to that of its workflow, in milliseconds
	unseen         int       // ends of which nobody heard within unseenAfter, for which that stands in progress
}

// snapshot is what was so far, at one time.
type snapshot struct {
	at             time.Time
	counts         counts
	worker, server usage
	events         float64 // of a run's history, the mean
}

// snapshotRuns is how many histories are looked at.
const snapshotRuns = 100

// window measures the steady state.
func (m *measurement) window(ctx context.Context) (result waited, err error) {
	result = waited{way: m.way, runs: m.settings.runs, idle: m.idle, parked: m.parked}
	if result.began, err = m.snapshot(ctx); err != nil {
		return result, err
	}
	until := result.began.at.Add(m.pace.window)
	for time.Now().Before(until) {
		if !sleep(ctx, min(time.Second, m.pace.window/10)) {
			return result, context.Cause(ctx)
		}
		now, err := m.look(ctx)
		if err != nil {
			return result, err
		}
		result.held = append(result.held, float64(now.counts.UnderWay))
		result.worker, result.server = append(result.worker, float64(now.worker.memory)), append(result.server, float64(now.server.memory))
	}
	if result.ended, err = m.snapshot(ctx); err == nil {
		m.tell("%d attempts and %d reads in %s", result.attempts(), result.reads(), result.length().Round(time.Second))
	}
	return result, err
}

// look is a snapshot without the histories.
func (m *measurement) look(ctx context.Context) (now snapshot, err error) {
	if now.counts, err = ask[counts](ctx, m.control+"/counts", struct{}{}); err != nil {
		return now, err
	}
	now.at = time.Now()
	now.worker, err = usageOf(m.worker.command.Process.Pid)
	if err == nil {
		now.server, err = usageOf(m.temporal.command.Process.Pid)
	}
	if errors.Is(err, errNoUsage) {
		err = nil // there is still something to measure
	}
	return now, err
}

func (m *measurement) snapshot(ctx context.Context) (snapshot, error) {
	var events int64
	looked := min(snapshotRuns, m.settings.runs)
	for i := range looked {
		described, err := m.client.DescribeWorkflowExecution(ctx, workflowID(i*m.settings.runs/looked), "")
		if err != nil {
			return snapshot{}, err
		}
		events += described.GetWorkflowExecutionInfo().GetHistoryLength()
	}
	now, err := m.look(ctx)
	now.events = float64(events) / float64(looked)
	return now, err
}

// unseenAfter is when nobody waits any more for a workflow to hear of its run's end.
const unseenAfter = 10 * time.Minute

// sample ends some runs, one after the other, and measures how long it takes until their workflows have gone on.
func (m *measurement) sample(ctx context.Context, result *waited) error {
	type end struct {
		took time.Duration
		err  error
	}
	ends := make(chan end, m.settings.samples)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, i := range rand.Perm(m.settings.runs)[:m.settings.samples] { //nolint:gosec // a sample, not a secret
		// At random, so that ends fall into every phase of a poll or a scan.
		if !sleep(ctx, time.Duration(2*rand.Float64()*float64(m.settings.spacing))) { //nolint:gosec // the same
			return context.Cause(ctx)
		}
		go func() {
			took, err := m.progressOf(ctx, workflowID(i))
			ends <- end{took, err}
		}()
	}
	for range m.settings.samples {
		e := <-ends
		switch {
		case errors.Is(e.err, context.DeadlineExceeded) && ctx.Err() == nil:
			result.unseen++
			result.progress = append(result.progress, float64(unseenAfter.Milliseconds()))
		case e.err != nil:
			return e.err
		default:
			result.progress = append(result.progress, e.took.Seconds()*1000)
		}
	}
	if result.unseen > 0 {
		m.tell("%d of %d workflows had not heard of their run's end after %s", result.unseen, m.settings.samples, unseenAfter)
	}
	m.tell("of %d ends, half were heard of within %.0f ms, all within %.0f ms",
		len(result.progress), percentile(result.progress, 0.5), percentile(result.progress, 1))
	return nil
}

// progressOf ends the run of a workflow and returns how long it takes until that has completed.
func (m *measurement) progressOf(ctx context.Context, workflowID string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, unseenAfter)
	defer cancel()
	completed := make(chan error, 1)
	var at time.Time
	go func() { // already waits when it ends
		err := m.client.GetWorkflow(ctx, workflowID, "").Get(ctx, nil)
		at = time.Now()
		completed <- err
	}()
	sleep(ctx, 100*time.Millisecond) // until that is so; if it is not yet, it is told all the same
	ended, err := ask[time.Time](ctx, m.place.Control+"/end", workflowID)
	if err != nil {
		return 0, err
	}
	if err := <-completed; err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // the client has errors of its own for that
		}
		return 0, fmt.Errorf("workflow %s: %w", workflowID, err)
	}
	return at.Sub(ended), nil
}
