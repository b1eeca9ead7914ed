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

// field is a watch over a fake API, whose time and rounds a test drives.
type field struct {
	*Watch
	t     *testing.T
	clock *clienttest.Clock
	api   *testsuite.API
	wire  *clienttest.Wire

	mu   sync.Mutex
	said []string // workflow id, execution's name, status
	fail error    // what signals end with
	name map[string]string
}

func newField(t *testing.T) *field {
	t.Helper()
	f := &field{t: t, clock: clienttest.NewClock(), wire: clienttest.NewWire(), name: map[string]string{}}
	f.api = testsuite.NewAPI(t, testsuite.WithClock(f.clock.Now))
	c, err := client.New("default", asteroid.Connection{
		APIKey: asteroid.StaticAPIKey(f.api.APIKey()), BaseURL: f.api.BaseURL(), OrganizationID: f.api.OrganizationID(), Transport: f.wire,
	}, time.Minute, f.clock.Now)
	require.NoError(t, err)
	f.Watch = &Watch{c: c, namespace: "ns", organizationID: f.api.OrganizationID(), now: f.clock.Now, ended: map[string]time.Time{}, known: map[string]*tracked{}}
	f.signal = func(_ context.Context, workflowID string, event asteroid.ExecutionEvent) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.said = append(f.said, fmt.Sprintf("%s %s %s", workflowID, f.name[event.ExecutionID], event.Status))
		return f.fail
	}
	return f
}

// takeOver puts another attempt in the place of this one, which knows what the first has left.
func (f *field) takeOver() {
	newest, known := unpack(pack(f.newest, f.known))
	f.Watch = &Watch{
		c: f.c, namespace: f.namespace, organizationID: f.organizationID, now: f.now, signal: f.signal,
		ended: map[string]time.Time{}, known: known, newest: newest,
	}
}

// begin starts an execution with the metadata of a workflow called wf, of which a test may change some.
func (f *field) begin(name string, agent testsuite.Agent, changed ...string) string {
	f.t.Helper()
	metadata := map[string]string{asteroid.MetadataNamespace: "ns", asteroid.MetadataWorkflowID: "wf", asteroid.MetadataSignal: asteroid.ExecutionEventSignal}
	for i := 0; i+1 < len(changed); i += 2 {
		metadata[changed[i]] = changed[i+1]
	}
	maps.DeleteFunc(metadata, func(_, value string) bool { return value == "" })
	agentID := f.api.AgentID(name)
	if agentID == "" {
		agentID = f.api.ServeAgent(name, agent)
	}
	started, err := f.c.Execute(f.t.Context(), asteroid.ExecuteAgentInput{AgentID: agentID}, metadata)
	require.NoError(f.t, err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.name[started.ExecutionID] = name
	return started.ExecutionID
}

// rounds lets time pass and makes a round, n times.
func (f *field) rounds(n int, each time.Duration) {
	f.t.Helper()
	for range n {
		f.clock.Advance(each)
		require.NoError(f.t, f.round(f.t.Context()))
	}
}

// heard returns what was said since the last call.
func (f *field) heard() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	said := f.said
	f.said = nil
	return said
}

func works(d time.Duration) testsuite.Agent {
	return func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", nil)}
	}
}
