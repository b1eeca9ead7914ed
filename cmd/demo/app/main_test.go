package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
	"github.com/temporal-asteroid/asteroid/cmd/internal/programtest"
	"github.com/temporal-asteroid/asteroid/cmd/internal/temporalserver"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestMain(m *testing.M) {
	if code, isSupervisor := child.Supervise(os.Args[1:]); isSupervisor {
		os.Exit(code)
	}
	code := m.Run()
	if shared.server != nil {
		shared.server.Stop()
	}
	os.Exit(code)
}

// shared is the Temporal server of the tests.
var shared struct {
	once   sync.Once
	server *temporalserver.Server
	err    error
}

// temporalAddress returns the address of a Temporal server. The first call may compile it.
func temporalAddress(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	shared.once.Do(func() {
		shared.server, shared.err = temporalserver.Start(context.Background(), temporalserver.Options{Kind: temporalserver.Embedded})
	})
	require.NoError(t, shared.err)
	return shared.server.Address()
}

// demo runs the command for at most two minutes.
func demo(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	code = run(ctx, args, &out, &errs)
	return code, out.String(), errs.String()
}

// lastLine returns the last line, which holds the error.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestDemoPrintsOneObjectWithEqualDigests(t *testing.T) {
	temporalAddress(t) // compiles the server, which could take longer than this test may
	code, stdout, stderr := demo(t, "--server", "embedded", "--json")
	require.Zero(t, code, stderr)
	require.Equal(t, 1, strings.Count(stdout, "\n"))
	var got struct {
		WorkflowID string
		RunID      string
		Executions []struct {
			Agent, ExecutionID, Status, Outcome string
			Result                              map[string]any
		}
		Files          []struct{ Name, SHA256, SeenSHA256 string }
		Temporal       struct{ Address, Namespace, TaskQueue string }
		Fake           struct{ BaseURL, APIKey string }
		UIURL          string
		ElapsedSeconds float64
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	require.Len(t, got.Executions, 2)
	require.Equal(t, "inventory", got.Executions[0].Agent)
	require.Equal(t, "report", got.Executions[1].Agent)
	require.Equal(t, got.Executions[0].ExecutionID, got.Executions[1].Result["executionId"])
	require.Len(t, got.Files, 2)
	for _, f := range got.Files {
		require.Len(t, f.SHA256, 64)
		require.Equal(t, f.SHA256, f.SeenSHA256, f.Name)
	}
	require.Equal(t, "/user-metadata", got.UIURL[strings.LastIndex(got.UIURL, "/"):])
	require.Contains(t, got.UIURL, got.RunID)
	require.Equal(t, "default", got.Temporal.Namespace)
	require.Positive(t, got.ElapsedSeconds)
	for _, text := range []string{
		"inventory: completed", "report: completed", got.UIURL,
		"Temporal: " + got.Temporal.Address, got.Fake.BaseURL + ", key " + got.Fake.APIKey,
	} {
		require.Contains(t, stderr, text)
	}
}

func TestDemoTakesOwnFileAndInputs(t *testing.T) {
	address := temporalAddress(t)
	path := filepath.Join(t.TempDir(), "my claims #1.csv")
	require.NoError(t, os.WriteFile(path, []byte("a,b\n1,2\n"), 0o600))
	code, stdout, stderr := demo(t, "--address", address, "--file", path, "--agent", "inventory", "--input", "claim=C-1", "--input", "number=1042")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "1042")
	require.Contains(t, stdout, "same")
	require.NotContains(t, stdout, "\x1b", "no escape sequences when it is piped")
}

func TestDemoSavesOutputs(t *testing.T) {
	address := temporalAddress(t)
	directory := filepath.Join(t.TempDir(), "50% of it")
	require.NoError(t, os.Mkdir(directory, 0o700))
	code, _, stderr := demo(t, "--address", address, "--save", directory)
	require.Zero(t, code, stderr)
	for _, name := range []string{"inventory.json", "report.md"} {
		found, err := filepath.Glob(filepath.Join(directory, "*", "*", name))
		require.NoError(t, err)
		require.Len(t, found, 1, name)
	}
}

func TestDemoReportsMistakeInOneLine(t *testing.T) {
	t.Setenv("ASTEROID_API_KEY", "")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	port := strconv.Itoa(busy.Addr().(*net.TCPAddr).Port)
	for _, row := range []struct {
		want string
		code int
		args []string
	}{
		{"no such file: none.csv (check the path", 1, []string{"--file", "none.csv"}},
		{"is not a regular file", 1, []string{"--file", t.TempDir()}},
		{`no agent "nobody": the fake has echo, inventory, patient, report, totals`, 1, []string{"--agent", "nobody"}},
		{"port " + port + " is in use: choose another with --ui-port", 1, []string{"--ui-port", port}},
		{"no Temporal server answers at 127.0.0.1:1", 1, []string{"--address", "127.0.0.1:1"}},
		{"set ASTEROID_API_KEY", 2, []string{"--live", "--agent", "a"}},
		{`"claim" is not name=value`, 2, []string{"--input", "claim"}},
		{"a port is 1 to 65535", 2, []string{"--ui-port", "70000"}},
		{"choose cli, embedded or download", 2, []string{"--server", "docker"}},
		{"--db is for a server that the demo starts", 2, []string{"--address", "127.0.0.1:1", "--db", "temporal.db"}},
		{"no such directory; create it first", 2, []string{"--save", "s3://bucket/prefix"}},
		{"--batch takes one --file and one --agent", 2, []string{"--batch", "--agent", "echo", "--agent", "report"}},
		{`unexpected argument "stray"`, 2, []string{"stray"}},
		{"--help", 2, []string{"--bogus"}},
	} {
		code, stdout, stderr := demo(t, row.args...)
		require.Equal(t, row.code, code, row.args)
		require.Contains(t, lastLine(stderr), row.want)
		require.NotContains(t, stdout, row.want)
	}
}

