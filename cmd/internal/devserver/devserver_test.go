package devserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/cmd/internal/devserver"
)

const taskQueue = "devserver-test"

// greet waits for the signal with a name and returns a greeting.
func greet(ctx workflow.Context) (string, error) {
	var name string
	workflow.GetSignalChannel(ctx, "name").Receive(ctx, &name)
	return "Hello " + name, nil
}

func start(t *testing.T, opts devserver.Options) *devserver.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := devserver.Start(ctx, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return server
}

func dial(t *testing.T, server *devserver.Server) client.Client {
	t.Helper()
	c, err := server.Client(client.Options{})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func startWorker(t *testing.T, c client.Client) worker.Worker {
	t.Helper()
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(greet)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return w
}

func startGreet(t *testing.T, c client.Client, id string) client.WorkflowRun {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: taskQueue}, greet)
	require.NoError(t, err)
	return run
}

func TestStartReturnsWhenWorkflowsRun(t *testing.T) {
	c := dial(t, start(t, devserver.Options{}))
	startWorker(t, c)
	run := startGreet(t, c, "first")
	require.NoError(t, c.SignalWorkflow(t.Context(), run.GetID(), "", "name", "Ada"))
	var greeting string
	require.NoError(t, run.Get(t.Context(), &greeting))
	require.Equal(t, "Hello Ada", greeting)
}

func TestStartTwiceInOneProcessSharesNothing(t *testing.T) {
	one, two := dial(t, start(t, devserver.Options{})), dial(t, start(t, devserver.Options{}))
	startGreet(t, one, "only-on-one")
	_, err := two.DescribeWorkflowExecution(t.Context(), "only-on-one", "")
	require.ErrorContains(t, err, "not found")
}

func TestStartContinuesWithDatabaseFile(t *testing.T) {
	opts := devserver.Options{DatabaseFile: filepath.Join(t.TempDir(), "100% café?.db"), Namespace: "orders"}

	first := start(t, opts)
	c := dial(t, first)
	w := startWorker(t, c)
	finished, running := startGreet(t, c, "finished"), startGreet(t, c, "running")
	require.NoError(t, c.SignalWorkflow(t.Context(), "finished", "", "name", "Ada"))
	require.NoError(t, finished.Get(t.Context(), nil))
	w.Stop()
	c.Close()
	require.NoError(t, first.Stop())

	reference := temporal.NewSearchAttributeKeyKeyword("Reference")
	opts.SearchAttributes = map[string]enumspb.IndexedValueType{"Reference": enumspb.INDEXED_VALUE_TYPE_KEYWORD}
	c = dial(t, start(t, opts))
	startWorker(t, c)
	var greeting string
	require.NoError(t, c.GetWorkflow(t.Context(), "finished", finished.GetRunID()).Get(t.Context(), &greeting))
	require.Equal(t, "Hello Ada", greeting)
	require.NoError(t, c.SignalWorkflow(t.Context(), "running", running.GetRunID(), "name", "Grace"))
	require.NoError(t, c.GetWorkflow(t.Context(), "running", "").Get(t.Context(), &greeting))
	require.Equal(t, "Hello Grace", greeting)

	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		TaskQueue: taskQueue, TypedSearchAttributes: temporal.NewSearchAttributes(reference.ValueSet("A-1")),
	}, greet)
	require.NoError(t, err, "an attribute added to an older namespace")
}

func TestStartRejectsDatabaseFileInUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "temporal.db")
	start(t, devserver.Options{DatabaseFile: file})

	_, err := devserver.Start(t.Context(), devserver.Options{DatabaseFile: file})
	require.ErrorContains(t, err, file+" is in use by another server of this process")

	out, err := inChild(t, file).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "open database file "+file)
	require.Contains(t, string(out), "database is locked")
}

func TestStartNamesUnusableDatabaseFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "temporal.db")
	_, err := devserver.Start(t.Context(), devserver.Options{DatabaseFile: missing})
	require.ErrorContains(t, err, missing+": its directory does not exist")

	foreign := filepath.Join(t.TempDir(), "notes.txt")
	require.NoError(t, os.WriteFile(foreign, []byte(strings.Repeat("not a database ", 100)), 0o600))
	_, err = devserver.Start(t.Context(), devserver.Options{DatabaseFile: foreign})
	require.ErrorContains(t, err, "open database file "+foreign)
}

