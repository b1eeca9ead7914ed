package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

// processes are the Temporal server and the workers.
type processes struct {
	settings settings
	api      []string // environment of the workers: the API, and what else this process serves
	queues   []string // of each worker
	address  string
	port     int
	database string
	started  int

	mu      sync.Mutex // guards the fields below: close may be called at any time
	server  *child.Process
	workers []*child.Process
	closed  bool
}

var errClosed = errors.New("the run is over")

// logFile returns the environment in which a child logs to a file of that name in the directory of
// --logs; without the flag it does not log.
func (p *processes) logFile(name string) []string {
	if p.settings.logs == "" {
		return nil
	}
	return []string{logFileEnv + "=" + filepath.Join(p.settings.logs, name+".log")}
}

// startServer starts a Temporal server on the database of the one before it, and waits until it is
// ready.
func (p *processes) startServer(ctx context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return errClosed
	}
	server, err := child.Start("temporal", p.logFile("temporal"), serverChild, fmt.Sprint(p.port), p.database)
	p.server = server
	p.mu.Unlock()
	if err != nil {
		return err
	}
	_, err = server.AwaitReady(ctx)
	return err
}

// clockOffset returns by how much the clock of the workers in a slot is wrong.
func clockOffset(slot int) time.Duration {
	offsets := []time.Duration{0, 2 * time.Minute, -2 * time.Minute}
	return offsets[slot%len(offsets)]
}

// startWorker starts a worker in a slot. It does not wait until the worker is ready.
func (p *processes) startWorker(slot int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	p.started++
	name := fmt.Sprintf("worker-%d", p.started)
	w, err := child.Start(name, append(p.logFile(name), p.api...), workerChild, p.address, p.queues[slot], clockOffset(slot).String())
	if err != nil {
		return err
	}
	p.workers[slot] = w
	return nil
}

// slotOf returns the slot of the worker with this identity.
func (p *processes) slotOf(workerIdentity string) (slot int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot = slices.IndexFunc(p.workers, func(w *child.Process) bool {
		return w != nil && identity(w.Pid(), clockOffset(slices.Index(p.workers, w))) == workerIdentity
	})
	return slot, slot >= 0
}

func (p *processes) worker(slot int) *child.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers[slot]
}

// close stops every process and returns when all have exited.
func (p *processes) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.workers {
		if w != nil {
			w.Kill() // the run is over, so no graceful stop is needed
		}
	}
	if p.server != nil {
		_ = p.server.Stop(stopTimeout)
	}
}
