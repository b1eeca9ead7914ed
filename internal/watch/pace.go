package watch

import (
	"errors"
	"net/http"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/client"
)

// Pace is how often a watch scans and how long it lasts.
type Pace struct {
	// Fast is the interval between scans while executions change. It grows to Slow while none does.
	Fast, Slow time.Duration
	// PerPage is the least interval for each page of a scan.
	PerPage time.Duration
	// Idle is the time without an execution to watch after which the watch ends. Term is its
	// longest run: the next watch takes over then.
	Idle, Term time.Duration
	// Announced is how long a process relies on the watch after it has signalled it. Unannounced is
	// how long it waits after such a signal failed.
	Announced, Unannounced time.Duration
}

// DefaultPace scans 100 pages, which are 10,000 executions, every 7.5 seconds, and reports every
// change within ten.
var DefaultPace = Pace{
	Fast: 2 * time.Second, Slow: 8 * time.Second, PerPage: 75 * time.Millisecond,
	Idle: 5 * time.Minute, Term: time.Hour,
	Announced: time.Minute, Unannounced: 5 * time.Second,
}

const (
	maxFailureDelay  = 30 * time.Second
	maxRejectedDelay = time.Minute // for errors that do not pass by themselves, such as a rejected key
	minDelay         = 500 * time.Millisecond
)

// pacer computes the time between rounds.
type pacer struct {
	pace         Pace
	lastBusy     time.Time // when there was an execution to watch
	interval     time.Duration
	failureDelay time.Duration
}

// delay returns the time from the end of a round, which took so long and returned err, to the next.
func (p *pacer) delay(w *Watch, took time.Duration, err error) time.Duration {
	failed, ok := errors.AsType[*client.Error](err)
	switch {
	case ok && failed.Status == http.StatusTooManyRequests:
		return max(failed.RetryAfter, client.DefaultRateLimitDelay)
	case err != nil:
		most := maxFailureDelay
		if ok && failed.Outcome() == client.OutcomeRejected {
			most = maxRejectedDelay
		}
		p.failureDelay = min(max(2*p.failureDelay, p.pace.Fast), most)
		return p.failureDelay
	case w.changed || w.unread:
		p.interval = 0
	}
	p.failureDelay, p.interval = 0, max(min(p.interval*3/2, p.pace.Slow), p.pace.Fast)
	interval := min(max(p.interval, time.Duration(w.pagesRead)*p.pace.PerPage), p.pace.Slow)
	return max(interval-took, min(minDelay, p.pace.Fast))
}
