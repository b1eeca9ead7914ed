package main

import (
	"context"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

const (
	workerChild = "bench-worker"

	waitQueue     = "bench"
	waitNamespace = "default"
	webhookPath   = "/webhooks"
)

type workerConfig struct {
	Way      way            `json:"way"`
	Runs     int            `json:"runs"`
	Temporal string         `json:"temporal"`
	API      parkingAPIInfo `json:"api"`
}

// serveWorker serves the control server of a worker that starts with the request /begin: the API
// needs the webhook URL before the worker can know the API.
func serveWorker() error {
	counter := &requestCounter{}
	mux := http.NewServeMux()
	handle(mux, "/begin", func(_ context.Context, c workerConfig) (struct{}, error) {
		return struct{}{}, startWorker(mux, counter, c)
	})
	handle(mux, "/counts", func(context.Context, struct{}) (counts, error) { return counter.counts(), nil })
	control, err := serveControl(mux)
	if err != nil {
		return err
	}
	return serveUntilParentExits(control)
}

func startWorker(mux *http.ServeMux, counter *requestCounter, c workerConfig) error {
	logger := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	temporal, err := client.Dial(client.Options{HostPort: c.Temporal, Namespace: waitNamespace, Logger: logger})
	if err != nil {
		return err
	}
	transport := countingTransport(counter)
	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{asteroid.DefaultConnection: {
			APIKey: asteroid.StaticAPIKey(c.API.APIKey), OrganizationID: c.API.OrganizationID, BaseURL: c.API.BaseURL, Transport: transport,
		}},
		Events: c.Way.events(), WebhookSecrets: webhookSecrets,
	})
	if err != nil {
		return err
	}
	if c.Way == wayWebhooks {
		if err := receiveWebhooks(mux, temporal, logger, c.API.WebhookKey); err != nil {
			return err
		}
	}
	options := sdkworker.Options{
		Plugins:      []sdkworker.Plugin{plugin},
		Interceptors: []interceptor.WorkerInterceptor{counter},
	}
	if c.Way == wayBlocking {
		options.MaxConcurrentActivityExecutionSize = c.Runs + 100 // every run holds a slot
	}
	w := sdkworker.New(temporal, waitQueue, options)
	registerHandWritten(w, &statusReader{c.API, &http.Client{Transport: transport, Timeout: 30 * time.Second}})
	return w.Start()
}

var webhookSecrets = []string{"nobody tries to guess this secret of a measurement"}

func receiveWebhooks(mux *http.ServeMux, temporal client.Client, logger log.Logger, publicKey string) error {
	key, err := worker.ParseWebhookPublicKey(publicKey)
	if err != nil {
		return fmt.Errorf("parse the public key of the webhooks: %w", err)
	}
	handler, err := worker.NewWebhookHandler(worker.WebhookOptions{
		Clients: map[string]client.Client{waitNamespace: temporal}, PublicKeys: []*rsa.PublicKey{key}, Secrets: webhookSecrets, Logger: logger,
	})
	if err == nil {
		mux.Handle(webhookPath, handler)
	}
	return err
}
