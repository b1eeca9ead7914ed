package activities_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestADuplicateThatCannotBeCancelledNowIsTriedAgain(t *testing.T) {
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

func TestADuplicateThatCannotBeCancelledAtAllIsLeftToTheSweep(t *testing.T) {
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

// twice makes an execute send two requests that are both carried out, and of which it hears nothing.
func (s *scene) twice(t *testing.T, execute *retries[asteroid.ExecuteAgentResult]) {
	t.Helper()
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err())
	s.clock.pass(activities.DefaultLookupGrace)
	s.line.hide.Store(true)
	require.Error(t, execute.err())
	s.line.loseAnswers.Store(false)
	s.line.hide.Store(false)
	require.Len(t, s.alive(t), 2)
}

func TestDuplicatesThatALostAttemptCancelledAreNamed(t *testing.T) {
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

func TestADuplicateThatCannotBeReadYetIsNoFailure(t *testing.T) {
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

type showAfterPost struct{ l *cutLine }

func (x showAfterPost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/execute") {
		defer x.l.hide.Store(false)
	}
	return x.l.RoundTrip(r)
}

func TestALookThatFailsInDoubtIsRetriedAndTellsTheDoubt(t *testing.T) {
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

// The list shows an execution late: what another workflow started with the key just before is not seen by the first look.
func TestASharedKeyAsksForASweep(t *testing.T) {
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

func TestDoubtThatIsHandedOverKeepsTheGracePeriod(t *testing.T) {
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

func TestAnAgentIDIsTheSameInUpperCase(t *testing.T) {
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

func TestOfManyDecisionsTheLastAreKept(t *testing.T) {
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

func TestADeletedOriginalIsForgottenWhateverItsReruns(t *testing.T) {
	t.Parallel()
	const page = `{"page":1,"pageSize":100,"total":1,"items":[{"id":"rerun","parentExecutionId":"gone","status":"completed","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z","metadata":{"temporal_execution_key":"k"}}]}`
	execute := newExecute(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(`{"executionId":"new"}`))
		case r.URL.Path == "/agents/v2/executions":
			_, _ = w.Write([]byte(page))
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"code":404,"message":"gone"}`))
		}
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "k"})
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, "new", result.ExecutionID)
}

func TestAListingThatDoesNotEndIsNotTakenForEmpty(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	row := `{"id":"e","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z","metadata":{"temporal_execution_key":"other"}}`
	rows := strings.TrimSuffix(strings.Repeat(row+",", 100), ",")
	execute := newExecute(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
			w.WriteHeader(202)
			_, _ = w.Write([]byte(`{"executionId":"new"}`))
			return
		}
		_, _ = fmt.Fprintf(w, `{"page":1,"pageSize":100,"total":50000,"items":[%s]}`, rows)
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "k"})
	require.Error(t, execute.err())
	require.Zero(t, posts.Load())
}

func TestSmallerPagesThanAskedForAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	row := func(key string) string {
		return `{"id":"e-` + key + `","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z","metadata":{"temporal_execution_key":"` + key + `"}}`
	}
	execute := newExecute(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
			w.WriteHeader(202)
			_, _ = w.Write([]byte(`{"executionId":"new"}`))
			return
		}
		if r.URL.Query().Get("page") == "2" {
			_, _ = fmt.Fprintf(w, `{"page":2,"pageSize":50,"total":51,"items":[%s]}`, row("k"))
			return
		}
		_, _ = fmt.Fprintf(w, `{"page":1,"pageSize":50,"total":51,"items":[%s]}`, strings.TrimSuffix(strings.Repeat(row("k1")+",", 50), ","))
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "k"})
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, "e-k", result.ExecutionID)
	require.Zero(t, posts.Load())
}

func TestAnActivityThatIsResetLooksFirst(t *testing.T) {
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

func TestSomebodyElsesRunDoesNotAccountForAnOwnRequest(t *testing.T) {
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

func TestAFailedRunOfTheSameStartIsAdopted(t *testing.T) {
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

func TestAnExcludedExecutionIsHistoryEvenIfItCompleted(t *testing.T) {
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

func TestAdoptOnlySendsNothing(t *testing.T) {
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

func TestACancelWithoutEffectIsNotTakenForDone(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/agents/v2/executions":
			_, _ = w.Write([]byte(`{"page":1,"pageSize":100,"total":1,"items":[{"id":"e-1","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z","metadata":{"temporal_execution_key":"k"}}]}`))
		case r.Method == http.MethodPost:
			_, _ = w.Write([]byte("Execution status updated."))
		default:
			_, _ = w.Write([]byte(`{"id":"e-1","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z"}`))
		}
	})})
	_, err := run[asteroid.SweepDuplicatesResult](env, asteroid.SweepDuplicatesName, asteroid.SweepDuplicatesInput{AgentID: "a-1", ExecutionKey: "k"})
	require.True(t, asteroid.IsUnavailable(err), "%v", err)
	require.Contains(t, err.Error(), "still running")
}

func TestASweepGoesOnWithTheOthersAndIsRepeated(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", Internal: asteroid.ExecuteAgentInternal{FreshKey: true}})
	s.twice(t, execute)
	s.api.Inject("ExecutionStatusUpdate", testsuite.Answer(400, `{"code":400,"message":"not now"}`, "Content-Type", "application/json"), 1)
	sweep := &retries[asteroid.SweepDuplicatesResult]{t: t, name: asteroid.SweepDuplicatesName, options: s.options,
		in: asteroid.SweepDuplicatesInput{AgentID: s.agent, ExecutionKey: "k"}}
	require.True(t, asteroid.IsUnavailable(sweep.err()))
	require.Len(t, s.alive(t), 1)
	swept, err := sweep.next()
	require.NoError(t, err)
	require.Empty(t, s.alive(t))
	require.Len(t, swept.Cancelled, 2, "those of the attempt before, too")
}

func TestAFinalErrorInDoubtTellsTheKey(t *testing.T) {
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

func TestAKeyCannotEndLikeThatOfALaterRunOfAnother(t *testing.T) {
	t.Parallel()
	in := asteroid.ExecuteAgentInput{AgentID: "a", IdempotencyKey: "claim-7#2"}
	require.True(t, asteroid.IsInvalidInput(in.Validate()))
	in.IdempotencyKey = "claim#7-2"
	require.NoError(t, in.Validate())
}

// Two workflows that share a key choose among the same executions and must not choose differently: the one whose own run has
// failed leaves the other's alone.
func TestAnOwnFailedRunDoesNotEndThatOfAnother(t *testing.T) {
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

// After a reset nobody knows what the run before it had under way. One run of the agent that has failed explains it.
func TestAFailedRunExplainsTheDoubtAfterAReset(t *testing.T) {
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

func TestAFailedRunOfAnEarlierStartIsHistory(t *testing.T) {
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

// Of runs that have all failed, one's own is the one to tell of.
func TestOfFailedRunsTheOwnIsAdopted(t *testing.T) {
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

func TestASweepThatKeepsNothingGoesThroughTheNumbersOfTheKey(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "k", Inputs: asteroid.Inputs{"fail": true}}
	_, err := newExecute(t, s.options, in).next()
	require.NoError(t, err)
	s.clock.pass(time.Minute)
	in.Inputs = nil
	second, err := newExecuteOf(t, s.options, in, "again").next()
	require.NoError(t, err)
	require.Equal(t, "k#2", second.ExecutionKey)
	sweep := func(keep string) []string {
		swept, err := run[asteroid.SweepDuplicatesResult](newEnv(t, s.options), asteroid.SweepDuplicatesName,
			asteroid.SweepDuplicatesInput{AgentID: s.agent, ExecutionKey: "k", Keep: keep})
		require.NoError(t, err)
		return swept.Cancelled
	}
	require.Empty(t, sweep(s.api.Executions()[0].ID), "what is to be left is of the first number")
	require.Equal(t, []string{second.ExecutionID}, sweep(""))
}
