package activities_test

import (
	"fmt"
	"strconv"
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
}

func TestExecuteAgentRefusesIdempotencyKeyOfOtherRequest(t *testing.T) {
	t.Parallel()
	version := 7
	for name, row := range map[string]struct {
		change    func(f *agentFixture, in *asteroid.ExecuteAgentInput)
		differs   string // what is not the same intent
		adoptedAs []string
	}{
		"same":    {change: func(*agentFixture, *asteroid.ExecuteAgentInput) {}},
		"labels":  {change: func(_ *agentFixture, in *asteroid.ExecuteAgentInput) { in.Metadata = map[string]string{"team": "b"} }},
		"agent":   {change: func(f *agentFixture, in *asteroid.ExecuteAgentInput) { in.AgentID = f.api.AgentID("patient") }, differs: "(agentId)"},
		"inputs":  {change: func(_ *agentFixture, in *asteroid.ExecuteAgentInput) { in.Inputs = asteroid.Inputs{"claim": 2} }, differs: "(inputs)"},
		"profile": {change: func(_ *agentFixture, in *asteroid.ExecuteAgentInput) { in.AgentProfileID = "p" }, differs: "(profile)"},
		"two": {change: func(f *agentFixture, in *asteroid.ExecuteAgentInput) {
			in.AgentID, in.Inputs = f.api.AgentID("patient"), nil
		}, differs: "(agentId, inputs)"},
		"version": {change: func(_ *agentFixture, in *asteroid.ExecuteAgentInput) { in.Version = &version }, adoptedAs: []string{"version"}},
	} {
		for _, ended := range []bool{false, true} {
			f := newAgentFixture(t)
			in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order-42", Inputs: asteroid.Inputs{"claim": 1}}
			f.fails.Store(ended)
			first, err := newExecuteAgent(t, f.options, in).next()
			require.NoError(t, err)
			f.clock.Advance(time.Minute)
			row.change(f, &in)
			second, err := newExecuteAgentAs(t, f.options, in, "another").next()
			if row.differs == "" {
				require.NoError(t, err, name)
				require.Equal(t, !ended, second.Adopted, name)
				if !ended {
					require.Equal(t, row.adoptedAs, second.Differences, name)
				}
				continue
			}
			require.True(t, asteroid.IsInvalidInput(err), "%s: %v", name, err)
			require.True(t, applicationError(t, err).NonRetryable())
			require.Contains(t, err.Error(), row.differs)
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, first.ExecutionID, details.ExecutionID)
			require.Equal(t, "idempotencyKey", details.Field)
			require.Zero(t, details.UnknownOutcomes)
			require.Len(t, f.api.Executions(), 1)
		}
	}
}

// Two workflows use one key for different requests at the same moment, so neither finds the other
// before it posts. The older execution keeps the key.
func TestExecuteAgentCancelsOwnExecutionIfKeyIsTakenMeanwhile(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order-42"}
	first, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	f.clock.Advance(time.Second)
	in.Inputs = asteroid.Inputs{"claim": 2}
	other := newExecuteAgentAs(t, f.options, in, "another")
	f.network.hideExecutions.Store(true)
	f.network.loseResponses.Store(true)
	require.Error(t, other.nextErr())
	require.Len(t, f.live(), 2)
	f.network.hideExecutions.Store(false)
	f.network.loseResponses.Store(false)
	err = other.nextErr()
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	require.Len(t, f.live(), 1)
	require.Equal(t, first.ExecutionID, f.live()[0].ID)
}

// A key that failed a thousand times is looked up with a handful of requests.
func TestExecuteAgentFindsLastOfManyFailedExecutionsQuickly(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	f.fails.Store(true)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order-42"}
	for number := 1; number <= 100; number++ {
		result, err := newExecuteAgentAs(t, f.options, in, fmt.Sprint("activity ", number)).next()
		require.NoError(t, err)
		f.clock.Advance(time.Minute)
		require.Equal(t, number, keyNumber(result.ExecutionKey))
	}
	f.network.listRequests.Store(0)
	result, err := newExecuteAgentAs(t, f.options, in, "the last").next()
	require.NoError(t, err)
	require.Equal(t, "order-42#101", result.ExecutionKey)
	require.Less(t, f.network.listRequests.Load(), int32(17))
}

