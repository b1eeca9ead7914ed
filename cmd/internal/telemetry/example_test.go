package telemetry_test

import (
	"log"
	"net/http"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/telemetry"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

// A worker with metrics for Prometheus, and with a span for each request to the API below that of
// its activity. Give the tracer provider an exporter, such as that of OTLP.
func Example() {
	tracers := trace.NewTracerProvider()
	tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{Tracer: tracers.Tracer("temporal-sdk-go")})
	if err != nil {
		log.Fatal(err)
	}
	handler, page, err := telemetry.NewMetrics(func(err error) { log.Print(err) })
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/metrics", page)

	connection := asteroid.ConnectionFromEnv()
	connection.Transport = telemetry.NewTransport(http.DefaultTransport, tracers)
	plugin, err := asteroidworker.NewPlugin(asteroidworker.Options{Connections: map[string]asteroid.Connection{"default": connection}})
	if err != nil {
		log.Fatal(err)
	}
	temporalClient, err := client.NewLazyClient(client.Options{
		MetricsHandler: handler, Interceptors: []interceptor.ClientInterceptor{tracing},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer temporalClient.Close()
	w := worker.New(temporalClient, "claims", worker.Options{Plugins: []worker.Plugin{plugin}})
	_ = w.Run // call it with worker.InterruptCh()
}
