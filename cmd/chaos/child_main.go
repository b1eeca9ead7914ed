package main

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
	"github.com/temporal-asteroid/asteroid/cmd/internal/devserver"
	"github.com/temporal-asteroid/asteroid/worker"
)

// The roles of the child processes, and their arguments:
//
//	chaos-server PORT FILE   a Temporal server with a database file
//	chaos-worker ADDRESS QUEUE OFFSET
//	                         a worker of the server at ADDRESS on a task queue, with a clock that
//	                         is wrong by the duration OFFSET; the environment names the API and
//	                         what else the parent serves
const (
	serverChild = "chaos-server"
	workerChild = "chaos-worker"

	taskQueue         = "chaos"
	taskQueueSecond   = "chaos-second"   // shares the watch with the first
	taskQueueWebhooks = "chaos-webhooks" // its workflows learn of changes by webhooks

	connectionAgents    = asteroid.DefaultConnection
	connectionWorkflows = "newer"
	connectionSecond    = "second"   // with a key of its own, of the same organization
	connectionSeparate  = "separate" // of an organization with a watch of its own

	logFileEnv = "CHAOS_LOG_FILE"
)

var childRoles = map[string]func(args []string) error{serverChild: runServer, workerChild: runWorker}

// stopTimeout bounds a graceful stop of the Temporal server.
const stopTimeout = 10 * time.Second

func runServer(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%s takes a port and a file, not %q", serverChild, args)
	}
	port, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("port %q: %w", args[0], err)
	}
	parent := child.ParentExited()
	server, err := devserver.Start(parent, devserver.Options{Port: port, DatabaseFile: args[1], Logger: childLogger(slog.LevelWarn)})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	<-parent.Done()
	// A server that hangs must not outlive its parent.
	time.AfterFunc(stopTimeout, func() { os.Exit(1) })
	return server.Stop()
}

func runWorker(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%s takes the address of the Temporal server, a task queue and an offset of the clock, not %q", workerChild, args)
	}
	parent := child.ParentExited()
	shortenWatch()
	connection := asteroid.ConnectionFromEnv()
	connection.Transport = transport()
	address, queue := args[0], args[1]
	clockOffset, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	plugin, err := newPlugin(connection, clockOffset, optionsFromEnv(queue))
	if err != nil {
		return err
	}
	logger := sdklog.NewStructuredLogger(childLogger(slog.LevelInfo))
	failed := make(chan error, 1)
	for {
		stop, err := startWorker(address, queue, identity(os.Getpid(), clockOffset), plugin, logger, failed)
		if err == nil {
			fmt.Println("ready")
			select {
			case err = <-failed:
				stop()
			case <-parent.Done():
				return nil // without stopping the worker, as if it were killed
			}
		}
		logger.Warn("The worker failed; it starts again", "error", err)
		select {
		case <-time.After(200 * time.Millisecond):
		case <-parent.Done():
			return nil
		}
	}
}

// newPlugin returns the plugin of a worker whose clock is wrong by the offset.
func newPlugin(connection asteroid.Connection, clockOffset time.Duration, more ...func(*worker.Options)) (sdkworker.Plugin, error) {
	newer := connection
	newer.Dialect = asteroid.DialectWorkflows
	options := worker.Options{
		Connections:    map[string]asteroid.Connection{connectionAgents: connection, connectionWorkflows: newer},
		LookupGrace:    lookupGrace,
		RequestTimeout: requestTimeout,
		Now:            func() time.Time { return time.Now().Add(clockOffset) },
	}
	for _, add := range more {
		add(&options)
	}
	return worker.NewPlugin(options)
}

// startWorker starts a worker. It fails while the Temporal server is down.
func startWorker(address, queue, identity string, plugin sdkworker.Plugin, logger sdklog.Logger, failed chan<- error) (stop func(), err error) {
	temporal, err := client.NewLazyClient(client.Options{HostPort: address, Identity: identity, Logger: logger})
	if err != nil {
		return nil, err
	}
	w := sdkworker.New(temporal, queue, sdkworker.Options{
		Plugins:      []sdkworker.Plugin{plugin},
		Interceptors: []interceptor.WorkerInterceptor{&timeScaler{}},
		OnFatalError: func(err error) {
			select {
			case failed <- err:
			default:
			}
		},
	})
	registerWorkflows(w)
	w.RegisterActivityWithOptions(read, activity.RegisterOptions{Name: readActivity})
	if err := w.Start(); err != nil {
		temporal.Close()
		return nil, err
	}
	return func() { w.Stop(); temporal.Close() }, nil
}

// wrongClock is part of the identity of a worker whose clock is wrong.
const wrongClock = " with a clock "

// identity returns the name of a worker process in histories.
func identity(pid int, clockOffset time.Duration) string {
	name := fmt.Sprintf("worker process %d", pid)
	if clockOffset != 0 {
		name += fmt.Sprintf("%s%s off", wrongClock, clockOffset)
	}
	return name
}

// childLogger logs to the file that the parent names, if any.
func childLogger(level slog.Level) *slog.Logger {
	path := os.Getenv(logFileEnv)
	if path == "" {
		return slog.New(slog.DiscardHandler)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // the parent's choice
	if err != nil {
		fmt.Fprintf(os.Stderr, "open the log file: %v; nothing is logged\n", err)
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(file, &slog.HandlerOptions{Level: level}))
}
