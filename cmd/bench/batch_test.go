package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBatchReportsBothWays(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	code, stdout, stderr := bench(t.Context(), t, "batch", "--rows", "20", "--rounds", "1", "--json")
	require.Zero(t, code, stderr)
	report := members(t, stdout)
	require.EqualValues(t, 20, report["rows"])
	for _, name := range []string{"rowsPerSecond", "bareRowsPerSecond", "ratio", "eventsPerRow", "workerMiB", "maxHistoryEvents"} {
		require.Positive(t, report[name], name)
	}
}
