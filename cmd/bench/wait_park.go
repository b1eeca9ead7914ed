package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

const (
	// minStarting is the lower bound of maxStarting.
	minStarting = 200
	// maxConcurrentStarts bounds the start requests to the server at a time.
	maxConcurrentStarts = 16
	// parkStallTimeout fails the measurement when no further run is parked for so long.
	parkStallTimeout = 3 * time.Minute
	// minParkRate is the number of runs that a small machine parks per second.
	minParkRate = 15
	// progressInterval is the time between two progress messages.
	progressInterval = 15 * time.Second
)

// maxStarting returns the bound of the workflows that are started and not yet parked: too many
// would overload the server. It grows with the runs, because parked workflows keep the server busy
// too, and a few starting ones among them would rarely get a task.
func maxStarting(runs int) int { return max(minStarting, runs/4) }

func workflowID(i int) string { return fmt.Sprintf("bench-%06d", i) }

// expectedParkTime returns the time to park all runs at minParkRate.
func expectedParkTime(runs int) time.Duration { return time.Duration(runs) * time.Second / minParkRate }

// park starts all workflows and returns when all are parked: each has an agent that runs.
func (m *measurement) park(ctx context.Context) error {
	runs, started, parked := m.settings.runs, 0, 0
	began, lastParked, lastReport := time.Now(), time.Now(), time.Now()
	for {
		now, err := callChild[counts](ctx, m.workerControl+"/counts", struct{}{})
		if err != nil {
			return err
		}
		executed := int(now.Executed)
		if executed == runs {
			running, err := callChild[int](ctx, m.apiInfo.Control+"/parked", struct{}{})
			if err != nil || running == runs {
				return err
			}
		}
		if executed != parked {
			parked, lastParked = executed, time.Now()
		}
		if time.Since(lastParked) > parkStallTimeout || time.Since(began) > parkStallTimeout+3*expectedParkTime(runs) {
			return fmt.Errorf("after %s only %d of %d workflows have a running agent: this machine is too slow for so many, lower --runs",
				time.Since(began).Round(time.Second), executed, runs)
		}
		if time.Since(lastReport) > progressInterval {
			m.logf("%d of %d parked", executed, runs)
			lastReport = time.Now()
		}
		if next := min(runs, executed+maxStarting(runs)); next > started {
			if err := m.startWorkflows(ctx, started, next); err != nil {
				return err
			}
			started = next
		} else if !program.Sleep(ctx, 200*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

func (m *measurement) startWorkflows(ctx context.Context, from, to int) error {
	slots := make(chan struct{}, maxConcurrentStarts)
	errs := make([]error, to-from)
	var starting sync.WaitGroup
	for i := range errs {
		slots <- struct{}{}
		starting.Go(func() {
			defer func() { <-slots }()
			name, in := m.way.workflow(m.apiInfo.AgentID, m.timing.interval, m.idle.at.Add(expectedParkTime(m.settings.runs)))
			_, errs[i] = m.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: workflowID(from + i), TaskQueue: waitQueue}, name, in)
		})
	}
	starting.Wait()
	return errors.Join(errs...)
}
