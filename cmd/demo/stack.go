package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/blobstore"
	"github.com/temporal-asteroid/asteroid/cmd/internal/devserver"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

const taskQueue = "asteroid-demo"

// stack holds the servers, the client and the worker of the demo.
type stack struct {
	server   *devserver.Server
	temporal client.Client
	names    map[string]string // agent id to name
	ids      map[string]string // agent name to id
	closers  []func()
}

// close stops everything in the reverse order of its start.
func (s *stack) close() {
	for _, stop := range slices.Backward(s.closers) {
		stop()
	}
	s.closers = nil
}

func startStack(ctx context.Context, settings settings, files []*localFile) (_ *stack, err error) {
	s := &stack{names: map[string]string{}, ids: map[string]string{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	connection := asteroid.ConnectionFromEnv()
	if !settings.live {
		if connection, err = s.startFake(); err != nil {
			return nil, err
		}
	}
	for _, agent := range settings.agents {
		if err := s.resolve(agent, settings.live); err != nil {
			return nil, err
		}
	}
	stores, closeBuckets, err := blobstore.Open(ctx, settings.bucket...)
	if err != nil {
		return nil, fmt.Errorf("--bucket: %w", err)
	}
	s.closers = append(s.closers, func() { _ = closeBuckets() })
	options := worker.Options{
		Connections: map[string]asteroid.Connection{asteroid.DefaultConnection: connection},
		FileRoots:   fileRoots(files),
		Stores:      stores,

		SearchAttributes: asteroid.DefaultSearchAttributes(),
	}
	if directory, ok := strings.CutPrefix(settings.save, "file://"); ok {
		if directory, err = url.PathUnescape(directory); err != nil {
			return nil, fmt.Errorf("--save %s is not a file: URI", settings.save)
		}
		options.OutputRoots = []string{filepath.FromSlash(directory)}
	}
	if !settings.live {
		options.SettleInterval = 100 * time.Millisecond // the fake lists output files at once
	}
	plugin, err := worker.NewPlugin(options)
	if err != nil {
		return nil, err
	}
	s.server, err = devserver.Start(ctx, devserver.Options{DatabaseFile: settings.db, UI: true, UIPort: settings.uiPort})
	if port := new(devserver.PortError); errors.As(err, &port) {
		return nil, fmt.Errorf("port %d is in use: choose another with --ui-port, or omit the flag for a free one", port.Port)
	}
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = s.server.Stop() })
	s.temporal, err = s.server.Client(client.Options{Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		return nil, fmt.Errorf("connect to the Temporal server: %w", err)
	}
	s.closers = append(s.closers, s.temporal.Close)
	if err := worker.EnsureSearchAttributes(ctx, s.temporal, "default", options.SearchAttributes); err != nil {
		return nil, err
	}
	w := sdkworker.New(s.temporal, taskQueue, sdkworker.Options{
		Plugins:           []sdkworker.Plugin{plugin},
		WorkerStopTimeout: 5 * time.Second,
	})
	if err := w.Start(); err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	s.closers = append(s.closers, w.Stop)
	return s, nil
}

func (s *stack) startFake() (asteroid.Connection, error) {
	api, err := testsuite.StartAPI()
	if err != nil {
		return asteroid.Connection{}, fmt.Errorf("start the fake API: %w", err)
	}
	s.closers = append(s.closers, func() { _ = api.Close() })
	s.ids = api.Agents()
	return asteroid.Connection{APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()}, nil
}

// resolve records the id and the name of an agent. The real API is used with ids only.
func (s *stack) resolve(agent string, live bool) error {
	if live {
		s.ids[agent], s.names[agent] = agent, agent
		return nil
	}
	for name, id := range s.ids {
		if agent == name || agent == id {
			s.ids[agent], s.names[id] = id, name
			return nil
		}
	}
	return fmt.Errorf("no agent %q: the fake has %s (add --live for an agent of the real API)",
		agent, strings.Join(slices.Sorted(maps.Keys(s.ids)), ", "))
}
