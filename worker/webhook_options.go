package worker

import (
	"cmp"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/token"
)

// The defaults of [WebhookOptions]. An event holds the agent's result, so the bound of a body is
// that of the other responses that are read.
const (
	DefaultWebhookMaxBodyBytes        = 16 << 20
	DefaultWebhookMaxAge              = 24 * time.Hour
	DefaultWebhookSignalTimeout       = 10 * time.Second
	DefaultWebhookMaxSignalsPerMinute = 100
)

// WebhookTokens says what happens to events of executions without a valid token.
type WebhookTokens string

// The ways to treat events without a valid token.
const (
	// WebhookTokensRequire acknowledges them and signals nothing.
	WebhookTokensRequire WebhookTokens = "require"
	// WebhookTokensObserve signals them like others, and counts and logs them. Begin with it where
	// executions are at work that workers without secrets have started.
	WebhookTokensObserve WebhookTokens = "observe"
)

// WebhookOptions configure a [WebhookHandler]. Clients and PublicKeys are required, and Secrets are
// recommended.
type WebhookOptions struct {
	// Clients maps each namespace to a Temporal client made for it. Events of workflows in other
	// namespaces are acknowledged and ignored.
	Clients map[string]client.Client
	// PublicKeys verify signatures, see [ParseWebhookPublicKey]. List both keys during a rotation.
	PublicKeys []*rsa.PublicKey
	// Secrets are the WebhookSecrets of the workers' [Options], which see for their rotation.
	// Without them every customer of Asteroid may be able to signal the workflows of these
	// namespaces, and NewWebhookHandler logs a warning.
	Secrets []string
	// Tokens is WebhookTokensRequire when empty. It has no effect without Secrets.
	Tokens WebhookTokens
	// RequiredHeaders must be present, each with one of its values. Set them in the integration in
	// Asteroid's console too. They are compared in constant time, before the body is read.
	RequiredHeaders http.Header
	// MaxSignalsPerMinute bounds the signals to one workflow, or about one execution if its token
	// is valid, from this handler. Beyond it the response is 429, so that the sender retries. Zero
	// means DefaultWebhookMaxSignalsPerMinute.
	MaxSignalsPerMinute int
	// MaxBodyBytes is the longest accepted body; zero means DefaultWebhookMaxBodyBytes. A body is
	// held in memory.
	MaxBodyBytes int64
	// MaxAge is the greatest accepted age of an event, by the timestamp in its body. It limits how
	// long a recorded request can be replayed, and must leave time for the sender's retries. Events
	// more than five minutes in the future are refused. Understood are RFC 3339, also with a blank,
	// with a zone without colon and without a zone (which means UTC); RFC 1123; and seconds,
	// milliseconds, microseconds or nanoseconds since 1970, as a number or as a string. An event
	// without such a timestamp is refused. Zero means DefaultWebhookMaxAge; negative accepts every
	// timestamp, and none.
	MaxAge time.Duration
	// SignalTimeout limits the call to Temporal; zero means DefaultWebhookSignalTimeout.
	SignalTimeout time.Duration
	// Metrics receives the handler's counters; nil disables them.
	Metrics client.MetricsHandler
	// Logger is slog's default logger when nil. Bodies, signatures, tokens and secrets are never
	// logged, only IDs and event names from signed bodies.
	Logger log.Logger
	// Now is time.Now when nil.
	Now func() time.Time
}

// NewWebhookHandler returns a handler, or an error if the options are invalid. It sends nothing.
func NewWebhookHandler(options WebhookOptions) (*WebhookHandler, error) {
	if err := options.check(); err != nil {
		return nil, fmt.Errorf("asteroid: webhooks: %w", err)
	}
	secrets, err := token.New(options.Secrets)
	if err != nil {
		return nil, fmt.Errorf("asteroid: webhooks: %w", err)
	}
	handler := cmp.Or(options.Metrics, client.MetricsNopHandler)
	h := &WebhookHandler{
		clients: maps.Clone(options.Clients),
		keys:    slices.Clone(options.PublicKeys),
		headers: newRequiredHeaders(options.RequiredHeaders),
		tokens:  newTokenCheck(secrets, options.Tokens, handler),
		maxBody: cmp.Or(options.MaxBodyBytes, DefaultWebhookMaxBodyBytes),
		maxAge:  cmp.Or(options.MaxAge, DefaultWebhookMaxAge),
		timeout: cmp.Or(options.SignalTimeout, DefaultWebhookSignalTimeout),
		rate:    newSignalRate(cmp.Or(options.MaxSignalsPerMinute, DefaultWebhookMaxSignalsPerMinute)),
		now:     options.Now,
		logger:  cmp.Or(options.Logger, log.NewStructuredLogger(slog.Default())),
		counts:  map[outcome]client.MetricsCounter{},
	}
	if h.now == nil {
		h.now = time.Now
	}
	retention := h.maxAge
	if retention < 0 {
		retention = DefaultWebhookMaxAge
	}
	h.recent = &recentIDs{retention: retention + futureTolerance, capacity: maxRecentIDs}
	for o := range responseStatus {
		h.counts[o] = metrics.WebhookEvent.Counter(handler, string(o))
		h.counts[o].Inc(0) // see metrics.Announce
	}
	if !secrets.Known() {
		h.logger.Warn("Asteroid appears to sign the webhooks of all its customers alike. Without Secrets each of them can signal your workflows: " +
			"set Secrets of the webhook handler and WebhookSecrets of the workers")
	}
	return h, nil
}

func (options *WebhookOptions) check() error {
	if len(options.Clients) == 0 {
		return errors.New(`no Clients: set one for each namespace, such as {"default": temporalClient}`)
	}
	for namespace, c := range options.Clients {
		if namespace == "" || c == nil {
			return errors.New("Clients has an empty namespace or a nil client: map each namespace to the client made for it")
		}
	}
	if len(options.PublicKeys) == 0 {
		return errors.New("no PublicKeys: copy the key from Asteroid's webhooks page and parse it with ParseWebhookPublicKey")
	}
	for _, key := range options.PublicKeys {
		if err := checkWebhookKey(key); err != nil {
			return err
		}
	}
	if options.MaxBodyBytes < 0 || options.SignalTimeout < 0 || options.MaxSignalsPerMinute < 0 {
		return errors.New("MaxBodyBytes, SignalTimeout and MaxSignalsPerMinute must not be negative; zero means the default")
	}
	if !slices.Contains([]WebhookTokens{"", WebhookTokensRequire, WebhookTokensObserve}, options.Tokens) {
		return fmt.Errorf("Tokens is %q: must be %q or %q", options.Tokens, WebhookTokensRequire, WebhookTokensObserve)
	}
	if options.Tokens == WebhookTokensRequire && len(options.Secrets) == 0 {
		return errors.New("Tokens are required, but there are no Secrets: set the WebhookSecrets of the workers")
	}
	for name, values := range options.RequiredHeaders {
		if name == "" || len(values) == 0 || slices.Contains(values, "") {
			return errors.New("RequiredHeaders has an empty name or value: set both as in Asteroid's console")
		}
	}
	return nil
}
