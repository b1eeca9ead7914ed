// Package httphdr has the rules for HTTP that the API client and file transfers share: the
// User-Agent, the reading of Retry-After, and the bound on redirects.
package httphdr

import (
	"net/http"
	"strconv"
	"time"
)

// UserAgent is the User-Agent of every request.
const UserAgent = "temporal-asteroid (+https://github.com/temporal-asteroid/asteroid)"

// MaxRedirects is how many consecutive redirects a download follows.
const MaxRedirects = 5

// minRetryAfter and MaxRetryAfter bound the delay that a response asks for, so that a wrong value
// cannot make us send every millisecond, or wait for a day.
const (
	minRetryAfter = time.Second
	MaxRetryAfter = 10 * time.Minute
)

// RetryAfter returns the delay that a response asks for before the next request: Retry-After-Ms, or
// Retry-After in seconds or as a date. The delay is between a second and ten minutes, or 0 when
// there is none that is positive.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil {
		return bounded(ms * float64(time.Millisecond))
	}
	after := header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(after, 64); err == nil {
		return bounded(seconds * float64(time.Second))
	}
	if date, err := http.ParseTime(after); err == nil {
		return bounded(float64(date.Sub(now)))
	}
	return 0
}

// bounded returns a delay within the bounds, or 0 for one that is not positive or not a number.
func bounded(nanoseconds float64) time.Duration {
	if !(nanoseconds > 0) {
		return 0
	}
	return max(minRetryAfter, time.Duration(min(nanoseconds, float64(MaxRetryAfter))))
}
