package worker

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxRecentIDs is the capacity of a recentIDs. Its two generations take about 10 MB.
const maxRecentIDs = 1 << 16

// recentIDs holds IDs in two generations. An ID stays for at least retention, unless more than
// capacity IDs follow it, and for at most twice that. It stores hashes, because an ID may be as
// long as a body.
type recentIDs struct {
	retention time.Duration
	capacity  int

	mu       sync.Mutex
	since    time.Time // when current began
	current  map[[sha256.Size]byte]struct{}
	previous map[[sha256.Size]byte]struct{}
}

func (r *recentIDs) contains(id string, now time.Time) bool {
	key := sha256.Sum256([]byte(id))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotate(now)
	_, current := r.current[key]
	_, previous := r.previous[key]
	return current || previous
}

func (r *recentIDs) add(id string, now time.Time) {
	key := sha256.Sum256([]byte(id))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotate(now)
	r.current[key] = struct{}{}
}

// rotate starts a new generation when current is full or old, and drops the oldest one.
func (r *recentIDs) rotate(now time.Time) {
	age := now.Sub(r.since)
	if r.current != nil && len(r.current) < r.capacity && age < r.retention {
		return
	}
	r.previous = r.current
	if age >= 2*r.retention {
		r.previous = nil
	}
	r.current, r.since = map[[sha256.Size]byte]struct{}{}, now
}
