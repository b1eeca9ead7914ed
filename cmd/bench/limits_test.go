package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimitsReportsWhoIsNext(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	code, stdout, stderr := bench(t.Context(), t, "limits", "--waiting", "40", "--small", "4", "--max", "2", "--json")
	require.Zero(t, code, stderr)
	var report limitsReport
	require.NoError(t, json.Unmarshal([]byte(stdout), &report), stdout)
	require.Equal(t, 44, report.Grants)
	require.Positive(t, report.GrantsPerSecond)
	require.Positive(t, report.DelayMillis.P50)
	require.GreaterOrEqual(t, report.DelayMillis.P99, report.DelayMillis.P50)
	require.Positive(t, report.FreeKeyMillis.P50)
	require.Equal(t, 40, report.Fairness.Waiting)
	require.Less(t, report.Fairness.LargeDoneWhenSmallDone, 20, "the small tenant does not wait behind the large one")
	require.Positive(t, report.MaxHistoryEvents)
}

func TestLimitsReportPairsGrantsWithReleases(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	var r limitsReport
	r.judge(limitsSettings{waiting: 2, small: 1, max: 1},
		[]permitTimes{{released: at(10)}},
		[]permitTimes{{granted: at(15), released: at(16), closed: at(17)}},
		[]permitTimes{{granted: at(11), released: at(13), closed: at(14)}, {granted: at(20), released: at(21), closed: at(22)}})
	require.Equal(t, 3, r.Grants)
	require.Equal(t, percentiles{P50: 2000, P99: 4000}, r.DelayMillis) // 1, 2 and 4 s
	require.InDelta(t, 0.3, r.GrantsPerSecond, 0.01)                   // 3 in 10 s
	require.Equal(t, limitsFairness{Waiting: 2, Small: 1, Max: 1, LargeDoneWhenSmallDone: 1}, r.Fairness)
}
