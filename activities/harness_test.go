package activities_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
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
	"go.temporal.io/sdk/temporal"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// newEnv returns an activity environment in which the plugin has registered the activities.
func newEnv(t *testing.T, options worker.Options) *sdktestsuite.TestActivityEnvironment {
	t.Helper()
	return newEnvWith(t, options, sdkworker.Options{})
}

// newEnvWith is newEnv with options for the SDK's worker too.
func newEnvWith(
	t *testing.T, options worker.Options, workerOptions sdkworker.Options,
) *sdktestsuite.TestActivityEnvironment {
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

// onAttempt lets every activity run as the nth attempt. The environment itself only runs first
// attempts.
func onAttempt(n int32) sdkworker.Options {
	return sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{&attemptInterceptor{attempt: n}}}
}

// attemptInterceptor overrides parts of the activity.Info that an activity sees.
type attemptInterceptor struct {
	interceptor.WorkerInterceptorBase
	attempt    int32
	activityID string        // empty: that of the environment
	startDelay time.Duration // from scheduled to started
}

func (i *attemptInterceptor) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return &attemptInbound{interceptor.ActivityInboundInterceptorBase{Next: next}, i}
}

type attemptInbound struct {
	interceptor.ActivityInboundInterceptorBase
	override *attemptInterceptor
}

func (i *attemptInbound) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	return i.Next.Init(&attemptOutbound{interceptor.ActivityOutboundInterceptorBase{Next: outbound}, i.override})
}

type attemptOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
	override *attemptInterceptor
}

func (o *attemptOutbound) GetInfo(ctx context.Context) activity.Info {
	info := o.Next.GetInfo(ctx)
	info.Attempt = o.override.attempt
	info.ActivityID = cmp.Or(o.override.activityID, info.ActivityID)
	info.StartedTime = info.StartedTime.Add(o.override.startDelay)
	return info
}

// asDefault returns c as the default connection.
func asDefault(c asteroid.Connection) map[string]asteroid.Connection {
	return map[string]asteroid.Connection{asteroid.DefaultConnection: c}
}

// changeDefault changes the default connection.
func changeDefault(connections map[string]asteroid.Connection, change func(*asteroid.Connection)) {
	c := connections[asteroid.DefaultConnection]
	change(&c)
	connections[asteroid.DefaultConnection] = c
}

// newAPI returns a fake API on a clock of its own, and the worker options that use both.
func newAPI(t *testing.T, options ...testsuite.Option) (*testsuite.API, *clienttest.Clock, worker.Options) {
	t.Helper()
	clock := clienttest.NewClock()
	api := testsuite.NewAPI(t, append([]testsuite.Option{testsuite.WithClock(clock.Now)}, options...)...)
	return api, clock, worker.Options{Connections: connect(api), Now: clock.Now}
}

// connect returns a default connection to the fake API.
func connect(api *testsuite.API) map[string]asteroid.Connection {
	return asDefault(asteroid.Connection{APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()})
}

// connectThrough is connect with a hook as the transport.
func connectThrough(api *testsuite.API, hook requestHook) map[string]asteroid.Connection {
	connections := connect(api)
	changeDefault(connections, func(c *asteroid.Connection) { c.Transport = hook })
	return connections
}

// requestHook is a transport that calls the function before it sends a request. An error of the
// function fails the request.
type requestHook func(r *http.Request) error

func (h requestHook) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := h(r); err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(r)
}

// serveAPI serves the API by one handler and returns a default connection to it.
func serveAPI(t *testing.T, handler http.HandlerFunc) map[string]asteroid.Connection {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return asDefault(asteroid.Connection{
		APIKey: asteroid.StaticAPIKey("secret-key"), BaseURL: server.URL, OrganizationID: "org-1",
	})
}

// expectNoRequest is serveAPI for a test in which nothing may be sent.
func expectNoRequest(t *testing.T) map[string]asteroid.Connection {
	t.Helper()
	return serveAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent", r.Method, r.URL.Path)
	})
}

// rawResponse returns a handler that writes these bytes to the connection and closes it.
func rawResponse(t *testing.T, response string) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, response)
		_ = conn.Close()
	}
}

// countRequests returns how many requests of an operation the fake API has received.
func countRequests(api *testsuite.API, operation string) int {
	n := 0
	for _, r := range api.Requests() {
		if r.Operation == operation {
			n++
		}
	}
	return n
}

// runActivity runs an activity by name.
func runActivity[Out any](env *sdktestsuite.TestActivityEnvironment, name string, in any) (*Out, error) {
	value, err := env.ExecuteActivity(name, in)
	if err != nil {
		return nil, err
	}
	var out Out
	return &out, value.Get(&out)
}

// attempts runs one activity as the Temporal server would: attempt after attempt, each with the
// heartbeat details that the attempts before it have left.
type attempts[Out any] struct {
	t          *testing.T
	name       string
	options    worker.Options
	in         any
	attempt    int32 // the last one; 0 before the first
	details    *map[string]any
	activityID string        // empty: that of the environment
	startDelay time.Duration // from scheduled to started
}

// next runs the next attempt.
func (a *attempts[Out]) next() (*Out, error) {
	a.attempt++
	env := newEnvWith(a.t, a.options, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{
		&attemptInterceptor{attempt: a.attempt, activityID: a.activityID, startDelay: a.startDelay},
	}})
	if a.details != nil {
		env.SetHeartbeatDetails(*a.details)
	}
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		a.details = new(map[string]any)
		require.NoError(a.t, details.Get(a.details))
	})
	return runActivity[Out](env, a.name, a.in)
}

// nextErr runs the next attempt and returns its error.
func (a *attempts[Out]) nextErr() error {
	_, err := a.next()
	return err
}

// crash runs the next attempt on a worker that dies at its end: the Temporal server receives
// neither the result nor a heartbeat.
func (a *attempts[Out]) crash() {
	before := a.details
	_, _ = a.next()
	a.details = before
}

// executeSteps starts an agent that runs these steps and returns its execution's id.
func executeSteps(t *testing.T, api *testsuite.API, options worker.Options, steps ...testsuite.Step) string {
	t.Helper()
	agent := api.AddAgent("agent", func(testsuite.Run) []testsuite.Step { return steps })
	executed, err := runActivity[asteroid.ExecuteAgentResult](newEnv(t, options), asteroid.ExecuteAgentName,
		asteroid.ExecuteAgentInput{AgentID: agent})
	require.NoError(t, err)
	return executed.ExecutionID
}

// executionJSON returns an execution with only the members that the API requires.
func executionJSON(status string) string {
	return fmt.Sprintf(
		`{"id":"e-1","status":%q,"agentId":"a","organizationId":"o","createdAt":"2026-01-02T03:04:05Z"}`, status)
}

// applicationError returns the outermost ApplicationError in err's chain.
func applicationError(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	return application
}

// Short names of error types, for tables.
const (
	invalidInput = asteroid.ErrorTypeInvalidInput
	notFound     = asteroid.ErrorTypeNotFound
	unauthorized = asteroid.ErrorTypeUnauthorized
	unavailable  = asteroid.ErrorTypeUnavailable
)

// requireErrorType checks the type of the outermost ApplicationError in err's chain.
func requireErrorType(t *testing.T, errorType string, err error) {
	t.Helper()
	require.Equal(t, errorType, applicationError(t, err).Type(), "%v", err)
}
