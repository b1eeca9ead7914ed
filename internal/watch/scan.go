package watch

import (
	"cmp"
	"context"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const (
	// maxScanPages ends a listing that never does.
	maxScanPages = 2000
	// watchAtOnce is how many requests of one kind are under way together.
	watchAtOnce = 16
	// listLag is how long after its creation an execution may be missing from a list. One that has come and gone meanwhile is
	// looked for so far back.
	listLag = time.Minute
)

// sighting is an execution whose workflow wants to know of changes.
type observation struct {
	status   asteroid.Status
	workflow string
	created  time.Time
}

// sighting returns false for an execution that is none of this namespace's, or that a person has started from one that is: the
// service copies the metadata then.
func (w *Watch) observe(e client.Summary) (observation, bool) {
	s := client.OriginOf(e.Metadata)
	ours := text.PlainID(e.ID) && e.Status != "" && e.ParentExecutionID == "" &&
		s.Namespace == w.namespace && s.WorkflowID != "" && s.Signal == asteroid.ExecutionEventSignal
	return observation{e.Status, s.WorkflowID, e.CreatedAt}, ours
}

// scan is what the lists showed at one time.
type scan struct {
	seen   map[string]observation // going on, and those that were over soon after they began
	newest time.Time              // of all that was listed: the service's clock
	whole  bool                   // what is not seen is not going on
	err    error                  // why it is not whole
}

func (s *scan) take(w *Watch, e client.Summary) {
	if e.CreatedAt.After(s.newest) {
		s.newest = e.CreatedAt
	}
	if seen, ours := w.observe(e); ours {
		s.seen[e.ID] = seen
	}
}

// scan lists what goes on, then what has ended lately: an execution that ends in between is in both.
func (w *Watch) scan(ctx context.Context) *scan {
	s := &scan{seen: map[string]observation{}, newest: w.newest}
	w.pages = 0
	if s.err = w.listActive(ctx, s); s.err == nil || !w.newest.IsZero() {
		err := w.listEnded(ctx, s)
		if s.err == nil {
			s.err = err
		}
	}
	s.whole = s.err == nil
	return s
}

var activeStatuses = []asteroid.Status{
	asteroid.StatusQueued, asteroid.StatusStarting, asteroid.StatusRunning, asteroid.StatusPaused, asteroid.StatusPausedByAgent, asteroid.StatusAwaitingConfirmation,
}

var endedStatuses = []asteroid.Status{asteroid.StatusCompleted, asteroid.StatusFailed, asteroid.StatusCancelled}

// listActive lists the oldest first, so that new ones do not shift the pages, and reads the last page first: what moves to an
// earlier page because something before it has ended is then seen twice, not missed.
func (w *Watch) listActive(ctx context.Context, s *scan) error {
	size := client.ListPageSize
	for read, want := 0, max(w.active, 1); read < want; {
		w.pages += want - read
		pages, errs := make([]client.SummaryPage, want-read), make([]error, want-read)
		err := parallel.Each(ctx, watchAtOnce, len(pages), func(ctx context.Context, i int) error {
			pages[i], errs[i] = w.list(ctx, int32(want-i), false, activeStatuses, time.Time{}) //nolint:gosec // at most maxScanPages
			return nil                                                                         // what the others show is of use
		})
		total := 0
		for i, page := range pages {
			for _, item := range page.Items {
				s.take(w, item)
			}
			if number, items := want-i, len(page.Items); items > 0 {
				if number == 1 && int64(items) < page.Total {
					size = items // a service may make its pages smaller than asked for
				}
				total = max(total, int(page.Total), (number-1)*size+items)
				if page.Total == 0 && items >= client.ListPageSize {
					total = max(total, number*size+1) // nor does it have to tell the total
				}
			}
		}
		if err := cmp.Or(err, firstError(errs)); err != nil {
			return err
		}
		read, want = want, min((total+size-1)/size, maxScanPages)
		w.active = want
	}
	return nil
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// listEnded lists those that have ended of the executions created lately, since one may come and go between two scans. Of when
// it is at the service, only what was created last tells.
func (w *Watch) listEnded(ctx context.Context, s *scan) error {
	if w.newest.IsZero() {
		page, err := w.list(ctx, 1, true, endedStatuses, time.Time{})
		for _, item := range page.Items {
			s.take(w, item)
		}
		return err
	}
	since := w.since(w.newest)
	for number := int32(1); number <= maxScanPages; number++ {
		page, err := w.list(ctx, number, false, endedStatuses, since)
		if err != nil {
			return err
		}
		w.pages++
		for _, item := range page.Items {
			s.take(w, item)
		}
		if len(page.Items) < client.ListPageSize && (page.Total == 0 || len(page.Items) == 0 || int64(number)*int64(len(page.Items)) >= page.Total) {
			break
		}
	}
	return nil
}

// since is from when on executions that have ended are of interest, though they were never seen at work.
func (*Watch) since(newest time.Time) time.Time { return newest.Add(-listLag) }

func (w *Watch) list(ctx context.Context, number int32, newestFirst bool, statuses []asteroid.Status, after time.Time) (client.SummaryPage, error) {
	return w.c.List(ctx, client.ListQuery{
		OrganizationID: w.organizationID, Statuses: statuses, MetadataKey: asteroid.MetadataNamespace, MetadataValue: w.namespace,
		CreatedAfter: after, NewestFirst: newestFirst,
	}, number)
}
