package telemetry

import (
	"fmt"
	"net/http"
	"regexp"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// NewTransport returns a transport for a Connection. It makes each request of an activity a child
// of the activity's span, until the headers of the response. Requests without a span in their
// context have none.
//
// A span has the method, the host, the status and, of a request to the API, the route with {id} for
// each id. It has no header, since one has the API key, and neither the path nor the query of a
// link to a file, since they have the file's name and a signature. The trace goes nowhere else: no
// header of the request carries it.
func NewTransport(next http.RoundTripper, tracers trace.TracerProvider) http.RoundTripper {
	return &transport{next, tracers.Tracer("github.com/temporal-asteroid/asteroid")}
}

type transport struct {
	next   http.RoundTripper
	tracer trace.Tracer
}

// apiPath is the path of a request to the API, and id one of its ids.
var (
	apiPath = regexp.MustCompile(`/(agents|users)/v2/.*`)
	id      = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
)

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanContextFromContext(r.Context()).IsValid() {
		return t.next.RoundTrip(r)
	}
	name := r.Method
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname()),
	}
	if path := apiPath.FindString(r.URL.Path); path != "" {
		route := id.ReplaceAllString(path, "{id}")
		name += " " + route
		attributes = append(attributes, attribute.String("url.template", route))
	}
	ctx, span := t.tracer.Start(r.Context(), name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	defer span.End()
	response, err := t.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		kind := fmt.Sprintf("%T", err) // the text may have an address
		span.SetAttributes(attribute.String("error.type", kind))
		span.SetStatus(codes.Error, kind)
		return nil, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", response.StatusCode))
	if response.StatusCode >= 400 {
		span.SetStatus(codes.Error, "")
	}
	return response, nil
}
