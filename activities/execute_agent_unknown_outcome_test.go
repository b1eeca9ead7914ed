package activities_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestExecuteAgentAdoptsExecutionOfLostResponse(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*retries[asteroid.ExecuteAgentResult]){
		"no answer":         func(e *retries[asteroid.ExecuteAgentResult]) { require.True(t, asteroid.IsUnavailable(e.err())) },
		"the worker dies":   func(e *retries[asteroid.ExecuteAgentResult]) { e.lost() },
		"both, two workers": func(e *retries[asteroid.ExecuteAgentResult]) { e.lost(); e.lost() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
			s.line.loseAnswers.Store(true)
			lose(execute)
			s.line.loseAnswers.Store(false)
			result, err := execute.next()
			require.NoError(t, err)
			require.True(t, result.Adopted)
			require.Empty(t, result.DuplicatesCancelled)
			require.Len(t, s.api.Executions(), 1)
			require.Equal(t, s.api.Executions()[0].ID, result.ExecutionID)
		})
	}
}

func TestExecuteAgentWaitsForLateListingDuringGracePeriod(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	s.line.loseAnswers.Store(true)
	require.True(t, asteroid.IsUnavailable(execute.err()))
	s.line.loseAnswers.Store(false)
	s.line.hide.Store(true)
	for range 3 {
		err := execute.err()
		require.True(t, asteroid.IsUnavailable(err), "%v", err)
		require.False(t, applicationError(t, err).NonRetryable())
		require.Equal(t, 5*time.Second, applicationError(t, err).NextRetryDelay())
		s.clock.pass(30 * time.Second)
	}
	require.Len(t, s.api.Executions(), 1)
	s.line.hide.Store(false)
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, []asteroid.Decision{asteroid.DecisionUnknown, asteroid.DecisionWaited, asteroid.DecisionAdopted}, result.Decisions)
	require.Len(t, s.api.Executions(), 1)
}

func TestExecuteAgentPostsAgainAfterGracePeriod(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err())
	s.line.loseAnswers.Store(false)
	s.line.hide.Store(true)
	require.Error(t, execute.err())
	s.clock.pass(activities.DefaultLookupGrace)
	result, err := execute.next() // sends again, and cannot see the first one
	require.NoError(t, err)
	require.True(t, result.MayHaveLateDuplicate)
	require.Len(t, s.alive(t), 2)

	s.line.hide.Store(false) // the sweep sees it
	swept, err := run[asteroid.SweepDuplicatesResult](newEnv(t, s.options), asteroid.SweepDuplicatesName, asteroid.SweepDuplicatesInput{
		AgentID: s.agent, ExecutionKey: result.ExecutionKey, Keep: result.ExecutionID,
	})
	require.NoError(t, err)
	require.Equal(t, []string{s.api.Executions()[0].ID}, swept.Cancelled)
	require.Equal(t, result.ExecutionID, s.alive(t)[0].ID)
}

func TestExecuteAgentKeepsUnknownOutcomeAfterRefusal(t *testing.T) {
	t.Parallel()
	s := newScene(t, testsuite.WithConcurrencyLimit(1))
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err()) // takes the only place
	s.line.loseAnswers.Store(false)
	s.line.hide.Store(true)
	s.clock.pass(activities.DefaultLookupGrace)
	require.True(t, asteroid.IsAtCapacity(execute.err()))
	s.line.hide.Store(false)
	result, err := execute.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 1)
}

func TestExecuteAgentInheritsUnknownOutcomeOfRefusedActivity(t *testing.T) {
	t.Parallel()
	s := newScene(t, testsuite.WithConcurrencyLimit(1))
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", Internal: asteroid.ExecuteAgentInternal{FreshKey: true}}
	execute := newExecute(t, s.options, in)
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err())
	s.line.loseAnswers.Store(false)
	s.line.hide.Store(true)
	s.clock.pass(activities.DefaultLookupGrace)
	err := execute.err()
	require.True(t, asteroid.IsAtCapacity(err), "%v", err)
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, 1, details.UnknownOutcomes)

	s.api.SetConcurrencyLimit(0)
	in.Internal.FreshKey, in.Internal.UnknownOutcomes = false, details.UnknownOutcomes
	next := newExecuteOf(t, s.options, in, "the next")
	require.True(t, asteroid.IsUnavailable(next.err()), "the grace period begins anew: when the request ended is not known")
	s.clock.pass(activities.DefaultLookupGrace)
	result, err := next.next()
	require.NoError(t, err)
	require.True(t, result.MayHaveLateDuplicate)
}

func TestExecuteAgentKeepsGracePeriodOfInheritedUnknown(t *testing.T) {
	t.Parallel()
	s := newScene(t, testsuite.WithListDelay(20*time.Second))
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", Internal: asteroid.ExecuteAgentInternal{FreshKey: true}}
	execute := newExecute(t, s.options, in)
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err()) // the last attempt before ScheduleToClose
	s.line.loseAnswers.Store(false)
	s.clock.pass(5 * time.Second)
	in.Internal.FreshKey, in.Internal.UnknownOutcomes = false, 1
	next := newExecuteOf(t, s.options, in, "the next")
	require.True(t, asteroid.IsUnavailable(next.err()))
	s.clock.pass(15 * time.Second)
	result, err := next.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 1)
}

