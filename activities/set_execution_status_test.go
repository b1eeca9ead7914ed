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

func TestSetExecutionStatusRejectsOtherStatuses(t *testing.T) {
	t.Parallel()
	for _, status := range []asteroid.Status{"", asteroid.StatusCompleted, asteroid.StatusQueued, "hibernating"} {
		env := newEnv(t, worker.Options{Connections: expectNoRequest(t)})
		_, err := env.ExecuteActivity(asteroid.SetExecutionStatusName, asteroid.SetExecutionStatusInput{ExecutionID: "e-1", Status: status})
		require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	}
}
