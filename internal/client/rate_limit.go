package client

import (
	"cmp"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// rateLimitGate stops a connection's reads for the delay that a 429 asks for. Otherwise every poll
// of every workflow, and the watch, would keep sending into the shared limit. Writes pass: they are
// rare and get a Retry-After of their own.
type rateLimitGate struct {
	now   func() time.Time
	mu    sync.Mutex
	until time.Time
}

// DefaultRateLimitDelay is the delay of a 429 without a Retry-After.
const DefaultRateLimitDelay = time.Second

// rateLimitedError is a read that was not sent. The gate opens when the time left has passed.
type rateLimitedError struct{ left time.Duration }

func (e *rateLimitedError) Error() string {
	return fmt.Sprintf("not sent: the service limited the rate of requests, the next read can go out in %s", e.left.Round(time.Millisecond))
}

// close stops reads for the delay of a 429. It never shortens an earlier delay.
func (g *rateLimitGate) close(retryAfter time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := g.now().Add(cmp.Or(retryAfter, DefaultRateLimitDelay)); until.After(g.until) {
		g.until = until
	}
}

// check returns a *rateLimitedError for a read while the gate is closed. The HTTP method identifies
// reads, so a new operation cannot be forgotten.
func (g *rateLimitGate) check(r *http.Request) error {
	if r.Method != http.MethodGet {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if left := g.until.Sub(g.now()); left > 0 {
		return &rateLimitedError{left}
	}
	return nil
}
