package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
)

const (
	// leastStarting is how many workflows may always be between their beginning and their agent's.
	leastStarting = 200
	// startsAtOnce is how many are asked for at the same time.
	startsAtOnce = 16
	// parkPatience is for how long not one more run may be parked before the measurement is given up.
	parkPatience = 3 * time.Minute
	// parkPace is how many runs a small machine parks in a second, at least.
	parkPace = 15
	// tellEvery is how often progress is told.
	tellEvery = 15 * time.Second
)

// mostStarting bounds those workflows: a server that is swamped is slow. Where those that are parked keep it busy all the time,
// however, a few would hardly ever have their turn.
func mostStarting(runs int) int { return max(leastStarting, runs/4) }

func workflowID(i int) string { return fmt.Sprintf("bench-%06d", i) }

// parkTime is what parking takes at that pace.
func parkTime(runs int) time.Duration { return time.Duration(runs) * time.Second / parkPace }

// park starts all workflows and returns when each has an agent at work.
func (m *measurement) park(ctx context.Context) error {
	runs, started, seen := m.settings.runs, 0, 0
	began, moved, told := time.Now(), time.Now(), time.Now()
	for {
		now, err := ask[counts](ctx, m.control+"/counts", struct{}{})
		if err != nil {
			return err
		}
		executed := int(now.Executed)
		if executed == runs {
			running, err := ask[int](ctx, m.place.Control+"/parked", struct{}{})
			if err != nil || running == runs {
				return err
			}
		}
		if executed != seen {
			seen, moved = executed, time.Now()
		}
		if time.Since(moved) > parkPatience || time.Since(began) > parkPatience+3*parkTime(runs) {
			return fmt.Errorf("after %s only %d of %d workflows have an agent at work: this machine does not keep up with so many runs",
				time.Since(began).Round(time.Second), executed, runs)
		}
		if time.Since(told) > tellEvery {
			m.tell("%d of %d parked", executed, runs)
			told = time.Now()
		}
		if next := min(runs, executed+mostStarting(runs)); next > started {
			if err := m.startWorkflows(ctx, started, next); err != nil {
				return err
			}
			started = next
		} else if !sleep(ctx, 200*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

func (m *measurement) startWorkflows(ctx context.Context, from, to int) error {
	places := make(chan struct{}, startsAtOnce)
	errs := make([]error, to-from)
	var starting sync.WaitGroup
	for i := range errs {
		places <- struct{}{}
		starting.Go(func() {
			defer func() { <-places }()
			name, in := m.way.workflow(m.place.AgentID, m.pace.interval, m.idle.at.Add(parkTime(m.settings.runs)))
			_, errs[i] = m.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: workflowID(from + i), TaskQueue: waitQueue}, name, in)
		})
	}
	starting.Wait()
	return errors.Join(errs...)
}
