package watch

import (
	"cmp"
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
	// Blind is the time without a whole scan after which an attempt ends, so that another worker
	// can try. 0 means never.
	Blind time.Duration
	// Checked is how long a process relies on the watch after it has seen that it lives. Unchecked
	// is how long it waits after it could not see that.
	Checked, Unchecked time.Duration
	// Stale is the age of the last whole scan at which the watch counts as dead. Together with the
	// time of a take-over it is below two minutes.
	Stale time.Duration
}

// DefaultPace scans 100 pages, which are 10,000 executions, every 7.5 seconds, and reports every
// change within ten.
var DefaultPace = Pace{
	Fast: 2 * time.Second, Slow: 8 * time.Second, PerPage: 75 * time.Millisecond,
	Idle: 5 * time.Minute, Term: time.Hour, Blind: time.Minute,
	Checked: time.Minute, Unchecked: 5 * time.Second, Stale: 90 * time.Second,
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
		p.failureDelay = min(max(2*p.failureDelay, client.DefaultRateLimitDelay), maxFailureDelay)
		return cmp.Or(failed.RetryAfter, p.failureDelay)
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
	least := min(minDelay, p.pace.Fast)
	if w.limited.Load() {
		least = max(least, min(took, maxFailureDelay)) // leaves half of the rate limit to others
	}
	interval := min(max(p.interval, time.Duration(w.pagesRead)*p.pace.PerPage), p.pace.Slow)
	return max(interval-took, least)
}
