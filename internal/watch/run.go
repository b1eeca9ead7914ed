package watch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

// Proof tells those who rely on a watch whether it lives. It is JSON in the heartbeat details.
type Proof struct {
	// Connection is the one whose executions the watch lists.
	Connection string `json:"connection"`
	// ScannedAt is when the last whole scan ended, by the Temporal server's clock. A watch that may
	// not signal makes no whole scan.
	ScannedAt time.Time `json:"scannedAt"`
	// IdleSince is since when there has been nothing to watch. It is zero while there is something.
	IdleSince time.Time `json:"idleSince,omitzero"`
}

// Host is what the activity gives to an attempt.
type Host struct {
	// Beat records the state as heartbeat. Its error says why the attempt has to end, except for a
	// [TransientError].
	Beat func(ctx context.Context, packed []byte, proof Proof) error
	// ServerTime returns the time by the Temporal server's clock.
	ServerTime func() time.Time
	// ScannedAt is the Proof's of the attempt or watch before.
	ScannedAt time.Time
	// Stop is closed when the attempt has to hand over.
	Stop <-chan struct{}
	// Scanned is called after each round. Signalled is called for each signal that has to be
	// repeated, with the error, and with nil for others.
	Scanned   func(Round)
	Signalled func(err error)
}

// Round is what a round has found.
type Round struct {
	Err       error         // why it is incomplete
	Took      time.Duration // with the signals
	ScannedAt time.Time     // see Proof
	// Active counts the executions of the last whole scan that are not terminal, Asking those of
	// them that wait for a person.
	Active, Asking int
}

// TransientError is the error of a heartbeat that may succeed when it is repeated.
type TransientError struct{ Cause error }

func (e *TransientError) Error() string { return "record a heartbeat: " + e.Cause.Error() }

func (e *TransientError) Unwrap() error { return e.Cause }

// ErrBlind is the error of a Run that made no whole scan for [Pace.Blind]. A worker on another
// machine may reach the service.
var ErrBlind = errors.New("no whole scan of the executions for a while")

var errStopped = errors.New("the watch hands over")

// Result is what the next run continues from.
type Result struct {
	Known     []byte    // the tracked executions, packed
	ScannedAt time.Time // see Proof
	Idle      bool      // there has been nothing to watch for Pace.Idle
}

// Run watches until there has been nothing to watch for pace.Idle, until pace.Term is over, until
// host.Stop is closed, or until somebody cancels the activity. Its error is another cause of the
// context's end, or ErrBlind. The state is in the heartbeat then.
func (w *Watch) Run(ctx context.Context, pace Pace, host Host) (*Result, error) {
	ctx, stop := context.WithCancelCause(ctx)
	beat := &heartbeat{host: host, stop: stop, now: w.now, lastBeat: w.now()}
	beat.set(w, host.ScannedAt, time.Time{})
	w.fence, w.signalled = func(ctx context.Context) bool { return beat.confirm(ctx, w) }, host.Signalled
	var group sync.WaitGroup
	defer group.Wait()
	defer stop(nil)
	group.Go(func() { beat.repeat(ctx) })

	p := pacer{pace: pace, lastBusy: w.now()}
	scannedAt, lastWhole, first := host.ScannedAt, w.now(), true
	for end := w.now().Add(pace.Term); ; {
		began := w.now()
		err := w.step(ctx, began.Add(pace.Slow))
		now := w.now()
		whole := err == nil && w.denied == nil
		if whole {
			scannedAt, lastWhole = host.ServerTime(), now
		}
		if !whole || w.changed || len(w.tracked) > 0 {
			p.lastBusy = now
		}
		var idleSince time.Time
		if idle := now.Sub(p.lastBusy); idle > 0 {
			idleSince = host.ServerTime().Add(-idle)
		}
		beat.set(w, scannedAt, idleSince)
		if ctx.Err() == nil {
			if w.changed || first && whole {
				beat.send(ctx)
			}
			first = first && !whole
			active, asking := w.count()
			host.Scanned(Round{errors.Join(err, w.denied), now.Sub(began), scannedAt, active, asking})
		}
		result := &Result{Known: beat.packed, ScannedAt: scannedAt}
		switch {
		case ctx.Err() != nil:
			return stopped(ctx, result)
		case now.Sub(p.lastBusy) >= pace.Idle:
			return &Result{ScannedAt: scannedAt, Idle: true}, nil
		case !now.Before(end):
			return result, nil
		case pace.Blind > 0 && now.Sub(lastWhole) >= pace.Blind && !limited(err):
			return nil, fmt.Errorf("%w: %w", ErrBlind, errors.Join(err, w.denied))
		case !parallel.Sleep(ctx, p.delay(w, now.Sub(began), err)):
			return stopped(ctx, result)
		}
	}
}

