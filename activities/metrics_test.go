package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/metricstest"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// newMeteredEnv is newEnv with a recorder of metrics.
func newMeteredEnv(t *testing.T, options worker.Options) (*sdktestsuite.TestActivityEnvironment, *metricstest.Recorder) {
	t.Helper()
	recorded := metricstest.NewRecorder()
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	suite.SetMetricsHandler(recorded)
	plugin, err := worker.NewPlugin(options, worker.WithLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler))))
	require.NoError(t, err)
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})
	return env, recorded
}

func TestRequestsAreCountedByClassOfStatus(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault testsuite.Fault
		key   func(context.Context) (string, error)
		want  string
	}{
		"2xx":                     {testsuite.Fault{}, nil, "2xx"},
		"4xx":                     {testsuite.Answer(400, "no"), nil, "4xx"},
		"429":                     {testsuite.Answer(429, ""), nil, "429"},
		"5xx":                     {testsuite.Answer(503, ""), nil, "5xx"},
		"response that breaks":    {testsuite.ResetMidBody(), nil, "unanswered"},
		"response that is lost":   {testsuite.LoseResponse(), nil, "unanswered"},
		"response of another use": {testsuite.Answer(200, "[]", "Content-Type", "application/json"), nil, "2xx"},
		"no key":                  {testsuite.Fault{}, func(context.Context) (string, error) { return "", errors.New("sealed") }, "unsent"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := testsuite.NewAPI(t)
			connection := asteroid.Connection{APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()}
			if test.key != nil {
				connection.APIKey = test.key
			}
			env, recorded := newMeteredEnv(t, worker.Options{Connections: map[string]asteroid.Connection{"main": connection}})
			api.Inject("AgentExecutePost", test.fault, 1)
			_, _ = env.ExecuteActivity(asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{Connection: "main", AgentID: api.AgentID("patient")})
			lines := recorded.Take(metrics.Request)
			require.Len(t, lines, 2, lines)
			require.Equal(t, "asteroid_request_duration_count main AgentExecutePost "+test.want+": 1", lines[1])
		})
	}
}

func TestRequestsHeldBackByRateLimitAreCountedAsUnsent(t *testing.T) {
	t.Parallel()
	env, recorded := newMeteredEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	})})
	for range 2 {
		_, err := env.ExecuteActivity(asteroid.GetExecutionName, asteroid.GetExecutionInput{ExecutionID: "e-1"})
		require.True(t, asteroid.IsRateLimited(err), "%v", err)
	}
	require.Equal(t, []string{
		"asteroid_request_duration_count default ExecutionGet 429: 1", "asteroid_request_duration_count default ExecutionGet unsent: 1",
	}, counts(recorded.Take(metrics.Request)))
}

// A request that needs another one first is not counted when that one fails.
func TestRequestsThatFollowFailedOneAreNotCounted(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	api.Inject("WhoamiGet", testsuite.Answer(503, ""), 1)
	env, recorded := newMeteredEnv(t, worker.Options{Connections: asDefault(asteroid.Connection{APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()})})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,text"}}})
	require.True(t, asteroid.IsUnavailable(err), "%v", err)
	require.Equal(t, []string{"asteroid_request_duration_count default WhoamiGet 5xx: 1"}, counts(recorded.Take(metrics.Request)))
	require.Empty(t, counts(recorded.Take(metrics.Files)))
}

// counts leaves out the sums of durations.
func counts(lines []string) (counted []string) {
	for _, line := range lines {
		if strings.Contains(line, "_count ") {
			counted = append(counted, line)
		}
	}
	return counted
}

func TestCheckSendsNoMetrics(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, worker.Check(ctx, worker.Options{Connections: asDefault(asteroid.Connection{
		APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL(), OrganizationID: api.OrganizationID(),
	})}), "no activity runs, whose metrics handler could be used")
}
