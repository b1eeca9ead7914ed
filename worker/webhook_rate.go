package worker

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/token"
)

// signalRate bounds the signals by key in each minute. Its memory does not grow with the number of
// keys: keys with the same hash share a bound, and nobody outside can tell which do.
type signalRate struct {
	limit uint32
	seed  maphash.Seed

	mu     sync.Mutex
	minute int64
	counts []uint32 // in this minute, by hash
}

const signalRateCounts = 1 << 14

func newSignalRate(limit int) *signalRate {
	return &signalRate{limit: uint32(min(limit, 1<<30)), seed: maphash.MakeSeed(), counts: make([]uint32, signalRateCounts)} //nolint:gosec // bounded
}

// take counts a signal, or returns false if the minute has had its number of them.
func (r *signalRate) take(key string, now time.Time) bool {
	i := maphash.String(r.seed, key) % signalRateCounts
	r.mu.Lock()
	defer r.mu.Unlock()
	if minute := now.Unix() / 60; minute != r.minute {
		r.minute = minute
		clear(r.counts)
	}
	if r.counts[i] >= r.limit {
		return false
	}
	r.counts[i]++
	return true
}

// rateKey returns what shares a bound: the events of one execution if its token is valid, else
// those that name one workflow, because their sender chooses everything else.
func rateKey(metadata map[string]string, verdict token.Verdict) string {
	key := []string{metadata[asteroid.MetadataNamespace], metadata[asteroid.MetadataWorkflowID]}
	if verdict == token.Valid {
		key = append(key, metadata[asteroid.MetadataExecutionKey])
	}
	return strings.Join(key, "\x00")
}
