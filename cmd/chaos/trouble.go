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

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// trouble is what happens to the processes and to the service while the load is on.
type trouble struct {
	plan      *plan
	processes *processes
	api       *testsuite.API
	closed    func() int // workflows so far
	tell      func(format string, args ...any)

	// calm is held by a late intent until its second request is out. What would put that off until the first one is carried
	// out, so that both agents begin together, waits for it.
	calm sync.RWMutex
	// capacity is held while the service has none: a person's rerun would be refused.
	capacity sync.Mutex

	kills    atomic.Int64
	restarts atomic.Int64
}

// makeAll makes trouble until the context ends. An error is trouble that was not meant.
func (t *trouble) makeAll(ctx context.Context) error {
	var all sync.WaitGroup
	errs := make([]error, 3)
	for i, kind := range []func(context.Context) error{t.killWorkers, t.restartServer, t.runShortOfCapacity} {
		all.Go(func() { errs[i] = kind(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// killWorkers kills one every few seconds, and starts another in its place.
func (t *trouble) killWorkers(ctx context.Context) error {
	unasked := 0
	for {
		if !sleep(ctx, between(t.plan.kills, 1500*time.Millisecond, 4500*time.Millisecond)) {
			return nil
		}
		place := t.plan.kills.IntN(len(t.processes.workers))
		w := t.processes.worker(place)
		if w.hasEnded() {
			if unasked++; unasked > 10 {
				return fmt.Errorf("workers end by themselves: %s", w.said.text())
			}
			t.tell("%s had ended by itself: %s", w.name, w.said.text())
		} else {
			w.kill()
			t.kills.Add(1)
		}
		if err := t.processes.startWorker(place); err != nil && !errors.Is(err, errClosed) {
			return err
		}
	}
}

// restartServer ends the Temporal server as often as planned, by force or politely, and starts it over the same database.
func (t *trouble) restartServer(ctx context.Context) error {
	for _, planned := range t.plan.restarts {
		if !t.until(ctx, planned.closed) {
			return nil
		}
		t.calm.Lock()
		err := t.restart(ctx, planned.kill)
		t.calm.Unlock()
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (t *trouble) restart(ctx context.Context, kill bool) error {
	how := "stopped"
	if kill {
		how = "killed"
		t.processes.server.kill()
	} else if err := t.processes.server.stop(2 * stopPatience); err != nil {
		t.tell("%v", err)
	}
	if !sleep(ctx, 500*time.Millisecond) { // long enough to be noticed
		return nil
	}
	if err := t.processes.startServer(ctx); err != nil {
		return err
	}
	t.restarts.Add(1)
	t.tell("the Temporal server was %s and is back", how)
	return nil
}

// runShortOfCapacity lets the service refuse most executes for a while, as often as planned.
func (t *trouble) runShortOfCapacity(ctx context.Context) error {
	for _, planned := range t.plan.shortages {
		if !t.until(ctx, planned.closed) {
			return nil
		}
		ambiguous := t.plan.capacityStatus == http.StatusServiceUnavailable
		if ambiguous { // each such answer begins the grace period anew
			t.calm.Lock()
		}
		t.capacity.Lock()
		t.api.SetConcurrencyLimit(planned.limit)
		t.tell("there is capacity for %d executions only, for %s: the rest gets %d", planned.limit, planned.length.Round(time.Second), t.plan.capacityStatus)
		sleep(ctx, planned.length)
		t.api.SetConcurrencyLimit(0)
		t.capacity.Unlock()
		if ambiguous {
			t.calm.Unlock()
		}
	}
	return nil
}

// until returns when so many workflows are closed; false if the context ends first.
func (t *trouble) until(ctx context.Context, closed int) bool {
	for t.closed() < closed {
		if !sleep(ctx, 100*time.Millisecond) {
			return false
		}
	}
	return ctx.Err() == nil
}

// sleep returns false if the context ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// freePort finds a port that a server can be given again and again.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
