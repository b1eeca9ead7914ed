package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

// MinimumServer is the oldest server, major and minor version, that the programs were tested with.
var MinimumServer = [2]int{1, 29}

// startCLI starts the dev server of a temporal command.
func startCLI(ctx context.Context, o Options, path string) (*Server, error) {
	version, err := cliVersion(ctx, path)
	if err != nil {
		return nil, err
	}
	o.Progress.Phase("starting a Temporal server: " + version + ", from " + path)
	if major, minor, known := serverVersion(version); known && (major < MinimumServer[0] || major == MinimumServer[0] && minor < MinimumServer[1]) {
		o.Progress.Phase(fmt.Sprintf("this server is older than %d.%d, the oldest one tested: upgrade the Temporal CLI if something fails",
			MinimumServer[0], MinimumServer[1]))
	}
	lifeline, err := child.NewLifeline(path)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's executable, to start it again: %w", err)
	}
	clientOptions := client.Options{
		HostPort: net.JoinHostPort(loopback, strconv.Itoa(o.Port)), Namespace: o.Namespace, Logger: quietLogger(),
	}
	var output child.Tail
	starting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // StartDevServer does not notice that its child exits
		<-lifeline.Exited()
		cancel(fmt.Errorf("%s exited before it was ready (%s): %s", path, lifeline.State(), output.Text()))
	}()
	server, err := testsuite.StartDevServer(starting, testsuite.DevServerOptions{
		ExistingPath:  self, // the supervisor
		ClientOptions: &clientOptions,
		DBFilename:    o.DatabaseFile,
		EnableUI:      true,
		UIPort:        strconv.Itoa(o.UIPort),
		ExtraArgs:     append(o.searchAttributeFlags(), lifeline.Args()...),
		Stdout:        &output,
		Stderr:        &output,
	})
	ui := "http://" + net.JoinHostPort(loopback, strconv.Itoa(o.UIPort))
	if err == nil {
		server.Client().Close()
		err = awaitReady(starting, ui)
	}
	if err != nil {
		if starting.Err() != nil {
			err = context.Cause(starting)
		}
		lifeline.Kill()
		return nil, err
	}
	return &Server{
		options: clientOptions, uiURL: ui, own: true, exited: lifeline.Exited(),
		stop: func() { lifeline.Stop(stopTimeout) },
	}, nil
}

// stopTimeout bounds a graceful stop of a server of its own.
const stopTimeout = 10 * time.Second

// awaitReady waits for the web UI of a server whose frontend is ready.
func awaitReady(ctx context.Context, ui string) error {
	ctx, done := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("the web UI was not ready after %s", readyTimeout))
	defer done()
	return awaitUI(ctx, ui)
}

// cliVersion returns what the command says of itself, such as "temporal version 1.9.1 (Server
// 1.32.0, UI 2.54.1)".
func cliVersion(ctx context.Context, path string) (string, error) {
	ctx, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	version := strings.TrimSpace(string(out))
	if err != nil || !strings.HasPrefix(version, "temporal version ") {
		return "", fmt.Errorf("%s does not seem to be the Temporal CLI, whose --version is something else (%w): install the CLI, or choose another server",
			path, errors.Join(err, errors.New(strconv.Quote(version))))
	}
	return version, nil
}

// serverVersion returns the version of the server in the CLI's text.
func serverVersion(version string) (major, minor int, known bool) {
	_, after, found := strings.Cut(version, "(Server ")
	if !found {
		return 0, 0, false
	}
	n, _ := fmt.Sscanf(after, "%d.%d", &major, &minor)
	return major, minor, n == 2
}
