package activities_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestSetExecutionStatusPausesResumesAndCancels(t *testing.T) {
	t.Parallel()
	api, clock, options := newAPI(t)
	id := executeSteps(t, api, options, testsuite.Work(time.Hour), testsuite.Complete("success", "", 1))
	clock.Advance(time.Minute)
	for _, status := range []asteroid.Status{
		asteroid.StatusPaused, asteroid.StatusPaused, asteroid.StatusRunning, asteroid.StatusCancelled, asteroid.StatusCancelled,
	} {
		result, err := runActivity[asteroid.SetExecutionStatusResult](newEnv(t, options), asteroid.SetExecutionStatusName,
			asteroid.SetExecutionStatusInput{ExecutionID: id, Status: status})
		require.NoError(t, err, status)
		require.Equal(t, status, result.Status)
	}
}

func TestSetExecutionStatusReturnsTerminalStatusInstead(t *testing.T) {
	t.Parallel()
	api, clock, options := newAPI(t)
	id := executeSteps(t, api, options, testsuite.Complete("success", "", 1))
	clock.Advance(time.Minute)
	result, err := runActivity[asteroid.SetExecutionStatusResult](newEnv(t, options), asteroid.SetExecutionStatusName,
		asteroid.SetExecutionStatusInput{ExecutionID: id, Status: asteroid.StatusCancelled})
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCompleted, result.Status)
}

func TestSetExecutionStatusFailsWhenRefusedForLiveExecution(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"code":400,"message":"not now"}`)
			return
		}
		_, _ = io.WriteString(w, executionJSON("running"))
	})})
	_, err := env.ExecuteActivity(asteroid.SetExecutionStatusName,
		asteroid.SetExecutionStatusInput{ExecutionID: "e-1", Status: asteroid.StatusPaused})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	require.Contains(t, err.Error(), "not now")
}

func TestSetExecutionStatusResumesOnlyTheNamedAsking(t *testing.T) {
	t.Parallel()
	api, clock, options := newAPI(t)
	id := executeSteps(t, api, options, testsuite.AwaitConfirmation("Continue?"), testsuite.AwaitConfirmation("Pay 10,000?"),
		testsuite.Work(time.Hour), testsuite.Complete("success", "", 1))
	resume := func(asking string, attempt int32) (asteroid.Status, error) {
		result, err := runActivity[asteroid.SetExecutionStatusResult](newEnvWith(t, options, onAttempt(attempt)), asteroid.SetExecutionStatusName,
			asteroid.SetExecutionStatusInput{ExecutionID: id, Status: asteroid.StatusRunning, Asking: asking})
		if err != nil {
			requireErrorType(t, invalidInput, err)
			return "", err
		}
		return result.Status, nil
	}
	clock.Advance(time.Minute)
	first := readExecution(t, options, id).Asking
	_, err := resume("", 1)
	require.ErrorContains(t, err, "is required while the agent asks")
	_, err = resume(first, 1)
	require.NoError(t, err)
	clock.Advance(time.Second)
	_, err = resume(first, 1)
	require.ErrorContains(t, err, `now asks "Pay 10,000?"`, "a double click")
	status, err := resume(first, 2)
	require.NoError(t, err, "an earlier attempt has resumed it")
	require.Equal(t, asteroid.StatusAwaitingConfirmation, status)
	require.Equal(t, 1, countRequests(api, "ExecutionStatusUpdate"))

	second := readExecution(t, options, id).Asking
	for range 2 {
		status, err = resume(second, 1)
		require.NoError(t, err)
		require.Equal(t, asteroid.StatusRunning, status)
	}
	require.Equal(t, 2, countRequests(api, "ExecutionStatusUpdate"))
}

func TestSetExecutionStatusIsNotRepeatedWhenTheReadAfterItFails(t *testing.T) {
	t.Parallel()
	for _, status := range []asteroid.Status{asteroid.StatusRunning, asteroid.StatusPaused, asteroid.StatusCancelled} {
		api, clock, options := newAPI(t)
		id := executeSteps(t, api, options, testsuite.Work(time.Hour), testsuite.Complete("success", "", 1))
		clock.Advance(time.Minute)
		set := func(status asteroid.Status) (*asteroid.SetExecutionStatusResult, error) {
			return runActivity[asteroid.SetExecutionStatusResult](newEnv(t, options), asteroid.SetExecutionStatusName,
				asteroid.SetExecutionStatusInput{ExecutionID: id, Status: status})
		}
		reads := 0
		if status == asteroid.StatusRunning {
			_, err := set(asteroid.StatusPaused)
			require.NoError(t, err)
			reads = 1
		}
		api.Inject("ExecutionGet", testsuite.Fault{}, reads)
		api.Inject("ExecutionGet", testsuite.Answer(http.StatusServiceUnavailable, ""), 1)
		result, err := set(status)
		require.NoError(t, err)
		require.Equal(t, status, result.Status)
	}
}

func TestSetExecutionStatusRejectsOtherStatuses(t *testing.T) {
	t.Parallel()
	for _, status := range []asteroid.Status{"", asteroid.StatusCompleted, asteroid.StatusQueued, "hibernating"} {
		env := newEnv(t, worker.Options{Connections: expectNoRequest(t)})
		_, err := env.ExecuteActivity(asteroid.SetExecutionStatusName, asteroid.SetExecutionStatusInput{ExecutionID: "e-1", Status: status})
		require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	}
}
