package activities_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func newAwaitExecution(t *testing.T, options worker.Options, in asteroid.AwaitExecutionInput) *attempts[asteroid.Execution] {
	t.Helper()
	return &attempts[asteroid.Execution]{t: t, name: asteroid.AwaitExecutionName, options: options, in: in}
}

func TestAwaitExecutionReturnsAccordingToUntil(t *testing.T) {
	t.Parallel()
	asks := []testsuite.Step{testsuite.Work(time.Hour), testsuite.Ask("Which account?", "Checking", "Savings"), testsuite.Complete("success", "", nil)}
	for _, row := range []struct {
		name   string
		in     asteroid.AwaitExecutionInput
		after  time.Duration
		status asteroid.Status // of the result; empty when the wait continues
	}{
		{"terminal, at work", asteroid.AwaitExecutionInput{}, time.Minute, ""},
		{"terminal, asking", asteroid.AwaitExecutionInput{Until: asteroid.UntilTerminal}, 2 * time.Hour, ""},
		{"needsHuman, at work", asteroid.AwaitExecutionInput{Until: asteroid.UntilNeedsHuman}, time.Minute, ""},
		{"needsHuman, asking", asteroid.AwaitExecutionInput{Until: asteroid.UntilNeedsHuman}, 2 * time.Hour, asteroid.StatusPausedByAgent},
		{"change, none", asteroid.AwaitExecutionInput{Until: asteroid.UntilChange, KnownStatus: asteroid.StatusRunning}, time.Minute, ""},
		{"change, one", asteroid.AwaitExecutionInput{Until: asteroid.UntilChange, KnownStatus: asteroid.StatusStarting}, time.Minute, asteroid.StatusRunning},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			api, clock, options := newAPI(t)
			row.in.ExecutionID = executeSteps(t, api, options, asks...)
			clock.Advance(row.after)
			before := len(api.Requests())
			execution, err := runActivity[asteroid.Execution](newEnv(t, options), asteroid.AwaitExecutionName, row.in)
			if row.status == "" {
				require.True(t, asteroid.IsStillRunning(err), "%v", err)
				application := applicationError(t, err)
				require.False(t, application.NonRetryable())
				require.Equal(t, temporal.ApplicationErrorCategoryBenign, application.Category())
				require.Equal(t, before+1, len(api.Requests()), "one GET")
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.status, execution.Status)
			if row.status == asteroid.StatusPausedByAgent {
				require.Equal(t, []asteroid.Question{{Question: "Which account?", Header: execution.Questions[0].Header, Options: []asteroid.QuestionOption{
					{Label: "Checking", Description: execution.Questions[0].Options[0].Description},
					{Label: "Savings", Description: execution.Questions[0].Options[1].Description},
				}}}, execution.Questions)
			}
		})
	}
}

func TestAwaitExecutionReturnsReasonOrResult(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		end            testsuite.Step
		status         asteroid.Status
		reason, result string
	}{
		"completed": {testsuite.Complete("success", "because", map[string]any{"n": 1}), asteroid.StatusCompleted, "", `{"n":1}`},
		"no value":  {testsuite.Complete("success", "because", nil), asteroid.StatusCompleted, "", `null`},
		"failed":    {testsuite.Fail("no such page"), asteroid.StatusFailed, "no such page", ""},
		"ended":     {testsuite.CancelBy("budget_exceeded"), asteroid.StatusCancelled, "budget_exceeded", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, clock, options := newAPI(t)
			id := executeSteps(t, api, options, row.end)
			clock.Advance(time.Minute)
			execution, err := runActivity[asteroid.Execution](newEnv(t, options), asteroid.AwaitExecutionName, asteroid.AwaitExecutionInput{ExecutionID: id})
			require.NoError(t, err)
			require.Equal(t, row.status, execution.Status)
			require.Equal(t, row.reason, execution.Reason)
			require.NotEmpty(t, execution.PlatformURL)
			require.NotNil(t, execution.TerminalAt)
			if row.result != "" {
				require.JSONEq(t, row.result, string(execution.ExecutionResult.Result))
			}
		})
	}
}

