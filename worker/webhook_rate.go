package worker

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/token"
)

// signalRate bounds the signals by key in each minute.
type signalRate struct {
	limit int
	seed  maphash.Seed

	mu     sync.Mutex
	minute int64
	counts map[uint64]int // in this minute, by the key's hash: a key may be long
}

// maxRateKeys bounds the memory, to about 5 MB. Signals of further keys wait for the next minute.
const maxRateKeys = 1 << 17

func newSignalRate(limit int) *signalRate {
	return &signalRate{limit: limit, seed: maphash.MakeSeed(), counts: map[uint64]int{}}
}

// take counts a signal, or returns false if the minute has had its number of them.
func (r *signalRate) take(key string, now time.Time) bool {
	hash := maphash.String(r.seed, key)
	r.mu.Lock()
	defer r.mu.Unlock()
	if minute := now.Unix() / 60; minute != r.minute {
		r.minute = minute
		clear(r.counts)
	}
	count, known := r.counts[hash]
	if count >= r.limit || !known && len(r.counts) >= maxRateKeys {
		return false
	}
	r.counts[hash] = count + 1
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
