package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/child"
)

func TestBenchWaitMeasuresEveryWay(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Temporal servers")
	}
	code, stdout, stderr := bench(t.Context(), t, "wait", "--runs", "20", "--settle", "1s", "--window", "2s", "--samples", "3",
		"--spacing", "200ms", "--interval", "1s", "--ways", "sleep,poll,webhooks,watcher,blocking", "--json")
	require.Zero(t, code, stderr)
	require.Equal(t, 1, strings.Count(stdout, "\n"), stdout)
	var got struct{ Ways []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(stdout), &got), stdout)

	ways := map[string]map[string]any{}
	var order []string
	for _, way := range got.Ways {
		name := way["way"].(string)
		order = append(order, name)
		ways[name] = way
		for _, member := range []string{
			"runs", "heldSlots", "eventsPerRun", "readsPerRunMinute", "workerMiB", "workerCores", "progressP50Ms", "progressP95Ms", "progressMaxMs",
		} {
			require.IsType(t, 0.0, way[member], "%s %s", name, member)
		}
		require.Equal(t, 20.0, way["runs"], name)
		require.Equal(t, 3.0, way["samples"], name)
		require.Zero(t, way["unseen"], name)
		require.Positive(t, way["eventsPerRun"], name)
		require.Positive(t, way["progressP50Ms"], name)
		require.GreaterOrEqual(t, way["progressP95Ms"], way["progressP50Ms"], name)
		require.Contains(t, stderr, name+", ")
	}
	require.Equal(t, []string{"watcher", "webhooks", "poll", "blocking", "sleep"}, order)

	require.Equal(t, 1.0, ways["watcher"]["heldSlots"])
	require.Equal(t, 20.0, ways["blocking"]["heldSlots"])
	for _, name := range []string{"webhooks", "poll", "sleep"} {
		require.Less(t, ways[name]["heldSlots"], 3.0, name)
	}
	for _, name := range []string{"poll", "blocking", "sleep"} {
		require.Positive(t, ways[name]["readsPerRunMinute"], name)
	}
	require.Positive(t, ways["sleep"]["eventsPerRunMinute"])
	require.Zero(t, ways["blocking"]["eventsPerRunMinute"])
	if _, err := usageOf(os.Getpid()); err == nil {
		require.Positive(t, ways["blocking"]["workerMiB"])
		require.Positive(t, ways["blocking"]["serverMiB"])
	}
	require.Contains(t, ways["watcher"]["ratios"], "blocking")
	require.Contains(t, ways["poll"]["ratios"], "sleep")
	require.NotContains(t, ways["blocking"], "ratios")
}

// A webhook that comes late on a busy machine makes a run read within the window, but not in each
// of three measurements.
func TestBenchWaitCountsNoReadsWithWebhooks(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Temporal servers")
	}
	var got struct {
		Ways []struct{ ReadsPerRunMinute float64 }
	}
	for range 3 {
		code, stdout, stderr := bench(t.Context(), t, "wait", "--runs", "20", "--settle", "1s", "--window", "2s", "--samples", "1",
			"--spacing", "100ms", "--ways", "webhooks", "--json")
		require.Zero(t, code, stderr)
		require.NoError(t, json.Unmarshal([]byte(stdout), &got), stdout)
		if got.Ways[0].ReadsPerRunMinute == 0 {
			return
		}
	}
	require.Zero(t, got.Ways[0].ReadsPerRunMinute)
}

