package worker

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/token"
)

// signatureHeader is the base64 of the RSA PKCS #1 v1.5 signature over the SHA-256 of the body.
const signatureHeader = "X-Asteroid-Signature"

// futureTolerance is how far the sender's clock may be ahead of the worker's.
const futureTolerance = 5 * time.Minute

// maxWorkflowID is the longest workflow id in bytes that a Temporal server takes.
const maxWorkflowID = 1000

// WebhookHandler receives Asteroid's V2 webhooks. It signals the workflows whose executions changed
// with [asteroid.ExecutionEventSignal]; [asteroid.EventsWebhooks] requires it. Serve it behind
// TLS, by an http.Server with a ReadTimeout. In Asteroid's console, add a webhook integration with
// "unwrap result" off: an unwrapped result names no execution, and an agent could forge events.
//
// ExecuteAgent writes the workflow's ID into the execution's metadata. The handler signals that
// workflow's current run. A person's rerun has the same metadata and another execution ID; the
// workflow ignores its signals because the execution is not its own.
//
// # Who can send events
//
// Asteroid appears to sign the webhooks of all its customers with one key. So another customer's
// webhook can reach this handler with a valid signature, and its metadata can name any workflow.
// With Secrets, the handler signals a workflow only if the metadata hold a token that a worker with
// one of the secrets has made for this workflow and this execution.
//
// The secrets do not keep out members of your own organization: they see the tokens of its
// executions, and can repeat their events to the same workflows. A workflow takes an event as a
// hint, and reads the execution before it acts. So a repeated event costs a read and a place in the
// history. MaxSignalsPerMinute bounds how many do.
//
// Without Secrets, the bound is for all events that name one workflow, whoever sends them. A
// workflow with many agents reaches it by itself.
//
// # Responses
//
// The response is 200 to every event, used or not; 401 to a request without a required header or a
// valid signature; 400 to a body that is too long, too old, without a time or not an event; 405 to
// methods other than POST; 429 beyond MaxSignalsPerMinute; and 500 after a failed signal. The
// sender may retry the latter two. Responses with the same status are identical. The body is not
// read when the headers suffice to refuse it.
//
// The handler does not repeat a signal for at least MaxAge, unless very many events follow it.
// Copies that arrive concurrently, in another process or after a restart may be signalled again.
// Each costs the workflow one read.
//
// # Metrics
//
// The metric asteroid_webhook_events counts events by the label outcome: signalled, duplicate,
// ignored (no status event, or no workflow of these namespaces asked for signals), untrusted (no
// valid token), limited (beyond MaxSignalsPerMinute), gone (the workflow is finished), refused
// (Temporal rejects the signal for good), unsigned (no valid signature, or not the required
// headers), invalid, undated (no timestamp that is understood), stale and failed.
//
// The metric asteroid_webhook_tokens counts the tokens of status events by the labels token (valid,
// missing or wrong) and secret: the id of the secret of a valid one, else none.
//
// A WebhookHandler is safe for concurrent use.
type WebhookHandler struct {
	clients  map[string]client.Client
	keys     []*rsa.PublicKey
	headers  requiredHeaders
	tokens   *tokenCheck
	maxBody  int64
	maxAge   time.Duration
	timeout  time.Duration
	rate     *signalRate
	now      func() time.Time
	logger   log.Logger
	counts   map[outcome]client.MetricsCounter
	recent   *recentIDs
	warnedAt sync.Map // Unix seconds of the last warning, an *atomic.Int64, by its message
}

// outcome is the label of a received event in the metric asteroid_webhook_events.
type outcome string

const (
	outcomeSignalled outcome = "signalled"
	outcomeDuplicate outcome = "duplicate"
	outcomeIgnored   outcome = "ignored"
	outcomeUntrusted outcome = "untrusted"
	outcomeLimited   outcome = "limited"
	outcomeGone      outcome = "gone"
	outcomeRefused   outcome = "refused"
	outcomeUnsigned  outcome = "unsigned"
	outcomeInvalid   outcome = "invalid"
	outcomeUndated   outcome = "undated"
	outcomeStale     outcome = "stale"
	outcomeFailed    outcome = "failed"
)

var responseStatus = map[outcome]int{
	outcomeSignalled: http.StatusOK,
	outcomeDuplicate: http.StatusOK,
	outcomeIgnored:   http.StatusOK,
	outcomeUntrusted: http.StatusOK,
	outcomeLimited:   http.StatusTooManyRequests,
	outcomeGone:      http.StatusOK,
	outcomeRefused:   http.StatusOK,
	outcomeUnsigned:  http.StatusUnauthorized,
	outcomeInvalid:   http.StatusBadRequest,
	outcomeUndated:   http.StatusBadRequest,
	outcomeStale:     http.StatusBadRequest,
	outcomeFailed:    http.StatusInternalServerError,
}

