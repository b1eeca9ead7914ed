package watch

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

// errWorkerStops is why an attempt ends that would otherwise keep its worker from stopping.
var ErrWorkerStops = errors.New("the worker stops")

// newWatch returns a watch over the executions that workflows of a namespace started. It goes on from
// what another one has packed. signal tells a workflow of an event.
func New(c *client.Client, namespace string, now func() time.Time, packed []byte,
	signal func(ctx context.Context, workflowID string, event asteroid.ExecutionEvent) error) *Watch {
	w := &Watch{c: c, namespace: namespace, now: now, relist: time.Second, ended: map[string]time.Time{}, signal: signal}
	w.newest, w.known = unpack(packed)
	return w
}

// run watches until there has been nothing to watch for a while (idle), its term is over or ctx ends.
// It returns what it knows, packed.
func (w *Watch) Run(ctx context.Context, at Pace, logger log.Logger) (known []byte, idle bool, err error) {
	beating := ctx
	ctx, end := context.WithCancelCause(ctx)
	var telling sync.Mutex // so that the last that is told is the newest
	var latest []byte
	remember := func() []byte {
		telling.Lock()
		defer telling.Unlock()
		latest = pack(w.newest, w.known)
		activity.RecordHeartbeat(beating, latest)
		return latest
	}
	var group sync.WaitGroup
	defer group.Wait()
	defer end(nil)
	group.Go(func() {
		ticker := time.NewTicker(max(activity.GetInfo(beating).HeartbeatTimeout/3, time.Second))
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C: // a round may last
				telling.Lock()
				activity.RecordHeartbeat(beating, latest)
				telling.Unlock()
			case <-activity.GetWorkerStopChannel(beating):
				end(ErrWorkerStops)
				return
			case <-ctx.Done():
				return
			}
		}
	})
	remember()

	p := pacer{at: at, busy: w.now()}
	for until := w.now().Add(at.Term); ; {
		began := w.now()
		err := w.survey(ctx)
		if err == nil && w.pending { // the rest, without another list
			err = w.catchUp(ctx, began.Add(at.Slow))
		}
		now := w.now()
		known = remember()
		if ctx.Err() != nil {
			return leave(ctx, known)
		}
		if err != nil {
			logger.Warn("The executions could not be read", "connection", w.c.Name, "error", err)
		}
		if err != nil || w.moved || len(w.known) > 0 {
			p.busy = now
		}
		switch {
		case now.Sub(p.busy) >= at.Idle:
			return nil, true, nil
		case !now.Before(until):
			return known, false, nil
		case !parallel.Sleep(ctx, p.next(w, now.Sub(began), err)):
			return leave(ctx, known)
		}
	}
}

// survey is a round, once the organization is known.
func (w *Watch) survey(ctx context.Context) error {
	if w.organizationID == "" && !w.spans {
		organizationID, err := w.c.VisibleOrganization(ctx)
		if err != nil {
			return err
		}
		w.organizationID, w.spans = organizationID, organizationID == ""
	}
	return w.round(ctx)
}

// leave returns why an attempt ends whose context has ended. Cancelled, it hands over what it knows.
// Otherwise the server starts the next attempt, which has it from the heartbeat.
func leave(ctx context.Context, known []byte) (left []byte, idle bool, err error) {
	if cause := context.Cause(ctx); !temporal.IsCanceledError(cause) {
		return nil, false, cause
	}
	return known, false, nil
}

// pacer says when to scan.
type pacer struct {
	at       Pace
	busy     time.Time // when there was something to watch last
	interval time.Duration
	failing  time.Duration
}

const (
	maxFailing = 30 * time.Second
	maxRefused = time.Minute
	minPause   = 500 * time.Millisecond
)

// next is the pause after a round that took so long.
func (p *pacer) next(w *Watch, took time.Duration, err error) time.Duration {
	if failed, ok := errors.AsType[*client.Error](err); ok && failed.Status == http.StatusTooManyRequests {
		return max(failed.RetryAfter, client.DefaultRateLimitDelay)
	}
	if err != nil {
		p.failing = min(max(2*p.failing, p.at.Fast), mostFailing(err))
		return p.failing
	}
	p.failing, p.interval = 0, min(p.interval*3/2, p.at.Slow)
	if w.moved || w.pending {
		p.interval = 0
	}
	p.interval = max(p.interval, p.at.Fast)
	return max(min(max(p.interval, time.Duration(w.pages)*p.at.PerPage), p.at.Slow)-took, min(minPause, p.at.Fast))
}

// mostFailing is longer for what does not pass by itself, such as a key that is refused.
func mostFailing(err error) time.Duration {
	if failed, ok := errors.AsType[*client.Error](err); ok && failed.Outcome() == client.OutcomeRejected {
		return maxRefused
	}
	return maxFailing
}
