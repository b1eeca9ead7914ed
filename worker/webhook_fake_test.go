package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

// testTimeout is far longer than any of these tests takes.
const testTimeout = 30 * time.Second

// fakeSender is the fake API, which posts its webhooks to a receiver.
type fakeSender struct {
	*receiver
	api *testsuite.API
}

// newFakeSender starts the fake API and the receiver. Both use the wall clock.
func newFakeSender(t *testing.T, options ...testsuite.Option) *fakeSender {
	t.Helper()
	r := newReceiver(t, func(o *asteroidworker.WebhookOptions) { o.Now = nil })
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	api := testsuite.NewAPI(t, append([]testsuite.Option{
		testsuite.WithWebhooks(server.URL, r.key), testsuite.WithStartDelay(0), testsuite.WithLog(func(string) {}),
	}, options...)...)
	return &fakeSender{r, api}
}

// execute starts the agent clerk with the metadata of a workflow that asked for signals.
func (s *fakeSender) execute() {
	s.t.Helper()
	input, err := json.Marshal(map[string]any{"metadata": metadataWith(nil)})
	require.NoError(s.t, err)
	request, err := http.NewRequest("POST", s.api.BaseURL()+"/agents/v2/agents/"+s.api.AgentID("clerk")+"/execute", bytes.NewReader(input))
	require.NoError(s.t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Api-Key", s.api.APIKey())
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusAccepted, response.StatusCode, string(body))
}

// eventually requires that the workflow receives exactly these events, in any order.
func (s *fakeSender) eventually(want ...string) {
	s.t.Helper()
	require.EventuallyWithT(s.t, func(c *assert.CollectT) {
		var got []string
		for _, signal := range s.temporal.received() {
			got = append(got, signal.event.Event)
		}
		require.ElementsMatch(c, want, got)
	}, testTimeout, time.Millisecond)
}

// countOf returns how many events had an outcome.
func (s *fakeSender) countOf(outcome string) int64 {
	s.counted.mu.Lock()
	defer s.counted.mu.Unlock()
	return s.counted.counts["asteroid_webhook_events "+outcome]
}

func working(steps ...testsuite.Step) testsuite.Agent {
	return func(testsuite.Run) []testsuite.Step {
		return append(steps, testsuite.Complete("success", "Done.", map[string]any{"paid": true}))
	}
}

func TestWebhookHandlerSignalsEventsOfFakeWithoutReads(t *testing.T) {
	t.Parallel()
	s := newFakeSender(t)
	s.api.AddAgent("clerk", working(testsuite.Act("nav_to", "Opening"), testsuite.Work(20*time.Millisecond)))
	s.execute()
	s.eventually("EXECUTION_STARTED", "EXECUTION_COMPLETED")
	for _, signal := range s.temporal.received() {
		require.Equal(t, "claim-7", signal.workflowID)
		require.Equal(t, s.api.Executions()[0].ID, signal.event.ExecutionID)
		require.NotEmpty(t, signal.event.Status)
	}
	s.counts(map[string]int64{"signalled": 2})
}

func TestParseWebhookPublicKeyParsesKeyOfFake(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t, testsuite.WithWebhooks("http://127.0.0.1:1", nil))
	key, err := asteroidworker.ParseWebhookPublicKey(api.WebhookPublicKey())
	require.NoError(t, err)
	require.Equal(t, 2048, key.N.BitLen())
}

func TestWebhookHandlerIgnoresActionsOfFake(t *testing.T) {
	t.Parallel()
	s := newFakeSender(t, testsuite.WithWebhookActions())
	s.api.AddAgent("clerk", working(testsuite.Act("nav_to", "Opening"), testsuite.Act("element_click", "Paying")))
	s.execute()
	s.eventually("EXECUTION_STARTED", "EXECUTION_COMPLETED")
	require.Eventually(t, func() bool { return s.countOf("ignored") == 4 }, testTimeout, time.Millisecond)
}

func TestWebhookHandlerSignalsOnceAfterRetriesOfFake(t *testing.T) {
	t.Parallel()
	s := newFakeSender(t)
	s.temporal.errors = []error{serviceerror.NewUnavailable("down"), context.DeadlineExceeded}
	s.api.AddAgent("clerk", working())
	s.execute()
	s.eventually("EXECUTION_STARTED", "EXECUTION_COMPLETED")
	s.counts(map[string]int64{"failed": 2, "signalled": 2})
}

func TestWebhookHandlerSignalsEveryEventAmongCopiesOutOfOrder(t *testing.T) {
	t.Parallel()
	s := newFakeSender(t, testsuite.WithWebhookFaults(testsuite.WebhookFaults{Copies: 5, Jitter: 200 * time.Millisecond}))
	s.api.AddAgent("clerk", working(testsuite.Work(10*time.Millisecond)))
	s.execute()
	require.Eventually(t, func() bool { return s.countOf("signalled")+s.countOf("duplicate") == 10 }, testTimeout, time.Millisecond)
	names := map[string]bool{}
	for _, signal := range s.temporal.received() {
		names[signal.event.Event] = true
	}
	require.Equal(t, map[string]bool{"EXECUTION_STARTED": true, "EXECUTION_COMPLETED": true}, names)
}
