package worker

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxSeen bounds what is remembered: twice as many hashes take about 10 MB.
const maxSeen = 1 << 16

// seen remembers ids: each for at least the time given, unless more than the given number come after it, and for at most
// twice that. Hashes are kept, as an id may be as long as a body.
type seen struct {
	keep time.Duration
	max  int

	mu       sync.Mutex
	since    time.Time // when current was begun
	current  map[[sha256.Size]byte]struct{}
	previous map[[sha256.Size]byte]struct{}
}

func newSeen(keep time.Duration, most int) *seen { return &seen{keep: keep, max: most} }

func (s *seen) has(id string, now time.Time) bool {
	key := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now)
	_, recent := s.current[key]
	_, older := s.previous[key]
	return recent || older
}

func (s *seen) add(id string, now time.Time) {
	key := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now)
	s.current[key] = struct{}{}
}

// turn begins anew when current is full or old, and forgets what was before it.
func (s *seen) turn(now time.Time) {
	age := now.Sub(s.since)
	if s.current != nil && len(s.current) < s.max && age < s.keep {
		return
	}
	s.previous = s.current
	if age >= 2*s.keep {
		s.previous = nil
	}
	s.current, s.since = map[[sha256.Size]byte]struct{}{}, now
}
