package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRecentIDsKeepsIDForRetention(t *testing.T) {
	t.Parallel()
	for _, begun := range []time.Duration{0, time.Minute, 59 * time.Minute} {
		start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		ids := &recentIDs{retention: time.Hour, capacity: 100}
		ids.add("earlier", start)
		ids.add("id", start.Add(begun))
		require.True(t, ids.contains("id", start.Add(begun+time.Hour)))
		require.False(t, ids.contains("id", start.Add(begun+3*time.Hour)))
	}
}

func TestRecentIDsDropsIDsWithoutNewOnes(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ids := &recentIDs{retention: time.Hour, capacity: 100}
	ids.add("id", start)
	require.False(t, ids.contains("id", start.Add(2*time.Hour)))
	require.Empty(t, ids.current)
	require.Empty(t, ids.previous)
}

func TestRecentIDsStaysWithinCapacity(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ids := &recentIDs{retention: time.Hour, capacity: 100}
	for n := range 1000 {
		ids.add(fmt.Sprint(n), now)
		require.LessOrEqual(t, len(ids.current)+len(ids.previous), 200)
		require.True(t, ids.contains(fmt.Sprint(max(0, n-99)), now))
	}
	require.False(t, ids.contains("0", now))
}
