package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

// TestMain lets the test binary run as a child process of the program.
func TestMain(m *testing.M) {
	if code, isChild := child.Run(os.Args[1:], childRoles); isChild {
		os.Exit(code)
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // each process would wait a second for reports of the race detector
	os.Exit(m.Run())
}

// bench runs the program, and checks that it removes its temporary files.
func bench(ctx context.Context, t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var out, errs bytes.Buffer
	code = run(ctx, args, &out, &errs)
	left, err := filepath.Glob(filepath.Join(temp, "*"))
	require.NoError(t, err)
	require.Empty(t, left)
	return code, out.String(), errs.String()
}

func TestBenchRejectsWrongCommandLineWithOneLine(t *testing.T) {
	for _, args := range [][]string{
		{}, {"download"}, {"upload", "now"}, {"upload", "--rounds", "0"}, {"upload", "--rounds", "many"}, {"upload", "--files", "2"},
		{"upload", "--size", "0"}, {"upload", "--size", "-1MiB"}, {"upload", "--size", "1GB"}, {"upload", "--size", "65GiB"}, {"upload", "--size", "9999999999GiB"},
		{"batch", "--rows", "0"}, {"batch", "--rounds", "0"}, {"batch", "--concurrency", "1001"},
		{"limits", "--waiting", "0"}, {"limits", "--small", "0"}, {"limits", "--max", "0"}, {"limits", "--waiting", "5000"},
		{"wait", "now"}, {"wait", "--runs", "0"}, {"wait", "--runs", "100001"}, {"wait", "--samples", "0"}, {"wait", "--runs", "10", "--samples", "11"},
		{"wait", "--ways", "watch"}, {"wait", "--ways", ""}, {"wait", "--ways", "poll,,sleep"}, {"wait", "--window", "-1s"}, {"wait", "--settle", "10"},
	} {
		code, stdout, stderr := bench(t.Context(), t, args...)
		require.Equal(t, 2, code, args)
		require.Empty(t, stdout, args)
		require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		require.True(t, strings.HasPrefix(stderr, "bench: "), stderr)
	}
}

func TestBenchHelpListsBenchmarksAndFlags(t *testing.T) {
	for args, want := range map[string]string{"--help": "  upload ", "-h": "  upload ", "upload --help": "-rounds many", "wait --help": "-ways ways"} {
		code, _, stderr := bench(t.Context(), t, strings.Fields(args)...)
		require.Zero(t, code, args)
		require.Contains(t, stderr, want, args)
		require.NotContains(t, stderr, "bench: ", args)
	}
}

// members decodes one line of JSON into its numbers.
func members(t *testing.T, line string) map[string]float64 {
	t.Helper()
	require.Equal(t, 1, strings.Count(line, "\n"), line)
	var numbers map[string]float64
	require.NoError(t, json.Unmarshal([]byte(line), &numbers), line)
	return numbers
}
