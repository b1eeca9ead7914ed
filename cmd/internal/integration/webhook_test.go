package integration

import (
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

var webhookSecrets = []string{strings.Repeat("webhook-secret", 3)}

// lateHandler is set after its server has started.
type lateHandler struct{ http.Handler }

// newWebhookStack returns a stack whose fake API sends webhooks to a handler with these secrets.
func newWebhookStack(t *testing.T, key *rsa.PrivateKey, secrets []string) (*stack, http.Handler) {
	t.Helper()
	if server == nil {
		t.Skip("needs the Temporal server")
	}
	var handler atomic.Pointer[lateHandler]
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.Load().ServeHTTP(w, r) }))
	t.Cleanup(receiver.Close)
	s := newStack(t, testsuite.WithWebhooks(receiver.URL, key), testsuite.WithWebhookFaults(testsuite.WebhookFaults{Copies: 3}))
	public, err := worker.ParseWebhookPublicKey(s.api.WebhookPublicKey())
	require.NoError(t, err)
	receive, err := worker.NewWebhookHandler(worker.WebhookOptions{
		Clients: map[string]client.Client{"default": s.client}, PublicKeys: []*rsa.PublicKey{public}, Secrets: secrets,
	})
	require.NoError(t, err)
	handler.Store(&lateHandler{receive})
	s.options.Events, s.options.WebhookSecrets = asteroid.EventsWebhooks, secrets
	s.startWorker()
	return s, receive
}

func TestWebhookHandlerSignalsRunAgentBeforePoll(t *testing.T) {
	s, _ := newWebhookStack(t, nil, webhookSecrets)
	began := time.Now()
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 20, "ask": "Go on?"}})
	s.awaitState(run, phase(workflows.PhaseNeedsHuman))
	_, err := s.answer(run, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Yes"}}}})
	require.NoError(t, err)
	require.NoError(t, run.Get(s.ctx(), nil))
	require.Less(t, time.Since(began), time.Minute, "the poll interval is ten minutes")
	require.LessOrEqual(t, scheduled(s.history(run))[asteroid.AwaitExecutionName], 4)
	for _, r := range s.api.Requests() {
		require.NotEqual(t, "ExecutionsList", r.Operation, "webhooks need no lists")
	}
}

// Another customer of Asteroid, whose webhooks have the same signature, floods a workflow.
func TestRunAgentEndsInFloodOfForeignWebhooks(t *testing.T) {
	for name, row := range map[string]struct {
		secrets []string
		signals int // of the flood, at most
	}{
		"with a secret":    {webhookSecrets, 0},
		"without a secret": {nil, 3 * worker.DefaultWebhookMaxSignalsPerMinute},
	} {
		t.Run(name, func(t *testing.T) {
			key := testsuite.NewWebhookKey()
			s, handler := newWebhookStack(t, key, row.secrets)
			run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{
				AgentID: s.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 20}, PollIntervalSeconds: 30,
			})
			s.awaitState(run, phase(workflows.PhaseRunning))
			execution := s.api.Executions()[0].ID
			var group sync.WaitGroup
			for sender := range 4 {
				group.Go(func() {
					for i := range 5000 {
						body := fmt.Appendf(nil, `{"type":"execution","event_id":"%d-%d","timestamp":%q,"info":{"event":"EXECUTION_PAUSED","execution_id":%q,`+
							`"metadata":{"temporal_namespace":"default","temporal_workflow_id":%q,"temporal_signal":%q}}}`,
							sender, i, time.Now().Format(time.RFC3339), execution, run.GetID(), asteroid.ExecutionEventSignal)
						handler.ServeHTTP(httptest.NewRecorder(), testsuite.NewWebhookRequest("/", key, body))
					}
				})
			}
			group.Wait()
			require.NoError(t, run.Get(s.ctx(), nil))
			forged := 0
			for _, event := range s.history(run).Events {
				if strings.Contains(event.GetWorkflowExecutionSignaledEventAttributes().GetInput().String(), "EXECUTION_PAUSED") {
					forged++
				}
			}
			require.LessOrEqual(t, forged, row.signals)
			require.Equal(t, row.signals > 0, forged > 0)
		})
	}
}
