package worker

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid"
)

// signatureHeader is the base64 of the RSA PKCS #1 v1.5 signature over the SHA-256 of the body.
const signatureHeader = "X-Asteroid-Signature"

// futureTolerance is how far the sender's clock may be ahead of the worker's.
const futureTolerance = 5 * time.Minute

// WebhookHandler receives Asteroid's V2 webhooks. It signals the workflows whose executions changed
// with [asteroid.ExecutionEventSignal]; [asteroid.EventsWebhooks] requires it. Serve it behind
// TLS, by an http.Server with a ReadTimeout. In Asteroid's console, add a webhook integration with
// "unwrap result" off: an unwrapped result names no execution, and an agent could forge events.
//
// ExecuteAgent writes the workflow's ID into the execution's metadata. The handler signals that
// workflow's current run. A person's rerun has the same metadata and another execution ID; the
// workflow ignores its signals because the execution is not its own.
//
// The response is 200 to every event, used or not; 401 to a body without a valid signature; 400 to
// a body that is too long, too old or not an event; 405 to methods other than POST; and 500 after
// a failed signal, so that the sender retries. Responses with the same status are identical.
//
// The handler does not repeat a signal for at least MaxAge, unless very many events follow it.
// Copies that arrive concurrently, in another process or after a restart may be signalled again.
// Each costs the workflow one read.
//
// The metric asteroid_webhook_events counts events by the label outcome: signalled, duplicate,
// ignored (no status event, or no workflow of these namespaces asked for signals), gone (the
// workflow is finished), refused (Temporal rejects the signal for good), unsigned, invalid, stale
// and failed. A WebhookHandler is safe for concurrent use.
type WebhookHandler struct {
	clients  map[string]client.Client
	keys     []*rsa.PublicKey
	maxBody  int64
	maxAge   time.Duration
	timeout  time.Duration
	now      func() time.Time
	logger   log.Logger
	counters map[outcome]client.MetricsCounter
	recent   *recentIDs
	warnedAt atomic.Int64 // Unix seconds of the last rate-limited warning
}

// The defaults of [WebhookOptions].
const (
	DefaultWebhookMaxBodyBytes  = 1 << 20
	DefaultWebhookMaxAge        = 24 * time.Hour
	DefaultWebhookSignalTimeout = 10 * time.Second
)

// WebhookOptions configure a [WebhookHandler]. Clients and PublicKeys are required.
type WebhookOptions struct {
	// Clients maps each namespace to a Temporal client made for it. Events of workflows in other
	// namespaces are acknowledged and ignored.
	Clients map[string]client.Client
	// PublicKeys verify signatures, see [ParseWebhookPublicKey]. List both keys during a rotation.
	PublicKeys []*rsa.PublicKey
	// MaxBodyBytes is the longest accepted body; zero means DefaultWebhookMaxBodyBytes.
	MaxBodyBytes int64
	// MaxAge is the greatest accepted age of an event, by the timestamp in its body. It limits how
	// long a recorded request can be replayed, and must leave time for the sender's retries. Events
	// more than five minutes in the future are refused. Events without a readable timestamp are
	// accepted. Zero means DefaultWebhookMaxAge; negative accepts every timestamp.
	MaxAge time.Duration
	// SignalTimeout limits the call to Temporal; zero means DefaultWebhookSignalTimeout.
	SignalTimeout time.Duration
	// Metrics receives the counter asteroid_webhook_events; nil disables it.
	Metrics client.MetricsHandler
	// Logger is slog's default logger when nil. Bodies and signatures are never logged, only IDs
	// and event names from signed bodies.
	Logger log.Logger
	// Now is time.Now when nil.
	Now func() time.Time
}

// NewWebhookHandler returns a handler, or an error if the options are invalid. It sends nothing.
func NewWebhookHandler(options WebhookOptions) (*WebhookHandler, error) {
	if len(options.Clients) == 0 {
		return nil, errors.New(`asteroid: webhooks: no Clients: set one for each namespace, such as {"default": temporalClient}`)
	}
	for namespace, c := range options.Clients {
		if namespace == "" || c == nil {
			return nil, errors.New("asteroid: webhooks: Clients has an empty namespace or a nil client: map each namespace to the client made for it")
		}
	}
	if len(options.PublicKeys) == 0 {
		return nil, errors.New("asteroid: webhooks: no PublicKeys: copy the key from Asteroid's webhooks page and parse it with ParseWebhookPublicKey")
	}
	for _, key := range options.PublicKeys {
		if err := checkWebhookKey(key); err != nil {
			return nil, err
		}
	}
	if options.MaxBodyBytes < 0 || options.SignalTimeout < 0 {
		return nil, errors.New("asteroid: webhooks: MaxBodyBytes and SignalTimeout must not be negative; zero means the default")
	}
	h := &WebhookHandler{
		clients:  maps.Clone(options.Clients),
		keys:     slices.Clone(options.PublicKeys),
		maxBody:  cmp.Or(options.MaxBodyBytes, DefaultWebhookMaxBodyBytes),
		maxAge:   cmp.Or(options.MaxAge, DefaultWebhookMaxAge),
		timeout:  cmp.Or(options.SignalTimeout, DefaultWebhookSignalTimeout),
		now:      options.Now,
		logger:   cmp.Or(options.Logger, log.NewStructuredLogger(slog.Default())),
		counters: map[outcome]client.MetricsCounter{},
	}
	if h.now == nil {
		h.now = time.Now
	}
	retention := h.maxAge
	if retention < 0 {
		retention = DefaultWebhookMaxAge
	}
	h.recent = &recentIDs{retention: retention + futureTolerance, capacity: maxRecentIDs}
	metrics := cmp.Or(options.Metrics, client.MetricsNopHandler)
	for o := range responseStatus {
		h.counters[o] = metrics.WithTags(map[string]string{"outcome": string(o)}).Counter("asteroid_webhook_events")
	}
	return h, nil
}