func TestAwaitExecutionWaitsAMinuteForResult(t *testing.T) {
	t.Parallel()
	api, clock, options := newAPI(t, testsuite.WithResultDelay(24*time.Hour))
	in := asteroid.AwaitExecutionInput{ExecutionID: executeSteps(t, api, options, testsuite.Complete("success", "", 1))}
	clock.Advance(time.Minute)
	wait := newAwaitExecution(t, options, in)
	require.True(t, asteroid.IsStillRunning(wait.nextErr()))
	clock.Advance(59 * time.Second)
	require.True(t, asteroid.IsStillRunning(wait.nextErr()))
	clock.Advance(time.Second)
	execution, err := wait.next()
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCompleted, execution.Status)
	require.Nil(t, execution.ExecutionResult)
	require.Error(t, execution.DecodeResult(new(int)))
}

func TestAwaitExecutionWaitsAMinuteForReason(t *testing.T) {
	t.Parallel()
	clock := clienttest.NewClock()
	wait := newAwaitExecution(t, worker.Options{Now: clock.Now, Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/activities") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, executionJSON("cancelled"))
	})}, asteroid.AwaitExecutionInput{ExecutionID: "e-1"})
	require.True(t, asteroid.IsStillRunning(wait.nextErr()))
	clock.Advance(time.Minute)
	execution, err := wait.next()
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCancelled, execution.Status)
}

func TestAwaitExecutionToleratesFailedPollsForAnHour(t *testing.T) {
	t.Parallel()
	clock := clienttest.NewClock()
	var down atomic.Bool
	down.Store(true)
	options := worker.Options{Now: clock.Now, Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, executionJSON("running"))
	})}
	wait := newAwaitExecution(t, options, asteroid.AwaitExecutionInput{ExecutionID: "e-1"})

	for range 5 {
		err := wait.nextErr()
		require.True(t, asteroid.IsUnavailable(err), "%v", err)
		require.False(t, applicationError(t, err).NonRetryable())
		clock.Advance(14 * time.Minute)
	}
	down.Store(false) // one good poll ends the streak
	require.True(t, asteroid.IsStillRunning(wait.nextErr()))
	down.Store(true)
	require.False(t, applicationError(t, wait.nextErr()).NonRetryable())
	clock.Advance(6 * time.Hour)
	err := wait.nextErr()
	require.True(t, asteroid.IsUnavailable(err), "%v", err)
	require.True(t, applicationError(t, err).NonRetryable())
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, "e-1", details.ExecutionID)
}

func TestAwaitExecutionRetriesEarly404Only(t *testing.T) {
	t.Parallel()
	clock := clienttest.NewClock()
	wait := newAwaitExecution(t, worker.Options{Now: clock.Now, Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
	})}, asteroid.AwaitExecutionInput{ExecutionID: "e-1"})
	err := wait.nextErr()
	require.True(t, asteroid.IsNotFound(err), "%v", err)
	require.False(t, applicationError(t, err).NonRetryable())
	clock.Advance(2 * time.Minute)
	err = wait.nextErr()
	require.True(t, asteroid.IsNotFound(err), "%v", err)
	require.True(t, applicationError(t, err).NonRetryable())
}

