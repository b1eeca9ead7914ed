package activities

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/internal/pace"
)

// WatchExecutions lists the executions of a connection every few seconds and signals the workflows whose execution has changed, with
// an [ExecutionEventSignal]: those of its own namespace that ExecuteAgent started with Signal. It is the one activity of the
// workflow asteroid.Watch, which ExecuteAgent starts by itself.
//
// It runs for up to an hour and holds one activity slot. What it knows is its heartbeat, so that the next attempt, on
// another worker, goes on from there; a change meanwhile is told then. With up to some thousand executions a scan begins every two
// seconds, every eight while nothing changes, and at most as often as makes thirteen lists a second. An execution that is no
// longer listed is read on its own.
//
// Nothing that the service answers ends it: it pauses, for as long as a Retry-After says or longer with each failure. A
// workflow that is over is not told, one that cannot be reached is told later.
//
// Errors: asteroid.InvalidInput for an unknown connection. That the worker stops is an asteroid.Unavailable, retryable.
// When it is cancelled it returns what it knows.
func (a *Activities) WatchExecutions(ctx context.Context, in WatchExecutionsInput) (*WatchExecutionsResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	service := a.service(ctx)
	if service == nil {
		return nil, invalid("connection", errNoService.Error())
	}
	packed := in.Known
	if activity.HasHeartbeatDetails(ctx) {
		var before []byte
		if activity.GetHeartbeatDetails(ctx, &before) == nil { // else of another version: as if there were none
			packed = before
		}
	}
	w := &watch{
		c: c, namespace: activity.GetInfo(ctx).Namespace, now: a.now, relist: time.Second, ended: map[string]time.Time{},
		signal: func(ctx context.Context, workflowID string, event ExecutionEvent) error {
			// Of whichever run is the current one: a workflow may have been reset, or have continued as new.
			return service.SignalWorkflow(ctx, workflowID, "", ExecutionEventSignal, event)
		},
	}
	w.newest, w.known = unpack(packed)
	return w.run(ctx, a.pace, activity.GetLogger(ctx))
}

// errWorkerStops is why an attempt ends that would otherwise keep its worker from stopping.
var errWorkerStops = errors.New("the worker stops")

func (w *watch) run(ctx context.Context, at pace.Watch, logger log.Logger) (*WatchExecutionsResult, error) {
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
				end(errWorkerStops)
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
		known, now := remember(), w.now()
		if ctx.Err() != nil {
			return w.leave(ctx, known)
		}
		if err != nil {
			logger.Warn("The executions could not be read", "connection", w.c.name, "error", err)
		}
		if err != nil || w.moved || len(w.known) > 0 {
			p.busy = now
		}
		switch {
		case now.Sub(p.busy) >= at.Idle:
			return &WatchExecutionsResult{Idle: true}, nil
		case !now.Before(until):
			return &WatchExecutionsResult{Known: known}, nil
		case !pause(ctx, p.next(w, now.Sub(began), err)):
			return w.leave(ctx, known)
		}
	}
}

// survey is a round, once the organization is known.
func (w *watch) survey(ctx context.Context) error {
	if w.organizationID == "" && !w.spans {
		organizationID, err := w.c.watchedOrganization(ctx)
		if err != nil {
			return err
		}
		w.organizationID, w.spans = organizationID, organizationID == ""
	}
	return w.round(ctx)
}

// leave ends an attempt whose context has ended. Cancelled, it hands over what it knows; else the server starts the next attempt,
// which has it from the heartbeat.
func (*watch) leave(ctx context.Context, known []byte) (*WatchExecutionsResult, error) {
	cause := context.Cause(ctx)
	switch {
	case temporal.IsCanceledError(cause):
		return &WatchExecutionsResult{Known: known}, nil
	case errors.Is(cause, errWorkerStops):
		return nil, temporal.NewApplicationErrorWithOptions(cause.Error()+"; another one goes on", ErrorTypeUnavailable,
			temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
	default:
		return nil, cause
	}
}

// pacer says when to scan.
type pacer struct {
	at       pace.Watch
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
func (p *pacer) next(w *watch, took time.Duration, err error) time.Duration {
	if failed, ok := errors.AsType[*failure](err); ok && failed.status == http.StatusTooManyRequests {
		return max(failed.retryAfter, defaultHold)
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
	if failed, ok := errors.AsType[*failure](err); ok && failed.outcome() == outcomeRejected {
		return maxRefused
	}
	return maxFailing
}
