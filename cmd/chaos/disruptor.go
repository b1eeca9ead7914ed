package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// disruptor kills processes and limits the fake API's capacity while the workload runs.
type disruptor struct {
	plan      *plan
	processes *processes
	api       *testsuite.API
	tally     *tally
	timeline  *timeline
	logf      func(format string, args ...any)
	// closedWorkflows returns the number of workflows that are closed so far.
	closedWorkflows func() int

	// quiet is read-locked by a late intent until its second request is sent. A server restart
	// locks it, and so does a capacity limit that answers 503: both could delay the second request
	// until the API carries out the first, and both agents would start together.
	quiet sync.RWMutex
	// capacityMu is held while capacity is limited, because a person's rerun would be refused.
	capacityMu sync.Mutex

	// workersMu guards the workers: one is killed and started again at a time. held are the slots
	// whose workers somebody else stops and starts.
	workersMu sync.Mutex
	held      map[int]bool

	kills    atomic.Int64
	restarts atomic.Int64
}

// run disrupts until ctx is cancelled. It returns an error for a problem that was not planned.
func (d *disruptor) run(ctx context.Context) error {
	var all sync.WaitGroup
	errs := make([]error, 3)
	for i, disrupt := range []func(context.Context) error{d.killWorkers, d.restartServers, d.limitCapacity} {
		all.Go(func() { errs[i] = disrupt(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// killWorkers kills a worker every few seconds and starts another in its slot.
func (d *disruptor) killWorkers(ctx context.Context) error {
	unexpectedExits := 0
	for {
		if !program.Sleep(ctx, between(d.plan.kills, 1500*time.Millisecond, 4500*time.Millisecond)) {
			return nil
		}
		exited, err := d.replaceWorker(d.plan.kills.IntN(len(d.processes.workers)))
		if exited != nil && !errors.Is(exited, errHeld) {
			if unexpectedExits++; unexpectedExits > 10 {
				return fmt.Errorf("workers keep exiting without being killed: %w", exited)
			}
			d.logf("without being killed, %v", exited)
		}
		if err != nil {
			return err
		}
	}
}

var errHeld = errors.New("somebody else stops and starts the worker")

// replaceWorker kills the worker in a slot and starts another. exited tells why it was not killed:
// it was not alive, or the slot is held.
func (d *disruptor) replaceWorker(slot int) (exited, err error) {
	d.workersMu.Lock()
	defer d.workersMu.Unlock()
	if d.held[slot] {
		return errHeld, nil
	}
	if exited = d.processes.worker(slot).ExitError(); exited == nil {
		d.kill(slot)
	}
	return exited, d.startWorker(slot)
}

func (d *disruptor) kill(slot int) {
	w := d.processes.worker(slot)
	w.Kill()
	d.timeline.add("worker process %d is killed", w.Pid())
	d.kills.Add(1)
	d.tally.fire(kindWorkerKilled)
}

func (d *disruptor) startWorker(slot int) error {
	if err := d.processes.startWorker(slot); err != nil && !errors.Is(err, errClosed) {
		return err
	}
	return nil
}

// killWorker kills the worker with this identity and starts another. It returns false if it could
// not.
func (d *disruptor) killWorker(workerIdentity string) bool {
	slot, ok := d.processes.slotOf(workerIdentity)
	if !ok {
		return false
	}
	exited, err := d.replaceWorker(slot)
	return exited == nil && err == nil
}

// holdWorkers keeps the workers of a task queue from being killed by others. The returned stop
// kills them all, and release starts those again that do not run.
func (d *disruptor) holdWorkers(queue string) (stop func(), release func() error) {
	d.workersMu.Lock()
	defer d.workersMu.Unlock()
	var slots []int
	for slot, of := range d.processes.queues {
		if of == queue {
			slots = append(slots, slot)
			d.held[slot] = true
		}
	}
	stop = func() {
		d.workersMu.Lock()
		defer d.workersMu.Unlock()
		for _, slot := range slots {
			d.kill(slot)
		}
		d.logf("all workers of task queue %s are stopped", queue)
	}
	release = func() (err error) {
		d.workersMu.Lock()
		defer d.workersMu.Unlock()
		for _, slot := range slots {
			delete(d.held, slot)
			if d.processes.worker(slot).ExitError() != nil {
				err = errors.Join(err, d.startWorker(slot))
			}
		}
		return err
	}
	return stop, release
}

// restartServers restarts the Temporal server as often as planned.
func (d *disruptor) restartServers(ctx context.Context) error {
	for _, planned := range d.plan.restarts {
		if !d.awaitClosed(ctx, planned.afterClosed) {
			return nil
		}
		d.quiet.Lock()
		err := d.restartServer(ctx, planned.kill)
		d.quiet.Unlock()
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// restartServer kills or stops the Temporal server, and starts it again on the same database.
func (d *disruptor) restartServer(ctx context.Context, kill bool) error {
	how := "stopped"
	if kill {
		how = "killed"
		d.processes.server.Kill()
	} else if err := d.processes.server.Stop(2 * stopTimeout); err != nil {
		how = "killed, because it did not stop,"
	}
	if !program.Sleep(ctx, 500*time.Millisecond) { // long enough for workers to lose the connection
		return nil
	}
	if err := d.processes.startServer(ctx); err != nil {
		return err
	}
	d.restarts.Add(1)
	d.tally.fire(kindServerRestart)
	d.logf("the Temporal server was %s and restarted", how)
	return nil
}

// limitCapacity makes the fake API refuse most executes for a while, as often as planned.
func (d *disruptor) limitCapacity(ctx context.Context) error {
	for _, planned := range d.plan.capacityLimits {
		if !d.awaitClosed(ctx, planned.afterClosed) {
			return nil
		}
		unknownOutcome := d.plan.capacityStatus == http.StatusServiceUnavailable
		if unknownOutcome { // each such response restarts the grace period
			d.quiet.Lock()
		}
		d.capacityMu.Lock()
		d.api.SetConcurrencyLimit(planned.limit)
		d.logf("capacity is limited to %d executions for %s; other executes get %d", planned.limit, planned.length.Round(time.Second), d.plan.capacityStatus)
		program.Sleep(ctx, planned.length)
		d.api.SetConcurrencyLimit(0)
		d.capacityMu.Unlock()
		if unknownOutcome {
			d.quiet.Unlock()
		}
	}
	return nil
}

// awaitClosed returns when n workflows are closed. It returns false if ctx is cancelled first.
func (d *disruptor) awaitClosed(ctx context.Context, n int) bool {
	for d.closedWorkflows() < n {
		if !program.Sleep(ctx, 100*time.Millisecond) {
			return false
		}
	}
	return ctx.Err() == nil
}

// freePort returns a free port, for a server that restarts on the same port.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
