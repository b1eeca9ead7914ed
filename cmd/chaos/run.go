package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// faultRun makes the whole run and tells on stderr how far it is.
func faultRun(ctx context.Context, s settings, stderr io.Writer) (_ *report, err error) {
	began := time.Now()
	var mu sync.Mutex
	tell := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(stderr, "%5.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	tell("seed %d: starting a Temporal server, a fake of the Asteroid API and %d workers", s.seed, s.workers)
	p := newPlan(s)
	api, err := startAPI(s, p, func(message string) { tell("the fake API: %s", message) })
	if err != nil {
		return nil, fmt.Errorf("start the fake API: %w", err)
	}
	defer func() { err = errors.Join(err, api.Close()) }()
	agentID := api.ServeAgent(agentName, clerk)

	all := &processes{
		settings: s,
		api:      []string{"ASTEROID_API_KEY=" + api.APIKey(), "ASTEROID_BASE_URL=" + api.BaseURL(), "ASTEROID_ORGANIZATION_ID=", "ASTEROID_DIALECT="},
	}
	end, err := all.startAll(ctx)
	if err != nil {
		return nil, err
	}
	defer end()

	temporal, err := client.NewLazyClient(client.Options{
		HostPort: all.address, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return nil, fmt.Errorf("make a client of the Temporal server: %w", err)
	}
	defer temporal.Close()

	l := &load{plan: p, concurrency: s.concurrency, temporal: temporal, api: api, agentID: agentID}
	l.trouble = &trouble{plan: p, processes: all, api: api, tell: tell, closed: func() int { return int(l.closed.Load()) }}

	troubled, calmDown := context.WithCancelCause(ctx)
	defer calmDown(nil)
	loaded, stopLoad := context.WithCancelCause(ctx)
	defer stopLoad(nil)
	var around sync.WaitGroup
	around.Go(func() {
		if err := l.trouble.makeAll(troubled); err != nil {
			stopLoad(err)
		}
	})
	around.Go(func() {
		for sleep(troubled, 10*time.Second) {
			tell("%s", l.progress())
		}
	})
	outcomes := l.run(loaded)
	calmDown(nil)
	around.Wait()
	if err := context.Cause(loaded); err != nil {
		return nil, err
	}
	tell("%s; waiting for what is late", l.progress())
	ledger := l.settled(ctx)
	found := &report{
		counts: count(outcomes, ledger), seed: s.seed,
		kills: int(l.trouble.kills.Load()), restarts: int(l.trouble.restarts.Load()), took: time.Since(began),
	}
	for _, r := range api.Requests() {
		if r.Operation == executeOperation || r.Operation == lateExecuteOperation {
			found.requests++
		}
	}
	return found, nil
}

// startAll starts the Temporal server and the workers. What it returns ends them, and removes the database unless it is to be kept.
func (p *processes) startAll(ctx context.Context) (_ func(), err error) {
	directory, remove := p.settings.logs, func() {}
	if directory == "" {
		if directory, err = os.MkdirTemp("", "chaos-"); err != nil {
			return nil, fmt.Errorf("make a directory for the Temporal server's database: %w", err)
		}
		remove = func() { _ = os.RemoveAll(directory) } // what cannot be removed is temporary
	}
	end := func() { p.close(); remove() }
	defer func() {
		if err != nil {
			end()
		}
	}()
	p.database = filepath.Join(directory, "temporal.db")
	if p.port, err = freePort(); err != nil {
		return nil, err
	}
	p.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port))
	if err := p.startServer(ctx); err != nil {
		return nil, err
	}
	p.workers = make([]*child, p.settings.workers)
	for place := range p.workers {
		if err := p.startWorker(place); err != nil {
			return nil, err
		}
	}
	return end, p.worker(0).awaitReady(ctx, readyPatience)
}
