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

// This program starts itself for the processes that it kills. The first argument says which one it is to be:
//
//	chaos-server PORT FILE   a Temporal server
//	chaos-worker ADDRESS     a worker for the server at that address; the API is that of the environment
//
// It says so with a line on its standard output once it is ready. Its standard input is a pipe from its
// parent, and when that closes it ends, so that it cannot outlive a parent that was killed.
const (
	serverChild = "chaos-server"
	workerChild = "chaos-worker"

	taskQueue = "chaos"

	connectionAgents    = asteroid.DefaultConnection
	connectionWorkflows = "newer"

	logFileEnv = "CHAOS_LOG_FILE"
)

// runChild runs a child process, if the arguments are those of one, and returns its exit code.
func runChild(args []string) (code int, child bool) {
	if len(args) == 0 || args[0] != serverChild && args[0] != workerChild {
		return 0, false
	}
	signal.Ignore(os.Interrupt) // goes to the whole terminal; the parent decides
	var err error
	switch {
	case args[0] == serverChild && len(args) == 3:
		err = runServer(args[1], args[2])
	case args[0] == workerChild && len(args) == 2:
		err = runWorker(args[1])
	default:
		err = fmt.Errorf("%s is for chaos itself, with other arguments than %q", args[0], args[1:])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		return 1, true
	}
	return 0, true
}

// parentGone ends when the parent has closed its end of the pipe, on purpose or by dying.
func parentGone() context.Context {
	ctx, gone := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		gone()
	}()
	return ctx
}

// stopPatience is how long a Temporal server that is asked to stop may take.
const stopPatience = 10 * time.Second

func runServer(port, file string) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("port %q: %w", port, err)
	}
	gone := parentGone()
	server, err := devserver.Start(gone, devserver.Options{Port: number, DatabaseFile: file, Logger: childLogger(slog.LevelWarn)})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	<-gone.Done()
	// A server that hangs must not stay behind.
	time.AfterFunc(stopPatience, func() { os.Exit(1) })
	return server.Stop()
}

func runWorker(temporalAddress string) error {
	gone := parentGone()
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
			case <-gone.Done():
				return nil // as abruptly as any other end: there is nobody left to work for
			}
		}
		logger.Warn("The worker could not start, or ended; it begins anew", "error", err)
		select {
		case <-time.After(200 * time.Millisecond):
		case <-gone.Done():
			return nil
		}
	}
}

// startWorker starts a worker, which fails while the Temporal server is away.
func startWorker(address string, plugin sdkworker.Plugin, logger sdklog.Logger, failed chan<- error) (stop func(), err error) {
	temporal, err := client.NewLazyClient(client.Options{HostPort: address, Logger: logger})
	if err != nil {
		return nil, err
	}
	w := sdkworker.New(temporal, taskQueue, sdkworker.Options{
		Plugins:      []sdkworker.Plugin{plugin},
		Interceptors: []interceptor.WorkerInterceptor{&pace{}},
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

// childLogger writes to the file that the parent names, or nowhere.
func childLogger(level slog.Level) *slog.Logger {
	path := os.Getenv(logFileEnv)
	if path == "" {
		return slog.New(slog.DiscardHandler)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // the parent's choice
	if err != nil {
		fmt.Fprintf(os.Stderr, "no log: %v\n", err)
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(file, &slog.HandlerOptions{Level: level}))
}
