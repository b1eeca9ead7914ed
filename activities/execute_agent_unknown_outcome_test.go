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
	for name, lose := range map[string]func(*attempts[asteroid.ExecuteAgentResult]){
		"no answer":         func(e *attempts[asteroid.ExecuteAgentResult]) { require.True(t, asteroid.IsUnavailable(e.nextErr())) },
		"the worker dies":   func(e *attempts[asteroid.ExecuteAgentResult]) { e.crash() },
		"both, two workers": func(e *attempts[asteroid.ExecuteAgentResult]) { e.crash(); e.crash() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newAgentFixture(t)
			execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
			f.network.loseResponses.Store(true)
			lose(execute)
			f.network.loseResponses.Store(false)
			result, err := execute.next()
			require.NoError(t, err)
			require.True(t, result.Adopted)
			require.Empty(t, result.DuplicatesCancelled)
			require.Len(t, f.api.Executions(), 1)
			require.Equal(t, f.api.Executions()[0].ID, result.ExecutionID)
		})
	}
}

func TestExecuteAgentWaitsForLateListingDuringGracePeriod(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	f.network.loseResponses.Store(true)
	require.True(t, asteroid.IsUnavailable(execute.nextErr()))
	f.network.loseResponses.Store(false)
	f.network.hideExecutions.Store(true)
	for range 3 {
		err := execute.nextErr()
		require.True(t, asteroid.IsUnavailable(err), "%v", err)
		require.False(t, applicationError(t, err).NonRetryable())
		require.Equal(t, 5*time.Second, applicationError(t, err).NextRetryDelay())
		f.clock.Advance(30 * time.Second)
	}
	require.Len(t, f.api.Executions(), 1)
	f.network.hideExecutions.Store(false)
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, []asteroid.Decision{asteroid.DecisionUnknown, asteroid.DecisionWaited, asteroid.DecisionAdopted}, result.Decisions)
	require.Len(t, f.api.Executions(), 1)
}

func TestExecuteAgentPostsAgainAfterGracePeriod(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr())
	f.network.loseResponses.Store(false)
	f.network.hideExecutions.Store(true)
	require.Error(t, execute.nextErr())
	f.clock.Advance(activities.DefaultLookupGrace)
	result, err := execute.next() // posts again, because the listing hides the first execution
	require.NoError(t, err)
	require.True(t, result.MayHaveLateDuplicate)
	require.Len(t, f.live(), 2)

	f.network.hideExecutions.Store(false) // the sweep finds the first execution
	swept, err := runActivity[asteroid.SweepDuplicatesResult](newEnv(t, f.options), asteroid.SweepDuplicatesName, asteroid.SweepDuplicatesInput{
		AgentID: f.agent, ExecutionKey: result.ExecutionKey, Keep: result.ExecutionID,
	})
	require.NoError(t, err)
	require.Equal(t, []string{f.api.Executions()[0].ID}, swept.Cancelled)
	require.Equal(t, result.ExecutionID, f.live()[0].ID)
}

func TestExecuteAgentKeepsUnknownOutcomeAfterRefusal(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t, testsuite.WithConcurrencyLimit(1))
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr()) // occupies the only slot
	f.network.loseResponses.Store(false)
	f.network.hideExecutions.Store(true)
	f.clock.Advance(activities.DefaultLookupGrace)
	require.True(t, asteroid.IsAtCapacity(execute.nextErr()))
	f.network.hideExecutions.Store(false)
	result, err := execute.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, f.api.Executions(), 1)
}

func TestExecuteAgentInheritsUnknownOutcomeOfRefusedActivity(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t, testsuite.WithConcurrencyLimit(1))
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, Internal: asteroid.ExecuteAgentInternal{ExecutionKey: "k"}}
	execute := newExecuteAgent(t, f.options, in)
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr())
	f.network.loseResponses.Store(false)
	f.network.hideExecutions.Store(true)
	f.clock.Advance(activities.DefaultLookupGrace)
	err := execute.nextErr()
	require.True(t, asteroid.IsAtCapacity(err), "%v", err)
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, 1, details.UnknownOutcomes)

	f.api.SetConcurrencyLimit(0)
	in.Internal.UnknownOutcomes = details.UnknownOutcomes
	next := newExecuteAgentAs(t, f.options, in, "the next")
	require.True(t, asteroid.IsUnavailable(next.nextErr()), "the grace period starts again, because the end of the request is unknown")
	f.clock.Advance(activities.DefaultLookupGrace)
	result, err := next.next()
	require.NoError(t, err)
	require.True(t, result.MayHaveLateDuplicate)
}

func TestExecuteAgentKeepsGracePeriodOfInheritedUnknown(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t, testsuite.WithListDelay(20*time.Second))
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, Internal: asteroid.ExecuteAgentInternal{ExecutionKey: "k"}}
	execute := newExecuteAgent(t, f.options, in)
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr()) // the last attempt before ScheduleToClose
	f.network.loseResponses.Store(false)
	f.clock.Advance(5 * time.Second)
	in.Internal.UnknownOutcomes = 1
	next := newExecuteAgentAs(t, f.options, in, "the next")
	require.True(t, asteroid.IsUnavailable(next.nextErr()))
	f.clock.Advance(15 * time.Second)
	result, err := next.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, f.api.Executions(), 1)
}

