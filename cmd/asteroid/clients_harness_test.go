package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/devserver"
	"github.com/temporal-asteroid/asteroid/cmd/internal/jsonschema"
	"github.com/temporal-asteroid/asteroid/internal/attributes"
	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// bareNamespace is a namespace of the server without search attributes.
const bareNamespace = "bare"

// sharedServer starts the server of all tests of the client commands, once. It ends with the
// process.
var sharedServer = sync.OnceValues(func() (*devserver.Server, error) {
	ctx, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	server, err := devserver.Start(ctx, devserver.Options{SearchAttributes: attributes.Keywords(asteroid.DefaultSearchAttributes())})
	if err != nil {
		return nil, err
	}
	c, err := server.Client(client.Options{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: bareNamespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	return server, err
})

// clients is a test's own fake, task queue and worker, and the commands that use them.
type clients struct {
	t         *testing.T
	api       *testsuite.API
	address   string
	namespace string
	queue     string
	output    string // an output root of the worker
	temporal  client.Client
}

// newClients returns clients without a worker.
func newClients(t *testing.T, namespace string) *clients {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Temporal server")
	}
	t.Parallel()
	server, err := sharedServer()
	require.NoError(t, err)
	c := &clients{t: t, api: testsuite.NewAPI(t), address: server.HostPort(), namespace: namespace, queue: t.Name(), output: t.TempDir()}
	c.temporal, err = server.Client(client.Options{Namespace: namespace})
	require.NoError(t, err)
	t.Cleanup(c.temporal.Close)
	return c
}

// startWorker starts a worker with the plugin and workflows of the test.
func (c *clients) startWorker(own ...any) (stop func()) {
	c.t.Helper()
	options := asteroidworker.Options{
		Connections: map[string]asteroid.Connection{
			"default": {APIKey: asteroid.StaticAPIKey(c.api.APIKey()), BaseURL: c.api.BaseURL()},
			"wrong":   {APIKey: asteroid.StaticAPIKey("not-the-fakes-key"), BaseURL: c.api.BaseURL()},
		},
		OutputRoots: []string{c.output}, SchemaChecker: jsonschema.Check,
	}
	if c.namespace == client.DefaultNamespace {
		options.SearchAttributes = asteroid.DefaultSearchAttributes()
	}
	plugin, err := asteroidworker.NewPlugin(options)
	require.NoError(c.t, err)
	w := sdkworker.New(c.temporal, c.queue, sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}, WorkerStopTimeout: time.Second})
	for _, function := range own {
		w.RegisterWorkflow(function)
	}
	require.NoError(c.t, w.Start())
	stop = sync.OnceFunc(w.Stop)
	c.t.Cleanup(stop)
	return stop
}

// ran is what a command did.
type ran struct {
	code           int
	stdout, stderr string
}

// asteroid runs a command line against the server, with nothing on its standard input.
func (c *clients) asteroid(args ...string) ran {
	c.t.Helper()
	return c.asteroidWith(c.t.Context(), strings.NewReader(""), args...)
}

func (c *clients) asteroidWith(ctx context.Context, stdin io.Reader, args ...string) ran {
	c.t.Helper()
	return command(ctx, stdin, append([]string{"--address", c.address, "--namespace", c.namespace}, args...)...)
}

func command(ctx context.Context, stdin io.Reader, args ...string) ran {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, stdin, &stdout, &stderr)
	return ran{code, stdout.String(), stderr.String()}
}

// ok requires that the command succeeded, and returns its standard output.
func (c *clients) ok(got ran) string {
	c.t.Helper()
	require.Zero(c.t, got.code, "%s%s", got.stdout, got.stderr)
	return got.stdout
}

// refused requires the exit code, and one last line on the standard error output that has the text.
func refused(t *testing.T, got ran, code int, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
	last := lines[len(lines)-1]
	require.Equal(t, code, got.code, "%s%s", got.stdout, got.stderr)
	require.True(t, strings.HasPrefix(last, "asteroid: "), last)
	require.Contains(t, last, text)
}

// decoded returns the JSON that a command printed.
func decoded[T any](t *testing.T, stdout string) (value T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(stdout), &value), stdout)
	return value
}

// start runs an agent without waiting, and returns the workflow id.
func (c *clients) start(agentID string, args ...string) string {
	c.t.Helper()
	return strings.TrimSpace(c.ok(c.asteroid(append([]string{"run", agentID, "--detach", "--task-queue", c.queue}, args...)...)))
}

// awaitAgents waits until the agents of the workflow satisfy the condition.
func (c *clients) awaitAgents(workflowID string, condition func([]workflows.AgentState) bool) []workflows.AgentState {
	c.t.Helper()
	var state workflows.State
	require.Eventually(c.t, func() bool {
		value, err := c.temporal.QueryWorkflow(c.t.Context(), workflowID, "", workflows.StateQuery)
		return err == nil && value.Get(&state) == nil && condition(state.Agents)
	}, time.Minute, 50*time.Millisecond)
	return state.Agents
}

// all is the condition that there are n agents, each in the phase, and that those that ask can be
// answered.
func all(n int, phase workflows.Phase) func([]workflows.AgentState) bool {
	return func(agents []workflows.AgentState) bool {
		for _, agent := range agents {
			if agent.Phase != phase || waits(&agent) && agent.Asking == "" || phase == workflows.PhaseWaitingForPermit && agent.Permit == "" {
				return false
			}
		}
		return len(agents) == n
	}
}
