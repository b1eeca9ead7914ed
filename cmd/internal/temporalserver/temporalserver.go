// Package temporalserver gets a Temporal server for a program that should run anywhere: one that
// runs already, or else one that it starts as a child. Neither links the server.
//
//	server, err := temporalserver.Start(ctx, temporalserver.Options{Progress: display})
//	if err != nil {
//		return err
//	}
//	defer server.Stop()
//	temporal, err := client.DialContext(ctx, server.ClientOptions())
//
// A server that it starts listens on the loopback interface only, and ends with the program, also
// when the program is killed. The program's main calls child.Supervise first, as program.Main does.
package temporalserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid/cmd/internal/compile"
)

// Kind is a kind of server.
type Kind string

// The kinds of server that are started as a child.
const (
	// CLI is the dev server of the temporal command line tool on the PATH.
	CLI Kind = "cli"
	// Embedded is cmd/devserver, compiled on its first use. It needs the go command and the source
	// of this module.
	Embedded Kind = "embedded"
	// Download is the dev server of the temporal command line tool that the Temporal SDK downloads
	// on its first use.
	Download Kind = "download"
)

// Kinds are all of them.
var Kinds = []Kind{CLI, Embedded, Download}

// Options say which server. The zero value is a server of its own, in memory, on free ports: CLI
// where there is a temporal command on the PATH, else Embedded.
type Options struct {
	// Kind demands a kind of server.
	Kind Kind

	// Address (host:port) or Profile, or both, connect to a server that runs already. The settings
	// of the profile (TLS, API key, namespace) are those of the temporal command: its configuration
	// file, then the variables TEMPORAL_*. With only an Address, the profile is the default one.
	Address string
	Profile string

	// Namespace is created on a server of its own. Empty: the profile's, or "default".
	Namespace string

	// DatabaseFile holds the data of a server of its own. Empty: in memory.
	DatabaseFile string

	// Port and UIPort are those of a server of its own, on 127.0.0.1. 0: a free port.
	Port   int
	UIPort int

	// SearchAttributes are created on a server of its own.
	SearchAttributes map[string]enumspb.IndexedValueType

	// Progress is told what goes on. Nil: nobody.
	Progress compile.Progress
}

type noProgress struct{}

func (noProgress) Phase(string) {}
func (noProgress) Count(string) {}

// Server is a Temporal server that accepts workflows.
type Server struct {
	options client.Options
	uiURL   string
	own     bool
	exited  <-chan struct{} // nil: of others
	stop    func()
}

// readyTimeout bounds the time until a server accepts workflows, once it is compiled or downloaded.
const readyTimeout = time.Minute

// Start returns a server that is ready, and its web UI with it. The context bounds the start only.
// After an error nothing is left running.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Progress == nil {
		o.Progress = noProgress{}
	}
	if o.Address != "" || o.Profile != "" {
		if o.Kind != "" {
			return nil, errors.New("an address or a profile names a server that runs already: ask for one of your own without them")
		}
		return connect(ctx, o)
	}
	o.Namespace = cmp.Or(o.Namespace, client.DefaultNamespace)
	if err := errors.Join(choosePort(&o.Port, "--port"), choosePort(&o.UIPort, "--ui-port")); err != nil {
		return nil, err
	}
	switch o.Kind {
	case Embedded:
		return startEmbedded(ctx, o)
	case Download:
		return startDownload(ctx, o)
	case CLI, "":
		path, err := exec.LookPath("temporal")
		if err == nil {
			return startCLI(ctx, o, path)
		}
		if o.Kind == CLI {
			return nil, errors.New("there is no temporal command on the PATH: install the Temporal CLI (https://docs.temporal.io/cli), or choose another server")
		}
		return startEmbedded(ctx, o)
	default:
		return nil, fmt.Errorf("server %q: choose %s, %s or %s", o.Kind, CLI, Embedded, Download)
	}
}

// choosePort checks that the port is free. 0 becomes a free one.
func choosePort(port *int, name string) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(*port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d is in use: choose another with %s, or omit the flag for a free one", *port, name)
	}
	if err != nil {
		return fmt.Errorf("listen on port %d: %w", *port, err)
	}
	*port = listener.Addr().(*net.TCPAddr).Port
	return listener.Close()
}

const loopback = "127.0.0.1"

// Own says whether this program has started the server, and so is its only user.
func (s *Server) Own() bool { return s.own }

// Address returns the host:port of the server's frontend.
func (s *Server) Address() string { return s.options.HostPort }

// Namespace returns the namespace to use.
func (s *Server) Namespace() string { return s.options.Namespace }

// ClientOptions returns the options of clients that connect to the namespace. They log nothing.
func (s *Server) ClientOptions() client.Options { return s.options }

// UIURL returns the address of the web UI, without a trailing slash. Empty: unknown.
func (s *Server) UIURL() string { return s.uiURL }

// WorkflowURL returns the page of a run that shows its current details. Empty without a web UI.
func (s *Server) WorkflowURL(workflowID, runID string) string {
	if s.uiURL == "" {
		return ""
	}
	return s.uiURL + "/namespaces/" + url.PathEscape(s.Namespace()) + "/workflows/" + url.PathEscape(workflowID) +
		"/" + url.PathEscape(runID) + "/user-metadata"
}

// Exited is closed when a server of its own has exited.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Stop stops a server of its own and returns when it has exited. Close the clients first.
func (s *Server) Stop() {
	if s.stop != nil {
		s.stop()
	}
}

func quietLogger() log.Logger { return log.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

// searchAttributeFlags returns the flags that both servers take for search attributes.
func (o *Options) searchAttributeFlags() []string {
	var flags []string
	for name, kind := range o.SearchAttributes {
		flags = append(flags, "--search-attribute="+name+"="+kind.String())
	}
	slices.SortFunc(flags, strings.Compare)
	return flags
}
