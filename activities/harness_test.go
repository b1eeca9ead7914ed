package activities_test

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
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
	id      string
	late    time.Duration // between scheduled and started
}

func (i *attemptInterceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &attemptInbound{interceptor.ActivityInboundInterceptorBase{Next: next}, i}
}

type attemptInbound struct {
	interceptor.ActivityInboundInterceptorBase
	as *attemptInterceptor
}

func (i *attemptInbound) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	return i.Next.Init(&attemptOutbound{interceptor.ActivityOutboundInterceptorBase{Next: outbound}, i.as})
}

type attemptOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
	as *attemptInterceptor
}

func (o *attemptOutbound) GetInfo(ctx context.Context) activity.Info {
	info := o.Next.GetInfo(ctx)
	info.Attempt = o.as.attempt
	info.ActivityID = cmp.Or(o.as.id, info.ActivityID)
	info.StartedTime = info.StartedTime.Add(o.as.late)
	return info
}

func one(c asteroid.Connection) map[string]asteroid.Connection {
	return map[string]asteroid.Connection{asteroid.DefaultConnection: c}
}

func connect(api *testsuite.API) map[string]asteroid.Connection {
	return one(asteroid.Connection{APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()})
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
func canned(t *testing.T, answer http.HandlerFunc) map[string]asteroid.Connection {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return one(asteroid.Connection{APIKey: asteroid.StaticAPIKey("secret-key"), BaseURL: server.URL, OrganizationID: "org-1"})
}

// retries runs an activity as the server would: attempt after attempt, each with the last heartbeat of those before.
type retries[Out any] struct {
	t       *testing.T
	name    string
	options worker.Options
	in      any
	attempt int32
	details *map[string]any
	id      string // of the activity, when it is not the environment's
	late    time.Duration
}

func (r *retries[Out]) next() (*Out, error) {
	r.attempt++
	env := newEnvWith(r.t, r.options, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{&attemptInterceptor{attempt: r.attempt, id: r.id, late: r.late}}})
	if r.details != nil {
		env.SetHeartbeatDetails(*r.details)
	}
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		r.details = new(map[string]any)
		require.NoError(r.t, details.Get(r.details))
	})
	return run[Out](env, r.name, r.in)
}

func (r *retries[Out]) err() error {
	_, err := r.next()
	return err
}

// lost is an attempt whose worker dies at its end: the server hears neither its result nor its heartbeat.
func (r *retries[Out]) lost() {
	before := r.details
	_, _ = r.next()
	r.details = before
}
