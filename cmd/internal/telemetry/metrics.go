// Package telemetry gives programs the metrics and the spans of the SDK and of the library, by
// OpenTelemetry. Its example is the wiring for a worker of your own.
package telemetry

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"github.com/temporal-asteroid/asteroid/internal/metrics"
)

// durationBuckets are the bounds of every histogram in seconds, from a request to an agent's day.
// Those of OpenTelemetry are made for milliseconds.
var durationBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}

// view gives a histogram its buckets, and a metric of the library its text: the SDK's handler knows
// none.
func view(i metric.Instrument) (metric.Stream, bool) {
	stream := metric.Stream{Name: i.Name, Unit: i.Unit, Description: i.Description}
	if i.Kind == metric.InstrumentKindHistogram {
		stream.Aggregation = metric.AggregationExplicitBucketHistogram{Boundaries: durationBuckets}
	}
	for _, m := range metrics.All {
		if m.Name == i.Name {
			stream.Description = m.Help
		}
	}
	return stream, true
}

// NewMetrics returns the handler for the options of a Temporal client, and the page that Prometheus
// scrapes. The page also shows the process and the Go runtime. onError gets the error of a metric
// that cannot be reported.
func NewMetrics(onError func(error)) (client.MetricsHandler, http.Handler, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo(),
	)
	if err != nil {
		return nil, nil, fmt.Errorf("create the exporter of metrics: %w", err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(exporter), metric.WithView(view))
	handler := opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: provider.Meter("temporal-sdk-go"), OnError: onError,
		UseMonotonicCounters: true, // a counter would be a gauge otherwise
	})
	return handler, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}
