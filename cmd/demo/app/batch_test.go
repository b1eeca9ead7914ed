package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// savedResults returns the path and the records of the one file of results in a directory.
func savedResults(t *testing.T, directory string) (path string, records [][]string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(directory, "*.csv"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	content, err := os.ReadFile(found[0])
	require.NoError(t, err)
	records, err = csv.NewReader(bytes.NewReader(content)).ReadAll()
	require.NoError(t, err)
	return found[0], records
}

func TestDemoBatchRunsAgentForEachSampleRow(t *testing.T) {
	address := temporalAddress(t)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	code, stdout, stderr := demo(t, "--address", address, "--batch")
	require.Zero(t, code, stderr)
	path, records := savedResults(t, filepath.Join(temporary, "asteroid-demo-results-*"))
	require.Len(t, records, 1+40)
	require.Equal(t, "Balcony door levered open, laptop and jewellery taken", records[1][1])
	for _, text := range []string{
		"40 rows succeeded, 0 failed", "All of them: " + path, "    claim_id,description,rowNumber,", "    CLM-2026-01003,",
		`"{""amount"":""4490.72"",""claim"":""CLM-2026-01001""}"`, "batch done: [####################] 100%, 40 of 40 rows",
	} {
		require.Contains(t, stdout, text)
	}
}

func TestDemoBatchTakesFlags(t *testing.T) {
	address := temporalAddress(t)
	directory := t.TempDir()
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	require.NoError(t, os.WriteFile(rows, []byte(`{"n":1,"name":"a"}`+"\n"+`{"n":2,"name":"b, c"}`+"\n"), 0o600))
	code, stdout, stderr := demo(t, "--address", address, "--batch", "--json",
		"--file", rows, "--agent", "echo", "--save", directory, "--input", "who={{name}}", "--input", "seconds=0")
	require.Zero(t, code, stderr)
	var result workflows.BatchResult
	require.NoError(t, json.Unmarshal([]byte(stdout), &result))
	require.Equal(t, asteroid.RowCounts{Succeeded: 2}, result.Counts)
	path, records := savedResults(t, directory)
	require.Len(t, records, 1+2)
	require.Contains(t, strings.Join(records[2], "|"), `"who":"b, c"`)
	uri, err := url.Parse(result.Results.URI)
	require.NoError(t, err)
	require.Equal(t, filepath.ToSlash(path), uri.Path)
	require.Contains(t, stderr, "100%, 2 of 2 rows")
}

func TestDemoBatchFailsWithRows(t *testing.T) {
	address := temporalAddress(t)
	rows := filepath.Join(t.TempDir(), "rows.csv")
	require.NoError(t, os.WriteFile(rows, []byte("fail\nno such claim\n"), 0o600))
	code, stdout, stderr := demo(t, "--address", address, "--batch", "--file", rows, "--save", t.TempDir())
	require.Equal(t, 1, code)
	require.Contains(t, stdout, "0 rows succeeded, 1 failed")
	require.Contains(t, stdout, "no such claim")
	require.Contains(t, lastLine(stderr), "rows that have not succeeded: 1")
}

func TestDemoBatchCancelsAgentsOnInterrupt(t *testing.T) {
	address := temporalAddress(t)
	api := testsuite.NewAPI(t)
	t.Setenv("ASTEROID_API_KEY", api.APIKey())
	t.Setenv("ASTEROID_BASE_URL", api.BaseURL())
	rows := filepath.Join(t.TempDir(), "rows.csv")
	require.NoError(t, os.WriteFile(rows, []byte("n\n"+strings.Repeat("1\n", 2*rowsAtOnce)), 0o600))
	ctx, interrupt := context.WithCancel(context.Background())
	done := make(chan int, 1)
	var out, errs bytes.Buffer
	go func() {
		done <- run(ctx, []string{
			"--address", address, "--live", "--batch", "--file", rows, "--save", t.TempDir(),
			"--agent", api.AgentID("patient"), "--input", "seconds=3600",
		}, &out, &errs)
	}()
	require.Eventually(t, func() bool { return len(api.Executions()) == rowsAtOnce }, time.Minute, 20*time.Millisecond)
	interrupt()
	require.Equal(t, 130, <-done)
	require.Len(t, api.Executions(), rowsAtOnce)
	for _, e := range api.Executions() {
		require.Equal(t, "cancelled", e.Status)
	}
}
