package worker

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/token"
)

// tokenCheck judges and counts the tokens of events.
type tokenCheck struct {
	secrets token.Secrets
	policy  WebhookTokens
	counts  map[tokenLabels]client.MetricsCounter
}

// tokenLabels are the labels of the metric asteroid_webhook_tokens.
type tokenLabels struct {
	verdict token.Verdict
	secret  string // of a valid token: an id in another one is the sender's choice
}

func newTokenCheck(secrets token.Secrets, policy WebhookTokens, handler client.MetricsHandler) *tokenCheck {
	c := &tokenCheck{secrets, cmp.Or(policy, WebhookTokensRequire), map[tokenLabels]client.MetricsCounter{}}
	labels := []tokenLabels{{token.Missing, ""}, {token.Wrong, ""}}
	for _, id := range secrets.IDs() {
		labels = append(labels, tokenLabels{token.Valid, id})
	}
	for _, l := range labels {
		c.counts[l] = metrics.WebhookToken.Counter(handler, string(l.verdict), cmp.Or(l.secret, "none"))
		c.counts[l].Inc(0) // see metrics.Announce
	}
	return c
}

// check returns what the token in the metadata is. Without secrets it counts nothing.
func (c *tokenCheck) check(metadata map[string]string) token.Verdict {
	verdict, id := c.secrets.Check(metadata)
	if c.secrets.Known() {
		c.counts[tokenLabels{verdict, id}].Inc(1)
	}
	return verdict
}

// requiredHeaders are digests of the accepted values, by canonical name.
type requiredHeaders map[string][][sha256.Size]byte

func newRequiredHeaders(headers http.Header) requiredHeaders {
	required := requiredHeaders{}
	for name, values := range headers {
		name = http.CanonicalHeaderKey(name)
		for _, value := range values {
			required[name] = append(required[name], sha256.Sum256([]byte(value)))
		}
	}
	return required
}

// in reports whether the headers of a request have one accepted value of each name.
func (r requiredHeaders) in(header http.Header) bool {
	all := true
	for name, accepted := range r {
		given, found := sha256.Sum256([]byte(header.Get(name))), 0
		for _, digest := range accepted {
			found |= subtle.ConstantTimeCompare(given[:], digest[:])
		}
		all = all && found == 1
	}
	return all
}
