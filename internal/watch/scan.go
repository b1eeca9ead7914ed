package watch

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const (
	// maxScanPages bounds an endless list.
	maxScanPages = 2000
	// listLag is how long after its creation a list may lack an execution. A short run may be
	// terminal when it first appears, so terminal executions are listed that far back.
	listLag = time.Minute
)

// scanPatience bounds how long a scan waits for the rate limit.
const scanPatience = time.Minute

// observe returns false for an execution without a workflow to notify in this namespace, and for a
// rerun: a person starts it, and the service copies the metadata.
func (w *Watch) observe(e client.Summary) (observation, bool) {
	origin := client.OriginOf(e.Metadata)
	ours := text.PlainID(e.ID) && e.Status != "" && e.ParentExecutionID == "" &&
		origin.Namespace == w.namespace && origin.WorkflowID != "" && origin.Signal == asteroid.ExecutionEventSignal && w.trusts(e.Metadata)
	return observation{e.Status, e.Terminal, origin.WorkflowID, e.CreatedAt}, ours
}

// scan is what the lists returned at one time.
type scan struct {
	listed map[string]observation // active executions, and terminal ones that were created lately
	newest time.Time              // the latest creation time in the lists
	err    error                  // why the scan is incomplete: unlisted executions may be active
}

func (s *scan) add(w *Watch, page client.SummaryPage) {
	for _, e := range page.Items {
		if e.CreatedAt.After(s.newest) {
			s.newest = e.CreatedAt
		}
		if o, ours := w.observe(e); ours {
			s.listed[e.ID] = o
		}
	}
}

// scan lists the active executions before the terminal ones, so that one that finishes in between
// is in both lists.
func (w *Watch) scan(ctx context.Context) *scan {
	s := &scan{listed: map[string]observation{}, newest: w.serviceTime}
	w.pagesRead, w.scanEnd = 0, w.now().Add(scanPatience)
	w.limited.Store(false)
	defer func() {
		if w.limited.Load() {
			w.concurrent = max(w.concurrent/2, 1)
		} else {
			w.concurrent = min(2*w.concurrent, maxConcurrent)
		}
	}()
	if s.err = w.listActive(ctx, s); s.err == nil || !w.serviceTime.IsZero() {
		s.err = cmp.Or(s.err, w.listTerminal(ctx, s))
	}
	return s
}

var terminalStatuses = []asteroid.Status{asteroid.StatusCompleted, asteroid.StatusFailed, asteroid.StatusCancelled}

// listActive lists in ascending order of creation, so that new executions do not shift the pages.
// It reads as many pages as there were before, then those that have been added.
func (w *Watch) listActive(ctx context.Context, s *scan) error {
	size := client.ListPageSize
	for read, last := 0, max(w.activePages, 1); read < last; {
		pages, err := w.listActivePages(ctx, read, last)
		total := 0
		for i, page := range pages {
			s.add(w, page)
			number, items := last-i, page.Listed
			if items == 0 {
				continue
			}
			if number == 1 && int64(items) < page.Total {
				size = items // the service may use a smaller page size than requested
			}
			total = max(total, int(page.Total), (number-1)*size+items)
			if page.Total == 0 && items >= client.ListPageSize { // the service may not report the total either
				total = max(total, number*size+1)
			}
		}
		if err != nil {
			return err
		}
		read, last = last, min((total+size-1)/size, maxScanPages)
		w.activePages = last
	}
	return nil
}

// listActivePages reads the pages after read, from the last down: an execution that moves to an
// earlier page, because one before it has finished, is then listed twice and not missed. With an
// error, it still returns the pages that it could read.
func (w *Watch) listActivePages(ctx context.Context, read, last int) ([]client.SummaryPage, error) {
	pages, errs := make([]client.SummaryPage, last-read), make([]error, last-read)
	w.pagesRead += len(pages)
	err := parallel.Each(ctx, w.concurrent, len(pages), func(ctx context.Context, i int) error {
		pages[i], errs[i] = w.list(ctx, int32(last-i), false, client.ActiveStatuses, time.Time{}) //nolint:gosec // at most maxScanPages
		return nil
	})
	return pages, cmp.Or(err, cmp.Or(errs...))
}

// listTerminal lists the terminal executions that were created lately, since one can start and
// finish between two scans. The service exposes no clock, so the newest creation time stands in for
// its current time.
func (w *Watch) listTerminal(ctx context.Context, s *scan) error {
	if w.serviceTime.IsZero() {
		page, err := w.list(ctx, 1, true, terminalStatuses, time.Time{})
		s.add(w, page)
		return err
	}
	for number := int32(1); number <= maxScanPages; number++ {
		page, err := w.list(ctx, number, false, terminalStatuses, lately(w.serviceTime))
		if err != nil {
			return err
		}
		w.pagesRead++
		s.add(w, page)
		items := page.Listed
		if items < client.ListPageSize && (page.Total == 0 || items == 0 || int64(number)*int64(items) >= page.Total) {
			break
		}
	}
	return nil
}

// lately returns the earliest creation time of terminal executions that a list may have lacked so
// far.
func lately(serviceTime time.Time) time.Time { return serviceTime.Add(-listLag) }

// list reads a page. While the service limits the rate it waits: a scan that starts from the first
// page each time may never be whole.
func (w *Watch) list(ctx context.Context, number int32, newestFirst bool, statuses []asteroid.Status, after time.Time) (client.SummaryPage, error) {
	for delay := client.DefaultRateLimitDelay; ; delay = min(2*delay, maxFailureDelay) {
		page, err := w.client.List(ctx, client.ListQuery{
			OrganizationID: w.organizationID, Statuses: statuses, MetadataKey: asteroid.MetadataNamespace, MetadataValue: w.namespace,
			CreatedAfter: after, NewestFirst: newestFirst,
		}, number)
		failed, ok := errors.AsType[*client.Error](err)
		if !ok || failed.Status != http.StatusTooManyRequests {
			return page, err
		}
		w.limited.Store(true)
		wait := cmp.Or(failed.RetryAfter, delay)
		if w.now().Add(wait).After(w.scanEnd) || !w.sleep(ctx, wait) {
			return page, err
		}
	}
}
