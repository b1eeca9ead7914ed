package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/telemetry"
	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// recordingTransport keeps the requests that it carries.
type recordingTransport struct {
	mu       sync.Mutex
	requests []*http.Request
}

func (t *recordingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.requests = append(t.requests, r)
	t.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

func TestTransportMakesRequestsChildrenOfActivities(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	tracers := trace.NewTracerProvider(trace.WithSyncer(spans))
	tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{Tracer: tracers.Tracer("test")})
	require.NoError(t, err)
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	api := testsuite.NewAPI(t, testsuite.WithClock(env.Now))
	wire, outputs := &recordingTransport{}, t.TempDir()
	plugin, err := asteroidworker.NewPlugin(asteroidworker.Options{
		Connections: map[string]asteroid.Connection{"default": {
			APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL(), Transport: telemetry.NewTransport(wire, tracers),
		}},
		Now: env.Now, OutputRoots: []string{outputs},
	})
	require.NoError(t, err)
	env.SetWorkerOptions(sdkworker.Options{
		Plugins: []sdkworker.Plugin{plugin}, Interceptors: []interceptor.WorkerInterceptor{tracing},
	})
	agent := api.ServeAgent("writer", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.WriteFile("downloads", "secret-plan.txt", "text/plain", []byte("content")), testsuite.Complete("success", "", nil)}
	})
	env.ExecuteWorkflow(workflows.RunAgentName, workflows.RunAgentInput{
		AgentID: agent, Files: []asteroid.FileRef{{URI: "data:,text", Name: "secret-input.txt"}},
		Collect: &workflows.Collect{Destination: "file://" + outputs},
	})
	require.NoError(t, env.GetWorkflowError())

	activities, requests := map[string]bool{}, tracetest.SpanStubs{}
	for _, span := range spans.GetSpans() {
		switch {
		case strings.HasPrefix(span.Name, "RunActivity:asteroid."):
			activities[span.SpanContext.SpanID().String()] = true
		case span.InstrumentationScope.Name == "github.com/temporal-asteroid/asteroid":
			requests = append(requests, span)
		}
	}
	require.Len(t, requests, len(wire.requests), "each request has a span")
	names := map[string]bool{}
	for _, span := range requests {
		names[span.Name] = true
		require.True(t, activities[span.Parent.SpanID().String()], "%s is no child of an activity", span.Name)
		said := fmt.Sprint(span.Name, span.Attributes, span.Events, span.Status, span.Links)
		for _, secret := range []string{api.APIKey(), "secret-plan", "secret-input", "signature", "?"} {
			require.NotContains(t, strings.ToLower(said), strings.ToLower(secret))
		}
	}
	for _, name := range []string{
		"POST /agents/v2/temp-files/{id}", "POST /agents/v2/agents/{id}/execute", "GET /agents/v2/executions/{id}",
		"GET /agents/v2/executions/{id}/files", "GET",
	} {
		require.Contains(t, names, name)
	}
	for _, r := range wire.requests {
		require.Empty(t, r.Header.Get("Traceparent"), "the service and the hosts of links get no trace")
	}
}

func TestTransportNamesNoAddressInErrors(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	tracers := trace.NewTracerProvider(trace.WithSyncer(spans))
	failing := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("dial secret-host?signature=1") })
	ctx, parent := tracers.Tracer("test").Start(t.Context(), "activity")
	_, err := telemetry.NewTransport(failing, tracers).RoundTrip(httptest.NewRequestWithContext(ctx, "GET", "https://host/file?signature=1", nil))
	require.Error(t, err)
	parent.End()
	recorded := spans.GetSpans()
	require.Len(t, recorded, 2)
	require.NotContains(t, fmt.Sprintf("%+v", recorded[0]), "signature")
	require.Equal(t, parent.SpanContext().SpanID(), recorded[0].Parent.SpanID())
}

func TestTransportMakesNoSpanWithoutParent(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	answering := roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(""))}, nil
	})
	request := httptest.NewRequestWithContext(context.Background(), "GET", "https://host/", nil)
	response, err := telemetry.NewTransport(answering, trace.NewTracerProvider(trace.WithSyncer(spans))).RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Empty(t, spans.GetSpans())
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