// A key or a network that cannot work is reported before anything is started.
func TestDemoLiveChecksAPIFirst(t *testing.T) {
	api := testsuite.NewAPI(t)
	for _, row := range []struct{ key, url, want string }{
		{"a key that is wrong", api.BaseURL(), "(check the API key, and that it belongs to this service)\n"},
		{"a key that is right", "http://127.0.0.1:1", "127.0.0.1:1"},
	} {
		t.Setenv("ASTEROID_API_KEY", row.key)
		t.Setenv("ASTEROID_BASE_URL", row.url)
		code, _, stderr := demo(t, "--live", "--agent", api.AgentID("inventory"))
		require.Equal(t, 1, code)
		require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		require.Contains(t, stderr, row.want)
		require.NotContains(t, stderr, row.key)
	}
}

func TestDemoLiveUsesAPIOfEnvironment(t *testing.T) {
	address := temporalAddress(t)
	api := testsuite.NewAPI(t)
	t.Setenv("ASTEROID_API_KEY", api.APIKey())
	t.Setenv("ASTEROID_BASE_URL", api.BaseURL())
	t.Setenv("ASTEROID_DIALECT", string(asteroid.DialectWorkflows))
	code, stdout, stderr := demo(t, "--address", address, "--live", "--agent", api.AgentID("patient"), "--input", "seconds=0")
	require.Zero(t, code, stderr)
	require.Equal(t, "completed", api.Executions()[0].Status)
	require.Equal(t, "X-Api-Key", api.Requests()[0].KeyHeader)
	require.NotContains(t, stdout+stderr, api.APIKey())
}

func TestDemoCancelsAgentOnInterrupt(t *testing.T) {
	address := temporalAddress(t)
	api := testsuite.NewAPI(t)
	t.Setenv("ASTEROID_API_KEY", api.APIKey())
	t.Setenv("ASTEROID_BASE_URL", api.BaseURL())
	ctx, interrupt := context.WithCancel(context.Background())
	done := make(chan int, 1)
	var out, errs bytes.Buffer
	go func() {
		done <- run(ctx, []string{"--address", address, "--live", "--agent", api.AgentID("patient"), "--input", "seconds=3600"}, &out, &errs)
	}()
	require.Eventually(t, func() bool { return len(api.Executions()) == 1 }, time.Minute, 20*time.Millisecond)
	interrupt()
	require.Equal(t, 130, <-done)
	require.Equal(t, "cancelled", api.Executions()[0].Status)
}

// TestDemoKeepOffersUpdateThatAnswers sends the very update that the demo prints.
func TestDemoKeepOffersUpdateThatAnswers(t *testing.T) {
	address := temporalAddress(t)
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	var out programtest.Output
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"--address", address, "--agent", "inventory", "--keep"}, &out, &out) }()
	awaitText(t, &out, "Everything keeps running")

	_, command, _ := strings.Cut(out.String(), "temporal workflow update execute --address "+address+" --namespace default --workflow-id ")
	id, command, _ := strings.Cut(command, " --name "+workflows.AnswerUpdate+" --input '")
	input, _, found := strings.Cut(command, "'\n")
	require.True(t, found, out.String())
	require.Contains(t, out.String(), "go run ./cmd/asteroid answer "+id+" --address "+address+" --namespace default --option Savings\n")

	temporal, err := client.Dial(client.Options{HostPort: address})
	require.NoError(t, err)
	defer temporal.Close()
	update, err := temporal.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: workflows.AnswerUpdate, Args: []any{json.RawMessage(input)},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	require.NoError(t, update.Get(t.Context(), nil))
	awaitText(t, &out, `The agent got an answer and completed: {"answer":"Savings","seconds":2}`)
	interrupt()
	require.Zero(t, <-done, out.String())
}

func TestDemoKeepCancelsQuestionThatNobodyAnswers(t *testing.T) {
	address := temporalAddress(t)
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	var out programtest.Output
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"--address", address, "--agent", "inventory", "--keep"}, &out, &out) }()
	awaitText(t, &out, "Everything keeps running")
	_, command, _ := strings.Cut(out.String(), " --workflow-id ")
	id, _, _ := strings.Cut(command, " ")
	interrupt()
	require.Zero(t, <-done, out.String())

	temporal, err := client.Dial(client.Options{HostPort: address})
	require.NoError(t, err)
	defer temporal.Close()
	described, err := temporal.DescribeWorkflow(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, "Canceled", described.Status.String())
}

func awaitText(t *testing.T, out *programtest.Output, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), text) }, time.Minute, 20*time.Millisecond, text)
}

// TestDemoIsLight bounds how long the first start of the demo takes.
func TestDemoIsLight(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	packages := strings.Fields(string(out))
	require.LessOrEqual(t, len(packages), 520)
	for _, heavy := range []string{"go.temporal.io/server", "github.com/temporalio/ui-server", "k8s.io/", "github.com/aws/", "modernc.org/", "gocloud.dev", "cloud.google.com/", "github.com/Azure/"} {
		for _, p := range packages {
			require.False(t, strings.HasPrefix(p, heavy), "the demo must not link %s", p)
		}
	}
}