func TestExecuteAgentAdoptsDespiteExpiredFile(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	staged, err := run[asteroid.StageFilesResult](newEnv(t, s.options), asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
	require.NoError(t, err)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent, TempFiles: staged.Files})
	execute.lost()
	s.clock.pass(3 * time.Hour)
	result, err := execute.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 1)
}

func TestExecuteAgentRetriesFailedLookupAfterUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, status := range []int{503, 403} {
		s := newScene(t)
		execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", Internal: asteroid.ExecuteAgentInternal{FreshKey: true}})
		s.line.loseAnswers.Store(true)
		require.Error(t, execute.err())
		s.line.loseAnswers.Store(false)
		s.api.Inject("ExecutionsList", testsuite.Answer(status, "", "Content-Type", "text/plain"), 1)
		err := execute.err()
		require.True(t, asteroid.IsUnavailable(err), "%v", err)
		require.False(t, applicationError(t, err).NonRetryable())
		details, _ := asteroid.DetailsOf(err)
		require.Equal(t, 1, details.UnknownOutcomes)
		require.Equal(t, "k", details.ExecutionKey)
		require.Equal(t, status, details.HTTPStatus)
	}
}

func TestExecuteAgentFinalErrorAfterUnknownOutcomeCarriesKey(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err())
	s.line.loseAnswers.Store(false)
	s.line.hide.Store(true)
	s.clock.pass(activities.DefaultLookupGrace)
	s.api.Inject("AgentExecutePost", testsuite.Answer(402, "", "Content-Type", "text/plain"), 1)
	d, _ := asteroid.DetailsOf(execute.err())
	require.NotEmpty(t, d.ExecutionKey)
}

func TestExecuteAgentLooksUpFirstAfterActivityReset(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", Internal: asteroid.ExecuteAgentInternal{FreshKey: true}})
	execute.lost()      // after the service accepted
	execute.attempt = 0 // and its heartbeat details are gone as well
	execute.late = 2 * time.Minute
	result, err := execute.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 1)
}

func TestExecuteAgentDoesNotCountForeignExecutionAsOwnPost(t *testing.T) {
	t.Parallel()
	s := newScene(t, testsuite.WithListDelay(20*time.Second))
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", Internal: asteroid.ExecuteAgentInternal{FreshKey: true}}
	_, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	s.clock.pass(15 * time.Second)
	in.Internal.FreshKey = false
	execute := newExecuteOf(t, s.options, in, "after the reset")
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err()) // looks in vain, sends, loses the answer
	s.line.loseAnswers.Store(false)
	s.clock.pass(6 * time.Second) // the first is listed, the second not yet
	result, err := execute.next()
	require.NoError(t, err)
	if len(s.alive(t)) > 1 && !result.MayHaveLateDuplicate {
		t.Errorf("%d alive, MayHaveLateDuplicate=false", len(s.alive(t)))
	}
}

// After a reset nobody knows what the run before it had under way. One run of the agent that has failed explains it.
func TestExecuteAgentFailedExecutionResolvesUnknownAfterReset(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", Internal: asteroid.ExecuteAgentInternal{FreshKey: true}, Inputs: asteroid.Inputs{"fail": true}}
	_, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	s.clock.pass(time.Minute)
	in.Internal.FreshKey, in.Internal.UnknownOutcomes, in.Inputs = false, 1, nil
	again, err := newExecuteOf(t, s.options, in, "after the reset").next()
	require.NoError(t, err)
	require.Equal(t, "k#2", again.ExecutionKey)
}

func TestExecuteAgentCountsTimeoutWithoutTraceAsUnknown(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.line.loseAnswers.Store(true) // reported as context.DeadlineExceeded, after the service has accepted
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	require.NotContains(t, execute.err().Error(), "was not reached")
	s.line.loseAnswers.Store(false)
	_, err := execute.next()
	require.NoError(t, err)
	require.Len(t, s.api.Executions(), 1)
}

func TestExecuteAgentCountsConnectionResetAsUnknown(t *testing.T) {
	t.Parallel()
	execute := newExecute(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = connection.(*net.TCPConn).SetLinger(0)
			_ = connection.Close()
		}
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1"})
	err := execute.err()
	require.Contains(t, err.Error(), "whether the agent was started is not known")
	require.EqualValues(t, 1, (*execute.details)["unknownOutcomes"])
}

func TestExecuteAgentCountsAcceptanceWithoutIDAsUnknown(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"truncated": `{"executionId":"e-`, "no id": `{}`, "path-like id": `{"executionId":"../x"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			execute := newExecute(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, body)
			})}, asteroid.ExecuteAgentInput{AgentID: "a-1"})
			err := execute.err()
			require.True(t, asteroid.IsUnavailable(err), "%v", err)
			require.EqualValues(t, 1, (*execute.details)["unknownOutcomes"])
		})
	}
}
