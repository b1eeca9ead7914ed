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
)

// wait is bench wait.
func wait(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	settings, err := parseWait(args, stderr)
	if err != nil {
		return err
	}
	var measured waits
	var failed error
	for _, w := range settings.ways {
		m := &measurement{way: w, pace: w.pace(settings), settings: settings, stderr: stderr, began: time.Now()}
		result, err := m.run(ctx)
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil: // what the other ways take is worth knowing all the same
			m.tell("%v", err)
			failed = errors.Join(failed, fmt.Errorf("%s: %w", w, err))
		default:
			measured = append(measured, result)
		}
	}
	switch {
	case len(measured) == 0:
	case settings.json:
		failed = errors.Join(failed, measured.printJSON(stdout))
	default:
		measured.print(stdout)
	}
	return failed
}

// measurement is that of one way. It has servers of its own, so that none carries what another way has left.
type measurement struct {
	way      way
	pace     pace
	settings waitSettings
	stderr   io.Writer
	began    time.Time

	temporal, api, worker *server
	client                client.Client
	control               string // of the worker
	place                 parkingPlace
	idle                  snapshot // before the first run
	parked                time.Duration
}

func (m *measurement) run(ctx context.Context) (result waited, err error) {
	defer m.stop()
	err = m.start(ctx)
	if err == nil {
		err = m.park(ctx)
	}
	if err == nil {
		m.parked = time.Since(m.idle.at)
		settle := m.pace.settle
		if m.way == waySleep {
			settle += max(parkTime(m.settings.runs)-m.parked, 0)
		}
		m.tell("parked; the window begins in %s and lasts %s", settle.Round(time.Second), m.pace.window)
		if !sleep(ctx, settle) {
			return result, context.Cause(ctx)
		}
		result, err = m.window(ctx)
	}
	if err == nil {
		err = m.sample(ctx, &result)
	}
	if ctx.Err() == nil {
		// What failed may have failed because one of them is no more.
		for _, s := range []*server{m.temporal, m.api, m.worker} {
			if err != nil && s != nil {
				err = errors.Join(err, s.died())
			}
		}
	}
	return result, err
}

func (m *measurement) tell(format string, args ...any) {
	fmt.Fprintf(m.stderr, "%s, %s: %s\n", m.way, time.Since(m.began).Round(time.Second), fmt.Sprintf(format, args...))
}

// start starts everything but the runs.
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
	if m.worker, err = startServer(ctx, workerChild, &m.control); err != nil {
		return err
	}
	var webhooks []string
	if m.way == wayWebhooks {
		webhooks = []string{m.control + webhookPath}
	}
	if m.api, err = startServer(ctx, parkingAPIChild, &m.place, webhooks...); err != nil {
		return err
	}
	if _, err = ask[struct{}](ctx, m.control+"/begin", orders{
		Way: m.way, Runs: m.settings.runs, Temporal: address, API: m.place, Interval: m.pace.interval,
	}); err != nil {
		return err
	}
	m.idle, err = m.look(ctx)
	return err
}

func (m *measurement) stop() {
	if m.client != nil {
		m.client.Close()
	}
	for _, s := range []*server{m.worker, m.api, m.temporal} {
		if s != nil {
			s.stop()
		}
	}
}

// sleep reports false if the context ends first.
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
