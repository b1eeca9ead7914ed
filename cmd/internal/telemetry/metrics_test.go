package telemetry_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/cmd/internal/telemetry"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
)

// The suffixes, the buckets and the texts are those that package worker documents.
func TestNewMetricsServesTableAsDocumented(t *testing.T) {
	t.Parallel()
	handler, page, err := telemetry.NewMetrics(func(err error) { t.Error(err) })
	require.NoError(t, err)
	for _, m := range metrics.All {
		labels := make([]string, len(m.Labels))
		switch m.Kind {
		case metrics.Counter:
			m.Count(handler, labels...)
		case metrics.Gauge:
			m.Set(handler, 1, labels...)
		case metrics.Timer:
			m.Record(handler, 2*time.Hour, labels...)
		}
	}
	handler.Counter("temporal_request").Inc(1)
	response := httptest.NewRecorder()
	page.ServeHTTP(response, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	scraped := response.Body.String()
	for _, m := range metrics.All {
		kind := string(m.Kind)
		if m.Kind == metrics.Timer {
			kind = "histogram"
			require.Regexp(t, m.PrometheusName()+`_bucket\{[^}]*le="3600"\} 0\n`, scraped)
			require.Regexp(t, m.PrometheusName()+`_bucket\{[^}]*le="14400"\} 1\n`, scraped)
		}
		require.Contains(t, scraped, "# HELP "+m.PrometheusName()+" "+m.Help+"\n# TYPE "+m.PrometheusName()+" "+kind+"\n")
	}
	require.Contains(t, scraped, "# TYPE temporal_request_total counter\n", "the SDK's metrics are there, too")
}
