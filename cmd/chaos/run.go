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
	"slices"
	"strconv"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

// runUnderFaults runs the plan and logs its progress on stderr.
func runUnderFaults(ctx context.Context, s settings, stderr io.Writer) (_ *report, err error) {
	began := time.Now()
	var mu sync.Mutex
	happened := &timeline{}
	logf := func(format string, args ...any) {
		happened.add(format, args...)
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(stderr, "%5.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	logf("seed %d: starting a Temporal server, a fake of the Asteroid API and %d workers", s.seed, s.workers)
	p := newPlan(s)
	fired := &tally{}
	served, err := startControl(fired)
	if err != nil {
		return nil, err
	}
	defer served.close()
	api, err := startAPI(s, p, fired, func(message string) { logf("the fake API: %s", message) }, served.webhooks()...)
	if err != nil {
		return nil, fmt.Errorf("start the fake API: %w", err)
	}
	defer func() { err = errors.Join(err, api.Close()) }()
	agentID := api.ServeAgent(agentName, clerk)
	retry(ctx, func(ctx context.Context) error { return executeStranger(ctx, api, agentID) })

	saved, remove, err := outputDirectory(s.logs)
	if err != nil {
		return nil, err
	}
	defer remove()
	secondKey := api.AddAPIKey(api.OrganizationID())
	separate := api.AddOrganization("Separate Organization")
	separateKey, separateAgentID := api.AddAPIKey(separate), api.ServeAgentIn(separate, separateAgentName, clerk)
	all := &processes{
		settings: s,
		api: append(served.environment(), "ASTEROID_API_KEY="+api.APIKey(), "ASTEROID_BASE_URL="+api.BaseURL(),
			"ASTEROID_ORGANIZATION_ID=", "ASTEROID_DIALECT=", secondKeyEnv+"="+secondKey, separateKeyEnv+"="+separateKey, outputEnv+"="+saved),
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
	if err := served.passWebhooks(temporal); err != nil {
		return nil, err
	}

	w := &workload{
		plan: p, concurrency: s.concurrency, rows: s.rows, temporal: temporal, api: api, agentID: agentID,
		separateOrganization: separate, separateAgentID: separateAgentID, tally: fired, findings: &findings{},
		timeline: happened, sayings: &served.sayings, control: served, saved: saved, secrets: []string{api.APIKey(), secondKey, separateKey, served.secret},
	}
	w.disruptor = &disruptor{
		plan: p, processes: all, api: api, tally: w.tally, timeline: happened, logf: logf, held: map[int]bool{}, closedWorkflows: func() int { return int(w.closedWorkflows.Load()) },
	}

	disruption, stopDisruption := context.WithCancel(ctx)
	defer stopDisruption()
	load, stopLoad := context.WithCancelCause(ctx)
	defer stopLoad(nil)
	var background sync.WaitGroup
	background.Go(func() {
		if err := w.disruptor.run(disruption); err != nil {
			stopLoad(err)
		}
	})
	background.Go(func() {
		for program.Sleep(disruption, 10*time.Second) {
			logf("%s", w.progress())
		}
	})
	outcomes := w.run(load)
	stopDisruption()
	background.Wait()
	if err := context.Cause(load); err != nil {
		return nil, err
	}
	logf("%s; waiting for late requests and open executions", w.progress())
	ledger := w.awaitLedger(ctx)
	w.tally.addRequests(api.Requests())
	audited := audit(outcomes, ledger, w.findings)
	w.limits.check(w.findings, ledger)
	histories, err := w.collectHistories(ctx)
	if err != nil {
		return nil, err
	}
	replayed := w.checkHistories(ctx, histories)
	return &report{
		auditResult: audited, findings: w.findings, kinds: w.tally.counts(), replayed: replayed,
		stories: w.storiesOf(w.findings.all, histories, ledger), settings: s,
		kills: int(w.disruptor.kills.Load()), restarts: int(w.disruptor.restarts.Load()),
		requests: w.countRequests(executeOperation, lateExecuteOperation), elapsed: time.Since(began),
	}, nil
}

// startAll starts the Temporal server and the workers. The returned function stops them, and
// removes the database unless it is in the directory of --logs.
func (p *processes) startAll(ctx context.Context) (_ func(), err error) {
	directory, remove := p.settings.logs, func() {}
	if directory == "" {
		if directory, err = os.MkdirTemp("", "chaos-"); err != nil {
			return nil, fmt.Errorf("make a directory for the Temporal server's database: %w", err)
		}
		remove = func() { _ = os.RemoveAll(directory) } // a leftover is in the directory for temporary files
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
	p.queues = append(slices.Repeat([]string{taskQueue}, p.settings.workers), taskQueueSecond, taskQueueWebhooks)
	p.workers = make([]*child.Process, len(p.queues))
	for slot := range p.workers {
		if err := p.startWorker(slot); err != nil {
			return nil, err
		}
	}
	_, err = p.worker(0).AwaitReady(ctx)
	return end, err
}
