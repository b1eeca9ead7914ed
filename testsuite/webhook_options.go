package testsuite

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"time"
)

type webhookOptions struct {
	webhookURL     string
	webhookKey     *rsa.PrivateKey
	webhookActions bool
	webhookFaults  WebhookFaults
	webhooksAsked  bool
}

// WithWebhooks posts a signed webhook to url for each change of an execution's status, in the V2 envelope. A nil key has one
// made; [API.WebhookPublicKey] is its public half. The attempts to deliver begin in the order of the events, several at a
// time; anything but a 2xx within ten seconds is tried again, four times within about three seconds, and then logged.
// What is still to be sent when the API is closed is not.
//
// By the wall clock an execution moves on in the background, so that its webhooks come in time. With [WithClock] they are sent
// when somebody looks at the API.
func WithWebhooks(url string, key *rsa.PrivateKey) Option {
	return func(o *options) { o.webhookURL, o.webhookKey, o.webhooksAsked = url, key, true }
}

// WithWebhookActions sends the events of actions as well, of which there are many.
func WithWebhookActions() Option { return func(o *options) { o.webhookActions = true } }

// WebhookFaults are what may become of webhooks on their way.
type WebhookFaults struct {
	// Copies is how often each event is delivered, under the same event id; zero is once. Each copy has delays, losses and
	// retries of its own.
	Copies int
	// Lost is the probability with which a copy is never sent.
	Lost float64
	// Jitter holds each copy back for a time from zero up to this one, by the real clock, so that later events overtake
	// earlier ones.
	Jitter time.Duration
}

// WithWebhookFaults makes webhooks less reliable. Losses and delays are drawn from the seed, see [WithSeed], by the number
// of the copy.
func WithWebhookFaults(faults WebhookFaults) Option {
	return func(o *options) { o.webhookFaults = faults }
}

func (o webhookOptions) checkWebhooks() error {
	if !o.webhooksAsked {
		return nil
	}
	target, err := url.Parse(o.webhookURL)
	if err != nil || (target.Scheme != "http" && target.Scheme != "https") || target.Host == "" {
		return fmt.Errorf("WithWebhooks: %q is no http or https URL", o.webhookURL)
	}
	if o.webhookKey != nil && (o.webhookKey.N == nil || o.webhookKey.N.BitLen() < 2048) {
		return errors.New("WithWebhooks: the key has less than 2048 bits, which receivers refuse")
	}
	faults := o.webhookFaults
	if faults.Copies < 0 || faults.Jitter < 0 || !(faults.Lost >= 0 && faults.Lost <= 1) { // NaN, too
		return fmt.Errorf("WithWebhookFaults: %+v: no negative numbers, and a probability is at most 1", faults)
	}
	return nil
}
