package worker_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

// FuzzWebhookHandler posts arbitrary bodies: unsigned, changed after signing, and signed.
func FuzzWebhookHandler(f *testing.F) {
	completed := event("EXECUTION_COMPLETED", "event-1")
	for _, body := range []string{
		"", "null", "[]", "{}", `{"paid":"INV-1042"}`, completed, completed[:200], completed + completed, event("EXECUTION_PAUSED", "event-2"),
		event("EXECUTION_ACTION_STARTED", "event-3"), event("EXECUTION_\x00", "\ufffd"),
		strings.Replace(completed, `"claim-7"`, `7`, 1), strings.Replace(completed, `"2026-`, `"0000-`, 1),
		strings.Replace(completed, `"metadata":{`, `"metadata":{"metadata":{},`, 1), strings.Repeat(`{"info":`, 10001),
	} {
		f.Add([]byte(body), testsuite.SignWebhook(webhookKey(), []byte(body)), uint16(7))
		f.Add([]byte(body), "", uint16(0))
	}
	f.Add([]byte(completed), "=", uint16(2047))
	f.Add([]byte(completed), strings.Repeat("A", 344), uint16(65535))

	quiet := func(o *asteroidworker.WebhookOptions) {
		o.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	}
	f.Fuzz(func(t *testing.T, body []byte, signature string, bit uint16) {
		r := newReceiver(t, quiet)
		status := func(body []byte, signature string) int {
			request := httptest.NewRequest("POST", "/", bytes.NewReader(body))
			request.Header.Set("X-Asteroid-Signature", signature)
			return r.serve(request).Code
		}
		genuine := testsuite.SignWebhook(r.key, body)
		raw, err := base64.StdEncoding.DecodeString(genuine)
		require.NoError(t, err)

		if claimed, err := base64.StdEncoding.DecodeString(signature); err != nil || !bytes.Equal(claimed, raw) {
			require.Equal(t, http.StatusUnauthorized, status(body, signature))
		}
		require.Equal(t, http.StatusUnauthorized, status(body, base64.StdEncoding.EncodeToString(flipped(raw, bit))))
		require.Equal(t, http.StatusUnauthorized, status(append(slices.Clone(body), byte(bit)), genuine))
		if len(body) > 0 {
			require.Equal(t, http.StatusUnauthorized, status(flipped(body, bit), genuine))
			require.Equal(t, http.StatusUnauthorized, status(body[1:], genuine))
		}
		require.Empty(t, r.temporal.signals)

		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, status(body, genuine))
		require.LessOrEqual(t, len(r.temporal.signals), 1)
		for _, signal := range r.temporal.signals {
			require.NotEmpty(t, signal.workflowID)
			require.NotEmpty(t, signal.event.ExecutionID)
			require.NotEmpty(t, signal.event.EventID)
			require.Equal(t, asteroid.ExecutionEventSignal, signal.name)
		}
	})
}

// flipped returns a copy with one bit changed.
func flipped(data []byte, bit uint16) []byte {
	changed := slices.Clone(data)
	changed[int(bit)/8%len(changed)] ^= 1 << (bit % 8)
	return changed
}
