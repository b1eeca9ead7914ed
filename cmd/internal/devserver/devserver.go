// Package devserver runs a real Temporal server, with its web UI when asked for, inside this
// process: nothing to install, nothing to start beforehand, and everything on the loopback
// interface only.
//
//	server, err := devserver.Start(ctx, devserver.Options{UI: true})
//	if err != nil {
//		return err
//	}
//	defer server.Stop()
//	temporal, err := server.Client(client.Options{})
//
// It is for demonstrations, tests and measurements. It has no authentication and one history
// shard, so it is no production server.
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
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/temporal"
)

// Options configure a server. The zero value is an in-memory server without UI on a free port.
type Options struct {
	// DatabaseFile holds everything the server knows, so that a later server continues where this
	// one stopped. It is created when missing, in a directory that exists, and is locked until
	// this process ends. Empty: in memory, and gone with the process.
	DatabaseFile string

	// Namespace is created when missing; it keeps closed workflows for a day. Empty: "default".
	Namespace string

	// Port of the gRPC frontend on 127.0.0.1. 0: a free one.
	Port int

	// UI serves the Temporal web UI on 127.0.0.1:UIPort. UIPort 0: a free one.
	UI     bool
	UIPort int

	// SearchAttributes are the custom search attributes of Namespace, by name. Those it has
	// already are left as they are.
	SearchAttributes map[string]enumspb.IndexedValueType

	// Logger gets what the server, and clients without a logger of their own, have to say. Even a
	// healthy server warns a lot. Nil: nobody does.
	Logger *slog.Logger
}

// Server is a running server. Its methods may be called from several goroutines.
type Server struct {
	namespace string
	logger    *slog.Logger
	hostPort  string
	frontend  temporal.Server
	ui        *webUI // nil without UI
	release   func() // gives the database back
	stopping  atomic.Bool
	stop      func() error
}

// pollInterval is how often readiness is looked at while starting.
const pollInterval = 10 * time.Millisecond

// Start returns a server that is ready: its namespace takes workflows and its UI answers. The
// context bounds the start only. When it fails, nothing is left running; a port in use is a
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

// awaitNamespace returns when workflows can be started in the namespace, with all of attributes.
func (s *Server) awaitNamespace(ctx context.Context, attributes map[string]enumspb.IndexedValueType) error {
	c, err := client.NewLazyClient(s.clientOptions(client.Options{}))
	if err != nil {
		return err
	}
	defer c.Close()

	if err := poll(ctx, "its namespace", func() error {
		_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
		return err
	}); err != nil || len(attributes) == 0 {
		return err
	}

	// A namespace made just now has them from its creation. One from an older database may lack
	// some, and the server caches namespaces for seconds: only a query by name tells when it knows.
	if _, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: s.namespace, SearchAttributes: attributes,
	}); err != nil {
		return fmt.Errorf("add search attributes to namespace %q: %w", s.namespace, err)
	}
	for name := range attributes {
		if err := poll(ctx, "search attribute "+name, func() error {
			_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "`" + name + "` IS NULL"})
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// HostPort is the address of the gRPC frontend, for workers and clients in any process.
func (s *Server) HostPort() string { return s.hostPort }

// UIURL is the address of the web UI, without a slash at its end. Empty without UI.
func (s *Server) UIURL() string {
	if s.ui == nil {
		return ""
	}
	return s.ui.url
}

// WorkflowURL is the page of a workflow in the web UI. An empty run id means the latest run.
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

// Client dials the server. The address in opts is ignored; an empty namespace means the server's
// own, a nil logger the server's own. The caller closes the client, before Stop.
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

// Stop ends the UI and the server and returns when both have ended and their ports are free; only
// idle connections that the server opened to itself stay with the process. Clients and workers
// that are still connected lose their connection after a second. Further calls wait for the first
// and return its error.
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
			return fmt.Errorf("%w while waiting for %s, last answer: %w", context.Cause(ctx), what, err)
		case <-tick.C:
		}
	}
}
