package watch

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// harness is a watch over a fake API. A test drives its time and its rounds.
type harness struct {
	*Watch
	t     *testing.T
	clock *clienttest.Clock
	api   *testsuite.API
	wire  *clienttest.Wire

	mu        sync.Mutex
	signals   []string          // workflow id, agent name, status
	signalErr error             // the result of signals
	names     map[string]string // of agents, by execution id
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{t: t, clock: clienttest.NewClock(), wire: clienttest.NewWire(), names: map[string]string{}}
	h.api = testsuite.NewAPI(t, testsuite.WithClock(h.clock.Now))
	c, err := client.New("default", asteroid.Connection{
		APIKey: asteroid.StaticAPIKey(h.api.APIKey()), BaseURL: h.api.BaseURL(), OrganizationID: h.api.OrganizationID(), Transport: h.wire,
	}, time.Minute, h.clock.Now)
	require.NoError(t, err)
	h.replaceWatch(c, nil)
	return h
}

// replaceWatch starts a new attempt from packed state.
func (h *harness) replaceWatch(c *client.Client, packed []byte) {
	h.Watch = New(c, "ns", h.clock.Now, packed, func(_ context.Context, workflowID string, event asteroid.ExecutionEvent) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.signals = append(h.signals, fmt.Sprintf("%s %s %s", workflowID, h.names[event.ExecutionID], event.Status))
		return h.signalErr
	})
	h.organizationID, h.rereadDelay = h.api.OrganizationID(), 0
	h.sleep = func(ctx context.Context, d time.Duration) bool { h.clock.Advance(d); return ctx.Err() == nil }
}

// takeOver replaces the attempt by another one, which continues from its heartbeat.
func (h *harness) takeOver() { h.replaceWatch(h.client, h.pack()) }

// start starts an execution with the metadata of a workflow called wf. changed replaces some of it.
func (h *harness) start(name string, agent testsuite.Agent, changed ...string) string {
	h.t.Helper()
	metadata := map[string]string{asteroid.MetadataNamespace: "ns", asteroid.MetadataWorkflowID: "wf", asteroid.MetadataSignal: asteroid.ExecutionEventSignal}
	for i := 0; i+1 < len(changed); i += 2 {
		metadata[changed[i]] = changed[i+1]
	}
	maps.DeleteFunc(metadata, func(_, value string) bool { return value == "" })
	agentID := h.api.AgentID(name)
	if agentID == "" {
		agentID = h.api.ServeAgent(name, agent)
	}
	started, err := h.client.Execute(h.t.Context(), asteroid.ExecuteAgentInput{AgentID: agentID}, metadata)
	require.NoError(h.t, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names[started.ExecutionID] = name
	return started.ExecutionID
}

// rounds advances the clock and makes a round, n times.
func (h *harness) rounds(n int, each time.Duration) {
	h.t.Helper()
	for range n {
		h.clock.Advance(each)
		require.NoError(h.t, h.round(h.t.Context()))
	}
}

// takeSignals returns the signals since its last call.
func (h *harness) takeSignals() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	signals := h.signals
	h.signals = nil
	return signals
}

func worksFor(d time.Duration) testsuite.Agent {
	return func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", nil)}
	}
}
