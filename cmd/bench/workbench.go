package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

const workbenchQueue = "bench"

// workbench is fresh servers, each in a process of its own, and a worker in this process.
type workbench struct {
	dir    string // the worker reads and writes below it
	client client.Client
	// quick is an agent that completes at once. lasting works until it is cancelled.
	quick, lasting string
	stops          []func()
}

// newWorkbench starts the servers, and a worker with the plugin and the workflows.
func newWorkbench(ctx context.Context, dir string, workflows ...any) (_ *workbench, err error) {
	w := &workbench{dir: dir}
	defer func() {
		if err != nil {
			w.stop()
		}
	}()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	var api workbenchAPIInfo
	apiServer, err := startServer(ctx, workbenchAPIChild, &api)
	if err != nil {
		return nil, err
	}
	w.stops = append(w.stops, func() { stopServer(apiServer) })
	w.quick, w.lasting = api.Quick, api.Lasting
	var temporal string
	temporalServer, err := startServer(ctx, temporalChild, &temporal)
	if err != nil {
		return nil, err
	}
	w.stops = append(w.stops, func() { stopServer(temporalServer) })
	w.client, err = client.Dial(client.Options{
		HostPort: temporal, Namespace: waitNamespace, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return nil, err
	}
	w.stops = append(w.stops, w.client.Close)
	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{asteroid.DefaultConnection: {APIKey: asteroid.StaticAPIKey(api.APIKey), BaseURL: api.BaseURL}},
		FileRoots:   []string{dir}, OutputRoots: []string{dir},
	})
	if err != nil {
		return nil, err
	}
	running := sdkworker.New(w.client, workbenchQueue, sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})
	for _, workflow := range workflows {
		running.RegisterWorkflow(workflow)
	}
	if err := running.Start(); err != nil {
		return nil, err
	}
	w.stops = append(w.stops, running.Stop)
	return w, nil
}

// stop stops everything in the reverse order of its start.
func (w *workbench) stop() {
	for _, stop := range slices.Backward(w.stops) {
		stop()
	}
	w.stops = nil
}

const workbenchAPIChild = "bench-workbench-api"

type workbenchAPIInfo struct {
	apiInfo
	Quick   string `json:"quick"`
	Lasting string `json:"lasting"`
}

// serveWorkbenchAPI serves a fake API with the agents of a workbench.
func serveWorkbenchAPI() error {
	api, err := testsuite.StartAPI()
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // problems have failed the workflows
	works := func(d time.Duration) string {
		return api.ServeAgent("Works for "+d.String(), func(testsuite.Run) []testsuite.Step {
			return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", 1)}
		})
	}
	return serveUntilParentExits(workbenchAPIInfo{apiInfo{api.BaseURL(), api.OrganizationID(), api.APIKey()}, works(0), works(parkedFor)})
}
