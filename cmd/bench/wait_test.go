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
)

func TestWaitsAreMeasured(t *testing.T) {
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
	require.Zero(t, ways["webhooks"]["readsPerRunMinute"])
	require.Positive(t, ways["sleep"]["eventsPerRunMinute"])
	require.Zero(t, ways["blocking"]["eventsPerRunMinute"])
	require.Less(t, ways["webhooks"]["progressMaxMs"], ways["sleep"]["progressMaxMs"])
	if _, err := usageOf(os.Getpid()); err == nil {
		require.Positive(t, ways["blocking"]["workerMiB"])
		require.Positive(t, ways["blocking"]["serverMiB"])
	}
	require.Contains(t, ways["watcher"]["ratios"], "blocking")
	require.Contains(t, ways["poll"]["ratios"], "sleep")
	require.NotContains(t, ways["blocking"], "ratios")
}

func TestAnInterruptEndsAWaitAndItsServers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	ctx, interrupt := context.WithCancel(t.Context())
	interruptOnce := writerFunc(func(p []byte) (int, error) {
		interrupt() // at the first sign of life, which is when all runs are parked
		return len(p), nil
	})
	m := &measurement{way: wayPoll, pace: pace{settle: time.Hour}, settings: waitSettings{runs: 1}, stderr: interruptOnce, began: time.Now()}
	_, err := m.run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	for _, s := range []*server{m.temporal, m.api, m.worker} {
		require.NotNil(t, s.command.ProcessState, s.role)
	}

	code, stdout, stderr := bench(ctx, t, "wait", "--runs", "1")
	require.Equal(t, 130, code)
	require.Empty(t, stdout)
	require.Equal(t, "bench: interrupted\n", stderr)
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestAServerThatEndsIsNamed(t *testing.T) {
	var control string
	s, err := startServer(t.Context(), workerChild, &control)
	require.NoError(t, err)
	require.NoError(t, s.died())
	_, err = ask[struct{}](t.Context(), control+"/begin", orders{Temporal: "127.0.0.1:1"})
	require.ErrorContains(t, err, control+"/begin: ")
	_, err = ask[counts](t.Context(), control+"/absent", struct{}{})
	require.ErrorContains(t, err, "404")
	require.NoError(t, s.command.Process.Kill())
	<-s.gone
	require.ErrorContains(t, s.died(), workerChild+" ended")
	s.stop()
	_, err = ask[counts](t.Context(), control+"/counts", struct{}{})
	require.Error(t, err)
}

func TestEveryWayHasItsPace(t *testing.T) {
	require.Equal(t, pace{time.Minute, 10 * time.Minute, 0}, wayWatcher.pace(waitSettings{}))
	require.Equal(t, pace{30 * time.Second, 2 * time.Minute, 10 * time.Second}, wayBlocking.pace(waitSettings{}))
	require.Equal(t, pace{1, 2, 3}, waySleep.pace(waitSettings{settle: 1, window: 2, interval: 3}))
	for _, w := range allWays {
		require.NotEmpty(t, w.does(), w)
		require.Positive(t, w.pace(waitSettings{}).window, w)
	}
}

func TestWays(t *testing.T) {
	ways, err := parseWays("sleep,watcher,sleep")
	require.NoError(t, err)
	require.Equal(t, []way{wayWatcher, waySleep}, ways)
	settings, err := parseWait([]string{"--runs", "20"}, nil)
	require.NoError(t, err)
	require.Equal(t, allWays, settings.ways)
	require.Equal(t, 20, settings.samples)
}

func TestWhatAWaitTookIsPerRunAndMinute(t *testing.T) {
	began := time.Now()
	ours := waited{
		way: wayPoll, runs: 10, held: []float64{0, 2, 1}, worker: []float64{64 * mib}, server: []float64{128 * mib}, progress: []float64{5, 1, 3},
		began: snapshot{at: began, counts: counts{Reads: 100, Attempts: 50}, events: 9},
		ended: snapshot{at: began.Add(2 * time.Minute), counts: counts{Reads: 140, Attempts: 60}, events: 11, worker: usage{cpu: 12 * time.Second}},
	}
	byHand := ours
	byHand.way, byHand.worker, byHand.held = wayBlocking, []float64{128 * mib}, []float64{10}
	figures := waits{ours, byHand}.figures()
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

	byHand.unseen = 1
	var out bytes.Buffer
	waits{ours, byHand}.print(&out)
	for _, want := range []string{"10 runs", "poll / blocking", "by hand: an activity", "blocking: 1 ends were not heard of within 10m0s, and count as that"} {
		require.Contains(t, out.String(), want)
	}
	out.Reset()
	waits{ours}.print(&out)
	require.NotContains(t, out.String(), "as a multiple of")
}

func TestPercentiles(t *testing.T) {
	require.Zero(t, percentile(nil, 0.5))
	values := []float64{5, 1, 4, 2, 3}
	for part, want := range map[float64]float64{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.95: 5, 1: 5} {
		require.Equal(t, want, percentile(values, part), part)
	}
	require.Equal(t, []float64{5, 1, 4, 2, 3}, values)
}

func TestWhatProcTellsOfAProcess(t *testing.T) {
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
