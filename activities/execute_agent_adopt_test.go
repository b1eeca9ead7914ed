package activities_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestExecuteAgentSharesExecutionOfIdempotencyKey(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order-42"}
	first, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	second, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	require.Equal(t, first.ExecutionID, second.ExecutionID)
	require.True(t, second.Adopted)
	f.clock.Advance(2 * time.Hour) // it has completed
	third, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	require.Equal(t, first.ExecutionID, third.ExecutionID)
	require.Equal(t, asteroid.StatusCompleted, third.Status)

	in.IdempotencyKey = "order-4" // a prefix of the other key: the activity compares keys exactly
	other, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	require.NotEqual(t, first.ExecutionID, other.ExecutionID)
	in.AgentID = f.api.AgentID("patient")
	elsewhere, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	require.False(t, elsewhere.Adopted, "a key is an agent's")
}

func TestExecuteAgentAdoptOnlyPostsNothing(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "k", AdoptOnly: true}
	err := newExecuteAgent(t, f.options, in).nextErr()
	require.True(t, asteroid.IsNotFound(err), "%v", err)
	in.Internal.UnknownOutcomes = 1
	unknown := newExecuteAgent(t, f.options, in)
	require.True(t, asteroid.IsUnavailable(unknown.nextErr()))
	f.clock.Advance(activities.DefaultLookupGrace)
	require.True(t, asteroid.IsNotFound(unknown.nextErr()))
	require.Empty(t, f.api.Executions())

	in.AdoptOnly, in.Internal.UnknownOutcomes = false, 0
	started, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	in.AdoptOnly = true
	found, err := newExecuteAgentAs(t, f.options, in, "another").next()
	require.NoError(t, err)
	require.Equal(t, started.ExecutionID, found.ExecutionID)
}

func TestExecuteAgentIgnoresCaseOfAgentID(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: strings.ToUpper(f.agent)})
	execute.crash()
	for range 40 {
		if _, err := execute.next(); err == nil {
			break
		}
		f.clock.Advance(5 * time.Second)
	}
	require.Len(t, f.live(), 1)
}

func TestExecuteAgentKeepsLastDecisions(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	f.api.Inject("AgentExecutePost", testsuite.Answer(503, "", "Content-Type", "text/plain"), 11) // no capacity, reported as 503
	var result *asteroid.ExecuteAgentResult
	var err error
	for range 100 {
		if result, err = execute.next(); err == nil {
			break
		}
		f.clock.Advance(time.Minute)
	}
	require.NoError(t, err)
	require.Contains(t, result.Decisions, asteroid.DecisionPosted)
	require.Len(t, result.Decisions, 20)
}

func TestExecuteAgentNumbersKeyAfterFailedExecution(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order-42", Inputs: asteroid.Inputs{"fail": true}}
	first, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	require.Equal(t, "order-42", first.ExecutionKey)
	f.clock.Advance(time.Minute)
	second := newExecuteAgentAs(t, f.options, in, "another-activity")
	again, err := second.next()
	require.NoError(t, err)
	require.False(t, again.Adopted)
	require.Equal(t, "order-42#2", again.ExecutionKey)
	f.clock.Advance(time.Minute)
	in.Inputs = nil
	third, err := newExecuteAgentAs(t, f.options, in, "a-third").next()
	require.NoError(t, err)
	require.Equal(t, "order-42#3", third.ExecutionKey)
	fourth, err := newExecuteAgentAs(t, f.options, in, "a-fourth").next()
	require.NoError(t, err)
	require.Equal(t, third.ExecutionID, fourth.ExecutionID)
}

func TestExecuteAgentAdoptsFailedExecutionOfSameActivity(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent, Inputs: asteroid.Inputs{"fail": true}})
	execute.crash()
	f.clock.Advance(time.Minute)
	result, err := execute.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Equal(t, asteroid.StatusFailed, result.Status)
	require.Len(t, f.api.Executions(), 1)
}

