package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestExecuteAgentKeepsOldestAndCancelsDuplicate(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err())
	s.line.hide.Store(true)
	s.clock.pass(activities.DefaultLookupGrace)
	require.Error(t, execute.err()) // sends again, and loses that answer too
	s.line.loseAnswers.Store(false)
	s.line.hide.Store(false)
	executions := s.api.Executions()
	require.Len(t, executions, 2)
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, executions[0].ID, result.ExecutionID)
	require.Equal(t, []string{executions[1].ID}, result.DuplicatesCancelled)
	require.False(t, result.MayHaveLateDuplicate, "as many were found as were sent")
	require.Len(t, s.alive(t), 1)
}

func TestExecuteAgentKeepsOldestEvenIfFailed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent, Inputs: asteroid.Inputs{"fail": true}})
	execute.lost()
	s.clock.pass(time.Minute)
	s.line.hide.Store(true)
	require.Error(t, execute.err()) // looks in vain
	execute.in = asteroid.ExecuteAgentInput{AgentID: s.agent}
	s.clock.pass(activities.DefaultLookupGrace)
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err()) // sends again: this one would work
	s.line.loseAnswers.Store(false)
	s.line.hide.Store(false)
	executions := s.api.Executions()
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
			s := newScene(t)
			execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
			s.twice(t, execute)
			s.api.Inject("ExecutionStatusUpdate", testsuite.Answer(status, `{"code":1,"message":"not now"}`, "Content-Type", "application/json"), 1)
			require.True(t, asteroid.IsUnavailable(execute.err()))
			result, err := execute.next()
			require.NoError(t, err)
			require.Len(t, s.alive(t), 1)
			require.Equal(t, s.alive(t)[0].ID, result.ExecutionID)
			require.Len(t, result.DuplicatesCancelled, 1)
			require.False(t, result.MayHaveLateDuplicate)
		})
	}
}

func TestExecuteAgentLeavesUncancellableDuplicateToSweep(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	s.twice(t, execute)
	s.api.Inject("ExecutionStatusUpdate", testsuite.Answer(403, `{"code":403,"message":"no"}`, "Content-Type", "application/json"), 100)
	require.Error(t, execute.err())
	s.clock.pass(activities.DefaultLookupGrace)
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, s.api.Executions()[0].ID, result.ExecutionID)
	require.True(t, result.MayHaveLateDuplicate)
	require.Empty(t, result.DuplicatesCancelled)
}

func TestExecuteAgentNamesDuplicatesCancelledByLostAttempt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	s.twice(t, execute)
	_, err := execute.next() // whose answer the server never hears, but its heartbeat
	require.NoError(t, err)
	result, err := execute.next()
	require.NoError(t, err)
	require.Len(t, result.DuplicatesCancelled, 1)
}

func TestExecuteAgentRetriesUntilDuplicateCanBeRead(t *testing.T) {
	t.Parallel()
	s := newScene(t, testsuite.WithReadDelay(3*time.Second))
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err())
	s.line.loseAnswers.Store(false)
	s.line.hide.Store(true)
	s.clock.pass(activities.DefaultLookupGrace)
	connection := s.options.Connections[asteroid.DefaultConnection]
	connection.Transport = showAfterPost{s.line}
	s.options.Connections[asteroid.DefaultConnection] = connection
	require.True(t, asteroid.IsUnavailable(execute.err()))
	s.clock.pass(5 * time.Second)
	_, err := execute.next()
	require.NoError(t, err)
	require.Len(t, s.alive(t), 1)
}

// The list shows an execution late: what another workflow started with the key just before is not seen by the first look.
func TestExecuteAgentReportsPossibleDuplicateOfSharedKey(t *testing.T) {
	t.Parallel()
	s := newScene(t, testsuite.WithListDelay(20*time.Second))
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "order 42"}
	_, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	s.clock.pass(5 * time.Second)
	second, err := newExecuteOf(t, s.options, in, "another").next()
	require.NoError(t, err)
	require.Len(t, s.alive(t), 2)
	require.True(t, second.MayHaveLateDuplicate)
}
