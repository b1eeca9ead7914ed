package activities_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestGetExecutionReadsReasonOfCurrentStatus(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/activities") {
			_, _ = io.WriteString(w, `[
				{"id":"1","executionId":"e-1","timestamp":"2026-01-02T03:04:07Z","payload":{"activityType":"status_changed","status":"running"}},
				{"id":"2","executionId":"e-1","timestamp":"2026-01-02T03:04:06Z","payload":{"activityType":"status_changed","status":"paused","pausedPayload":{"reason":"lunch"}}},
				{"id":"3","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"status_changed","status":"failed","failedPayload":{"reason":"broken","os_error":{"message":"disk full"}}}}]`)
			return
		}
		_, _ = io.WriteString(w, executionJSON("failed"))
	})})
	execution, err := runActivity[asteroid.Execution](env, asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
	require.NoError(t, err)
	require.Equal(t, "broken (disk full)", execution.Reason)
}

func TestGetExecutionReadsQuestionOfOlderServiceFromLastAction(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/activities") {
			require.Equal(t, "desc", r.URL.Query().Get("order"))
			_, _ = io.WriteString(w, `[
				{"id":"1","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"a_new_kind","status":7}},
				{"id":"2","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"status_changed","data":{"status":"paused_by_agent"}}},
				{"id":"3","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"action_started","data":{"message":"Which account?"}}},
				{"id":"4","executionId":"e-1","timestamp":"2026-01-02T03:04:05Z","payload":{"activityType":"action_started","data":{"message":"an older one"}}}]`)
			return
		}
		_, _ = io.WriteString(w, executionJSON("paused_by_agent"))
	})})
	execution, err := runActivity[asteroid.Execution](env, asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
	require.NoError(t, err)
	require.Equal(t, "Which account?", execution.Reason)
}

func TestGetExecutionReturnsCanceledError(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	ctx, cancel := context.WithCancelCause(context.Background())
	env := newEnvWith(t, worker.Options{Connections: serveAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})}, sdkworker.Options{BackgroundActivityContext: ctx})
	go func() { <-began; cancel(temporal.NewCanceledError()) }()
	_, err := env.ExecuteActivity(asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, err, &cancelled)
}

func TestGetExecutionFailsAfterRequestTimeout(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{RequestTimeout: 20 * time.Millisecond, Connections: serveAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})})
	_, err := env.ExecuteActivity(asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
	require.True(t, asteroid.IsUnavailable(err), "%v", err)
	require.Contains(t, err.Error(), "no answer within 20ms")
}