func TestExecuteAgentAdoptsFailedExecutionOfSameStart(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	began := f.clock.Now()
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "k", Internal: asteroid.ExecuteAgentInternal{FreshKey: true}, Inputs: asteroid.Inputs{"fail": true}}
	execute := newExecuteAgent(t, f.options, in)
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr())
	f.network.loseResponses.Store(false)
	f.clock.Advance(time.Minute) // the agent has failed
	in.Internal.FreshKey, in.Internal.UnknownOutcomes, in.Internal.UnknownSince = false, 1, began
	result, err := newExecuteAgentAs(t, f.options, in, "the next").next()
	require.NoError(t, err)
	require.Equal(t, f.api.Executions()[0].ID, result.ExecutionID)
	require.Len(t, f.api.Executions(), 1, "no new execution was requested")

	in.Internal.ExcludeExecutions = []string{result.ExecutionID}
	again := newExecuteAgentAs(t, f.options, in, "executed again")
	require.Error(t, again.nextErr())
	f.clock.Advance(activities.DefaultLookupGrace)
	second, err := again.next()
	require.NoError(t, err)
	require.Equal(t, "k#2", second.ExecutionKey)
}

func TestExecuteAgentSkipsFailedExecutionOfEarlierStart(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "k", Inputs: asteroid.Inputs{"fail": true}}
	_, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	f.clock.Advance(time.Minute)
	in.Internal.UnknownOutcomes, in.Internal.UnknownSince, in.Inputs = 1, f.clock.Now(), nil
	later := newExecuteAgentAs(t, f.options, in, "the next start")
	require.True(t, asteroid.IsUnavailable(later.nextErr()))
	f.clock.Advance(activities.DefaultLookupGrace)
	again, err := later.next()
	require.NoError(t, err)
	require.Equal(t, "k#2", again.ExecutionKey)
}

func TestExecuteAgentSkipsExcludedExecution(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "k"}
	first, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	f.clock.Advance(2 * time.Hour)
	in.Internal.ExcludeExecutions = []string{first.ExecutionID}
	second, err := newExecuteAgentAs(t, f.options, in, "again").next()
	require.NoError(t, err)
	require.NotEqual(t, first.ExecutionID, second.ExecutionID)
	require.Equal(t, "k#2", second.ExecutionKey)
}

// Two workflows that share a key choose among the same executions and must agree. The one whose own
// execution has failed keeps the live execution of the other.
func TestExecuteAgentPrefersLiveExecutionToOwnFailed(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order 42", Inputs: asteroid.Inputs{"fail": true}}
	own := newExecuteAgent(t, f.options, in)
	own.crash()
	f.clock.Advance(time.Minute)
	in.Inputs = nil
	other := newExecuteAgentAs(t, f.options, in, "another")
	f.network.hideExecutions.Store(true)
	started, err := other.next()
	require.NoError(t, err)
	// Both executions have one key, as after two requests at the same time.
	require.Equal(t, "order 42", started.ExecutionKey)
	f.network.hideExecutions.Store(false)
	found, err := own.next()
	require.NoError(t, err)
	require.Equal(t, started.ExecutionID, found.ExecutionID)
	require.Len(t, f.live(), 1)
}

func TestExecuteAgentAdoptsOwnOfSeveralFailedExecutions(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order 42", Inputs: asteroid.Inputs{"fail": true}}
	_, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	f.network.hideExecutions.Store(true)
	f.network.loseResponses.Store(true)
	own := newExecuteAgentAs(t, f.options, in, "own")
	require.Error(t, own.nextErr()) // posted at the same time, with the same key
	f.network.hideExecutions.Store(false)
	f.network.loseResponses.Store(false)
	f.clock.Advance(time.Minute)
	found, err := own.next()
	require.NoError(t, err)
	require.Equal(t, f.api.Executions()[1].ID, found.ExecutionID)
	require.Len(t, f.api.Executions(), 2)
}
