package activities_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// newExecuteAgent returns the attempts of an ExecuteAgent activity.
func newExecuteAgent(
	t *testing.T, options worker.Options, in asteroid.ExecuteAgentInput,
) *attempts[asteroid.ExecuteAgentResult] {
	t.Helper()
	return &attempts[asteroid.ExecuteAgentResult]{t: t, name: asteroid.ExecuteAgentName, options: options, in: in}
}

// newExecuteAgentAs is newExecuteAgent with the id of another activity.
func newExecuteAgentAs(
	t *testing.T, options worker.Options, in asteroid.ExecuteAgentInput, activityID string,
) *attempts[asteroid.ExecuteAgentResult] {
	t.Helper()
	execute := newExecuteAgent(t, options, in)
	execute.activityID = activityID
	return execute
}

// agentFixture is a fake API on a clock of its own, behind a lossy network. Its agent works for an
// hour, or fails at once while fails is true.
type agentFixture struct {
	api     *testsuite.API
	clock   *clienttest.Clock
	options worker.Options
	agent   string
	network *lossyNetwork
	fails   atomic.Bool
}

func newAgentFixture(t *testing.T, options ...testsuite.Option) *agentFixture {
	t.Helper()
	f := &agentFixture{network: &lossyNetwork{}}
	f.api, f.clock, f.options = newAPI(t, options...)
	f.change(func(c *asteroid.Connection) { c.Transport = f.network })
	f.agent = f.api.ServeAgent("clerk", func(testsuite.Run) []testsuite.Step {
		if f.fails.Load() {
			return []testsuite.Step{testsuite.Fail("no")}
		}
		return []testsuite.Step{testsuite.Work(time.Hour), testsuite.Complete("success", "", 1)}
	})
	return f
}

// change changes the connection.
func (f *agentFixture) change(change func(*asteroid.Connection)) {
	changeDefault(f.options.Connections, change)
}

// live returns the executions that are neither cancelled nor failed.
func (f *agentFixture) live() []testsuite.Execution {
	var live []testsuite.Execution
	for _, e := range f.api.Executions() {
		if e.Status != "cancelled" && e.Status != "failed" {
			live = append(live, e)
		}
	}
	return live
}

// postTwice runs two attempts. Each starts an execution and loses the response, and the second does
// not find the execution of the first.
func (f *agentFixture) postTwice(t *testing.T, execute *attempts[asteroid.ExecuteAgentResult]) {
	t.Helper()
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr())
	f.clock.Advance(activities.DefaultLookupGrace)
	f.network.hideExecutions.Store(true)
	require.Error(t, execute.nextErr())
	f.network.loseResponses.Store(false)
	f.network.hideExecutions.Store(false)
	require.Len(t, f.live(), 2)
}

// lossyNetwork is a transport that can lose the response to a POST and hide executions from
// listings.
type lossyNetwork struct {
	loseResponses, hideExecutions atomic.Bool
	listRequests                  atomic.Int32
}

func (n *lossyNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && r.URL.Path == "/agents/v2/executions" {
		n.listRequests.Add(1)
		if n.hideExecutions.Load() {
			query := r.URL.Query()
			query.Set("metadataValue", "nothing has this")
			r = r.Clone(r.Context())
			r.URL.RawQuery = query.Encode()
		}
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost && n.loseResponses.Load() {
		_ = response.Body.Close()
		return nil, context.DeadlineExceeded
	}
	return response, err
}

// listedExecutionJSON returns a running execution as the API lists it.
func listedExecutionJSON(id, agentID, key string) string {
	return fmt.Sprintf(`{"id":%q,"status":"running","agentId":%q,"organizationId":"o",`+
		`"createdAt":"2026-01-02T03:04:05Z","metadata":{"temporal_execution_key":%q}}`, id, agentID, key)
}
