package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatIsRememberedIsBoundedInTime(t *testing.T) {
	t.Parallel()
	for _, begun := range []time.Duration{0, time.Minute, 59 * time.Minute} {
		start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		s := newSeen(time.Hour, 100)
		s.add("earlier", start)
		s.add("id", start.Add(begun))
		require.True(t, s.has("id", start.Add(begun+time.Hour)))
		require.False(t, s.has("id", start.Add(begun+3*time.Hour)))
	}
}

func TestWhatIsRememberedIsForgottenEvenIfNothingNewComes(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := newSeen(time.Hour, 100)
	s.add("id", start)
	require.False(t, s.has("id", start.Add(2*time.Hour)))
	require.Empty(t, s.current)
	require.Empty(t, s.previous)
}

func TestWhatIsRememberedIsBoundedInNumber(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := newSeen(time.Hour, 100)
	for n := range 1000 {
		s.add(fmt.Sprint(n), now)
		require.LessOrEqual(t, len(s.current)+len(s.previous), 200)
		require.True(t, s.has(fmt.Sprint(max(0, n-99)), now))
	}
	require.False(t, s.has("0", now))
}
