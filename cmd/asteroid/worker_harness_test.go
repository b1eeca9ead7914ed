package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/cmd/internal/devserver"
	"github.com/temporal-asteroid/asteroid/cmd/internal/programtest"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func temporalServer(t *testing.T) *devserver.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the Temporal server")
	}
	server, err := sharedServer()
	require.NoError(t, err)
	return server
}

func temporalClient(t *testing.T) client.Client {
	t.Helper()
	c, err := temporalServer(t).Client(client.Options{})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// commandRun is the command in a goroutine of the test.
type commandRun struct {
	t      *testing.T
	cancel context.CancelFunc
	out    *programtest.Output
	log    *programtest.Output
	code   chan int
}

func startCommand(t *testing.T, args ...string) *commandRun {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &commandRun{t: t, cancel: cancel, out: new(programtest.Output), log: new(programtest.Output), code: make(chan int, 1)}
	go func() { c.code <- run(ctx, args, strings.NewReader(""), c.out, c.log) }()
	t.Cleanup(func() { c.stop() })
	return c
}

// stop interrupts the command, unless it has ended, and returns its exit code.
func (c *commandRun) stop() int {
	c.cancel()
	code := <-c.code
	c.code <- code
	return code
}

// logged waits for a log record with the message and returns its attributes.
func (c *commandRun) logged(message string) (record map[string]any) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		for line := range strings.Lines(c.log.String()) {
			record = nil
			if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == message {
				return true
			}
		}
		return false
	}, time.Minute, 10*time.Millisecond, "%s", c.log)
	return record
}

// address waits until the worker listens and returns the URL of its own pages.
func (c *commandRun) address() string {
	c.t.Helper()
	return fmt.Sprint("http://", c.logged("Listening")["Address"])
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// writeConfig writes a configuration file with the fake as its default connection.
func writeConfig(t *testing.T, api *testsuite.API, more string) (path string) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte(api.APIKey()+"\n"), 0o600))
	path = filepath.Join(t.TempDir(), "worker.yaml")
	text := fmt.Sprintf("taskQueue: %q\nconnections:\n  default: {apiKeyFile: %q, baseUrl: %q}\n%s", t.Name(), key, api.BaseURL(), more)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// workerArgs are the arguments of a worker on the shared server.
func workerArgs(t *testing.T, config string, more ...string) []string {
	t.Helper()
	return append([]string{"worker", "--address", temporalServer(t).HostPort(), "--listen", "127.0.0.1:0", "--config", config}, more...)
}

func startAgent(t *testing.T, c client.Client, in workflows.RunAgentInput) client.WorkflowRun {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: t.Name()}, workflows.RunAgentName, in)
	require.NoError(t, err)
	return run
}

// gate forwards connections to a Temporal server until it is closed, and again once it is open.
type gate struct {
	target string

	mu     sync.Mutex
	closed bool
	open   []net.Conn
}

func newGate(t *testing.T, target string) (g *gate, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	g = &gate{target: target}
	t.Cleanup(func() { g.set(true) })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			g.forward(connection)
		}
	}()
	return g, listener.Addr().String()
}

func (g *gate) forward(connection net.Conn) {
	onward, err := net.Dial("tcp", g.target)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil || g.closed {
		_ = connection.Close()
		return
	}
	g.open = append(g.open, connection, onward)
	go func() { _, _ = io.Copy(connection, onward) }()
	go func() { _, _ = io.Copy(onward, connection) }()
}

func (g *gate) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	for _, connection := range g.open {
		_ = connection.Close()
	}
	g.open = nil
}

// childArgs is the environment variable with the command line of a child process, as lines.
const childArgs = "ASTEROID_COMMAND_TEST_ARGS"

// TestCommandInChildProcess is no test: it runs the command for the tests that send signals to it.
func TestCommandInChildProcess(*testing.T) {
	if line := os.Getenv(childArgs); line != "" {
		os.Args = append(os.Args[:1], strings.Split(line, "\n")...)
		main()
	}
}

// childCommand is the command in a process of its own.
type childCommand struct {
	t       *testing.T
	process *exec.Cmd
	log     programtest.Output
}

func startChild(t *testing.T, args ...string) *childCommand {
	t.Helper()
	c := &childCommand{t: t, process: exec.Command(os.Args[0], "-test.run=^TestCommandInChildProcess$")}
	c.process.Env = append(os.Environ(), childArgs+"="+strings.Join(args, "\n"))
	c.process.Stderr = &c.log
	require.NoError(t, c.process.Start())
	t.Cleanup(func() { _ = c.process.Process.Kill() })
	return c
}

// stopOverhead is the greatest time that a stop takes beside the stop timeout: the hand-over of the
// watch, requests to the worker's own pages, and a slow machine.
const stopOverhead = 8 * time.Second

// requireGracefulStop sends SIGTERM and requires that the worker ends in time, with exit code 0 and
// nothing at ERROR in its log.
func (c *childCommand) requireGracefulStop(stopTimeout time.Duration) {
	c.t.Helper()
	asked := time.Now()
	require.NoError(c.t, c.process.Process.Signal(syscall.SIGTERM))
	require.NoError(c.t, c.process.Wait(), "%s", &c.log)
	c.t.Logf("stopped after %s", time.Since(asked))
	require.Less(c.t, time.Since(asked), stopTimeout+stopOverhead)
	require.Contains(c.t, c.log.String(), `"msg":"Stopped"`)
	for line := range strings.Lines(c.log.String()) {
		require.NotContains(c.t, line, `"level":"ERROR"`)
	}
}
