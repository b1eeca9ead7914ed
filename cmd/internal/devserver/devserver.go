// Package devserver runs a real Temporal server, optionally with its web UI, inside this process.
// Nothing needs to be installed or started first. Everything listens on the loopback interface
// only.
//
//	server, err := devserver.Start(ctx, devserver.Options{UI: true})
//	if err != nil {
//		return err
//	}
//	defer server.Stop()
//	temporal, err := server.Client(client.Options{})
//
// It is for demonstrations, tests and measurements. Without authentication and with one history
// shard, it is not for production.
package devserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/temporal"

	"github.com/temporal-asteroid/asteroid/internal/attributes"
)

// Options configure a server. The zero value is an in-memory server without UI on a free port.
type Options struct {
	// DatabaseFile holds all data of the server, so that a later server continues with it. A
	// missing file is created, but its directory must exist. The file is locked until this process
	// exits. Empty: in memory, lost when the process exits.
	DatabaseFile string

	// Namespace is created if missing, with a retention of one day. Empty: "default".
	Namespace string

	// Port is the port of the gRPC frontend on 127.0.0.1. 0: a free port.
	Port int

	// UI serves the Temporal web UI on 127.0.0.1:UIPort. UIPort 0: a free port.
	UI     bool
	UIPort int

	// SearchAttributes are the custom search attributes of Namespace, by name. One that exists with
	// another type is an error.
	SearchAttributes map[string]enumspb.IndexedValueType

	// Logger receives the log of the server, and of clients without their own logger. Even a
	// healthy server logs many warnings. Nil: no log.
	Logger *slog.Logger
}

// Server is a running server. Its methods may be called from several goroutines.
type Server struct {
	namespace string
	logger    *slog.Logger
	hostPort  string
	frontend  temporal.Server
	ui        *webUI // nil without UI
	release   func() // of openDatabase
	stopping  atomic.Bool
	stop      func() error
}

// pollInterval is the interval between two readiness checks during the start.
const pollInterval = 10 * time.Millisecond

// Start returns a server that is ready: its namespace accepts workflows and its UI responds. The
// context bounds the start only. After an error nothing is left running. A port that is in use is a
// *PortError.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if opts.Namespace == "" {
		opts.Namespace = "default"
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{namespace: opts.Namespace, logger: opts.Logger}
	s.stop = sync.OnceValue(s.stopAll)
	if err := s.start(ctx, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("start Temporal server: %w", err), s.Stop())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, opts Options) (err error) {
	ports, err := reservePorts(opts)
	if err != nil {
		return err
	}
	defer ports.release()

	db, release, err := openDatabase(opts)
	if err != nil {
		return err
	}
	s.release = release

	s.hostPort = ports.frontend.String()
	if s.frontend, err = startTemporal(ports, db, serverLogger{opts.Logger, &s.stopping}); err != nil {
		return err
	}
	if err := s.awaitNamespace(ctx, opts.SearchAttributes); err != nil {
		return err
	}
	if opts.UI {
		s.ui, err = startUI(ctx, ports.ui, s.hostPort, s.namespace)
	}
	return err
}

// awaitNamespace returns when workflows can be started in the namespace, with the wanted search
// attributes.
func (s *Server) awaitNamespace(ctx context.Context, wanted attributes.Types) error {
	c, err := client.NewLazyClient(s.clientOptions(client.Options{}))
	if err != nil {
		return err
	}
	defer c.Close()

	if err := poll(ctx, "its namespace", func() error {
		_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
		return err
	}); err != nil || len(wanted) == 0 {
		return err
	}

	// A new namespace has them from its creation, that of an older database may lack some.
	return attributes.Ensure(ctx, c, s.namespace, wanted)
}

// HostPort returns the address of the gRPC frontend, for workers and clients in any process.
func (s *Server) HostPort() string { return s.hostPort }

// UIURL returns the address of the web UI, without a trailing slash. Empty without UI.
func (s *Server) UIURL() string {
	if s.ui == nil {
		return ""
	}
	return s.ui.url
}

// WorkflowURL returns the page of a workflow in the web UI. An empty run id means the latest run.
// Empty without UI.
func (s *Server) WorkflowURL(namespace, workflowID, runID string) string {
	if s.ui == nil {
		return ""
	}
	page := s.ui.url + "/namespaces/" + url.PathEscape(namespace) + "/workflows/" + url.PathEscape(workflowID)
	if runID != "" {
		page += "/" + url.PathEscape(runID) + "/history"
	}
	return page
}

// Client dials the server. The address in opts is ignored. An empty namespace and a nil logger mean
// the server's. The caller closes the client before Stop.
func (s *Server) Client(opts client.Options) (client.Client, error) {
	return client.Dial(s.clientOptions(opts))
}

func (s *Server) clientOptions(opts client.Options) client.Options {
	opts.HostPort = s.hostPort
	if opts.Namespace == "" {
		opts.Namespace = s.namespace
	}
	if opts.Logger == nil {
		opts.Logger = sdklog.NewStructuredLogger(s.logger)
	}
	return opts
}

// Stop stops the UI and the server, and returns when their ports are free. Idle connections from
// the server to itself remain until the process exits. Connected clients and workers lose their
// connection after a second. Further calls wait for the first and return its error.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) stopAll() (err error) {
	s.stopping.Store(true)
	if s.ui != nil {
		s.ui.stop()
	}
	if s.frontend != nil {
		err = s.frontend.Stop()
	}
	if s.release != nil {
		s.release()
	}
	return err
}

// poll calls ready until it returns nil.
func poll(ctx context.Context, what string, ready func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w while waiting for %s, last error: %w", context.Cause(ctx), what, err)
		case <-tick.C:
		}
	}
}
