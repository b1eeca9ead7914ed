// Package httphdr holds what every HTTP request of the project has in common: the User-Agent, the
// reading of Retry-After, and the bound on redirects.
package httphdr

import (
	"net/http"
	"strconv"
	"time"
)

// UserAgent names this project to the hosts that it sends requests to.
const UserAgent = "temporal-asteroid (+https://github.com/temporal-asteroid/asteroid)"

// MaxRedirects is how many redirects in a row a download follows.
const MaxRedirects = 5

// minRetryAfter and MaxRetryAfter bound the delay that an answer may ask for: a wrong one neither
// causes a request a millisecond nor stops a workflow for a day.
const (
	minRetryAfter = time.Second
	MaxRetryAfter = 10 * time.Minute
)

// RetryAfter returns the delay that an answer asks for before the next request, between a second and
// ten minutes: Retry-After-Ms, or Retry-After in seconds or as a date. It returns 0 when the answer
// asks for none.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil {
		return bounded(ms * float64(time.Millisecond))
	}
	asked := header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(asked, 64); err == nil {
		return bounded(seconds * float64(time.Second))
	}
	if date, err := http.ParseTime(asked); err == nil {
		return bounded(float64(date.Sub(now)))
	}
	return 0
}

// bounded returns a delay within the bounds, or 0 for one that is negative or not a number.
func bounded(nanoseconds float64) time.Duration {
	if !(nanoseconds > 0) {
		return 0
	}
	return max(minRetryAfter, time.Duration(min(nanoseconds, float64(MaxRetryAfter))))
}
