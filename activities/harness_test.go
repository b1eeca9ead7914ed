package activities_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
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

// hook is a transport that shows each request before it is sent, and may fail it.
type hook func(r *http.Request) error

func (h hook) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := h(r); err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(r)
}

// connectThrough is connect with a hook.
func connectThrough(api *testsuite.API, h hook) map[string]asteroid.Connection {
	c := connect(api)[asteroid.DefaultConnection]
	c.Transport = h
	return one(c)
}

// canned serves the same answer to every request.
func canned(t *testing.T, answer http.HandlerFunc) map[string]asteroid.Connection {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return one(asteroid.Connection{APIKey: asteroid.StaticAPIKey("secret-key"), BaseURL: server.URL, OrganizationID: "org-1"})
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

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock() *clock { return &clock{now: time.Now()} }

// executeOn starts an agent with these steps on a fake and returns its execution's id.
func executeOn(t *testing.T, api *testsuite.API, options worker.Options, steps ...testsuite.Step) string {
	t.Helper()
	agent := api.AddAgent("agent", func(testsuite.Run) []testsuite.Step { return steps })
	executed, err := run[asteroid.ExecuteAgentResult](newEnv(t, options), asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{AgentID: agent})
	require.NoError(t, err)
	return executed.ExecutionID
}

// execution is the least that the contract says of one.
func executionJSON(status string) string {
	return fmt.Sprintf(`{"id":"e-1","status":%q,"agentId":"a","organizationId":"o","createdAt":"2026-01-02T03:04:05Z"}`, status)
}

// count is how many requests of an operation have come in.
func count(api *testsuite.API, operation string) int {
	n := 0
	for _, r := range api.Requests() {
		if r.Operation == operation {
			n++
		}
	}
	return n
}

// applicationError returns the outermost ApplicationError in err's chain.
func applicationError(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var said *temporal.ApplicationError
	require.ErrorAs(t, err, &said)
	return said
}

// requireType wants an error of one of the types.
func requireType(t *testing.T, errorType string, err error) {
	t.Helper()
	is := map[string]func(error) bool{
		asteroid.ErrorTypeInvalidInput: asteroid.IsInvalidInput, asteroid.ErrorTypeNotFound: asteroid.IsNotFound,
		asteroid.ErrorTypeUnauthorized: asteroid.IsUnauthorized, asteroid.ErrorTypeUnavailable: asteroid.IsUnavailable,
		asteroid.ErrorTypeStillRunning: asteroid.IsStillRunning,
	}[errorType]
	require.NotNil(t, is, errorType)
	require.True(t, is(err), "want %s, got: %v", errorType, err)
}

const (
	badInput = asteroid.ErrorTypeInvalidInput
	missing  = asteroid.ErrorTypeNotFound
	closed   = asteroid.ErrorTypeUnauthorized
	passing  = asteroid.ErrorTypeUnavailable
)
