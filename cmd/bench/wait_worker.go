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

// orders say what a worker is to do.
type orders struct {
	Way      way           `json:"way"`
	Runs     int           `json:"runs"`
	Temporal string        `json:"temporal"`
	API      parkingPlace  `json:"api"`
	Interval time.Duration `json:"interval"` // of the hand-written ways
}

// serveWorker is a worker that begins when it gets its orders: the API has to know first where its webhooks go.
func serveWorker() error {
	counted := &counter{}
	mux := http.NewServeMux()
	handle(mux, "/begin", func(_ context.Context, o orders) (struct{}, error) { return struct{}{}, begin(mux, counted, o) })
	handle(mux, "/counts", func(context.Context, struct{}) (counts, error) { return counted.now(), nil })
	control, err := serveControl(mux)
	if err != nil {
		return err
	}
	return serveUntilParentGoes(control)
}

func begin(mux *http.ServeMux, counted *counter, o orders) error {
	logger := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	temporal, err := client.Dial(client.Options{HostPort: o.Temporal, Namespace: waitNamespace, Logger: logger})
	if err != nil {
		return err
	}
	transport := countedTransport(counted)
	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{asteroid.DefaultConnection: {
			APIKey: asteroid.StaticAPIKey(o.API.APIKey), OrganizationID: o.API.OrganizationID, BaseURL: o.API.BaseURL, Transport: transport,
		}},
		Events: o.Way.events(),
	})
	if err != nil {
		return err
	}
	if o.Way == wayWebhooks {
		if err := receiveWebhooks(mux, temporal, logger, o.API.WebhookKey); err != nil {
			return err
		}
	}
	options := sdkworker.Options{
		Plugins:      []sdkworker.Plugin{plugin},
		Interceptors: []interceptor.WorkerInterceptor{counted},
	}
	if o.Way == wayBlocking {
		options.MaxConcurrentActivityExecutionSize = o.Runs + 100 // or some would wait for others to end
	}
	w := sdkworker.New(temporal, waitQueue, options)
	registerByHand(w, &handWritten{api: o.API, http: &http.Client{Transport: transport, Timeout: 30 * time.Second}, interval: o.Interval})
	return w.Start()
}

func receiveWebhooks(mux *http.ServeMux, temporal client.Client, logger log.Logger, publicKey string) error {
	key, err := worker.ParseWebhookPublicKey(publicKey)
	if err != nil {
		return fmt.Errorf("the key of the webhooks: %w", err)
	}
	handler, err := worker.NewWebhookHandler(worker.WebhookOptions{
		Clients: map[string]client.Client{waitNamespace: temporal}, PublicKeys: []*rsa.PublicKey{key}, Logger: logger,
	})
	if err == nil {
		mux.Handle(webhookPath, handler)
	}
	return err
}
