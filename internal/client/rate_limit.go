package client

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// hold keeps a connection's reads back for as long as the service has asked for with a 429. Whoever shares the limit would
// otherwise go on knocking: every poll of every workflow and the watch. What changes something is sent all the same, as it is rare,
// and has a Retry-After of its own.
type rateLimitGate struct {
	now   func() time.Time
	mu    sync.Mutex
	until time.Time
}

// defaultHold is how long a 429 holds back that does not say.
const DefaultRateLimitDelay = time.Second

// heldError says that a read was not sent.
type rateLimitedError struct{ left time.Duration }

func (e *rateLimitedError) Error() string {
	return fmt.Sprintf("not sent: the service limits the rate and asked to be left alone for another %s", e.left.Round(time.Millisecond))
}

func (h *rateLimitGate) close(asked time.Duration) {
	if asked == 0 {
		asked = DefaultRateLimitDelay
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := h.now().Add(asked); until.After(h.until) {
		h.until = until
	}
}

// check refuses a request that has to wait. The method tells reads apart, and not the operation, so that none can be forgotten.
func (h *rateLimitGate) check(r *http.Request) error {
	if r.Method != http.MethodGet {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if left := h.until.Sub(h.now()); left > 0 {
		return &rateLimitedError{left}
	}
	return nil
}

// held turns a refusal of check into what the 429 itself would have been.
func (f *Error) rateLimited(err error) bool {
	refused, ok := errors.AsType[*rateLimitedError](err)
	if ok {
		f.Status, f.NeverSent, f.RetryAfter, f.Message = http.StatusTooManyRequests, true, max(refused.left, 10*time.Millisecond), refused.Error()
	}
	return ok
}
