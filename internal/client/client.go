package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
)

// Client makes the requests of one connection. It is safe for concurrent use.
type Client struct {
	asteroid.Connection              // with its defaults filled in
	Name                string       // of the connection, as inputs give it
	Links               *http.Client // follows signed links and sends no API key

	// Observe is called after each request, with the operation's id and the class of its status:
	// 2xx, 3xx, 4xx, 5xx, 429, StatusUnanswered or StatusUnsent.
	Observe func(ctx context.Context, operation, status string, took time.Duration)

	api            *api.Client
	base           *url.URL
	requestTimeout time.Duration
	ownTransport   bool // New made it
	rateLimit      rateLimitGate

	organizationLock chan struct{} // guards organizationID and spanned, and can be awaited with a context
	organizationID   string        // the result of a lookup, when the connection names none
	spanned          string        // the ids of the organizations, when the key spans several
}
