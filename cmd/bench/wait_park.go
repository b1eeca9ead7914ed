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
	// parkPatience is how long nothing may move before the measurement is given up.
	parkPatience = 3 * time.Minute
	// tellEvery is how often progress is told.
	tellEvery = 15 * time.Second
)

// mostStarting bounds those workflows: a server that is swamped is slow. Where those that are parked keep it busy all the time,
// however, a few would hardly ever have their turn.
func mostStarting(runs int) int { return max(leastStarting, runs/4) }

func workflowID(i int) string { return fmt.Sprintf("bench-%06d", i) }

// park starts all workflows and returns when each has an agent at work.
func (m *measurement) park(ctx context.Context) error {
	runs, started, seen := m.settings.runs, 0, counts{}
	moved, told := time.Now(), time.Now()
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
		if now.Attempts != seen.Attempts {
			seen, moved = now, time.Now()
		}
		if time.Since(moved) > parkPatience {
			return fmt.Errorf("nothing has moved for %s: %d of %d workflows have an agent at work", parkPatience, executed, runs)
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
	name, in := m.way.workflow(m.place.AgentID, m.pace.interval)
	places := make(chan struct{}, startsAtOnce)
	errs := make([]error, to-from)
	var starting sync.WaitGroup
	for i := range errs {
		places <- struct{}{}
		starting.Go(func() {
			defer func() { <-places }()
			_, errs[i] = m.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: workflowID(from + i), TaskQueue: waitQueue}, name, in)
		})
	}
	starting.Wait()
	return errors.Join(errs...)
}
