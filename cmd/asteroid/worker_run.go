package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/blobstore"
	"github.com/temporal-asteroid/asteroid/cmd/internal/telemetry"
	"github.com/temporal-asteroid/asteroid/worker"
)

// workerRun is one run of the worker: its options, all checked, and what they opened.
type workerRun struct {
	config    workerConfig
	stopping  atomic.Bool
	logger    *slog.Logger
	metrics   http.Handler
	connected client.Options // of client
	client    client.Client  // connects at its first request
	plugin    worker.Options
	plugins   []worker.PluginOption
	worker    sdkworker.Options
	webhooks  http.Handler      // nil: this process receives none
	secure    *tls.Config       // of webhooks; nil: without TLS
	addresses map[string]string // on which the run listens, by option
	closers   []func()
}

// newWorkerRun checks the whole configuration. It sends nothing, and its errors are usage errors.
// The worker connects to Temporal by the options, and logs to out. The caller closes the run.
func newWorkerRun(ctx context.Context, config workerConfig, temporal client.Options, out io.Writer) (*workerRun, error) {
	run := &workerRun{config: config, connected: temporal, addresses: map[string]string{}}
	if err := run.prepare(ctx, out); err != nil {
		run.close()
		return nil, usageErrorf("%s", inFieldNames(err.Error()))
	}
	return run, nil
}

func (r *workerRun) prepare(ctx context.Context, out io.Writer) (err error) {
	if r.logger, err = newWorkerLog(out, cmp.Or(r.config.LogLevel, "info"), &r.stopping); err != nil {
		return err
	}
	for _, step := range []func() error{r.openClient, r.setWorker, r.setWebhooks} {
		if err := step(); err != nil {
			return err
		}
	}
	stores, closeBuckets, err := blobstore.Open(ctx, r.config.Buckets...)
	if err != nil {
		return err
	}
	r.closers = append(r.closers, func() { _ = closeBuckets() })
	r.plugin.Stores = stores
	_, err = worker.NewPlugin(r.plugin, r.plugins...)
	return err
}

func (r *workerRun) openClient() (err error) {
	r.connected.Logger = log.NewStructuredLogger(r.logger)
	r.connected.MetricsHandler, r.metrics, err = telemetry.NewMetrics(func(err error) { r.logger.Warn("A metric is not reported", "Error", err) })
	if err != nil {
		return err
	}
	if r.client, err = client.NewLazyClient(r.connected); err != nil {
		return fmt.Errorf("Temporal's client settings: %w", err)
	}
	r.closers = append(r.closers, r.client.Close)
	return nil
}

func (r *workerRun) setWorker() (err error) {
	if r.worker, err = r.config.workerOptions(); err != nil {
		return err
	}
	if r.plugins, err = r.config.pluginOptions(); err != nil {
		return err
	}
	r.plugin, err = r.config.options()
	return err
}

func (r *workerRun) setWebhooks() error {
	config := r.config.Webhooks
	if config == nil {
		return nil
	}
	options, err := config.options(r.plugin.WebhookSecrets)
	if err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	if r.secure, err = config.tls(); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	if config.Listen == r.config.Listen {
		return errors.New("listen and webhooks.listen are the same address: webhooks come from outside, the rest is for inside")
	}
	options.Clients = map[string]client.Client{r.connected.Namespace: r.client}
	options.Metrics, options.Logger = r.connected.MetricsHandler, r.connected.Logger
	handler, err := worker.NewWebhookHandler(options)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(cmp.Or(config.Path, defaultWebhookPath), handler)
	r.webhooks = mux
	return nil
}

// close closes what the run has opened, in the reverse order.
func (r *workerRun) close() {
	for _, done := range slices.Backward(r.closers) {
		done()
	}
	r.closers = nil
}

// defaultCheckInterval keeps the readiness fresh at four requests a minute for each connection.
const defaultCheckInterval = 15 * time.Second

// serve runs the worker until ctx ends, and then stops it gracefully. It calls started once the
// worker polls. It fails if started does, and if the worker cannot start or go on.
func (r *workerRun) serve(ctx context.Context, started func() error) error {
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	ready := newReadiness(r.logger, r.checkReadiness)
	if err := r.listen("listen", r.config.Listen, healthHandler(ready, r.metrics), nil, fail); err != nil {
		return err
	}
	if err := r.checkTemporal(running); err != nil {
		return err
	}
	if r.webhooks != nil {
		if err := r.listen("webhooks.listen", r.config.Webhooks.Listen, r.webhooks, r.secure, fail); err != nil {
			return err
		}
	} else if r.plugin.Events == asteroid.EventsWebhooks {
		r.logger.Warn("This process receives no webhooks: configure webhooks here or in another process, else workflows see changes minutes later")
	}
	w, err := r.startWorker(fail)
	if err != nil {
		return err
	}
	if err := started(); err != nil {
		fail(err)
	}
	go ready.run(running, cmp.Or(time.Duration(r.config.CheckInterval), defaultCheckInterval))
	<-running.Done()
	r.logger.Info("Stopping", "StopTimeout", r.worker.WorkerStopTimeout.String())
	r.stopping.Store(true)
	ready.drain()
	w.Stop()
	if ctx.Err() == nil {
		return context.Cause(running)
	}
	r.logger.Info("Stopped")
	return nil
}

// startWorker starts the Temporal worker. An error that ends it later is passed to fail.
func (r *workerRun) startWorker(fail context.CancelCauseFunc) (sdkworker.Worker, error) {
	logger := r.connected.Logger
	plugin, err := worker.NewPlugin(r.plugin, append(r.plugins, worker.WithLogger(logger), worker.WithStartCheck(r.client, r.connected.Namespace, logger))...)
	if err != nil {
		return nil, err
	}
	options := r.worker
	options.Plugins = []sdkworker.Plugin{plugin}
	options.OnFatalError = func(err error) { fail(fmt.Errorf("the worker cannot go on: %w", err)) }
	w := sdkworker.New(r.client, r.config.TaskQueue, options)
	if err := w.Start(); err != nil {
		return nil, fmt.Errorf("the worker cannot start: %w", err)
	}
	r.logger.Info("Serving", "TaskQueue", r.config.TaskQueue, "Temporal", r.connected.HostPort, "Namespace", r.connected.Namespace,
		"Deployment", r.config.Versioning.DeploymentName, "BuildID", r.config.Versioning.BuildID)
	return w, nil
}
