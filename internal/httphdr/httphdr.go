package httphdr

import (
	"net/http"
	"strconv"
	"time"
)

const UserAgent = "temporal-asteroid (+https://github.com/temporal-asteroid/asteroid)"

// Bounds for the delay that a Retry-After may ask for: it is honoured, but a wrong one can neither hammer the service
// nor park a workflow for a day.
const (
	minRetryAfter = time.Second
	MaxRetryAfter = 10 * time.Minute
)

// retryAfter reads how long the service asks to be left alone: retry-after-ms, or Retry-After in seconds or as a date.
// 0 means that it does not ask.
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

// bounded makes a delay of nanoseconds that were asked for; 0 when nothing sensible was.
func bounded(nanoseconds float64) time.Duration {
	if !(nanoseconds > 0) { // not a number, too
		return 0
	}
	return max(minRetryAfter, time.Duration(min(nanoseconds, float64(MaxRetryAfter))))
}

const MaxRedirects = 5