func TestAwaitExecutionWaitsThroughAnUnknownStatus(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{
		"ends with a time":   `,"terminalAt":"2026-01-02T04:04:05Z"`,
		"ends with a result": `,"executionResult":{"outcome":"partial"}`,
	} {
		for _, until := range []asteroid.AwaitUntil{asteroid.UntilTerminal, asteroid.UntilNeedsHuman, asteroid.UntilChange, asteroid.UntilSignificantChange} {
			t.Run(name+", until "+string(until), func(t *testing.T) {
				t.Parallel()
				clock := clienttest.NewClock()
				body := executionJSON("hibernating")
				in := asteroid.AwaitExecutionInput{ExecutionID: "e-1", Until: until}
				if until == asteroid.UntilChange || until == asteroid.UntilSignificantChange {
					in.KnownStatus = "hibernating"
				}
				wait := newAwaitExecution(t, worker.Options{Now: clock.Now, Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, body)
				})}, in)
				for range 3 {
					require.True(t, asteroid.IsStillRunning(wait.nextErr()))
					clock.Advance(24 * time.Hour)
				}
				body = strings.TrimSuffix(body, "}") + end + "}"
				execution, err := wait.next()
				require.NoError(t, err)
				require.True(t, execution.Terminal())
			})
		}
	}
}

func TestAwaitExecutionKnowsAStatusOfAnotherLetterCase(t *testing.T) {
	t.Parallel()
	wait := newAwaitExecution(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Replace(executionJSON(" Completed"), "}", `,"executionResult":{"outcome":"done"}}`, 1))
	})}, asteroid.AwaitExecutionInput{ExecutionID: "e-1"})
	execution, err := wait.next()
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCompleted, execution.Status)
}

func TestAwaitExecutionUntilChangeReturnsUnknownStatus(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, executionJSON("hibernating"))
	})})
	execution, err := runActivity[asteroid.Execution](env, asteroid.AwaitExecutionName,
		asteroid.AwaitExecutionInput{ExecutionID: "e-1", Until: asteroid.UntilChange, KnownStatus: asteroid.StatusRunning})
	require.NoError(t, err)
	require.Equal(t, asteroid.Status("hibernating"), execution.Status)
}

func TestAwaitExecutionFallsBackWithoutLongPoll(t *testing.T) {
	t.Parallel()
	clock := clienttest.NewClock()
	for name, options := range map[string][]testsuite.Option{"has one": nil, "has none": {testsuite.WithoutLongPoll()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testsuite.NewAPI(t, append(options, testsuite.WithClock(clock.Now))...)
			options := worker.Options{Connections: connect(api), Now: clock.Now}
			in := asteroid.AwaitExecutionInput{ExecutionID: executeSteps(t, api, options, testsuite.Work(time.Hour), testsuite.Complete("success", "", 1)), LongPollSeconds: 25}
			before := len(api.Requests())
			_, err := newEnv(t, options).ExecuteActivity(asteroid.AwaitExecutionName, in)
			require.True(t, asteroid.IsStillRunning(err), "%v", err)
			require.Equal(t, before+2, len(api.Requests()))
		})
	}
}

func TestAwaitExecutionLongPollReportsNotFound(t *testing.T) {
	t.Parallel()
	clock := clienttest.NewClock()
	api := testsuite.NewAPI(t)
	wait := newAwaitExecution(t, worker.Options{Connections: connect(api), Now: clock.Now},
		asteroid.AwaitExecutionInput{ExecutionID: "11111111-1111-4111-8111-111111111111", LongPollSeconds: 1})
	clock.Advance(2 * time.Minute)
	err := wait.nextErr()
	require.True(t, asteroid.IsNotFound(err), "%v", err)
}

func TestAwaitExecutionRejectsInvalidInput(t *testing.T) {
	t.Parallel()
	for field, in := range map[string]asteroid.AwaitExecutionInput{
		"executionId":     {ExecutionID: "a/b"},
		"until":           {ExecutionID: "e", Until: "forever"},
		"knownStatus":     {ExecutionID: "e", Until: asteroid.UntilChange},
		"longPollSeconds": {ExecutionID: "e", LongPollSeconds: 26},
	} {
		env := newEnv(t, worker.Options{Connections: expectNoRequest(t)})
		_, err := env.ExecuteActivity(asteroid.AwaitExecutionName, in)
		require.True(t, asteroid.IsInvalidInput(err), "%v", err)
		require.True(t, strings.Contains(err.Error(), field), "%v", err)
	}
}
