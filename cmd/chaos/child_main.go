package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/devserver"
	"github.com/temporal-asteroid/asteroid/worker"
)

// This program starts itself for the processes that it kills. The first argument is the role:
//
//	chaos-server PORT FILE   a Temporal server with a database file
//	chaos-worker ADDRESS     a worker of the server at ADDRESS; the environment names the API
//
// A child writes a line on its standard output when it is ready. It exits when its standard input,
// a pipe from its parent, closes. So it cannot outlive a killed parent.
const (
	serverChild = "chaos-server"
	workerChild = "chaos-worker"

	taskQueue = "chaos"

	connectionAgents    = asteroid.DefaultConnection
	connectionWorkflows = "newer"

	logFileEnv = "CHAOS_LOG_FILE"
)

// runChild runs the role that the arguments name, if any, and returns its exit code.
func runChild(args []string) (code int, child bool) {
	if len(args) == 0 || args[0] != serverChild && args[0] != workerChild {
		return 0, false
	}
	signal.Ignore(os.Interrupt) // Ctrl-C reaches the whole process group, but the parent stops its children
	var err error
	switch {
	case args[0] == serverChild && len(args) == 3:
		err = runServer(args[1], args[2])
	case args[0] == workerChild && len(args) == 2:
		err = runWorker(args[1])
	default:
		err = fmt.Errorf("chaos starts %s itself; it does not take the arguments %q", args[0], args[1:])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		return 1, true
	}
	return 0, true
}

// parentExited returns a context that is cancelled when the parent closes the pipe or exits.
func parentExited() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx
}

// stopTimeout bounds a graceful stop of the Temporal server.
const stopTimeout = 10 * time.Second

func runServer(port, file string) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("port %q: %w", port, err)
	}
	parent := parentExited()
	server, err := devserver.Start(parent, devserver.Options{Port: number, DatabaseFile: file, Logger: childLogger(slog.LevelWarn)})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	<-parent.Done()
	// A server that hangs must not outlive its parent.
	time.AfterFunc(stopTimeout, func() { os.Exit(1) })
	return server.Stop()
}

func runWorker(temporalAddress string) error {
	parent := parentExited()
	connection := asteroid.ConnectionFromEnv()
	connection.Transport = transport()
	newer := connection
	newer.Dialect = asteroid.DialectWorkflows
	plugin, err := worker.NewPlugin(worker.Options{
		Connections:    map[string]asteroid.Connection{connectionAgents: connection, connectionWorkflows: newer},
		LookupGrace:    lookupGrace,
		RequestTimeout: requestTimeout,
	})
	if err != nil {
		return err
	}
	logger := sdklog.NewStructuredLogger(childLogger(slog.LevelInfo))
	failed := make(chan error, 1)
	for {
		stop, err := startWorker(temporalAddress, plugin, logger, failed)
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

// startWorker starts a worker. It fails while the Temporal server is down.
func startWorker(address string, plugin sdkworker.Plugin, logger sdklog.Logger, failed chan<- error) (stop func(), err error) {
	temporal, err := client.NewLazyClient(client.Options{HostPort: address, Logger: logger})
	if err != nil {
		return nil, err
	}
	w := sdkworker.New(temporal, taskQueue, sdkworker.Options{
		Plugins:      []sdkworker.Plugin{plugin},
		Interceptors: []interceptor.WorkerInterceptor{&timeScaler{}},
		OnFatalError: func(err error) {
			select {
			case failed <- err:
			default:
			}
		},
	})
	if err := w.Start(); err != nil {
		temporal.Close()
		return nil, err
	}
	return func() { w.Stop(); temporal.Close() }, nil
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
