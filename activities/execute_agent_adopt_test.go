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
	s := newScene(t)
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "order-42"}
	first, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	second, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	require.Equal(t, first.ExecutionID, second.ExecutionID)
	require.True(t, second.Adopted)
	s.clock.pass(2 * time.Hour) // it has completed
	third, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	require.Equal(t, first.ExecutionID, third.ExecutionID)
	require.Equal(t, asteroid.StatusCompleted, third.Status)

	in.IdempotencyKey = "order-4" // a part of the other: the exact comparison is ours
	other, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	require.NotEqual(t, first.ExecutionID, other.ExecutionID)
	in.AgentID = s.api.AgentID("patient")
	elsewhere, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	require.False(t, elsewhere.Adopted, "a key is an agent's")
}

func TestExecuteAgentAdoptOnlyPostsNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", AdoptOnly: true}
	err := newExecute(t, s.options, in).err()
	require.True(t, asteroid.IsNotFound(err), "%v", err)
	in.Internal.UnknownOutcomes = 1
	doubtful := newExecute(t, s.options, in)
	require.True(t, asteroid.IsUnavailable(doubtful.err()))
	s.clock.pass(activities.DefaultLookupGrace)
	require.True(t, asteroid.IsNotFound(doubtful.err()))
	require.Empty(t, s.api.Executions())

	in.AdoptOnly, in.Internal.UnknownOutcomes = false, 0
	started, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	in.AdoptOnly = true
	found, err := newExecuteOf(t, s.options, in, "another").next()
	require.NoError(t, err)
	require.Equal(t, started.ExecutionID, found.ExecutionID)
}

func TestExecuteAgentIgnoresCaseOfAgentID(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: strings.ToUpper(s.agent)})
	execute.lost()
	for range 40 {
		if _, err := execute.next(); err == nil {
			break
		}
		s.clock.pass(5 * time.Second)
	}
	require.Len(t, s.alive(t), 1)
}

func TestExecuteAgentKeepsLastDecisions(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	s.api.Inject("AgentExecutePost", testsuite.Answer(503, "", "Content-Type", "text/plain"), 11) // capacity told as 503
	var result *asteroid.ExecuteAgentResult
	var err error
	for range 100 {
		if result, err = execute.next(); err == nil {
			break
		}
		s.clock.pass(time.Minute)
	}
	require.NoError(t, err)
	require.Contains(t, result.Decisions, asteroid.DecisionPosted)
	require.Len(t, result.Decisions, 20)
}

func TestExecuteAgentNumbersKeyAfterFailedExecution(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "order-42", Inputs: asteroid.Inputs{"fail": true}}
	first, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	require.Equal(t, "order-42", first.ExecutionKey)
	s.clock.pass(time.Minute)
	second := newExecuteOf(t, s.options, in, "another-activity")
	again, err := second.next()
	require.NoError(t, err)
	require.False(t, again.Adopted)
	require.Equal(t, "order-42#2", again.ExecutionKey)
	s.clock.pass(time.Minute)
	in.Inputs = nil
	third, err := newExecuteOf(t, s.options, in, "a-third").next()
	require.NoError(t, err)
	require.Equal(t, "order-42#3", third.ExecutionKey)
	fourth, err := newExecuteOf(t, s.options, in, "a-fourth").next()
	require.NoError(t, err)
	require.Equal(t, third.ExecutionID, fourth.ExecutionID)
}

func TestExecuteAgentAdoptsFailedExecutionOfSameActivity(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent, Inputs: asteroid.Inputs{"fail": true}})
	execute.lost()
	s.clock.pass(time.Minute)
	result, err := execute.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Equal(t, asteroid.StatusFailed, result.Status)
	require.Len(t, s.api.Executions(), 1)
}

func TestExecuteAgentAdoptsFailedExecutionOfSameStart(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	began := s.clock.Now()
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", Internal: asteroid.ExecuteAgentInternal{FreshKey: true}, Inputs: asteroid.Inputs{"fail": true}}
	execute := newExecute(t, s.options, in)
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err())
	s.line.loseAnswers.Store(false)
	s.clock.pass(time.Minute) // the agent has failed
	in.Internal.FreshKey, in.Internal.UnknownOutcomes, in.Internal.UnknownSince = false, 1, began
	result, err := newExecuteOf(t, s.options, in, "the next").next()
	require.NoError(t, err)
	require.Equal(t, s.api.Executions()[0].ID, result.ExecutionID)
	require.Len(t, s.api.Executions(), 1, "nobody asked for it to be executed again")

	in.Internal.ExcludeExecutions = []string{result.ExecutionID}
	again := newExecuteOf(t, s.options, in, "executed again")
	require.Error(t, again.err())
	s.clock.pass(activities.DefaultLookupGrace)
	second, err := again.next()
	require.NoError(t, err)
	require.Equal(t, "k#2", second.ExecutionKey)
}

func TestExecuteAgentSkipsFailedExecutionOfEarlierStart(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", Inputs: asteroid.Inputs{"fail": true}}
	_, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	s.clock.pass(time.Minute)
	in.Internal.UnknownOutcomes, in.Internal.UnknownSince, in.Inputs = 1, s.clock.Now(), nil
	later := newExecuteOf(t, s.options, in, "the next start")
	require.True(t, asteroid.IsUnavailable(later.err()))
	s.clock.pass(activities.DefaultLookupGrace)
	again, err := later.next()
	require.NoError(t, err)
	require.Equal(t, "k#2", again.ExecutionKey)
}

func TestExecuteAgentSkipsExcludedExecution(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k"}
	first, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	s.clock.pass(2 * time.Hour)
	in.Internal.ExcludeExecutions = []string{first.ExecutionID}
	second, err := newExecuteOf(t, s.options, in, "again").next()
	require.NoError(t, err)
	require.NotEqual(t, first.ExecutionID, second.ExecutionID)
	require.Equal(t, "k#2", second.ExecutionKey)
}

// Two workflows that share a key choose among the same executions and must not choose differently: the one whose own run has
// failed leaves the other's alone.
func TestExecuteAgentPrefersLiveExecutionToOwnFailed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "order 42", Inputs: asteroid.Inputs{"fail": true}}
	own := newExecute(t, s.options, in)
	own.lost()
	s.clock.pass(time.Minute)
	in.Inputs = nil
	other := newExecuteOf(t, s.options, in, "another's")
	s.line.hide.Store(true)
	started, err := other.next()
	require.NoError(t, err)
	// Both stand under one key, as after two requests at the same moment.
	require.Equal(t, "order 42", started.ExecutionKey)
	s.line.hide.Store(false)
	found, err := own.next()
	require.NoError(t, err)
	require.Equal(t, started.ExecutionID, found.ExecutionID)
	require.Len(t, s.alive(t), 1)
}

// Of runs that have all failed, one's own is the one to tell of.
func TestExecuteAgentAdoptsOwnOfSeveralFailedExecutions(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "order 42", Inputs: asteroid.Inputs{"fail": true}}
	_, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	s.line.hide.Store(true)
	s.line.loseAnswers.Store(true)
	own := newExecuteOf(t, s.options, in, "own")
	require.Error(t, own.err()) // sent at the same moment, and under the same key
	s.line.hide.Store(false)
	s.line.loseAnswers.Store(false)
	s.clock.pass(time.Minute)
	found, err := own.next()
	require.NoError(t, err)
	require.Equal(t, s.api.Executions()[1].ID, found.ExecutionID)
	require.Len(t, s.api.Executions(), 2)
}