func TestStartReturnsWhenSearchAttributesAreUsable(t *testing.T) {
	count := temporal.NewSearchAttributeKeyInt64("Count")
	c := dial(t, start(t, devserver.Options{SearchAttributes: map[string]enumspb.IndexedValueType{
		"Count": enumspb.INDEXED_VALUE_TYPE_INT,
	}}))
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		TaskQueue: taskQueue, TypedSearchAttributes: temporal.NewSearchAttributes(count.ValueSet(7)),
	}, greet)
	require.NoError(t, err)
}

func TestStartReturnsWhenWebUIResponds(t *testing.T) {
	server := start(t, devserver.Options{UI: true, Namespace: "orders"})
	for _, url := range []string{
		server.UIURL(),
		server.UIURL() + "/api/v1/namespaces/orders",
		server.WorkflowURL("orders", "order 1/2", "run"),
		server.WorkflowURL("orders", "order 1/2", ""),
	} {
		resp, err := http.Get(url)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", url, body)
	}
	require.Equal(t, server.UIURL()+"/namespaces/orders/workflows/order%201%2F2/run/history",
		server.WorkflowURL("orders", "order 1/2", "run"))
}

func TestWorkflowURLIsEmptyWithoutUI(t *testing.T) {
	server := start(t, devserver.Options{})
	require.Empty(t, server.UIURL())
	require.Empty(t, server.WorkflowURL("default", "id", "run"))
}

func TestPortErrorNamesPortAndOption(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port

	for option, opts := range map[string]devserver.Options{
		"Port (--port)":      {Port: port},
		"UIPort (--ui-port)": {UI: true, UIPort: port},
	} {
		_, err := devserver.Start(t.Context(), opts)
		require.EqualError(t, err, fmt.Sprintf(
			"start Temporal server: listen on 127.0.0.1:%d: the port is in use; set %s to another port, or to 0 for a free port", port, option))
		var portErr *devserver.PortError
		require.ErrorAs(t, err, &portErr)
		require.Equal(t, port, portErr.Port)
	}
}

func TestStopFreesPortsAndGoroutines(t *testing.T) {
	server := start(t, devserver.Options{UI: true})
	done := make(chan error, 2)
	for range cap(done) {
		go func() { done <- server.Stop() }()
	}
	for range cap(done) {
		require.NoError(t, <-done)
	}
	for _, address := range []string{server.HostPort(), strings.TrimPrefix(server.UIURL(), "http://")} {
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
	require.Eventually(t, func() bool {
		var stacks strings.Builder
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&stacks, 1))
		return !strings.Contains(stacks.String(), "go.temporal.io/") && !strings.Contains(stacks.String(), "ui-server")
	}, 10*time.Second, 10*time.Millisecond, "a goroutine of the server still runs")
}

func TestStartCancelledLeavesNothingRunning(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := taken.Addr().(*net.TCPAddr).Port
	require.NoError(t, taken.Close())

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("changed my mind"))
	_, err = devserver.Start(ctx, devserver.Options{Port: port})
	require.ErrorContains(t, err, "changed my mind")
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestStartPrintsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	out, err := inChild(t, filepath.Join(t.TempDir(), "temporal.db")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}

const childDatabase = "DEVSERVER_TEST_DATABASE"

// inChild returns a command that runs this test binary as a program: it starts a server on the
// file, runs greet once, and exits.
func inChild(t *testing.T, file string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDatabase+"="+file)
	return cmd
}

func TestMain(m *testing.M) {
	file, child := os.LookupEnv(childDatabase)
	if !child {
		os.Exit(m.Run())
	}
	if err := greetOnce(context.Background(), file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func greetOnce(ctx context.Context, file string) error {
	server, err := devserver.Start(ctx, devserver.Options{DatabaseFile: file, UI: true})
	if err != nil {
		return err
	}
	c, err := server.Client(client.Options{})
	if err != nil {
		return err
	}
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(greet)
	if err := w.Start(); err != nil {
		return err
	}
	run, err := c.SignalWithStartWorkflow(ctx, "id", "name", "Ada", client.StartWorkflowOptions{TaskQueue: taskQueue}, greet)
	if err != nil {
		return err
	}
	if err := run.Get(ctx, nil); err != nil {
		return err
	}
	w.Stop()
	c.Close()
	return server.Stop()
}