// ServeHTTP implements [http.Handler].
func (h *WebhookHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusMethodNotAllowed
	if r.Method == http.MethodPost {
		result := h.receive(w, r)
		h.counts[result].Inc(1)
		status = responseStatus[result]
	} else {
		w.Header().Set("Allow", http.MethodPost)
	}
	http.Error(w, http.StatusText(status), status) // the body reveals no cause
}

func (h *WebhookHandler) receive(w http.ResponseWriter, r *http.Request) outcome {
	if !h.headers.in(r.Header) {
		h.warnOncePerMinute("Refused a webhook without one of the RequiredHeaders")
		return outcomeUnsigned
	}
	signature, ok := h.signature(r.Header)
	if !ok {
		h.warnOncePerMinute("Refused a webhook without a signature")
		return outcomeUnsigned
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, h.maxBody)); err != nil {
			h.warnOncePerMinute("Refused a webhook whose body could not be read or is too long", "MaxBodyBytes", h.maxBody)
			return outcomeInvalid
		}
	}
	if !h.verify(body, signature) {
		h.warnOncePerMinute("Refused a webhook: none of the public keys verifies its signature")
		return outcomeUnsigned
	}
	event, err := parseEvent(body)
	if err != nil {
		h.warnOncePerMinute("Refused a webhook that is not an event; check that \"unwrap result\" is off", "Problem", err.Error())
		return outcomeInvalid
	}
	now := h.now()
	if refused := h.checkAge(event, now); refused != "" {
		return refused
	}
	return h.signal(context.WithoutCancel(r.Context()), event, now)
}

// checkAge returns the outcome of an event that is not known to be recent, or nothing.
func (h *WebhookHandler) checkAge(event webhookEvent, now time.Time) outcome {
	if h.maxAge < 0 {
		return ""
	}
	at, ok := parseEventTime(event.Timestamp)
	if !ok {
		h.warnOncePerMinute("Refused a webhook without a timestamp that this version understands: it could be a recorded one; " +
			"a negative MaxAge accepts it")
		return outcomeUndated
	}
	if age := now.Sub(at); age > h.maxAge || age < -futureTolerance {
		h.warnOncePerMinute("Refused a webhook whose timestamp is too old or in the future", "Age", age.String(), "MaxAge", h.maxAge.String())
		return outcomeStale
	}
	return ""
}

// signature returns the signature in the header. It returns false for one that no key can verify.
func (h *WebhookHandler) signature(header http.Header) ([]byte, bool) {
	signature, err := base64.StdEncoding.Strict().DecodeString(header.Get(signatureHeader))
	fits := func(key *rsa.PublicKey) bool { return key.Size() == len(signature) }
	return signature, err == nil && slices.ContainsFunc(h.keys, fits)
}

// verify reports whether a key verifies the signature of the body. It tries every key, so that its
// duration does not reveal which one matches.
func (h *WebhookHandler) verify(body, signature []byte) (ok bool) {
	digest := sha256.Sum256(body)
	for _, key := range h.keys {
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil || ok
	}
	return ok
}

// signal signals the event's workflow. Its context outlives the request, because a sender that
// disconnects early would only retry.
func (h *WebhookHandler) signal(ctx context.Context, event webhookEvent, now time.Time) outcome {
	metadata := event.metadata()
	workflowID := metadata[asteroid.MetadataWorkflowID]
	temporalClient := h.clients[metadata[asteroid.MetadataNamespace]]
	wantsSignal := metadata[asteroid.MetadataSignal] == asteroid.ExecutionEventSignal
	if !event.changesStatus() || !wantsSignal || workflowID == "" || len(workflowID) > maxWorkflowID || temporalClient == nil {
		return outcomeIgnored
	}
	verdict := h.tokens.check(metadata)
	if h.tokens.secrets.Known() && verdict != token.Valid {
		h.warnOncePerMinute("A webhook is about an execution without a valid token: a worker with other WebhookSecrets started it, "+
			"or it belongs to another customer of Asteroid", "Token", string(verdict), "Tokens", string(h.tokens.policy))
		if h.tokens.policy == WebhookTokensRequire {
			return outcomeUntrusted
		}
	}
	if h.recent.contains(event.EventID, now) {
		return outcomeDuplicate
	}
	if !h.rate.take(rateKey(metadata, verdict), now) {
		h.warnOncePerMinute("Refused a webhook beyond MaxSignalsPerMinute to one workflow", "WorkflowID", workflowID)
		return outcomeLimited
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

// warnOncePerMinute limits each of the warnings that senders can cause.
func (h *WebhookHandler) warnOncePerMinute(message string, keyvals ...any) {
	value, _ := h.warnedAt.LoadOrStore(message, new(atomic.Int64))
	warnedAt, _ := value.(*atomic.Int64)
	now, last := h.now().Unix(), warnedAt.Load()
	if (now-last >= 60 || now < last) && warnedAt.CompareAndSwap(last, now) {
		h.logger.Warn(message, keyvals...)
	}
}
