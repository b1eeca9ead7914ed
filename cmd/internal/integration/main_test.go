// Package integration holds the tests that use the library as users do: with a real, embedded
// Temporal server, a worker, and HTTP. They are skipped under -short.
package integration

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	history "go.temporal.io/api/history/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/devserver"
	"github.com/temporal-asteroid/asteroid/cmd/internal/programtest"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

var server *devserver.Server // nil under -short

func TestMain(m *testing.M) {
	shortenWatch()
	if settings := os.Getenv(childEnv); settings != "" {
		fmt.Fprintln(os.Stderr, childWorkerMain(settings))
		os.Exit(1)
	}
	flag.Parse()
	// Tests mostly wait, so eight run at once whatever the number of CPUs.
	_ = flag.Set("test.parallel", "8")
	os.Exit(func() int {
		if !testing.Short() {
			var err error
			if server, err = devserver.Start(context.Background(), devserver.Options{
				SearchAttributes: map[string]enums.IndexedValueType{"AgentAsks": enums.INDEXED_VALUE_TYPE_KEYWORD},
			}); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			defer func() { _ = server.Stop() }()
		}
		return m.Run()
	}())
}

// stack holds a test's own fake API, client and task queue, on the server that all tests share.
type stack struct {
	t       *testing.T
	api     *testsuite.API
	client  client.Client
	queue   string
	options worker.Options
	logged  *programtest.Output

	stopTimeout time.Duration // of workers; 0 means 5 seconds, and -1 the SDK's default
}

func newStack(t *testing.T, options ...testsuite.Option) *stack {
	t.Helper()
	if server == nil {
		t.Skip("needs the Temporal server")
	}
	t.Parallel()
	s := &stack{t: t, api: testsuite.NewAPI(t, options...), queue: t.Name(), logged: &programtest.Output{}}
	s.options = worker.Options{
		Connections: map[string]asteroid.Connection{
			"default": {APIKey: asteroid.StaticAPIKey(s.api.APIKey()), BaseURL: s.api.BaseURL()},
		},
		FileRoots:   []string{t.TempDir()},
		OutputRoots: []string{t.TempDir()},
	}
	var err error
	s.client, err = server.Client(client.Options{Logger: log.NewStructuredLogger(slog.New(slog.NewTextHandler(s.logged, &slog.HandlerOptions{Level: slog.LevelDebug})))})
	require.NoError(t, err)
	t.Cleanup(s.client.Close)
	t.Cleanup(s.requireNoFailedTask)
	return s
}

// requireNoFailedTask requires that no workflow on the test's task queue had a failed task, except
// for causes after which the server repeats the task and all is well.
func (s *stack) requireNoFailedTask() {
	harmless := []enums.WorkflowTaskFailedCause{
		enums.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW, enums.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
		enums.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
	}
	listed, err := s.client.ListWorkflow(s.ctx(), &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("TaskQueue = %q", s.queue),
	})
	require.NoError(s.t, err)
	for _, found := range listed.Executions {
		run := s.client.GetWorkflow(s.ctx(), found.Execution.WorkflowId, found.Execution.RunId)
		for _, event := range s.history(run).Events {
			failed := event.GetWorkflowTaskFailedEventAttributes()
			if failed != nil && !slices.Contains(harmless, failed.Cause) {
				s.t.Errorf("a task of workflow %s failed: %s", found.Type.Name, failed)
			}
		}
	}
}

// startWorker starts a worker with the plugin and the test's own workflows.
func (s *stack) startWorker(own ...any) (stop func()) {
	s.t.Helper()
	plugin, err := worker.NewPlugin(s.options)
	require.NoError(s.t, err)
	w := sdkworker.New(s.client, s.queue, sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}, WorkerStopTimeout: max(cmp.Or(s.stopTimeout, 5*time.Second), 0)})
	for _, function := range own {
		if named, ok := function.(namedWorkflow); ok {
			w.RegisterWorkflowWithOptions(named.function, workflow.RegisterOptions{Name: named.name})
		} else {
			w.RegisterWorkflow(function)
		}
	}
	require.NoError(s.t, w.Start())
	stop = sync.OnceFunc(w.Stop)
	s.t.Cleanup(stop)
	return stop
}

// namedWorkflow is a workflow function that startWorker registers under a name.
type namedWorkflow struct {
	name     string
	function any
}

func (s *stack) startWorkflow(function any, in any) client.WorkflowRun {
	s.t.Helper()
	run, err := s.client.ExecuteWorkflow(s.ctx(), client.StartWorkflowOptions{TaskQueue: s.queue}, function, in)
	require.NoError(s.t, err)
	return run
}

// ctx returns a context that bounds one wait of a test. On a machine with too much to do an
// activity may be lost, and is repeated after up to two minutes.
func (s *stack) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	s.t.Cleanup(cancel)
	return ctx
}

// awaitState waits until the workflow's state satisfies the condition. It queries ever less often:
// the queries of many waits keep a slow worker from its workflow tasks.
func (s *stack) awaitState(run client.WorkflowRun, condition func(workflows.State) bool) workflows.State {
	s.t.Helper()
	ctx := s.ctx()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		var state workflows.State
		value, err := s.client.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), workflows.StateQuery)
		if err == nil {
			err = value.Get(&state)
		}
		if err == nil && condition(state) {
			return state
		}
		if ctx.Err() != nil {
			described, _ := s.client.DescribeWorkflowExecution(s.ctx(), run.GetID(), run.GetRunID())
			require.FailNowf(s.t, "the workflow does not come to the state", "%+v, %v, %s", state, err, described)
		}
		time.Sleep(pause)
	}
}

// phase is the condition that the last agent is in the phase.
func phase(p workflows.Phase) func(workflows.State) bool {
	return func(s workflows.State) bool { return len(s.Agents) > 0 && s.Agents[len(s.Agents)-1].Phase == p }
}

func (s *stack) history(run client.WorkflowRun) *history.History {
	s.t.Helper()
	events := &history.History{}
	for pages := s.client.GetWorkflowHistory(s.ctx(), run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); pages.HasNext(); {
		event, err := pages.Next()
		require.NoError(s.t, err)
		events.Events = append(events.Events, event)
	}
	return events
}

// scheduled counts the activities that a history schedules, by type.
func scheduled(h *history.History) map[string]int {
	counts := map[string]int{}
	for _, event := range h.Events {
		if a := event.GetActivityTaskScheduledEventAttributes(); a != nil {
			counts[a.ActivityType.Name]++
		}
	}
	return counts
}
