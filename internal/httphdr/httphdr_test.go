package httphdr_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/internal/httphdr"
)

func TestRetryAfterReadsEveryFormWithinBounds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	date := func(after time.Duration) string { return now.Add(after).Format(http.TimeFormat) }
	for name, row := range map[string]struct {
		header http.Header
		want   time.Duration
	}{
		"none":                  {http.Header{}, 0},
		"seconds":               {http.Header{"Retry-After": {"30"}}, 30 * time.Second},
		"fraction":              {http.Header{"Retry-After": {"1.5"}}, 1500 * time.Millisecond},
		"date":                  {http.Header{"Retry-After": {date(time.Minute)}}, time.Minute},
		"milliseconds":          {http.Header{"Retry-After-Ms": {"2500"}}, 2500 * time.Millisecond},
		"milliseconds first":    {http.Header{"Retry-After-Ms": {"2500"}, "Retry-After": {"30"}}, 2500 * time.Millisecond},
		"unreadable and second": {http.Header{"Retry-After-Ms": {"soon"}, "Retry-After": {"30"}}, 30 * time.Second},
		"too short":             {http.Header{"Retry-After-Ms": {"1"}}, time.Second},
		"too long":              {http.Header{"Retry-After": {"86400"}}, httphdr.MaxRetryAfter},
		"date too late":         {http.Header{"Retry-After": {date(24 * time.Hour)}}, httphdr.MaxRetryAfter},
		"beyond any duration":   {http.Header{"Retry-After": {"1e300"}}, httphdr.MaxRetryAfter},
		"infinite":              {http.Header{"Retry-After": {"Inf"}}, httphdr.MaxRetryAfter},
		"zero":                  {http.Header{"Retry-After": {"0"}}, 0},
		"negative":              {http.Header{"Retry-After": {"-5"}}, 0},
		"past date":             {http.Header{"Retry-After": {date(-time.Minute)}}, 0},
		"not a number":          {http.Header{"Retry-After": {"NaN"}}, 0},
		"words":                 {http.Header{"Retry-After": {"soon"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, httphdr.RetryAfter(row.header, now))
		})
	}
}
