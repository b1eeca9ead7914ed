package activities_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func newExecute(t *testing.T, options worker.Options, in asteroid.ExecuteAgentInput) *retries[asteroid.ExecuteAgentResult] {
	t.Helper()
	return &retries[asteroid.ExecuteAgentResult]{t: t, name: asteroid.ExecuteAgentName, options: options, in: in}
}

// newExecuteOf is newExecute in another activity.
func newExecuteOf(t *testing.T, options worker.Options, in asteroid.ExecuteAgentInput, activityID string) *retries[asteroid.ExecuteAgentResult] {
	t.Helper()
	execute := newExecute(t, options, in)
	execute.id = activityID
	return execute
}

// scene is a fake with a clock of its own and one agent that works for an hour.
type scene struct {
	api     *testsuite.API
	clock   *clock
	options worker.Options
	agent   string
	line    *cutLine
}

func newScene(t *testing.T, options ...testsuite.Option) *scene {
	t.Helper()
	clock := newClock()
	s := &scene{clock: clock, api: testsuite.NewAPI(t, append(options, testsuite.WithClock(clock.Now))...), line: &cutLine{}}
	s.options = worker.Options{Now: clock.Now, Connections: connect(s.api)}
	connection := s.options.Connections[asteroid.DefaultConnection]
	connection.Transport = s.line
	s.options.Connections[asteroid.DefaultConnection] = connection
	s.agent = s.api.ServeAgent("clerk", func(run testsuite.Run) []testsuite.Step {
		if run.Inputs["fail"] == true {
			return []testsuite.Step{testsuite.Fail("no")}
		}
		return []testsuite.Step{testsuite.Work(time.Hour), testsuite.Complete("success", "", 1)}
	})
	return s
}

// cutLine is a network that can lose the answer to an execute, hide executions from the list, or both.
type cutLine struct {
	loseAnswers, hide atomic.Bool
	lists             atomic.Int32
}

func (l *cutLine) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && r.URL.Path == "/agents/v2/executions" {
		l.lists.Add(1)
		if l.hide.Load() {
			query := r.URL.Query()
			query.Set("metadataValue", "nothing has this")
			r = r.Clone(r.Context())
			r.URL.RawQuery = query.Encode()
		}
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost && l.loseAnswers.Load() {
		_ = response.Body.Close()
		return nil, context.DeadlineExceeded
	}
	return response, err
}

func (s *scene) alive(t *testing.T) []testsuite.Execution {
	t.Helper()
	var alive []testsuite.Execution
	for _, e := range s.api.Executions() {
		if e.Status != "cancelled" && e.Status != "failed" {
			alive = append(alive, e)
		}
	}
	return alive
}

func TestWithoutTroubleAnExecuteIsOneRequest(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	result, err := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent}).next()
	require.NoError(t, err)
	require.False(t, result.Adopted)
	require.False(t, result.MayHaveLateDuplicate)
	require.Len(t, s.api.Requests(), 1)
}