// step makes a round, and reads until the deadline what the round left unread. It begins with what
// the rate limit left unread before: a scan may use up the limit each time.
func (w *Watch) step(ctx context.Context, deadline time.Time) error {
	if err := w.lookUpOrganization(ctx); err != nil {
		return err
	}
	if w.unread {
		if err := w.readUnlisted(ctx); err != nil {
			return err
		}
	}
	if err := w.round(ctx); err != nil {
		return err
	}
	return w.readRemaining(ctx, deadline)
}

// count counts the active executions of the last whole scan, and those that wait for a person.
func (w *Watch) count() (active, asking int) {
	for _, o := range w.listed {
		if !o.terminal {
			active++
			if o.status.NeedsHuman() {
				asking++
			}
		}
	}
	return active, asking
}

// Probe makes one scan and notifies nobody. It returns why the scan is incomplete.
func (w *Watch) Probe(ctx context.Context) error {
	if err := w.lookUpOrganization(ctx); err != nil {
		return err
	}
	return w.scan(ctx).err
}

func (w *Watch) lookUpOrganization(ctx context.Context) (err error) {
	if w.organizationID == "" && !w.allOrganizations {
		if w.organizationID, err = w.client.VisibleOrganization(ctx); err != nil {
			return err
		}
		w.allOrganizations = w.organizationID == ""
	}
	return nil
}

// readRemaining reads further batches of unlisted executions without another list.
func (w *Watch) readRemaining(ctx context.Context, deadline time.Time) (err error) {
	for err == nil && w.unread && w.now().Before(deadline) && parallel.Sleep(ctx, w.rereadDelay) {
		err = w.readUnlisted(ctx)
	}
	return err
}

// stopped returns the result of a Run whose context has ended: the state if it hands over or was
// cancelled, else the cause. After that the server starts another attempt.
func stopped(ctx context.Context, result *Result) (*Result, error) {
	if cause := context.Cause(ctx); !errors.Is(cause, errStopped) && !temporal.IsCanceledError(cause) {
		return nil, cause
	}
	return result, nil
}

const (
	// beatInterval is the longest time between heartbeats. A failed one is repeated after
	// beatRetry; without a successful one for beatPatience the server soon starts another attempt.
	beatInterval = 12 * time.Second
	beatRetry    = time.Second
	beatPatience = 24 * time.Second
	beatTimeout  = 8 * time.Second
)

// heartbeat records the newest state, from one goroutine at a time.
type heartbeat struct {
	host Host
	stop context.CancelCauseFunc
	now  func() time.Time

	sending sync.Mutex // from a snapshot until it is recorded, so that the newest is the last
	mu      sync.Mutex
	packed  []byte
	proof   Proof

	lastBeat time.Time // guarded by sending
}

func (h *heartbeat) set(w *Watch, scannedAt, idleSince time.Time) {
	packed := w.pack()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.packed, h.proof = packed, Proof{w.client.Name, scannedAt, idleSince}
}

// confirm records the state amid a round, and reports whether no other watch has replaced this one.
func (h *heartbeat) confirm(ctx context.Context, w *Watch) bool {
	packed := w.pack()
	h.mu.Lock()
	h.packed = packed
	h.mu.Unlock()
	return h.send(ctx)
}

// send records the state and reports whether it is recorded. It ends the run if another attempt or
// watch is, or soon will be, in its place.
func (h *heartbeat) send(ctx context.Context) bool {
	h.sending.Lock()
	defer h.sending.Unlock()
	h.mu.Lock()
	packed, proof := h.packed, h.proof
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	err := h.host.Beat(ctx, packed, proof)
	if err == nil {
		h.lastBeat = h.now()
		return true
	}
	if _, transient := errors.AsType[*TransientError](err); !transient || h.now().Sub(h.lastBeat) >= beatPatience {
		h.stop(err)
	}
	return false
}

// repeat records the state again and again until ctx ends: a round can outlast the heartbeat
// timeout.
func (h *heartbeat) repeat(ctx context.Context) {
	for delay := beatInterval; ; {
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
			if delay = beatRetry; h.send(ctx) {
				delay = beatInterval
			}
		case <-h.host.Stop:
			timer.Stop()
			h.stop(errStopped)
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
