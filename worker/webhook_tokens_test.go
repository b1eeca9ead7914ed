package worker_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/token"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

// forgeries are changes of the metadata that a sender without the secret can make.
var forgeries = map[string]map[string]string{
	"no token":              {asteroid.MetadataToken: ""},
	"another secret":        {asteroid.MetadataToken: tokenOf(strings.Repeat("x", 32), metadataWith(nil))},
	"another workflow":      {asteroid.MetadataWorkflowID: "payroll-2026-03", asteroid.MetadataToken: tokenOf(webhookSecret, metadataWith(nil))},
	"another execution":     {asteroid.MetadataExecutionKey: "other", asteroid.MetadataToken: tokenOf(webhookSecret, metadataWith(nil))},
	"no execution key":      {asteroid.MetadataExecutionKey: "", asteroid.MetadataToken: tokenOf(webhookSecret, metadataWith(nil))},
	"a token that is short": {asteroid.MetadataToken: tokenOf(webhookSecret, metadataWith(nil))[:30]},
}

func forged(changes map[string]string, id string) string {
	return eventAt(noon, "EXECUTION_COMPLETED", id, metadataWith(changes))
}

func TestWebhookHandlerSignalsNothingWithoutValidToken(t *testing.T) {
	t.Parallel()
	for name, changes := range forgeries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			r.post(http.StatusOK, forged(changes, "event-1"))
			require.Empty(t, r.temporal.received())
			r.counts(once("untrusted"))
			r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-1"))
			require.Len(t, r.temporal.received(), 1, "a forged event must not pass for a copy of the genuine one")
		})
	}
}

func TestWebhookHandlerObservesTokens(t *testing.T) {
	t.Parallel()
	for name, changes := range forgeries {
		r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.Tokens = asteroidworker.WebhookTokensObserve })
		r.post(http.StatusOK, forged(changes, "event-1"))
		require.Len(t, r.temporal.received(), 1, name)
		r.counts(once("signalled"))
		require.Contains(t, r.logged.String(), "without a valid token")
	}
}

func TestWebhookHandlerCountsTokensBySecret(t *testing.T) {
	t.Parallel()
	next := strings.Repeat("next", 8)
	r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.Secrets = []string{next, webhookSecret} })
	byNext := map[string]string{asteroid.MetadataToken: tokenOf(next, metadataWith(nil))}
	for i, changes := range []map[string]string{nil, nil, byNext, forgeries["no token"], forgeries["another secret"], forgeries["another workflow"]} {
		r.post(http.StatusOK, forged(changes, fmt.Sprint("event-", i)))
	}
	both, err := token.New([]string{next, webhookSecret})
	require.NoError(t, err)
	ids := both.IDs()
	require.Equal(t, map[string]int64{"valid " + ids[0]: 1, "valid " + ids[1]: 2, "missing none": 1, "wrong none": 2},
		r.countsOf("asteroid_webhook_tokens"))
	r.counts(map[string]int64{"signalled": 3, "untrusted": 3})
}

func withoutSecrets(o *asteroidworker.WebhookOptions) { o.Secrets = nil }

func TestNewWebhookHandlerWarnsOnceWithoutSecrets(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, withoutSecrets)
	for i := range 3 {
		r.post(http.StatusOK, forged(forgeries["no token"], fmt.Sprint("event-", i)))
	}
	require.Equal(t, 1, strings.Count(r.logged.String(), "sign the webhooks of all its customers alike"))
	r.counts(map[string]int64{"signalled": 3})
	require.NotContains(t, newReceiver(t).logged.String(), "customers")
}

// Another customer of Asteroid floods one workflow with genuine signatures.
func TestWebhookHandlerBoundsFlood(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change  func(*asteroidworker.WebhookOptions)
		signals int
	}{
		"with a secret":    {func(*asteroidworker.WebhookOptions) {}, 0},
		"without a secret": {withoutSecrets, asteroidworker.DefaultWebhookMaxSignalsPerMinute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, row.change)
			for i := range 1000 {
				changes := map[string]string{asteroid.MetadataToken: "", asteroid.MetadataExecutionKey: fmt.Sprint(i)}
				r.serve(signed(r, forged(changes, fmt.Sprint(i))))
			}
			require.Len(t, r.temporal.received(), row.signals)
		})
	}
}

func TestWebhookHandlerBoundsSignalsPerWorkflowAndMinute(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, withoutSecrets, func(o *asteroidworker.WebhookOptions) { o.MaxSignalsPerMinute = 2 })
	other := map[string]string{asteroid.MetadataWorkflowID: "claim-8"}
	r.post(http.StatusOK, event("EXECUTION_STARTED", "event-1"))
	r.post(http.StatusOK, event("EXECUTION_PAUSED", "event-2"))
	r.post(http.StatusTooManyRequests, event("EXECUTION_COMPLETED", "event-3"))
	r.post(http.StatusOK, event("EXECUTION_PAUSED", "event-2")) // a copy costs nothing
	r.post(http.StatusOK, forged(other, "event-4"))
	r.now = noon.Add(time.Minute)
	r.post(http.StatusOK, event("EXECUTION_COMPLETED", "event-3")) // the sender retries
	r.counts(map[string]int64{"signalled": 4, "limited": 1, "duplicate": 1})
}

// The agents of one workflow do not share the bound if their tokens are valid.
func TestWebhookHandlerBoundsSignalsPerTrustedExecution(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.MaxSignalsPerMinute = 1 })
	for i := range 50 {
		changes := map[string]string{asteroid.MetadataExecutionKey: fmt.Sprint("agent-", i)}
		r.post(http.StatusOK, forged(changes, fmt.Sprint("event-", i)))
	}
	r.post(http.StatusTooManyRequests, forged(map[string]string{asteroid.MetadataExecutionKey: "agent-0"}, "event-50"))
	r.counts(map[string]int64{"signalled": 50, "limited": 1})
}

func TestWebhookHandlerIgnoresImpossibleWorkflowID(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, withoutSecrets)
	r.post(http.StatusOK, forged(map[string]string{asteroid.MetadataWorkflowID: strings.Repeat("w", 1<<20)}, "event-1"))
	require.Empty(t, r.temporal.received())
	r.counts(once("ignored"))
}
