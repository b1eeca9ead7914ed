package watch

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

const (
	// maxLooks bounds the reads of one round. What is left has its turn in the next.
	maxLooks = 200
	// manyVanished are so many that a list which is wrong is as likely as that all of them have ended.
	manyVanished = 50
	// maxEnded bounds what is remembered of executions that have ended. Beyond it some are told again.
	maxEnded = 20_000
	// signalTimeout bounds one signal, which is tried again later.
	signalTimeout = 10 * time.Second
)

// watch is one attempt of asteroid.WatchExecutions.
type Watch struct {
	c              *client.Client
	namespace      string
	organizationID string
	spans          bool // the key sees several organizations
	now            func() time.Time
	signal         func(ctx context.Context, workflowID string, event asteroid.ExecutionEvent) error
	relist         time.Duration // before a list that lacks too much is read again

	known  map[string]*tracked
	newest time.Time              // what the service's clock showed at least when the last whole scan began
	asOf   time.Time              // when that was, by this clock
	ended  map[string]time.Time   // creation of those told to have ended that would be listed again as such
	seen   map[string]observation // in the last whole scan
	active int                    // pages of executions that go on
	pages  int                    // that the last scan has read

	moved   bool // in this round something was new, changed or gone
	pending bool // and there is more to read
}

// notice is something that a workflow is to be told.
type notification struct {
	id     string
	status asteroid.Status // empty: the execution is gone
	over   bool            // nothing will follow
	done   bool
}

// round compares what is with what was known, and tells the difference. It returns why the scan was not whole.
func (w *Watch) round(ctx context.Context) error {
	w.moved, w.pending = false, false
	began := w.now()
	s := w.scan(ctx)
	if s.whole && w.implausible(s) {
		if !parallel.Sleep(ctx, w.relist) {
			return context.Cause(ctx)
		}
		again := w.scan(ctx)
		for id, seen := range s.seen {
			if _, ok := again.seen[id]; !ok {
				again.seen[id] = seen
			}
		}
		s = again
	}
	w.notify(ctx, w.compare(s))
	if !s.whole {
		return s.err
	}
	w.advance(s.newest, began)
	w.seen = s.seen
	return w.readUnlisted(ctx)
}

// catchUp reads more of what has gone from the last list, some every second.
func (w *Watch) catchUp(ctx context.Context, until time.Time) (err error) {
	for err == nil && w.pending && w.now().Before(until) && parallel.Sleep(ctx, w.relist) {
		err = w.readUnlisted(ctx)
	}
	return err
}

// doubtful reports whether a list lacks so much that it may be wrong.
func (w *Watch) implausible(s *scan) bool {
	missing := 0
	for id := range w.known {
		if _, ok := s.seen[id]; !ok {
			missing++
		}
	}
	return missing > manyVanished && 2*missing > len(w.known)
}

// compare takes in what was seen.
func (w *Watch) compare(s *scan) (notices []*notification) {
	now, since := w.now(), w.since(s.newest)
	if !w.newest.IsZero() {
		since = w.since(w.newest)
	}
	for id, seen := range s.seen {
		k, over := w.known[id], seen.status.Terminal()
		if k == nil {
			if _, told := w.ended[id]; over && (told || seen.created.Before(since)) {
				continue
			}
			k = &tracked{}
			switch seen.status.Class() {
			case asteroid.ClassPending, asteroid.ClassProcessing:
				k.status = seen.status // its workflow has just started it
			default:
			}
			w.known[id], w.moved = k, true
		}
		k.workflow, k.created = seen.workflow, seen.created
		switch {
		case k.status == seen.status:
			k.settled()
		case k.due(now):
			notices = append(notices, &notification{id: id, status: seen.status, over: over})
		}
	}
	return notices
}

// look reads what has gone from the list: it has ended, or was deleted, or has a status that no list can be asked for. It fails when
// the service wants no more reads now.
func (w *Watch) readUnlisted(ctx context.Context) error {
	var ids []string
	w.pending = false
	for id, k := range w.known {
		if _, ok := w.seen[id]; ok || !k.due(w.now()) {
			continue
		}
		if w.pending = len(ids) == maxLooks; w.pending {
			break
		}
		ids = append(ids, id)
	}
	read, errs := make([]client.Summary, len(ids)), make([]error, len(ids))
	limited := parallel.Each(ctx, watchAtOnce, len(ids), func(ctx context.Context, i int) error {
		read[i], errs[i] = w.c.ReadSummary(ctx, ids[i])
		return nil
	})
	var notices []*notification
	for i, id := range ids {
		k := w.known[id]
		failed, _ := errors.AsType[*client.Error](errs[i])
		switch {
		case errs[i] == nil:
			if n := w.compareRead(k, read[i]); n != nil {
				notices = append(notices, n)
			}
		case failed != nil && failed.Status == http.StatusTooManyRequests:
			limited = failed
		case failed != nil && (failed.Status == http.StatusNotFound || failed.Status == http.StatusGone):
			if k.workflow == "" {
				delete(w.known, id) // whose it was cannot be found out any more
				continue
			}
			notices = append(notices, &notification{id: id, over: true})
		default:
			k.backOff(w.now())
		}
	}
	if over := slices.ContainsFunc(notices, func(n *notification) bool { return n.over }); !over {
		w.pending = false // the list is wrong: the next one may be better
	}
	w.notify(ctx, notices)
	return limited
}

func (w *Watch) compareRead(k *tracked, e client.Summary) *notification {
	seen, ours := w.observe(e)
	if !ours {
		delete(w.known, e.ID)
		return nil
	}
	k.workflow, k.created = seen.workflow, seen.created
	over := seen.status.Terminal()
	if !over {
		k.backOff(w.now()) // the list was wrong, or does not have this status: not again in the next round
	}
	if k.status == seen.status {
		return nil
	}
	return &notification{id: e.ID, status: seen.status, over: over}
}

// tell signals the workflows. One that is over wants to hear nothing; what else goes wrong is tried again.
func (w *Watch) notify(ctx context.Context, notices []*notification) {
	_ = parallel.Each(ctx, watchAtOnce, len(notices), func(ctx context.Context, i int) error {
		ctx, cancel := context.WithTimeout(ctx, signalTimeout)
		defer cancel()
		n := notices[i]
		err := w.signal(ctx, w.known[n.id].workflow, asteroid.ExecutionEvent{ExecutionID: n.id, Status: n.status})
		var gone *serviceerror.NotFound
		var refused *serviceerror.InvalidArgument
		n.done = err == nil || errors.As(err, &gone) || errors.As(err, &refused)
		return nil
	})
	for _, n := range notices {
		k := w.known[n.id]
		w.moved = true
		switch {
		case !n.done:
			k.backOff(w.now())
		case n.over:
			delete(w.known, n.id)
			if n.status != "" && len(w.ended) < maxEnded {
				w.ended[n.id] = k.created
			}
		default:
			k.status = n.status
			if n.status.Class() != asteroid.ClassUnknown {
				k.settled()
			}
		}
	}
}

// advance moves the time from which on ended executions are listed. The clocks need not agree, but go equally fast.
func (w *Watch) advance(newest, began time.Time) {
	if !w.asOf.IsZero() && !w.newest.IsZero() {
		if passed := w.newest.Add(began.Sub(w.asOf)); passed.After(newest) {
			newest = passed
		}
	}
	w.newest, w.asOf = newest, began
	for id, created := range w.ended {
		if created.Before(w.since(newest)) {
			delete(w.ended, id)
		}
	}
}
