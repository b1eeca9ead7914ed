package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFilesReportsBothWays(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	code, stdout, stderr := bench(t.Context(), t, "files", "--files", "30", "--json")
	require.Zero(t, code, stderr)
	var report filesReport
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.Equal(t, 30, report.Files)
	require.Positive(t, report.Seconds)
	require.Positive(t, report.PlainSeconds)
	require.Positive(t, report.HeartbeatBytes)
}
