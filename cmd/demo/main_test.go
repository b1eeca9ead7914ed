package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/programtest"
)

// asDemoEnv makes the test binary the demo.
const asDemoEnv = "DEMO_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asDemoEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

// startDemo starts the demo. Its standard output is a pipe.
func startDemo(t *testing.T, stderr io.Writer, args ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), self, args...)
	command.Env = append(os.Environ(), asDemoEnv+"=1")
	command.Stderr = stderr
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	return command, stdout
}

func TestDemoPassesArgumentsAndExitCodeOn(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the demo")
	}
	for _, row := range []struct {
		want string
		code int
		args []string
	}{
		{"Usage: go run ./cmd/demo", 0, []string{"--help"}},
		{"demo: no such file: none.csv", 1, []string{"--file", "none.csv"}},
		{`demo: unexpected argument "stray"`, 2, []string{"stray"}},
	} {
		var stderr bytes.Buffer
		command, _ := startDemo(t, &stderr, row.args...)
		_ = command.Wait() // the state has the code
		require.Equal(t, row.code, command.ProcessState.ExitCode(), stderr.String())
		require.Contains(t, stderr.String(), row.want)
	}
}

// TestLauncherIsLight bounds how long go run compiles in silence.
func TestLauncherIsLight(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.LessOrEqual(t, len(strings.Fields(string(out))), 100)
}

// A demo that is killed cannot stop what it has started.
func TestDemoLeavesNothingRunning(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Temporal servers")
	}
	for _, row := range []struct {
		name   string
		signal os.Signal
		code   int
	}{{"killed", os.Kill, -1}, {"interrupted", os.Interrupt, 0}} {
		t.Run(row.name, func(t *testing.T) {
			var stderr programtest.Output
			command, stdout := startDemo(t, &stderr, "--server", "embedded", "--keep", "--json", "--agent", "inventory")
			var got struct {
				Temporal struct{ Address string }
				Fake     struct{ BaseURL string }
				UIURL    string
			}
			require.NoError(t, json.NewDecoder(stdout).Decode(&got), stderr.String())
			require.Eventually(t, func() bool { return strings.Contains(stderr.String(), "Everything keeps running") },
				time.Minute, 20*time.Millisecond)
			require.NoError(t, command.Process.Signal(row.signal))
			_, _ = io.Copy(io.Discard, stdout) // until all that could write is gone
			_ = command.Wait()                 // the state has the code
			require.Equal(t, row.code, command.ProcessState.ExitCode(), stderr.String())
			for _, address := range []string{got.Temporal.Address, host(got.Fake.BaseURL), host(got.UIURL)} {
				require.Eventually(t, func() bool {
					listener, err := net.Listen("tcp", address)
					return err == nil && listener.Close() == nil
				}, time.Minute, 20*time.Millisecond, address)
			}
		})
	}
}

// host returns the host:port of a URL.
func host(address string) string {
	address = strings.TrimPrefix(address, "http://")
	address, _, _ = strings.Cut(address, "/")
	return address
}