func TestAnExecuteWhoseAnswerIsLostIsAdoptedByTheNextAttempt(t *testing.T) {
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

func TestAnExecutionThatIsListedLateIsWaitedForDuringTheGracePeriod(t *testing.T) {
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

func TestAfterTheGracePeriodItIsSentAgainAndTheOldestIsKept(t *testing.T) {
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

func TestADuplicateThatIsSeenAtOnceIsCancelledAndTheOldestKept(t *testing.T) {
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

func TestARefusalAfterAnUnknownOutcomeDoesNotEndTheDoubt(t *testing.T) {
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

func TestDoubtOutlivesTheActivityThatWasRefused(t *testing.T) {
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

func TestARefusedExecuteIsRepeatedWithoutALook(t *testing.T) {
	t.Parallel()
	s := newScene(t, testsuite.WithConcurrencyLimit(1))
	_, err := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent}).next()
	require.NoError(t, err)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "mine", Internal: asteroid.ExecuteAgentInternal{FreshKey: true}})
	require.True(t, asteroid.IsAtCapacity(execute.err()))
	require.True(t, asteroid.IsAtCapacity(execute.err()))
	s.clock.pass(2 * time.Hour)
	_, err = execute.next()
	require.NoError(t, err)
	require.Zero(t, s.line.lists.Load())
}

func TestAFileThatExpiredIsNoProofThatNothingWasStarted(t *testing.T) {
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

func TestWhoSharesAnIdempotencyKeySharesTheRun(t *testing.T) {
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

func TestARunThatFailedIsHistoryForTheNextExecuteOfTheIntent(t *testing.T) {
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

func TestAFailedRunOfTheSameActivityIsAdopted(t *testing.T) {
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

func TestTheOldestIsKeptEvenWhenItHasFailed(t *testing.T) {
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

func TestRerunsOfPeopleAreNeitherAdoptedNorCountedNorCancelled(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	execute.lost()
	original := s.api.Executions()[0].ID
	rerun := s.api.RerunExecution(original)
	s.api.RerunExecution(rerun)
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, original, result.ExecutionID)
	require.Empty(t, result.DuplicatesCancelled)
	_, err = newEnv(t, s.options).ExecuteActivity(asteroid.SweepDuplicatesName, asteroid.SweepDuplicatesInput{
		AgentID: s.agent, ExecutionKey: result.ExecutionKey, Keep: original,
	})
	require.NoError(t, err)
	require.Len(t, s.alive(t), 3)
}

func TestARerunLeadsToAnOriginalThatTheListDoesNotShow(t *testing.T) {
	t.Parallel()
	const page = `{"page":1,"pageSize":100,"total":1,"items":[{"id":"rerun","parentExecutionId":"middle","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z","metadata":{"temporal_execution_key":"k"}}]}`
	var posts atomic.Int32
	execute := newExecute(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			posts.Add(1)
		case r.URL.Path == "/agents/v2/executions":
			_, _ = w.Write([]byte(page))
		case r.URL.Path == "/agents/v2/executions/middle":
			_, _ = w.Write([]byte(`{"id":"middle","parentExecutionId":"original","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z"}`))
		case r.URL.Path == "/agents/v2/executions/original":
			_, _ = w.Write([]byte(`{"id":"original","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z"}`))
		}
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "k"})
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, "original", result.ExecutionID)
	require.Zero(t, posts.Load())
}

func TestTheLookupPagesAndFiltersInBothDialects(t *testing.T) {
	t.Parallel()
	for _, dialect := range []asteroid.Dialect{asteroid.DialectAgents, asteroid.DialectWorkflows} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			connection := s.options.Connections[asteroid.DefaultConnection]
			connection.Dialect = dialect
			s.options.Connections[asteroid.DefaultConnection] = connection
			in := asteroid.ExecuteAgentInput{AgentID: s.agent, IdempotencyKey: "order-42"}
			first, err := newExecute(t, s.options, in).next()
			require.NoError(t, err)
			for range 120 { // reruns share the key: the original is on the first page only because the oldest come first
				s.api.RerunExecution(first.ExecutionID)
			}
			s.line.lists.Store(0)
			again, err := newExecute(t, s.options, in).next()
			require.NoError(t, err)
			require.Equal(t, first.ExecutionID, again.ExecutionID)
			require.EqualValues(t, 2, s.line.lists.Load())
		})
	}
}

func TestAServiceThatMatchesInexactlyIsNotBelieved(t *testing.T) {
	t.Parallel()
	row := func(id, agent, key string) string {
		return `{"id":"` + id + `","status":"running","agentId":"` + agent + `","organizationId":"o","createdAt":"2026-01-02T03:04:05Z","metadata":{"temporal_execution_key":"` + key + `"}}`
	}
	var posts atomic.Int32
	execute := newExecute(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(`{"executionId":"new"}`))
			return
		}
		_, _ = w.Write([]byte(`{"page":1,"pageSize":100,"total":4,"items":[` + row("e-1", "a-1", "order-421") + "," + row("e-2", "a-1", "ORDER-42") + "," +
			row("e-3", "a-2", "order-42") + "," + row("../e-4", "a-1", "order-42") + `]}`))
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "order-42"})
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, "new", result.ExecutionID)
	require.EqualValues(t, 1, posts.Load())
}

func TestAKeyOfSeveralOrganizationsCanLookToo(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	connection := s.options.Connections[asteroid.DefaultConnection]
	connection.APIKey = asteroid.StaticAPIKey(s.api.AddAPIKey(s.api.OrganizationID(), s.api.AddOrganization("Second")))
	s.options.Connections[asteroid.DefaultConnection] = connection
	execute := newExecute(t, s.options, asteroid.ExecuteAgentInput{AgentID: s.agent})
	execute.lost()
	result, err := execute.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, s.api.Executions(), 1)
}

func TestALookThatFailsSendsNothing(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	execute := newExecute(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		w.WriteHeader(http.StatusBadGateway)
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "k"})
	for range 3 {
		require.True(t, asteroid.IsUnavailable(execute.err()))
	}
	require.Zero(t, posts.Load())
}

func TestTransportsWithoutTracesDoNotMakeALostAnswerSafe(t *testing.T) {
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

func TestAResetConnectionDoesNotMakeALostAnswerSafe(t *testing.T) {
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

func TestAWorkerThatStopsStillHearsTheAnswer(t *testing.T) {
	t.Parallel()
	began, answer := make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	env := newEnvWith(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-answer
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"executionId":"e-1"}`))
	})}, sdkworker.Options{BackgroundActivityContext: ctx})
	go func() { <-began; stop(); close(answer) }()
	result, err := run[asteroid.ExecuteAgentResult](env, asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: "a-1"})
	require.NoError(t, err)
	require.Equal(t, "e-1", result.ExecutionID)
}