func TestBenchWaitStopsServersOnInterrupt(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	ctx, interrupt := context.WithCancel(t.Context())
	interruptOnWrite := writerFunc(func(p []byte) (int, error) {
		interrupt() // the first message comes when all runs are parked
		return len(p), nil
	})
	m := &measurement{way: wayPoll, timing: timing{settle: time.Hour}, settings: waitSettings{runs: 1}, stderr: interruptOnWrite, began: time.Now()}
	_, err := m.run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	for _, s := range []*child.Process{m.temporal, m.api, m.worker} {
		require.Error(t, s.ExitError())
	}

	code, stdout, stderr := bench(ctx, t, "wait", "--runs", "1")
	require.Equal(t, 130, code)
	require.Empty(t, stdout)
	require.Equal(t, "bench: interrupted\n", stderr)
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestServerExitErrorNamesRole(t *testing.T) {
	var control string
	s, err := startServer(t.Context(), workerChild, &control)
	require.NoError(t, err)
	require.NoError(t, s.ExitError())
	_, err = callChild[struct{}](t.Context(), control+"/begin", workerConfig{Temporal: "127.0.0.1:1"})
	require.ErrorContains(t, err, control+"/begin: ")
	_, err = callChild[counts](t.Context(), control+"/absent", struct{}{})
	require.ErrorContains(t, err, "404")
	s.Kill()
	require.ErrorContains(t, s.ExitError(), workerChild+" exited")
	stopServer(s)
	_, err = callChild[counts](t.Context(), control+"/counts", struct{}{})
	require.Error(t, err)
}

func TestWayTimingFillsDefaults(t *testing.T) {
	require.Equal(t, timing{time.Minute, 10 * time.Minute, 0}, wayWatcher.timing(waitSettings{}))
	require.Equal(t, timing{30 * time.Second, 2 * time.Minute, 10 * time.Second}, wayBlocking.timing(waitSettings{}))
	require.Equal(t, timing{1, 2, 3}, waySleep.timing(waitSettings{settle: 1, window: 2, interval: 3}))
	for _, w := range allWays {
		require.NotEmpty(t, w.description(), w)
		require.Positive(t, w.timing(waitSettings{}).window, w)
	}
}

func TestParseWaysSortsAndRemovesDuplicates(t *testing.T) {
	ways, err := parseWays("sleep,watcher,sleep")
	require.NoError(t, err)
	require.Equal(t, []way{wayWatcher, waySleep}, ways)
	settings, err := parseWait([]string{"--runs", "20"}, nil)
	require.NoError(t, err)
	require.Equal(t, allWays, settings.ways)
	require.Equal(t, 20, settings.samples)
}

func TestWaitResultsFiguresArePerRunAndMinute(t *testing.T) {
	began := time.Now()
	ours := waitResult{
		way: wayPoll, runs: 10, heldSlots: []float64{0, 2, 1}, workerMemory: []float64{64 * mib}, serverMemory: []float64{128 * mib}, progress: []float64{5, 1, 3},
		start: snapshot{at: began, counts: counts{Reads: 100, Attempts: 50}, events: 9},
		end:   snapshot{at: began.Add(2 * time.Minute), counts: counts{Reads: 140, Attempts: 60}, events: 11, worker: usage{cpu: 12 * time.Second}},
	}
	handWritten := ours
	handWritten.way, handWritten.workerMemory, handWritten.heldSlots = wayBlocking, []float64{128 * mib}, []float64{10}
	figures := waitResults{ours, handWritten}.figures()
	got := figures[0]
	require.Equal(t, 2.0, got.ReadsPerRunMinute)
	require.Equal(t, 0.5, got.AttemptsPerRunMinute)
	require.Equal(t, 1.0, got.EventsPerRunMinute)
	require.Equal(t, 11.0, got.EventsPerRun)
	require.Equal(t, 0.1, got.WorkerCores)
	require.Equal(t, 64.0, got.WorkerMiB)
	require.Equal(t, []float64{1, 2}, []float64{got.HeldSlots, got.HeldSlotsMax})
	require.Equal(t, []float64{3, 5, 5}, []float64{got.ProgressP50Ms, got.ProgressP95Ms, got.ProgressMaxMs})
	require.Equal(t, 0.5, got.Ratios[wayBlocking].WorkerMiB)
	require.Equal(t, 0.1, got.Ratios[wayBlocking].HeldSlots)
	require.Nil(t, figures[1].Ratios)

	handWritten.timeouts = 1
	var out bytes.Buffer
	waitResults{ours, handWritten}.print(&out)
	for _, want := range []string{"10 runs", "poll / blocking", "hand-written: one activity", "blocking: 1 workflows did not notice the end of their run within 10m0s"} {
		require.Contains(t, out.String(), want)
	}
	out.Reset()
	waitResults{ours}.print(&out)
	require.NotContains(t, out.String(), "as a multiple of")
}

func TestPercentile(t *testing.T) {
	require.Zero(t, percentile(nil, 0.5))
	values := []float64{5, 1, 4, 2, 3}
	for part, want := range map[float64]float64{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.95: 5, 1: 5} {
		require.Equal(t, want, percentile(values, part), part)
	}
	require.Equal(t, []float64{5, 1, 4, 2, 3}, values)
}

func TestParseCPUAndStatusBytes(t *testing.T) {
	cpu, err := parseCPU("42 (a (b) c) S 1 42 42 0 -1 4194560 1 0 0 0 123 77 0 0 20 0 1 0 5 0 0")
	require.NoError(t, err)
	require.Equal(t, 2*time.Second, cpu)
	for _, text := range []string{"", "42", "42 (a) S 1 2", "42 (a) S 1 42 42 0 -1 4194560 1 0 0 0 a 77 0"} {
		_, err := parseCPU(text)
		require.Error(t, err, text)
	}
	memory, err := statusBytes([]byte("VmRSS:\t  9 kB\nRssAnon:\t   2048 kB\n"), "RssAnon:")
	require.NoError(t, err)
	require.EqualValues(t, 2*mib, memory)
	_, err = statusBytes(nil, "RssAnon:")
	require.ErrorContains(t, err, "no RssAnon")
	_, err = usageOf(0)
	require.Error(t, err)
}
