package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

// TestMain lets the test binary run as a child process of the program.
func TestMain(m *testing.M) {
	if code, isChild := child.Run(os.Args[1:], childRoles); isChild {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// With the build tag noadoption the same run must find duplicates.
func TestChaosCarriesOutEveryIntentOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server and workers, and kills them")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	logs := t.TempDir()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"--runs", "20", "--rows", "30", "--seed", "4", "--json", "--logs", logs}, &stdout, &stderr)
	var got struct {
		Seed, Intents, Created, AliveDuplicates, CancelledDuplicates, Reruns, Lost, Stuck, WorkerKills int
		Seconds                                                                                        float64
	}
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &got), stderr.String())
	require.Equal(t, 1, strings.Count(stdout.String(), "\n"))
	require.Equal(t, 4, got.Seed)
	require.Equal(t, 50, got.Intents)
	require.Positive(t, got.WorkerKills)
	require.Positive(t, got.Seconds)
	for _, name := range []string{"temporal.db", "temporal.log", "worker-1.log"} {
		require.FileExists(t, filepath.Join(logs, name))
	}
	if !adoption {
		require.Equal(t, 1, code, stderr.String())
		require.Positive(t, got.AliveDuplicates, stderr.String())
		return
	}
	require.Zero(t, code, stderr.String())
	require.Zero(t, got.AliveDuplicates+got.Lost+got.Stuck, stderr.String())
	require.Equal(t, got.Created-got.CancelledDuplicates, 50, "this seed cancels nothing before it has begun")
}

func TestChaosStopsEverythingOnInterrupt(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server and workers")
	}
	ctx, interrupt := context.WithCancel(t.Context())
	output, input := io.Pipe()
	done := make(chan int, 1)
	var stdout bytes.Buffer
	go func() {
		defer input.Close()
		done <- run(ctx, []string{"--runs", "1000", "--seed", "1"}, &stdout, input)
	}()
	buffer := make([]byte, 1000)
	log := ""
	for !strings.Contains(log, "closed") { // until everything runs
		n, err := output.Read(buffer)
		require.NoError(t, err, log)
		log += string(buffer[:n])
	}
	go func() { _, _ = io.Copy(io.Discard, output) }()
	interrupt()
	select {
	case code := <-done:
		require.Equal(t, 130, code)
		require.Empty(t, stdout.String())
	case <-time.After(time.Minute):
		t.Fatal("chaos still runs")
	}
}

func TestWorkerChildExitsWhenPipeCloses(t *testing.T) {
	t.Parallel()
	// A worker without a server retries until the pipe closes.
	w, err := child.Start("worker", []string{"ASTEROID_API_KEY=none", secondKeyEnv + "=none", outputEnv + "=" + t.TempDir()}, workerChild, "127.0.0.1:1", taskQueue, "0s")
	require.NoError(t, err)
	require.NoError(t, w.ExitError())
	require.NoError(t, w.Stop(30*time.Second))
	require.Error(t, w.ExitError())
}

func TestChaosRejectsWrongCommandLineWithOneLine(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		want string
		args []string
	}{
		{"--runs 0: give a number from 1 to 100000", []string{"--runs", "0"}},
		{"--workers 33: give a number from 1 to 32", []string{"--workers", "33"}},
		{"--concurrency -1", []string{"--concurrency", "-1"}},
		{"--rows -1: give a number from 0 to 100000", []string{"--rows", "-1"}},
		{"create it first", []string{"--logs", filepath.Join(t.TempDir(), "none")}},
		{"go run ./cmd/chaos --help", []string{"--bogus"}},
		{"go run ./cmd/chaos --help", []string{"--seed", "-1"}},
		{`unexpected argument "stray"`, []string{"stray"}},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, 2, run(t.Context(), row.args, &stdout, &stderr), row.args)
		require.Contains(t, stderr.String(), row.want)
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
		require.Empty(t, stdout.String())
	}
}

func TestChaosHelpListsFlags(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"--help"}, &stdout, &stderr))
	for _, flag := range []string{"-runs", "-seed", "-workers", "-concurrency", "-rows", "-logs", "-json"} {
		require.Contains(t, stderr.String(), flag)
	}
}

func TestNewPlanIsEqualForEqualSeeds(t *testing.T) {
	t.Parallel()
	s := settings{runs: 200, seed: 5, workers: 3, concurrency: 40}
	a, b := newPlan(s), newPlan(s)
	require.Equal(t, a, b)
	other := s
	other.seed = 6
	require.NotEqual(t, a.intents, newPlan(other).intents)

	late, others := a.queues()
	require.Len(t, late, 3)
	require.Len(t, others, 197)
	require.Contains(t, longScenarios, a.scenarios[others[0]], "what takes long begins early")
	for _, n := range late {
		require.Nil(t, a.scenarios[n])
	}
	for _, told := range scenarios {
		require.Contains(t, a.scenarios, told)
	}
	var files, cancels, reruns, fails int
	for _, in := range a.intents {
		require.False(t, in.late && (in.cancelAfter > 0 || in.fails), "late intents must reach the sweep at the end of RunAgent")
		files += one(in.content != "")
		cancels += one(in.cancelAfter > 0)
		reruns += one(in.rerunAfter > 0)
		fails += one(in.fails)
	}
	for name, n := range map[string]int{"files": files, "cancels": cancels, "reruns": reruns, "fails": fails} {
		require.Positive(t, n, name)
	}
}
