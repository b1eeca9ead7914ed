package files

import (
	"context"
	"fmt"
	"io"
	"time"
)

const (
	// StallTimeout is how long a transfer may go on without a byte sent or received.
	StallTimeout = 2 * time.Minute
	// StoreTimeout is StallTimeout while a Store works, which may spool a file before it passes
	// bytes on.
	StoreTimeout = 15 * time.Minute
	// Unlimited lets a transfer be silent until its context ends.
	Unlimited time.Duration = 0
)

// stallWatch ends a transfer that stalls.
type stallWatch struct {
	timer  *time.Timer
	limits chan time.Duration // holds the limit that the timer runs for
}

type stallWatchKey struct{}

// WithStallTimeout returns a context that ends when nothing calls [Within] or [Alive] with it for
// StallTimeout. Calling stop ends it too and releases its timer.
func WithStallTimeout(ctx context.Context) (stallCtx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &stallWatch{limits: make(chan time.Duration, 1)}
	w.limits <- StallTimeout
	w.timer = time.AfterFunc(StallTimeout, func() {
		limit := <-w.limits
		defer func() { w.limits <- limit }()
		if limit != Unlimited {
			cancel(fmt.Errorf("the transfer stalled: no byte moved for %s", limit))
		}
	})
	return context.WithValue(ctx, stallWatchKey{}, w), func() { w.timer.Stop(); cancel(nil) }
}

// Within says that the transfer of ctx lives, and gives it until the limit for the next sign of
// life. It does nothing if ctx has no stall timeout.
func Within(ctx context.Context, limit time.Duration) {
	w, ok := ctx.Value(stallWatchKey{}).(*stallWatch)
	if !ok {
		return
	}
	<-w.limits
	w.limits <- limit
	if limit == Unlimited {
		w.timer.Stop()
	} else {
		w.timer.Reset(limit)
	}
}

// Alive is Within StallTimeout.
func Alive(ctx context.Context) { Within(ctx, StallTimeout) }

// livingReader gives a transfer a sign of life with each read.
type livingReader struct {
	io.Reader
	ctx context.Context
}

func (r livingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	Alive(r.ctx)
	return n, err
}

// StoreReader reads a file of a Store, which may be silent for StoreTimeout.
type StoreReader struct {
	io.ReadCloser
	Ctx context.Context //nolint:containedctx // of the transfer
}

func (r StoreReader) Read(p []byte) (int, error) {
	Within(r.Ctx, StoreTimeout)
	return r.ReadCloser.Read(p)
}

// WriteReader reads the content that a Store writes. Between two reads the store may be silent for
// StoreTimeout, and after the last one for as long as the transfer may take.
type WriteReader struct {
	io.Reader
	Ctx context.Context //nolint:containedctx // of the transfer
}

func (r WriteReader) Read(p []byte) (int, error) {
	Alive(r.Ctx)
	n, err := r.Reader.Read(p)
	if err != nil {
		Within(r.Ctx, Unlimited)
	} else {
		Within(r.Ctx, StoreTimeout)
	}
	return n, err
}
