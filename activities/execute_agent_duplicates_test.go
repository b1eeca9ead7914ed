package activities_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestExecuteAgentKeepsOldestAndCancelsDuplicate(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr())
	f.network.hideExecutions.Store(true)
	f.clock.Advance(activities.DefaultLookupGrace)
	require.Error(t, execute.nextErr()) // posts again, and loses that response too
	f.network.loseResponses.Store(false)
	f.network.hideExecutions.Store(false)
	executions := f.api.Executions()
	require.Len(t, executions, 2)
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, executions[0].ID, result.ExecutionID)
	require.Equal(t, []string{executions[1].ID}, result.DuplicatesCancelled)
	require.False(t, result.MayHaveLateDuplicate, "as many were found as were sent")
	require.Len(t, f.live(), 1)
}

func TestExecuteAgentKeepsOldestEvenIfFailed(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	f.fails.Store(true)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	execute.crash()
	f.clock.Advance(time.Minute)
	f.network.hideExecutions.Store(true)
	require.Error(t, execute.nextErr()) // finds nothing
	execute.in = asteroid.ExecuteAgentInput{AgentID: f.agent}
	f.clock.Advance(activities.DefaultLookupGrace)
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr()) // posts again, without the input that fails
	f.network.loseResponses.Store(false)
	f.network.hideExecutions.Store(false)
	executions := f.api.Executions()
	require.Len(t, executions, 2)
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, executions[0].ID, result.ExecutionID)
	require.Equal(t, asteroid.StatusFailed, result.Status)
	require.Equal(t, []string{executions[1].ID}, result.DuplicatesCancelled)
}

func TestExecuteAgentRetriesFailedCancelOfDuplicate(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"not while starting": 400, "too new to be found": 404, "not allowed": 403} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newAgentFixture(t)
			execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
			f.postTwice(t, execute)
			f.api.Inject("ExecutionStatusUpdate", testsuite.Answer(status, `{"code":1,"message":"not now"}`, "Content-Type", "application/json"), 1)
			require.True(t, asteroid.IsUnavailable(execute.nextErr()))
			result, err := execute.next()
			require.NoError(t, err)
			require.Len(t, f.live(), 1)
			require.Equal(t, f.live()[0].ID, result.ExecutionID)
			require.Len(t, result.DuplicatesCancelled, 1)
			require.False(t, result.MayHaveLateDuplicate)
		})
	}
}

func TestExecuteAgentLeavesUncancellableDuplicateToSweep(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	f.postTwice(t, execute)
	f.api.Inject("ExecutionStatusUpdate", testsuite.Answer(403, `{"code":403,"message":"no"}`, "Content-Type", "application/json"), 100)
	require.Error(t, execute.nextErr())
	f.clock.Advance(activities.DefaultLookupGrace)
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, f.api.Executions()[0].ID, result.ExecutionID)
	require.True(t, result.MayHaveLateDuplicate)
	require.Empty(t, result.DuplicatesCancelled)
}

func TestExecuteAgentNamesDuplicatesCancelledByLostAttempt(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	f.postTwice(t, execute)
	_, err := execute.next() // the Temporal server receives the heartbeat, but not the result
	require.NoError(t, err)
	result, err := execute.next()
	require.NoError(t, err)
	require.Len(t, result.DuplicatesCancelled, 1)
}

func TestExecuteAgentRetriesUntilDuplicateCanBeRead(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t, testsuite.WithReadDelay(3*time.Second))
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr())
	f.network.loseResponses.Store(false)
	f.network.hideExecutions.Store(true)
	f.clock.Advance(activities.DefaultLookupGrace)
	f.change(func(c *asteroid.Connection) { c.Transport = showAfterPost{f.network} })
	require.True(t, asteroid.IsUnavailable(execute.nextErr()))
	f.clock.Advance(5 * time.Second)
	_, err := execute.next()
	require.NoError(t, err)
	require.Len(t, f.live(), 1)
}

// Listings show an execution late, so the first lookup misses what another workflow has just
// started with the same key.
func TestExecuteAgentReportsPossibleDuplicateOfSharedKey(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t, testsuite.WithListDelay(20*time.Second))
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order 42"}
	_, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	f.clock.Advance(5 * time.Second)
	second, err := newExecuteAgentAs(t, f.options, in, "another").next()
	require.NoError(t, err)
	require.Len(t, f.live(), 2)
	require.True(t, second.MayHaveLateDuplicate)
}

// showAfterPost is a network on which the first POST ends the hiding of executions.
type showAfterPost struct{ *lossyNetwork }

func (n showAfterPost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/execute") {
		defer n.hideExecutions.Store(false)
	}
	return n.lossyNetwork.RoundTrip(r)
}
