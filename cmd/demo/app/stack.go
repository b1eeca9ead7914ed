package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/temporalserver"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// stack holds the servers, the client and the worker of the demo.
type stack struct {
	server    *temporalserver.Server
	fake      *testsuite.API // nil with --live
	temporal  client.Client
	taskQueue string
	names     map[string]string // agent id to name
	ids       map[string]string // agent name to id
	closers   []func()
}

// close stops everything in the reverse order of its start.
func (s *stack) close() {
	for _, stop := range slices.Backward(s.closers) {
		stop()
	}
	s.closers = nil
}

func startStack(ctx context.Context, settings settings, files []*localFile, display *display) (_ *stack, err error) {
	s := &stack{names: map[string]string{}, ids: map[string]string{}, taskQueue: "asteroid-demo"}
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
	options := worker.Options{
		Connections:      map[string]asteroid.Connection{asteroid.DefaultConnection: connection},
		FileRoots:        fileRoots(files),
		SearchAttributes: asteroid.DefaultSearchAttributes(),
	}
	if settings.save != "" {
		options.OutputRoots = []string{settings.save}
	}
	if !settings.live {
		options.SettleInterval = 100 * time.Millisecond // the fake lists output files at once
	} else if err := worker.Check(ctx, options); err != nil {
		return nil, applicationError(err)
	}
	settings.server.Progress = display
	if s.server, err = temporalserver.Start(ctx, settings.server); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.server.Stop)
	if s.temporal, err = client.DialContext(ctx, s.server.ClientOptions()); err != nil {
		return nil, fmt.Errorf("connect to the Temporal server: %w", err)
	}
	s.closers = append(s.closers, s.temporal.Close)
	err = worker.EnsureSearchAttributes(ctx, s.temporal, s.server.Namespace(), options.SearchAttributes)
	if !s.server.Own() {
		s.share(&options, err, display)
	} else if err != nil {
		return nil, err
	}
	return s, s.startWorker(options)
}

// share makes the worker a guest of a server of others: it takes only the tasks of this demo, and
// leaves no workflow behind that watches the fake. Without their search attributes, for which it
// may lack the permission, the list of workflows shows less.
func (s *stack) share(options *worker.Options, attributesErr error, display *display) {
	s.taskQueue += "-" + time.Now().UTC().Format("20060102-150405.000")
	options.Events = asteroid.EventsPoll
	if attributesErr != nil {
		options.SearchAttributes = asteroid.SearchAttributes{}
		display.Phase("going on without search attributes: " + attributesErr.Error())
	}
}

func (s *stack) startWorker(options worker.Options) error {
	plugin, err := worker.NewPlugin(options)
	if err != nil {
		return err
	}
	w := sdkworker.New(s.temporal, s.taskQueue, sdkworker.Options{
		Plugins:           []sdkworker.Plugin{plugin},
		WorkerStopTimeout: 5 * time.Second,
	})
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	s.closers = append(s.closers, w.Stop)
	return nil
}

func (s *stack) startFake() (asteroid.Connection, error) {
	api, err := testsuite.StartAPI()
	if err != nil {
		return asteroid.Connection{}, fmt.Errorf("start the fake API: %w", err)
	}
	s.closers = append(s.closers, func() { _ = api.Close() })
	s.fake, s.ids = api, api.Agents()
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
