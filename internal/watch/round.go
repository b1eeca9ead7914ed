package watch

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

const (
	// maxReads bounds the reads of one batch. The rest is read in the next.
	maxReads = 200
	// manyMissing is the number of executions beyond which their absence from a list is as likely
	// an error of the list as their end.
	manyMissing = 50
	// maxReported bounds the memory of terminal executions. Beyond it some are notified again.
	maxReported = 20_000
	// signalTimeout bounds one signal, which is sent again later.
	signalTimeout = 10 * time.Second
)

// notification is a change that a workflow has to learn of.
type notification struct {
	executionID string
	status      asteroid.Status // empty when the execution was deleted
	final       bool            // the execution is terminal or deleted
	done        bool            // delivered, or the workflow can take no signal
	err         error           // why it has to be sent again
}

// round scans, compares and notifies. It returns why the scan is incomplete.
func (w *Watch) round(ctx context.Context) error {
	w.changed, w.unread = false, false
	began := w.now()
	s := w.scan(ctx)
	if s.err == nil && w.implausible(s) {
		if !parallel.Sleep(ctx, w.rereadDelay) {
			return context.Cause(ctx)
		}
		first := s.listed
		s = w.scan(ctx)
		maps.Copy(first, s.listed)
		s.listed = first
	}
	w.notify(ctx, w.compare(s))
	if s.err != nil {
		return s.err
	}
	w.advance(s.newest, began)
	w.listed = s.listed
	return w.readUnlisted(ctx)
}

// implausible reports whether a scan lacks so many tracked executions that the lists may be wrong.
func (w *Watch) implausible(s *scan) bool {
	missing := 0
	for id := range w.tracked {
		if _, ok := s.listed[id]; !ok {
			missing++
		}
	}
	return missing > manyMissing && 2*missing > len(w.tracked)
}

// compare returns notifications of the listed executions whose status the workflow does not know.
func (w *Watch) compare(s *scan) (notifications []*notification) {
	now, since := w.now(), lately(s.newest)
	if !w.serviceTime.IsZero() {
		since = lately(w.serviceTime)
	}
	for id, o := range s.listed {
		t := w.tracked[id]
		if t == nil {
			if t = w.track(id, o, since); t == nil {
				continue
			}
		}
		t.workflowID, t.createdAt = o.workflowID, o.createdAt
		switch {
		case t.status == o.status && !o.terminal:
			t.resetBackOff()
		case t.due(now):
			notifications = append(notifications, &notification{executionID: id, status: o.status, final: o.terminal})
		}
	}
	return notifications
}

// track starts to track an execution that is listed for the first time. It returns nil for a
// terminal one that was reported, or that was created before since.
func (w *Watch) track(id string, o observation, since time.Time) *tracked {
	if _, reported := w.reported[id]; o.terminal && (reported || o.createdAt.Before(since)) {
		return nil
	}
	t := &tracked{}
	if class := o.status.Class(); class == asteroid.ClassPending || class == asteroid.ClassProcessing {
		t.status = o.status // its workflow has just started it
	}
	w.tracked[id], w.changed = t, true
	return t
}

// readUnlisted reads a batch of tracked executions that the last scan lacks, and notifies. Such an
// execution is terminal, deleted, or has a status that no list can be requested for. An error is
// the rate limit's or that of ctx.
func (w *Watch) readUnlisted(ctx context.Context) error {
	ids := w.unlisted()
	read, errs := make([]client.Summary, len(ids)), make([]error, len(ids))
	stop := parallel.Each(ctx, maxConcurrent, len(ids), func(ctx context.Context, i int) error {
		read[i], errs[i] = w.client.ReadSummary(ctx, ids[i])
		return nil
	})
	var notifications []*notification
	for i, id := range ids {
		var n *notification
		switch t, err := w.tracked[id], errs[i]; {
		case err == nil:
			n = w.compareRead(t, read[i])
		case limited(err):
			stop = err
		case !client.HasStatus(err, http.StatusNotFound, http.StatusGone):
			t.backOff(w.now())
		case t.workflowID == "":
			delete(w.tracked, id) // deleted, and only the execution named its workflow
		default:
			n = &notification{executionID: id, final: true}
		}
		if n != nil {
			notifications = append(notifications, n)
		}
	}
	if stop != nil {
		w.unread = true
	} else if !slices.ContainsFunc(notifications, func(n *notification) bool { return n.final }) {
		w.unread = false // the list is wrong, and the next one may be right
	}
	w.notify(ctx, notifications)
	return stop
}

