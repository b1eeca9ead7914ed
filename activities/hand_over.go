package activities

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// watching holds what of a worker ends when it hands over its watches: the attempts of
// asteroid.WatchExecutions, and the guards of other watches.
type watching struct {
	mu       sync.Mutex
	ctx      context.Context // nil before the first use
	end      context.CancelFunc
	attempts map[chan struct{}]bool // each is closed when its attempt ends
}

// context returns the context that ends with the next HandOver.
func (w *watching) context() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == nil {
		w.ctx, w.end = context.WithCancel(context.Background())
	}
	return w.ctx
}

// begin registers an attempt and returns the function to call at its end.
func (w *watching) begin() (end func()) {
	done := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.attempts == nil {
		w.attempts = map[chan struct{}]bool{}
	}
	w.attempts[done] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.attempts, done)
		close(done)
	}
}

// HandOver ends the watches that these activities run, and returns when other workers can continue
// them, or when ctx ends. The plugin of package worker calls it before its worker stops. Without
// it, the next worker may have to wait for a heartbeat timeout of 30 seconds.
func (a *Activities) HandOver(ctx context.Context) {
	w := &a.watching
	w.mu.Lock()
	if w.ctx != nil {
		w.end()
		w.ctx, w.end = nil, nil
	}
	attempts := slices.Collect(maps.Keys(w.attempts))
	w.mu.Unlock()
	for _, done := range attempts {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
}