// outcome is the label of a received event in the metric asteroid_webhook_events.
type outcome string

const (
	outcomeSignalled outcome = "signalled"
	outcomeDuplicate outcome = "duplicate"
	outcomeIgnored   outcome = "ignored"
	outcomeGone      outcome = "gone"
	outcomeRefused   outcome = "refused"
	outcomeUnsigned  outcome = "unsigned"
	outcomeInvalid   outcome = "invalid"
	outcomeStale     outcome = "stale"
	outcomeFailed    outcome = "failed"
)

var responseStatus = map[outcome]int{
	outcomeSignalled: http.StatusOK,
	outcomeDuplicate: http.StatusOK,
	outcomeIgnored:   http.StatusOK,
	outcomeGone:      http.StatusOK,
	outcomeRefused:   http.StatusOK,
	outcomeUnsigned:  http.StatusUnauthorized,
	outcomeInvalid:   http.StatusBadRequest,
	outcomeStale:     http.StatusBadRequest,
	outcomeFailed:    http.StatusInternalServerError,
}

// ServeHTTP implements [http.Handler].
func (h *WebhookHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusMethodNotAllowed
	if r.Method == http.MethodPost {
		result := h.receive(w, r)
		h.counters[result].Inc(1)
		status = responseStatus[result]
	} else {
		w.Header().Set("Allow", http.MethodPost)
	}
	http.Error(w, http.StatusText(status), status) // the body reveals no cause
}

func (h *WebhookHandler) receive(w http.ResponseWriter, r *http.Request) outcome {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, h.maxBody)); err != nil {
			h.warnOncePerMinute("Refused a webhook whose body could not be read or is too long", "MaxBodyBytes", h.maxBody)
			return outcomeInvalid
		}
	}
	if !h.validSignature(body, r.Header.Get(signatureHeader)) {
		h.warnOncePerMinute("Refused a webhook: none of the public keys verifies its signature")
		return outcomeUnsigned
	}
	event, err := parseEvent(body)
	if err != nil {
		h.logger.Warn("Refused a webhook that is not an event; check that \"unwrap result\" is off", "Problem", err.Error())
		return outcomeInvalid
	}
	now := h.now()
	if age, ok := event.age(now); ok && h.maxAge >= 0 && (age > h.maxAge || age < -futureTolerance) {
		h.logger.Warn("Refused a webhook whose timestamp is too old or in the future", "Age", age.String(), "MaxAge", h.maxAge.String())
		return outcomeStale
	}
	return h.signal(context.WithoutCancel(r.Context()), event, now)
}

// validSignature reports whether a key verifies the header's signature of the body. It tries every
// key, so that its duration does not reveal which one matches.
func (h *WebhookHandler) validSignature(body []byte, header string) (ok bool) {
	signature, err := base64.StdEncoding.Strict().DecodeString(header)
	if err != nil {
		return false
	}
	digest := sha256.Sum256(body)
	for _, key := range h.keys {
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil || ok
	}
	return ok
}

// signal signals the event's workflow. Its context outlives the request, because a sender that
// disconnects early would only retry.
func (h *WebhookHandler) signal(ctx context.Context, event webhookEvent, now time.Time) outcome {
	workflowID := event.metadata(asteroid.MetadataWorkflowID)
	temporalClient := h.clients[event.metadata(asteroid.MetadataNamespace)]
	wantsSignal := event.metadata(asteroid.MetadataSignal) == asteroid.ExecutionEventSignal
	if !event.changesStatus() || !wantsSignal || workflowID == "" || temporalClient == nil {
		return outcomeIgnored
	}
	if h.recent.contains(event.EventID, now) {
		return outcomeDuplicate
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	err := temporalClient.SignalWorkflow(ctx, workflowID, "", asteroid.ExecutionEventSignal, event.signalArgument())
	if err == nil {
		h.recent.add(event.EventID, now)
		return outcomeSignalled
	}
	logger := log.With(h.logger, "WorkflowID", workflowID, "ExecutionID", event.Info.ExecutionID, "Event", event.Info.Event)
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		logger.Debug("Ignored a webhook of a finished workflow")
		return outcomeGone
	}
	if _, ok := errors.AsType[*serviceerror.InvalidArgument](err); ok {
		logger.Warn("Temporal rejected the signal of a webhook; a retry would not help", "Error", err)
		return outcomeRefused
	}
	logger.Error("Could not signal the workflow of a webhook; responded 500 for a retry", "Error", err)
	return outcomeFailed
}

// warnOncePerMinute limits the warnings that any sender on the network can cause.
func (h *WebhookHandler) warnOncePerMinute(message string, keyvals ...any) {
	now, last := h.now().Unix(), h.warnedAt.Load()
	if (now-last >= 60 || now < last) && h.warnedAt.CompareAndSwap(last, now) {
		h.logger.Warn(message, keyvals...)
	}
}
