package program_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

// The test binary is a program below a directory of go run's, or stands for go run itself.
const roleEnv = "PROGRAM_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "program": // says that it runs, until it is told to stop
		program.Main(func(ctx context.Context, _ []string, stdout, _ io.Writer) int {
			fmt.Fprintln(stdout, "running")
			<-ctx.Done()
			return 0
		})
	case "go run":
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), roleEnv+"=program")
		command.Stdout = os.Stdout
		if err := command.Run(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMainStopsWhenGoRunIsKilled(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	goRun := exec.CommandContext(t.Context(), self)
	goRun.Env = append(os.Environ(), roleEnv+"=go run", "GOCACHE="+filepath.Dir(self))
	stdout, err := goRun.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, goRun.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "running\n", line)
	require.NoError(t, goRun.Process.Kill())
	_, err = io.Copy(io.Discard, stdout) // ends when the program has closed its output too
	require.NoError(t, err)
	_ = goRun.Wait() // it was killed
}

func TestExitCode(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	failure := errors.New("disk full")
	for _, row := range []struct {
		ctx  context.Context
		err  error
		code int
		want string
	}{
		{t.Context(), nil, 0, ""},
		{cancelled, nil, 0, ""},
		{t.Context(), flag.ErrHelp, 0, ""},
		{t.Context(), failure, 1, "demo: disk full\n"},
		{cancelled, failure, 130, "demo: interrupted\n"},
		{t.Context(), program.UsageErrorf("--runs %d", 0), 2, "demo: --runs 0\n"},
		{cancelled, program.UsageErrorf("--runs %d", 0), 2, "demo: --runs 0\n"},
	} {
		var stderr bytes.Buffer
		require.Equal(t, row.code, program.ExitCode(row.ctx, "demo", row.err, &stderr))
		require.Equal(t, row.want, stderr.String())
	}
}

func TestParseFlags(t *testing.T) {
	parse := func(args ...string) (runs int, stderr string, err error) {
		var out bytes.Buffer
		flags := flag.NewFlagSet("bench wait", flag.ContinueOnError)
		flags.IntVar(&runs, "runs", 1, "open this `many` runs")
		err = program.ParseFlags(flags, args, &out, "Measure the wait.")
		return runs, out.String(), err
	}
	runs, stderr, err := parse("--runs", "3")
	require.NoError(t, err)
	require.Equal(t, 3, runs)
	require.Empty(t, stderr)
	for _, args := range [][]string{{"--bogus"}, {"--runs", "x"}, {"stray"}} {
		_, stderr, err = parse(args...)
		require.ErrorContains(t, err, "go run ./cmd/bench wait --help")
		require.Equal(t, 2, program.ExitCode(t.Context(), "bench", err, new(bytes.Buffer)))
		require.Empty(t, stderr)
	}
	_, stderr, err = parse("--help")
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, stderr, "Measure the wait.\n\nUsage: go run ./cmd/bench wait [flags]\n\n  -runs many")
}

func TestSleep(t *testing.T) {
	require.True(t, program.Sleep(t.Context(), time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.False(t, program.Sleep(ctx, time.Hour))
}