func TestExecuteAgentAdoptsDespiteExpiredFile(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	staged, err := runActivity[asteroid.StageFilesResult](newEnv(t, f.options), asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
	require.NoError(t, err)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent, TempFiles: staged.Files})
	execute.crash()
	f.clock.Advance(3 * time.Hour)
	result, err := execute.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, f.api.Executions(), 1)
}

func TestExecuteAgentRetriesFailedLookupAfterUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, status := range []int{503, 403} {
		f := newAgentFixture(t)
		execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent, Internal: asteroid.ExecuteAgentInternal{ExecutionKey: "k"}})
		f.network.loseResponses.Store(true)
		require.Error(t, execute.nextErr())
		f.network.loseResponses.Store(false)
		f.api.Inject("ExecutionsList", testsuite.Answer(status, "", "Content-Type", "text/plain"), 1)
		err := execute.nextErr()
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
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr())
	f.network.loseResponses.Store(false)
	f.network.hideExecutions.Store(true)
	f.clock.Advance(activities.DefaultLookupGrace)
	f.api.Inject("AgentExecutePost", testsuite.Answer(402, "", "Content-Type", "text/plain"), 1)
	d, _ := asteroid.DetailsOf(execute.nextErr())
	require.NotEmpty(t, d.ExecutionKey)
}

func TestExecuteAgentLooksUpFirstAfterActivityReset(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent, Internal: asteroid.ExecuteAgentInternal{ExecutionKey: "k"}})
	execute.crash()     // after the API has accepted
	execute.attempt = 0 // the reset also drops the heartbeat details
	execute.startDelay = 2 * time.Minute
	result, err := execute.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, f.api.Executions(), 1)
}

func TestExecuteAgentDoesNotCountForeignExecutionAsOwnPost(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t, testsuite.WithListDelay(20*time.Second))
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, Internal: asteroid.ExecuteAgentInternal{ExecutionKey: "k"}}
	_, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	f.clock.Advance(15 * time.Second)
	execute := newExecuteAgentAs(t, f.options, in, "after the reset")
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr()) // finds nothing, posts, loses the response
	f.network.loseResponses.Store(false)
	f.clock.Advance(6 * time.Second) // the first execution is listed, the second is not yet
	result, err := execute.next()
	require.NoError(t, err)
	if len(f.live()) > 1 && !result.MayHaveLateDuplicate {
		t.Errorf("%d alive, MayHaveLateDuplicate=false", len(f.live()))
	}
}

// A failed execution does not answer for a request of unknown outcome: that may have started
// another one.
func TestExecuteAgentFailedExecutionDoesNotResolveUnknown(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	f.fails.Store(true)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, Internal: asteroid.ExecuteAgentInternal{ExecutionKey: "k"}}
	_, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	f.clock.Advance(time.Minute)
	in.Internal.UnknownOutcomes, in.Internal.LastUnknown = 1, f.clock.Now()
	f.fails.Store(false)
	again := newExecuteAgentAs(t, f.options, in, "after the reset")
	require.True(t, asteroid.IsUnavailable(again.nextErr()))
	f.clock.Advance(activities.DefaultLookupGrace)
	result, err := again.next()
	require.NoError(t, err)
	require.Equal(t, "k#2", result.ExecutionKey)
}

// The grace period runs from the request: a later activity waits for the rest of it only.
func TestExecuteAgentCountsGraceFromRequestAcrossActivities(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, Internal: asteroid.ExecuteAgentInternal{ExecutionKey: "k"}}
	f.api.Inject("AgentExecutePost", testsuite.Answer(503, "<html>", "Content-Type", "text/html"), 1)
	f.network.hideExecutions.Store(true)
	details, _ := asteroid.DetailsOf(newExecuteAgent(t, f.options, in).nextErr())
	require.WithinDuration(t, f.clock.Now(), details.LastUnknown, 0)
	in.Internal.UnknownOutcomes, in.Internal.LastUnknown = details.UnknownOutcomes, details.LastUnknown
	f.clock.Advance(activities.DefaultLookupGrace - time.Second)
	next := newExecuteAgentAs(t, f.options, in, "the next")
	require.True(t, asteroid.IsUnavailable(next.nextErr()))
	f.clock.Advance(time.Second)
	_, err := next.next()
	require.NoError(t, err)
}

func TestExecuteAgentCountsTimeoutWithoutTraceAsUnknown(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	f.network.loseResponses.Store(true) // context.DeadlineExceeded after the API has accepted
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	require.NotContains(t, execute.nextErr().Error(), "was not reached")
	f.network.loseResponses.Store(false)
	_, err := execute.next()
	require.NoError(t, err)
	require.Len(t, f.api.Executions(), 1)
}

func TestExecuteAgentCountsConnectionResetAsUnknown(t *testing.T) {
	t.Parallel()
	execute := newExecuteAgent(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = connection.(*net.TCPConn).SetLinger(0)
			_ = connection.Close()
		}
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1"})
	err := execute.nextErr()
	require.Contains(t, err.Error(), "whether the agent was started is not known")
	require.EqualValues(t, 1, (*execute.details)["unknownOutcomes"])
}

func TestExecuteAgentCountsAcceptanceWithoutIDAsUnknown(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"truncated": `{"executionId":"e-`, "no id": `{}`, "path-like id": `{"executionId":"../x"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			execute := newExecuteAgent(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, body)
			})}, asteroid.ExecuteAgentInput{AgentID: "a-1"})
			err := execute.nextErr()
			require.True(t, asteroid.IsUnavailable(err), "%v", err)
			require.EqualValues(t, 1, (*execute.details)["unknownOutcomes"])
		})
	}
}