func keyNumber(key string) int {
	_, number, numbered := strings.Cut(key, "#")
	if !numbered {
		return 1
	}
	n, _ := strconv.Atoi(number)
	return n
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
	f.fails.Store(true)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order-42"}
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
	f.fails.Store(false)
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
	f.fails.Store(true)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
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
	f.fails.Store(true)
	began := f.clock.Now()
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, Internal: asteroid.ExecuteAgentInternal{ExecutionKey: "k"}}
	execute := newExecuteAgent(t, f.options, in)
	f.network.loseResponses.Store(true)
	require.Error(t, execute.nextErr())
	f.network.loseResponses.Store(false)
	f.clock.Advance(time.Minute) // the agent has failed
	in.Internal.UnknownOutcomes, in.Internal.UnknownSince = 1, began
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
	f.fails.Store(true)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "k"}
	_, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	f.clock.Advance(time.Minute)
	in.Internal.UnknownOutcomes, in.Internal.UnknownSince = 1, f.clock.Now()
	f.fails.Store(false)
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
	f.fails.Store(true)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order 42"}
	own := newExecuteAgent(t, f.options, in)
	own.crash()
	f.clock.Advance(time.Minute)
	f.fails.Store(false)
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
	f.fails.Store(true)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order 42"}
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

// The key turns out to be another request's while this one may still start an agent: then that
// agent has to be awaited, and cancelled.
func TestExecuteAgentLooksUpUnknownOutcomeOfTakenKeyDuringGracePeriod(t *testing.T) {
	t.Parallel()
	for name, carriedOut := range map[string]bool{"carried out late": true, "lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newAgentFixture(t)
			in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order-42", Inputs: asteroid.Inputs{"claim": 2}}
			other := newExecuteAgentAs(t, f.options, in, "another")
			f.api.Inject("AgentExecutePost", testsuite.Answer(503, "<html>", "Content-Type", "text/html"), 1)
			require.Error(t, other.nextErr())
			in.Inputs = nil
			first, err := newExecuteAgent(t, f.options, in).next()
			require.NoError(t, err)
			require.True(t, asteroid.IsUnavailable(other.nextErr()))
			if carriedOut {
				f.clock.Advance(time.Second)
				f.network.hideExecutions.Store(true)
				f.network.loseResponses.Store(true)
				late := newExecuteAgentAs(t, f.options, other.in.(asteroid.ExecuteAgentInput), "another")
				require.Error(t, late.nextErr())
				f.network.hideExecutions.Store(false)
				f.network.loseResponses.Store(false)
				require.Len(t, f.live(), 2)
			} else {
				f.clock.Advance(activities.DefaultLookupGrace)
			}
			err = other.nextErr()
			require.True(t, asteroid.IsInvalidInput(err), "%v", err)
			require.Len(t, f.live(), 1)
			require.Equal(t, first.ExecutionID, f.live()[0].ID)
		})
	}
}

// Somebody else may have sent with the key at the same moment, whether or not the response to the
// own request was lost.
func TestExecuteAgentWithSharedKeyAsksForASweepOfItsOwnExecution(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]int{"response received": 0, "response lost": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newAgentFixture(t)
			execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order-42"})
			f.api.Inject("AgentExecutePost", testsuite.LoseResponse(), lost)
			if lost > 0 {
				require.Error(t, execute.nextErr())
			}
			executed, err := execute.next()
			require.NoError(t, err)
			require.Equal(t, lost > 0, executed.Adopted)
			require.True(t, executed.MayHaveLateDuplicate)
			require.Positive(t, executed.SweepAfterSeconds)
		})
	}
}