// unlisted returns the ids of a batch to read, and sets w.unread when there are more.
func (w *Watch) unlisted() (ids []string) {
	w.unread = false
	for id, t := range w.tracked {
		if _, ok := w.listed[id]; ok || !t.due(w.now()) {
			continue
		}
		if w.unread = len(ids) == maxReads; w.unread {
			break
		}
		ids = append(ids, id)
	}
	return ids
}

// compareRead returns the notification of an execution that was read on its own, nil if the
// workflow knows its status.
func (w *Watch) compareRead(t *tracked, e client.Summary) *notification {
	if len(e.Metadata) == 0 { // it was not lost by the execution, but by this response
		if t.workflowID == "" {
			t.backOff(w.now())
			return nil
		}
		e.Metadata = map[string]string{
			asteroid.MetadataNamespace: w.namespace, asteroid.MetadataWorkflowID: t.workflowID, asteroid.MetadataSignal: asteroid.ExecutionEventSignal,
		}
	}
	o, ours := w.observe(e)
	if !ours {
		delete(w.tracked, e.ID)
		return nil
	}
	t.workflowID, t.createdAt = o.workflowID, o.createdAt
	if !o.terminal {
		t.backOff(w.now()) // the list is wrong or does not cover this status: no read in the next round
	}
	if t.status == o.status && !o.terminal {
		return nil
	}
	return &notification{executionID: e.ID, status: o.status, final: o.terminal}
}

// notify signals the workflows, some at a time, and updates what they know. What was not delivered
// is due again after a back-off. Before each batch the fence records what has been told so far.
// Nothing is signalled once another watch has replaced this one.
func (w *Watch) notify(ctx context.Context, notifications []*notification) {
	for batch := range slices.Chunk(notifications, maxConcurrent) {
		if !w.fence(ctx) {
			return
		}
		w.notifyBatch(ctx, batch)
	}
}

func (w *Watch) notifyBatch(ctx context.Context, notifications []*notification) {
	_ = parallel.Each(ctx, maxConcurrent, len(notifications), func(ctx context.Context, i int) error {
		notifications[i].done = w.deliver(ctx, notifications[i])
		return nil
	})
	w.changed, w.denied = true, deniedError(notifications, w.denied)
	for _, n := range notifications {
		t := w.tracked[n.executionID]
		switch {
		case !n.done:
			t.backOff(w.now())
		case n.final:
			delete(w.tracked, n.executionID)
			if n.status != "" && len(w.reported) < maxReported {
				w.reported[n.executionID] = t.createdAt
			}
		default:
			t.status = n.status
			if n.status.Class() != asteroid.ClassUnknown {
				t.resetBackOff()
			}
		}
	}
}

// deniedError returns the error of a worker that may not signal, whatever the workflow. before is
// what it was so far: only a signal that is delivered ends it.
func deniedError(notifications []*notification, before error) error {
	for _, n := range notifications {
		if n.done {
			return nil
		}
		if _, denied := errors.AsType[*serviceerror.PermissionDenied](n.err); denied {
			before = n.err
		}
	}
	return before
}

// deliver signals one workflow. It returns false when the signal has to be sent again: not for a
// workflow that has closed, and not for a signal that the server rejects. The end of ctx does not
// interrupt a signal, because the next attempt would send it again.
func (w *Watch) deliver(ctx context.Context, n *notification) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signalTimeout)
	defer cancel()
	err := w.signal(ctx, w.tracked[n.executionID].workflowID, asteroid.ExecutionEvent{ExecutionID: n.executionID, Status: n.status})
	_, closed := errors.AsType[*serviceerror.NotFound](err)
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	if closed || invalid {
		err = nil
	}
	n.err = err
	w.signalled(err)
	return err == nil
}

// advance moves the lower bound of the service's clock, from which terminal executions are listed.
// It tolerates an offset between worker and service clocks, but not drift.
func (w *Watch) advance(newest, began time.Time) {
	if !w.scannedAt.IsZero() && !w.serviceTime.IsZero() {
		if passed := w.serviceTime.Add(began.Sub(w.scannedAt)); passed.After(newest) {
			newest = passed
		}
	}
	w.serviceTime, w.scannedAt = newest, began
	maps.DeleteFunc(w.reported, func(_ string, createdAt time.Time) bool { return createdAt.Before(lately(newest)) })
}

func limited(err error) bool { return client.HasStatus(err, http.StatusTooManyRequests) }
