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

// signatureHeader carries the base64 of the RSA PKCS #1 v1.5 signature over the SHA-256 of the body.
const signatureHeader = "X-Asteroid-Signature"

// futureTolerance is how far the sender's clock may be ahead.
const futureTolerance = 5 * time.Minute

// WebhookHandler receives the service's webhooks (V2) and signals the workflows whose executions have changed with
// [activities.ExecutionEventSignal]. It is what [activities.EventsWebhooks] relies on. Set it up in the vendor's console as a
// webhook integration with "unwrap result" off: an unwrapped result does not say whose it is, and would let an agent's words
// pass for an event. Serve it behind TLS, by an http.Server with a ReadTimeout.
//
// The workflow is the one that the execution's metadata names, as ExecuteAgent wrote it, in whatever run it is by now. A
// person's rerun has the same metadata and another execution id: the workflow is told of it, and ignores executions that are not its own.
//
// The answer is 200 for everything that is understood, be it of use or not; 401 for a body without a valid signature, whatever
// it is; 400 for one that is too long, is no event, or is too old; 405 for another method than POST; and 500 if the signal could
// not be sent, so that the sender tries again. Answers with one status are the same to the byte.
//
// An event that was signalled is not signalled again by the same handler, for at least MaxAge unless there are very many.
// Copies that arrive at the same time, at other processes, or after a restart may be, which costs the workflow a read.
//
// It counts events in asteroid_webhook_events, by the label outcome: signalled, duplicate, ignored (not about a status,
// or not about a workflow of these namespaces that asked for signals), gone (the workflow has ended), refused (Temporal would
// never take the signal), unsigned, invalid, stale and failed. It may be used by several goroutines.
type WebhookHandler struct {
	clients  map[string]client.Client
	keys     []*rsa.PublicKey
	maxBody  int64
	maxAge   time.Duration
	timeout  time.Duration
	now      func() time.Time
	logger   log.Logger
	counters map[outcome]client.MetricsCounter
	seen     *seen
	warned   atomic.Int64 // when an unsigned request was last logged, in Unix seconds
}

// The defaults of [WebhookOptions].
const (
	DefaultWebhookMaxBodyBytes  = 1 << 20
	DefaultWebhookMaxAge        = 24 * time.Hour
	DefaultWebhookSignalTimeout = 10 * time.Second
)

// WebhookOptions configure a [WebhookHandler]. Clients and PublicKeys are required.
type WebhookOptions struct {
	// Clients are the Temporal clients by the namespace that each was made for. Events of workflows in any other
	// namespace are acknowledged and dropped.
	Clients map[string]client.Client
	// PublicKeys are those that may have signed, see [ParseWebhookPublicKey]. While a key is rotated there are two.
	PublicKeys []*rsa.PublicKey
	// MaxBodyBytes is DefaultWebhookMaxBodyBytes when zero.
	MaxBodyBytes int64
	// MaxAge is the age from which an event is refused, by the time that its body tells. It bounds for how long a request
	// that somebody has recorded can be replayed, and has to leave time for the sender's retries. Events from more than five
	// minutes ahead are refused, too; one that does not tell its time is taken. Zero is DefaultWebhookMaxAge, negative takes
	// events of any age.
	MaxAge time.Duration
	// SignalTimeout bounds the call to Temporal; zero is DefaultWebhookSignalTimeout.
	SignalTimeout time.Duration
	// Metrics counts events; nil counts nothing.
	Metrics client.MetricsHandler
	// Logger is slog's default logger when nil. Neither body nor signature is ever logged, only ids and names from a
	// body that was signed.
	Logger log.Logger
	// Now is time.Now when nil.
	Now func() time.Time
}

