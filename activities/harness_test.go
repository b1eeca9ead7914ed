package activities_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// newEnv returns an activity environment with the plugin.
func newEnv(t *testing.T, options worker.Options) *sdktestsuite.TestActivityEnvironment {
	t.Helper()
	return newEnvWith(t, options, sdkworker.Options{})
}

// newEnvWith is newEnv with options for the worker too.
func newEnvWith(t *testing.T, options worker.Options, workerOptions sdkworker.Options) *sdktestsuite.TestActivityEnvironment {
	t.Helper()
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	plugin, err := worker.NewPlugin(options)
	require.NoError(t, err)
	workerOptions.Plugins = []sdkworker.Plugin{plugin}
	env.SetWorkerOptions(workerOptions)
	return env
}

// onAttempt makes every activity believe that it is the nth attempt: the environment itself only knows first ones.
func onAttempt(n int32) sdkworker.Options {
	return sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{&attemptInterceptor{attempt: n}}}
}

type attemptInterceptor struct {
	interceptor.WorkerInterceptorBase
	attempt int32
}

func (i *attemptInterceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &attemptInbound{interceptor.ActivityInboundInterceptorBase{Next: next}, i.attempt}
}

type attemptInbound struct {
	interceptor.ActivityInboundInterceptorBase
	attempt int32
}

func (i *attemptInbound) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	return i.Next.Init(&attemptOutbound{interceptor.ActivityOutboundInterceptorBase{Next: outbound}, i.attempt})
}

type attemptOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
	attempt int32
}

func (o *attemptOutbound) GetInfo(ctx context.Context) activity.Info {
	info := o.Next.GetInfo(ctx)
	info.Attempt = o.attempt
	return info
}

func one(c activities.Connection) map[string]activities.Connection {
	return map[string]activities.Connection{activities.DefaultConnection: c}
}

func connect(api *testsuite.API) map[string]activities.Connection {
	return one(activities.Connection{APIKey: activities.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()})
}

// run executes an activity by name.
func run[Out any](env *sdktestsuite.TestActivityEnvironment, name string, in any) (*Out, error) {
	value, err := env.ExecuteActivity(name, in)
	if err != nil {
		return nil, err
	}
	var out Out
	return &out, value.Get(&out)
}

// canned serves the same answer to every request.
func canned(t *testing.T, answer http.HandlerFunc) map[string]activities.Connection {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return one(activities.Connection{APIKey: activities.StaticAPIKey("secret-key"), BaseURL: server.URL, OrganizationID: "org-1"})
}
