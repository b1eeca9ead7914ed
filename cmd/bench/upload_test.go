package main

import (
	"context"
	"maps"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBenchUploadPrintsOneObject(t *testing.T) {
	code, stdout, stderr := bench(t.Context(), t, "upload", "--size", "2MiB", "--rounds", "2", "--json")
	require.Zero(t, code, stderr)
	got := members(t, stdout)
	require.Equal(t, []string{"cpuSecondsPerGiB", "curlMBps", "memoryGrowthMiB", "ratioToCurl", "ratioToRaw", "rawMBps", "stageMBps"},
		slices.Sorted(maps.Keys(got)))
	require.Positive(t, got["rawMBps"])
	require.Positive(t, got["stageMBps"])
	require.Positive(t, got["ratioToRaw"])
	require.Positive(t, got["cpuSecondsPerGiB"])
	if _, err := exec.LookPath("curl"); err == nil {
		require.Positive(t, got["curlMBps"])
		require.Positive(t, got["ratioToCurl"])
	}
	require.Contains(t, stderr, "round 2 of 2: ")
}

func TestBenchUploadPrintsTable(t *testing.T) {
	code, stdout, stderr := bench(t.Context(), t, "upload", "--size", "100KiB", "--rounds", "1")
	require.Zero(t, code, stderr)
	for _, want := range []string{"102400 bytes", "plain TCP copy", "curl -F", "StageFiles", "client CPU", "With a file of 100 KiB it used"} {
		require.Contains(t, stdout, want)
	}
}

func TestBenchUploadWithoutCurlReportsZero(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	code, stdout, stderr := bench(t.Context(), t, "upload", "--size", "1MiB", "--rounds", "1", "--json")
	require.Zero(t, code, stderr)
	got := members(t, stdout)
	require.Contains(t, got, "ratioToCurl")
	require.Zero(t, got["ratioToCurl"])
	require.Zero(t, got["curlMBps"])
	require.Positive(t, got["stageMBps"])
	require.Contains(t, stderr, "no curl on this machine")
	code, stdout, _ = bench(t.Context(), t, "upload", "--size", "1MiB", "--rounds", "1")
	require.Zero(t, code)
	require.Contains(t, stdout, "not installed")
}

func TestBenchUploadStopsOnInterruptAndLeavesNoFile(t *testing.T) {
	ctx, interrupt := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer interrupt()
	code, stdout, stderr := bench(ctx, t, "upload", "--size", "1MiB", "--rounds", "1000")
	require.Equal(t, 130, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "bench: interrupted\n")
}

func TestStartClientReturnsErrorOfFailedClient(t *testing.T) {
	_, err := startClient(t.Context(), stageChild, []string{"ASTEROID_API_KEY=key", "ASTEROID_BASE_URL=http://127.0.0.1:1"}, t.TempDir()+"/absent")
	require.ErrorContains(t, err, "no such file")
	_, err = startClient(t.Context(), copyChild, nil, t.TempDir()+"/absent", "127.0.0.1:1")
	require.ErrorContains(t, err, "no such file")
	_, err = startServer(t.Context(), stageChild, new(string))
	require.ErrorContains(t, err, "name the file to send")
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "4096": 4096, "3KiB": 3 << 10, "256MiB": 256 << 20, "1GiB": 1 << 30, "64GiB": 64 << 30} {
		got, err := parseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "GiB", "1.5GiB", "1 GiB", "1gib", "64TiB", "0"} {
		_, err := parseSize(text)
		require.Error(t, err, text)
	}
}

func TestMedianRatioAndRounded(t *testing.T) {
	require.Zero(t, median(nil))
	require.Equal(t, 3.0, median([]float64{3}))
	require.Equal(t, 2.0, median([]float64{9, 1, 2}))
	require.Equal(t, 2.5, median([]float64{9, 3, 1, 2}))
	unsorted := []float64{2, 1}
	_ = median(unsorted)
	require.Equal(t, []float64{2, 1}, unsorted)

	require.Equal(t, 0.5, ratio(1, 2))
	require.Zero(t, ratio(1, 0))
	require.Equal(t, 1.235, rounded(1.23456, 3))
	require.Equal(t, -0.1, rounded(-0.1234, 1))

	result := uploads{size: 512 << 20, stage: []transfer{{Seconds: 1, CPU: time.Second, PeakMemory: 3 << 20}, {Seconds: 2, CPU: time.Second, PeakMemory: 5 << 20}}}
	require.InDelta(t, 536.87*0.75, medianOf(result.stage, result.mbps), 0.01)
	require.Equal(t, 2.0, medianOf(result.stage, result.cpuPerGiB))
	require.Equal(t, 4.0, medianOf(result.stage, peakMiB))
}
