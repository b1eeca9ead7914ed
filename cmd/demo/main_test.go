package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

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
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	code, stdout, stderr := demo(t, "--json")
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
	require.Contains(t, got.UIURL, got.RunID)
	require.Positive(t, got.ElapsedSeconds)
	for _, phase := range []string{"inventory: completed", "report: completed"} {
		require.Contains(t, stderr, phase)
	}
}

func TestDemoTakesOwnFileAndInputs(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	path := filepath.Join(t.TempDir(), "my claims #1.csv")
	require.NoError(t, os.WriteFile(path, []byte("a,b\n1,2\n"), 0o600))
	code, stdout, stderr := demo(t, "--file", path, "--agent", "inventory", "--input", "claim=C-1", "--input", "number=1042")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "1042")
	require.Contains(t, stdout, "same")
	require.NotContains(t, stdout, "\x1b", "no escape sequences when it is piped")
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
		{"set ASTEROID_API_KEY", 2, []string{"--live", "--agent", "a"}},
		{`"claim" is not name=value`, 2, []string{"--input", "claim"}},
		{"a port is 1 to 65535", 2, []string{"--ui-port", "70000"}},
		{`unexpected argument "stray"`, 2, []string{"stray"}},
		{"--help", 2, []string{"--bogus"}},
	} {
		if testing.Short() && row.args[0] == "--ui-port" && row.code == 1 {
			continue
		}
		code, stdout, stderr := demo(t, row.args...)
		require.Equal(t, row.code, code, row.args)
		require.Contains(t, lastLine(stderr), row.want)
		require.NotContains(t, stdout, row.want)
	}
}

func TestDemoLiveReportsRefusedKey(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	api := testsuite.NewAPI(t)
	t.Setenv("ASTEROID_API_KEY", "wrong")
	t.Setenv("ASTEROID_BASE_URL", api.BaseURL())
	code, _, stderr := demo(t, "--live", "--agent", api.AgentID("inventory"))
	require.Equal(t, 1, code)
	require.Contains(t, lastLine(stderr), `check the API key of connection "default"`)
}

func TestDemoLiveUsesAPIOfEnvironment(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	api := testsuite.NewAPI(t)
	t.Setenv("ASTEROID_API_KEY", api.APIKey())
	t.Setenv("ASTEROID_BASE_URL", api.BaseURL())
	t.Setenv("ASTEROID_DIALECT", string(asteroid.DialectWorkflows))
	code, _, stderr := demo(t, "--live", "--agent", api.AgentID("patient"), "--input", "seconds=0")
	require.Zero(t, code, stderr)
	require.Equal(t, "completed", api.Executions()[0].Status)
	require.Equal(t, "X-Api-Key", api.Requests()[0].KeyHeader)
}

func TestDemoCancelsAgentOnInterrupt(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	api := testsuite.NewAPI(t)
	t.Setenv("ASTEROID_API_KEY", api.APIKey())
	t.Setenv("ASTEROID_BASE_URL", api.BaseURL())
	ctx, interrupt := context.WithCancel(context.Background())
	done := make(chan int, 1)
	var out, errs bytes.Buffer
	go func() {
		done <- run(ctx, []string{"--live", "--agent", api.AgentID("patient"), "--input", "seconds=3600"}, &out, &errs)
	}()
	require.Eventually(t, func() bool { return len(api.Executions()) == 1 }, time.Minute, 20*time.Millisecond)
	interrupt()
	require.Equal(t, 130, <-done)
	require.Equal(t, "cancelled", api.Executions()[0].Status)
}
