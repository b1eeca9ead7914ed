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

// WithWebhooks posts a signed webhook to url for each change of an execution's status, in the V2
// envelope. A nil key makes a new one; [API.WebhookPublicKey] returns its public half. First
// attempts are made in the order of the events, several at a time. An attempt fails without a 2xx
// within ten seconds. It is retried four times within about three seconds, and then logged. Closing
// the API drops the webhooks that are not sent yet.
//
// With the wall clock, executions advance in the background, so that their webhooks are sent on
// time. With [WithClock], webhooks are sent when the API is called.
func WithWebhooks(url string, key *rsa.PrivateKey) Option {
	return func(o *options) { o.webhookURL, o.webhookKey, o.webhooksAsked = url, key, true }
}

// WithWebhookActions also sends the events of actions. There are many.
func WithWebhookActions() Option { return func(o *options) { o.webhookActions = true } }

// WebhookFaults are the faults of webhook delivery.
type WebhookFaults struct {
	// Copies is how often each event is delivered, with the same event id. Zero is once. Each copy
	// has its own delays, losses and retries.
	Copies int
	// Lost is the probability that a copy is never sent.
	Lost float64
	// Jitter delays each copy by a random time up to this one, by the real clock, so that later
	// events overtake earlier ones.
	Jitter time.Duration
}

// WithWebhookFaults makes webhooks less reliable. Losses and delays are drawn from the seed, see
// [WithSeed], and the number of the copy.
func WithWebhookFaults(faults WebhookFaults) Option {
	return func(o *options) { o.webhookFaults = faults }
}

func (o webhookOptions) validateWebhooks() error {
	if !o.webhooksAsked {
		return nil
	}
	target, err := url.Parse(o.webhookURL)
	if err != nil || (target.Scheme != "http" && target.Scheme != "https") || target.Host == "" {
		return fmt.Errorf("WithWebhooks: %q is not an http or https URL", o.webhookURL)
	}
	if o.webhookKey != nil && (o.webhookKey.N == nil || o.webhookKey.N.BitLen() < 2048) {
		return errors.New("WithWebhooks: the key has less than 2048 bits, which receivers refuse; use NewWebhookKey")
	}
	faults := o.webhookFaults
	if faults.Copies < 0 || faults.Jitter < 0 || !(faults.Lost >= 0 && faults.Lost <= 1) { // refuses NaN, too
		return fmt.Errorf("WithWebhookFaults: %+v: Copies and Jitter must not be negative, and Lost must be from 0 to 1", faults)
	}
	return nil
}
