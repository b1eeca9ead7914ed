package program_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

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
