package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

func wait(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	settings, err := parseWait(args, stderr)
	if err != nil {
		return err
	}
	var measured waitResults
	var errs error
	for _, w := range settings.ways {
		m := &measurement{way: w, timing: w.timing(settings), settings: settings, stderr: stderr, began: time.Now()}
		result, err := m.run(ctx)
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil: // the other ways are still measured
			m.logf("%v", err)
			errs = errors.Join(errs, fmt.Errorf("%s: %w", w, err))
		default:
			measured = append(measured, result)
		}
	}
	switch {
	case len(measured) == 0:
	case settings.json:
		errs = errors.Join(errs, measured.printJSON(stdout))
	default:
		measured.print(stdout)
	}
	return errs
}

// measurement measures one way. It starts its own servers, so that no way is slowed by the data of
// another. First it parks all runs: a parked run is a workflow that waits for an agent at work.
// Then it measures the steady state, the window. At last it ends some runs, the samples, and
// measures how long their workflows take to notice.
type measurement struct {
	way      way
	timing   timing
	settings waitSettings
	stderr   io.Writer
	began    time.Time

	temporal, api, worker *child.Process
	client                client.Client
	workerControl         string // URL of the worker process's control server
	apiInfo               parkingAPIInfo
	idle                  snapshot      // before the first run
	parkDuration          time.Duration // from idle until all runs were parked
}

func (m *measurement) run(ctx context.Context) (result waitResult, err error) {
	defer m.stop()
	err = m.start(ctx)
	if err == nil {
		err = m.park(ctx)
	}
	if err == nil {
		m.parkDuration = time.Since(m.idle.at)
		settle := m.timing.settle
		if m.way == waySleep {
			settle += max(expectedParkTime(m.settings.runs)-m.parkDuration, 0)
		}
		m.logf("parked; the window begins in %s and lasts %s", settle.Round(time.Second), m.timing.window)
		if !program.Sleep(ctx, settle) {
			return result, context.Cause(ctx)
		}
		result, err = m.window(ctx)
	}
	if err == nil {
		err = m.sample(ctx, &result)
	}
	if ctx.Err() == nil {
		// A server that has exited may be the cause of err.
		for _, s := range []*child.Process{m.temporal, m.api, m.worker} {
			if err != nil && s != nil {
				err = errors.Join(err, s.ExitError())
			}
		}
	}
	return result, err
}

func (m *measurement) logf(format string, args ...any) {
	fmt.Fprintf(m.stderr, "%s, %s: %s\n", m.way, time.Since(m.began).Round(time.Second), fmt.Sprintf(format, args...))
}

// start starts the servers and the worker, but no run.
func (m *measurement) start(ctx context.Context) (err error) {
	var address string
	if m.temporal, err = startServer(ctx, temporalChild, &address); err != nil {
		return err
	}
	if m.client, err = client.DialContext(ctx, client.Options{
		HostPort: address, Namespace: waitNamespace, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	}); err != nil {
		return err
	}
	if m.worker, err = startServer(ctx, workerChild, &m.workerControl); err != nil {
		return err
	}
	var webhooks []string
	if m.way == wayWebhooks {
		webhooks = []string{m.workerControl + webhookPath}
	}
	if m.api, err = startServer(ctx, parkingAPIChild, &m.apiInfo, webhooks...); err != nil {
		return err
	}
	if _, err = callChild[struct{}](ctx, m.workerControl+"/begin", workerConfig{
		Way: m.way, Runs: m.settings.runs, Temporal: address, API: m.apiInfo,
	}); err != nil {
		return err
	}
	m.idle, err = m.readUsage(ctx)
	return err
}

func (m *measurement) stop() {
	if m.client != nil {
		m.client.Close()
	}
	for _, s := range []*child.Process{m.worker, m.api, m.temporal} {
		if s != nil {
			stopServer(s)
		}
	}
}