// NewWebhookHandler makes a handler. It returns what is wrong with the options and sends nothing.
func NewWebhookHandler(options WebhookOptions) (*WebhookHandler, error) {
	if len(options.Clients) == 0 {
		return nil, errors.New(`asteroid: webhooks: no Clients: give one for each namespace, such as {"default": temporalClient}`)
	}
	for namespace, c := range options.Clients {
		if namespace == "" || c == nil {
			return nil, errors.New("asteroid: webhooks: Clients has an empty namespace or a nil client: name the namespace that the client was made for")
		}
	}
	if len(options.PublicKeys) == 0 {
		return nil, errors.New("asteroid: webhooks: no PublicKeys: copy the key from the vendor's webhooks page and pass it through ParseWebhookPublicKey")
	}
	for _, key := range options.PublicKeys {
		if err := checkWebhookKey(key); err != nil {
			return nil, err
		}
	}
	if options.MaxBodyBytes < 0 || options.SignalTimeout < 0 {
		return nil, errors.New("asteroid: webhooks: MaxBodyBytes and SignalTimeout must not be negative; zero is the default")
	}
	h := &WebhookHandler{
		clients:  maps.Clone(options.Clients),
		keys:     slices.Clone(options.PublicKeys),
		maxBody:  cmp.Or(options.MaxBodyBytes, DefaultWebhookMaxBodyBytes),
		maxAge:   cmp.Or(options.MaxAge, DefaultWebhookMaxAge),
		timeout:  cmp.Or(options.SignalTimeout, DefaultWebhookSignalTimeout),
		now:      options.Now,
		logger:   options.Logger,
		counters: map[outcome]client.MetricsCounter{},
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.logger == nil {
		h.logger = log.NewStructuredLogger(slog.Default())
	}
	keep := h.maxAge
	if keep < 0 {
		keep = DefaultWebhookMaxAge
	}
	h.seen = newSeen(keep+futureTolerance, maxSeen)
	metrics := options.Metrics
	if metrics == nil {
		metrics = client.MetricsNopHandler
	}
	for o := range answers {
		h.counters[o] = metrics.WithTags(map[string]string{"outcome": string(o)}).Counter("asteroid_webhook_events")
	}
	return h, nil
}

// outcome is what has become of an event, as counted.
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

var answers = map[outcome]int{
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
		became := h.receive(w, r)
		h.counters[became].Inc(1)
		status = answers[became]
	} else {
		w.Header().Set("Allow", http.MethodPost)
	}
	http.Error(w, http.StatusText(status), status) // and nothing that tells why
}

func (h *WebhookHandler) receive(w http.ResponseWriter, r *http.Request) outcome {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, h.maxBody)); err != nil {
			h.warnRarely("Refused a webhook whose body could not be read or is too long", "MaxBodyBytes", h.maxBody)
			return outcomeInvalid
		}
	}
	if !h.signed(body, r.Header.Get(signatureHeader)) {
		h.warnRarely("Refused a webhook that none of the public keys has signed")
		return outcomeUnsigned
	}
	event, err := parseWebhook(body)
	if err != nil {
		h.logger.Warn("Refused a webhook that is no event; is \"unwrap result\" on?", "Problem", err.Error())
		return outcomeInvalid
	}
	now := h.now()
	if age, ok := event.age(now); ok && h.maxAge >= 0 && (age > h.maxAge || age < -futureTolerance) {
		h.logger.Warn("Refused a webhook that is too old, or from the future", "Age", age.String(), "MaxAge", h.maxAge.String())
		return outcomeStale
	}
	return h.signal(context.WithoutCancel(r.Context()), event, now)
}

// signed reports whether one of the keys has signed the body. All are tried, so that the time tells nothing about which.
func (h *WebhookHandler) signed(body []byte, header string) (ok bool) {
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

// signal tells the workflow. Its context outlives the request: a sender that hangs up would only come again.
func (h *WebhookHandler) signal(ctx context.Context, event webhook, now time.Time) outcome {
	workflowID := event.metadata(asteroid.MetadataWorkflowID)
	temporal := h.clients[event.metadata(asteroid.MetadataNamespace)]
	wanted := event.metadata(asteroid.MetadataSignal) == asteroid.ExecutionEventSignal
	if !event.changesStatus() || !wanted || workflowID == "" || temporal == nil {
		return outcomeIgnored
	}
	if h.seen.has(event.EventID, now) {
		return outcomeDuplicate
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	err := temporal.SignalWorkflow(ctx, workflowID, "", asteroid.ExecutionEventSignal, event.hint())
	if err == nil {
		h.seen.add(event.EventID, now)
		return outcomeSignalled
	}
	logger := log.With(h.logger, "WorkflowID", workflowID, "ExecutionID", event.Info.ExecutionID, "Event", event.Info.Event)
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		logger.Debug("The workflow that a webhook is about has ended")
		return outcomeGone
	}
	if _, ok := errors.AsType[*serviceerror.InvalidArgument](err); ok {
		logger.Warn("Temporal refused the signal that a webhook stands for", "Error", err)
		return outcomeRefused
	}
	logger.Error("Could not signal the workflow that a webhook is about; the sender should try again", "Error", err)
	return outcomeFailed
}

// warnRarely logs at most once a minute what anybody on the network can bring about.
func (h *WebhookHandler) warnRarely(message string, keyvals ...any) {
	now, last := h.now().Unix(), h.warned.Load()
	if (now-last >= 60 || now < last) && h.warned.CompareAndSwap(last, now) {
		h.logger.Warn(message, keyvals...)
	}
}
