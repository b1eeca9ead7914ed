package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

// ErrWorkerStops is the error of a Run that would otherwise delay its worker's shutdown.
var ErrWorkerStops = errors.New("the worker stops")

// Run watches until there has been nothing to watch for pace.Idle (idle is true then), until
// pace.Term is over, or until ctx ends. It returns the tracked executions, packed, and records them
// as heartbeat details of the activity that ctx belongs to.
func (w *Watch) Run(ctx context.Context, pace Pace, logger log.Logger) (packed []byte, idle bool, err error) {
	beat := &heartbeat{ctx: ctx}
	ctx, stop := context.WithCancelCause(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop(nil)
	group.Go(func() { beat.repeat(ctx, stop) })
	beat.record(pack(w.serviceTime, w.tracked))

	p := pacer{pace: pace, lastBusy: w.now()}
	for end := w.now().Add(pace.Term); ; {
		began := w.now()
		err := w.step(ctx, began.Add(pace.Slow))
		now := w.now()
		packed = beat.record(pack(w.serviceTime, w.tracked))
		if ctx.Err() != nil {
			return stopped(ctx, packed)
		}
		if err != nil {
			logger.Warn("The executions could not be read", "connection", w.client.Name, "error", err)
		}
		if err != nil || w.changed || len(w.tracked) > 0 {
			p.lastBusy = now
		}
		switch {
		case now.Sub(p.lastBusy) >= pace.Idle:
			return nil, true, nil
		case !now.Before(end):
			return packed, false, nil
		case !parallel.Sleep(ctx, p.delay(w, now.Sub(began), err)):
			return stopped(ctx, packed)
		}
	}
}

// step makes a round, and reads until the deadline what the round left unread.
func (w *Watch) step(ctx context.Context, deadline time.Time) (err error) {
	if w.organizationID == "" && !w.allOrganizations {
		if w.organizationID, err = w.client.VisibleOrganization(ctx); err != nil {
			return err
		}
		w.allOrganizations = w.organizationID == ""
	}
	if err := w.round(ctx); err != nil {
		return err
	}
	return w.readRemaining(ctx, deadline)
}

// readRemaining reads further batches of unlisted executions without another list.
func (w *Watch) readRemaining(ctx context.Context, deadline time.Time) (err error) {
	for err == nil && w.unread && w.now().Before(deadline) && parallel.Sleep(ctx, w.rereadDelay) {
		err = w.readUnlisted(ctx)
	}
	return err
}

// stopped returns the result of a Run whose context has ended. A cancelled one hands its state
// over. Otherwise the server starts another attempt, which has the state from the heartbeat.
func stopped(ctx context.Context, packed []byte) ([]byte, bool, error) {
	if cause := context.Cause(ctx); !temporal.IsCanceledError(cause) {
		return nil, false, cause
	}
	return packed, false, nil
}

// heartbeat records packed state as the activity's heartbeat. Its lock keeps the newest state last.
type heartbeat struct {
	ctx    context.Context // of the activity
	mu     sync.Mutex
	packed []byte
}

// record replaces the state, and returns it.
func (h *heartbeat) record(packed []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.packed = packed
	activity.RecordHeartbeat(h.ctx, packed)
	return packed
}

// repeat records the state again and again until ctx ends, since a round can outlast the heartbeat
// timeout. It calls stop when the worker stops.
func (h *heartbeat) repeat(ctx context.Context, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(max(activity.GetInfo(h.ctx).HeartbeatTimeout/3, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			h.mu.Lock()
			activity.RecordHeartbeat(h.ctx, h.packed)
			h.mu.Unlock()
		case <-activity.GetWorkerStopChannel(h.ctx):
			stop(ErrWorkerStops)
			return
		case <-ctx.Done():
			return
		}
	}
}
