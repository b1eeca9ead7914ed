package workflows_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/metricstest"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// bench is a workflow test environment whose virtual time is also the fake service's.
type bench struct {
	*sdktestsuite.TestWorkflowEnvironment
	api      *testsuite.API
	options  sdkworker.Options
	recorded *metricstest.Recorder
	t        *testing.T

	outputRoots   []string
	events        asteroid.Events
	lookupGrace   time.Duration
	attributes    asteroid.SearchAttributes
	schemaChecker asteroid.SchemaChecker
	plugins       []sdkworker.Plugin // that follow the library's

	mu sync.Mutex // guards what mocks record: the environment calls them at once
}

func newBench(t *testing.T, options ...testsuite.Option) *bench {
	t.Helper()
	return newBenchWith(t, sdkworker.Options{}, options...)
}

// patience is how long workflow code may take until it counts as deadlocked: on a machine that is
// busy, or with the race detector, the SDK's second is too short.
const patience = 20 * time.Second

// newBenchWith is newBench with options for the worker.
func newBenchWith(t *testing.T, workerOptions sdkworker.Options, options ...testsuite.Option) *bench {
	t.Helper()
	workerOptions.DeadlockDetectionTimeout = patience
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	recorded := metricstest.NewRecorder()
	suite.SetMetricsHandler(recorded)
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	api := testsuite.NewAPI(t, append([]testsuite.Option{testsuite.WithClock(env.Now)}, options...)...)
	return &bench{TestWorkflowEnvironment: env, api: api, options: workerOptions, recorded: recorded, t: t}
}

// connect adds the plugin, with a changed connection. ExecuteWorkflow adds it unchanged if a test
// does not.
func (b *bench) connect(change func(*asteroid.Connection)) {
	b.t.Helper()
	c := connection(b.api)
	change(&c)
	plugin, err := worker.NewPlugin(worker.Options{
		Connections: map[string]asteroid.Connection{"default": c}, Now: b.Now, OutputRoots: b.outputRoots, SettleInterval: time.Millisecond,
		Events: b.events, LookupGrace: b.lookupGrace, SearchAttributes: b.attributes, SchemaChecker: b.schemaChecker,
	})
	require.NoError(b.t, err)
	b.options.Plugins = append([]sdkworker.Plugin{plugin}, b.plugins...)
	b.SetWorkerOptions(b.options)
}

// ExecuteWorkflow runs a workflow on a worker with the plugin.
func (b *bench) ExecuteWorkflow(workflow any, args ...any) {
	if len(b.options.Plugins) == 0 {
		b.connect(func(*asteroid.Connection) {})
	}
	b.TestWorkflowEnvironment.ExecuteWorkflow(workflow, args...)
}

func connection(api *testsuite.API) asteroid.Connection {
	return asteroid.Connection{APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()}
}

// requests counts the calls of an operation.
func (b *bench) requests(operation string) int {
	count := 0
	for _, r := range b.api.Requests() {
		if r.Operation == operation {
			count++
		}
	}
	return count
}

func (b *bench) runAgent(t *testing.T, in workflows.RunAgentInput) (*workflows.RunAgentResult, error) {
	t.Helper()
	b.ExecuteWorkflow(workflows.RunAgentName, in)
	require.True(t, b.IsWorkflowCompleted())
	if err := b.GetWorkflowError(); err != nil {
		return nil, err
	}
	var result workflows.RunAgentResult
	require.NoError(t, b.GetWorkflowResult(&result))
	return &result, nil
}

func TestRunAgentStagesExecutesWaitsAndReturnsTheResult(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	result, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: b.api.AgentID("inventory"),
		Files:   []asteroid.FileRef{{URI: "data:text/csv,claim,amount%0AC-1,250%0A", Name: "claims.csv"}},
	})
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCompleted, result.Status)
	require.Len(t, result.Files, 1)
	require.EqualValues(t, 21, result.Files[0].Size)

	var inventory struct {
		Files []struct {
			Name   string
			Size   int
			SHA256 string
		}
	}
	require.NoError(t, result.DecodeResult(&inventory))
	require.Equal(t, "claims.csv", inventory.Files[0].Name)
	require.Equal(t, 21, inventory.Files[0].Size)
}

func TestRunAgentWaitsWithOneActivityForEachStatus(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.AddAgent("slow", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(2 * time.Hour), testsuite.Complete("success", "done", map[string]any{"claim": 1042})}
	})
	var scheduled []string
	b.SetOnActivityStartedListener(onFirstAttempt(&scheduled))
	began := b.Now()
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.JSONEq(t, `{"claim":1042}`, string(result.ExecutionResult.Result))
	require.GreaterOrEqual(t, b.Now().Sub(began), 2*time.Hour)
	require.Equal(t, []string{asteroid.ExecuteAgentName, asteroid.AwaitExecutionName, asteroid.AwaitExecutionName}, scheduled)
}

func TestStateQueryReturnsTheExecutionIDOfARunningAgent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var seen workflows.State
	b.RegisterDelayedCallback(func() {
		value, err := b.QueryWorkflow(workflows.StateQuery)
		require.NoError(t, err)
		require.NoError(t, value.Get(&seen))
	}, 5*time.Minute)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 3600}})
	require.NoError(t, err)
	require.Len(t, seen.Agents, 1)
	require.Equal(t, workflows.PhaseRunning, seen.Agents[0].Phase)
	require.Equal(t, result.ExecutionID, seen.Agents[0].ExecutionID)
}

func TestStateQueryReturnsTheQuestionUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var asked workflows.AgentState
	b.RegisterDelayedCallback(func() {
		value, err := b.QueryWorkflow(workflows.StateQuery)
		require.NoError(t, err)
		var state workflows.State
		require.NoError(t, value.Get(&state))
		asked = state.Agents[0]
		b.SignalWorkflow("answer", asked.Questions[0].Options[0].Label)
	}, time.Hour)
	answering := func(ctx workflow.Context, in workflows.RunAgentInput) (*workflows.RunAgentResult, error) {
		run, err := workflows.StartAgent(ctx, in)
		if err != nil {
			return nil, err
		}
		workflow.Go(ctx, func(ctx workflow.Context) {
			var answer string
			workflow.GetSignalChannel(ctx, "answer").Receive(ctx, &answer)
			_, _ = workflows.SendMessage(ctx, asteroid.SendMessageInput{ExecutionID: run.ExecutionID(), Asking: asked.Asking, Message: answer})
		})
		return run.Result(ctx)
	}
	var scheduled []string
	b.SetOnActivityStartedListener(onFirstAttempt(&scheduled))
	b.ExecuteWorkflow(answering, workflows.RunAgentInput{
		AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 600, "ask": "Which account?"},
	})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, workflows.PhaseNeedsHuman, asked.Phase)
	require.Equal(t, "Which account?", asked.Questions[0].Question)
	require.Equal(t, []string{asteroid.ExecuteAgentName, asteroid.AwaitExecutionName, asteroid.AwaitExecutionName, asteroid.AwaitExecutionName,
		asteroid.SendMessageName, asteroid.AwaitExecutionName}, scheduled)
}

func TestRunAgentReturnsTheErrorOfARunThatDidNotComplete(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		end    testsuite.Step
		is     func(error) bool
		reason string
	}{
		"failed":               {testsuite.Fail("the portal is down"), asteroid.IsExecutionFailed, "the portal is down"},
		"lost its worker":      {testsuite.CancelBy("worker_lost"), asteroid.IsExecutionFailed, "worker_lost"},
		"cancelled by someone": {testsuite.CancelBy("user_requested"), asteroid.IsExecutionCancelled, "user_requested"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			agent := b.api.AddAgent("ends", func(testsuite.Run) []testsuite.Step {
				return []testsuite.Step{testsuite.Work(time.Minute), row.end}
			})
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.True(t, row.is(err), "%v", err)
			details, ok := asteroid.DetailsOf(err)
			require.True(t, ok)
			require.Equal(t, b.api.Executions()[0].ID, details.ExecutionID)
			require.Equal(t, row.reason, details.Reason)
			require.Contains(t, err.Error(), row.reason)
		})
	}
}

func TestRunAgentReturnsAFailedRunWithFailureIsResult(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.AddAgent("fails", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Fail("no such policy")}
	})
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, OnFailure: workflows.FailureIsResult})
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusFailed, result.Status)
	require.Equal(t, "no such policy", result.Reason)
}

func TestRunAgentCancelsTheRunUnlessToldToAbandonIt(t *testing.T) {
	t.Parallel()
	for policy, status := range map[workflows.OnCancel]string{"": "cancelled", workflows.AbandonExecution: "running"} {
		t.Run("policy "+string(policy), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.RegisterDelayedCallback(b.CancelWorkflow, 10*time.Minute)
			_, err := b.runAgent(t, workflows.RunAgentInput{
				AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 7200}, OnCancel: policy,
			})
			var cancelled *temporal.CanceledError
			require.True(t, errors.As(err, &cancelled), "%v", err)
			require.Equal(t, status, b.api.Executions()[0].Status)
		})
	}
}

func TestRunAgentCancelsTheRunAfterItsTimeout(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 7200}, TimeoutSeconds: 600,
	})
	require.True(t, asteroid.IsExecutionTimedOut(err), "%v", err)
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, b.api.Executions()[0].ID, details.ExecutionID)
	require.Equal(t, "cancelled", b.api.Executions()[0].Status)
}

func TestRunAgentLeavesARunWithinItsTimeoutAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 60}, TimeoutSeconds: 600,
	})
	require.NoError(t, err)
	require.Zero(t, b.requests("ExecutionStatusUpdate"))
}

func TestRunAgentRestagesFilesThatExpireBeforeThereIsCapacity(t *testing.T) {
	t.Parallel()
	b := newBench(t, testsuite.WithConcurrencyLimit(1))
	busy := func(ctx workflow.Context) (*workflows.RunAgentResult, error) {
		if _, err := workflows.StartAgent(ctx, workflows.RunAgentInput{
			AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 2 * 3600},
		}); err != nil {
			return nil, err
		}
		return workflows.RunAgent(ctx, workflows.RunAgentInput{
			AgentID: b.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:,hello", Name: "hello.txt"}},
		})
	}
	b.ExecuteWorkflow(busy)
	require.NoError(t, b.GetWorkflowError())
	require.Len(t, b.api.Executions(), 2)
	require.Equal(t, 3, b.requests("TempFilesStage"), "at the start, after 50 minutes and after 100")
}

func TestRunAgentRefusesInvalidInputBeforeItSendsAnything(t *testing.T) {
	t.Parallel()
	file := asteroid.FileRef{URI: "data:,x"}
	for field, in := range map[string]workflows.RunAgentInput{
		"agentId":         {Files: []asteroid.FileRef{file}},
		"inputs":          {AgentID: "a", Files: []asteroid.FileRef{file}, Inputs: asteroid.Inputs{"claim number": 1}},
		"onCapacityLimit": {AgentID: "a", Files: []asteroid.FileRef{file}, OnCapacityLimit: asteroid.CapacityQueue},
		"timeoutSeconds":  {AgentID: "a", TimeoutSeconds: -1},
		"longPollSeconds": {AgentID: "a", LongPollSeconds: 26},
		"onFailure":       {AgentID: "a", OnFailure: "ignore"},
		"onCancel":        {AgentID: "a", OnCancel: "kill"},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			_, err := b.runAgent(t, in)
			require.True(t, asteroid.IsInvalidInput(err), "%v", err)
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, field, details.Field)
			require.Empty(t, b.api.Requests())
		})
	}
}

func TestPipelinePassesExecutionIDAndResultToTheNextAgent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ExecuteWorkflow(workflows.PipelineName, workflows.PipelineInput{Steps: []workflows.PipelineStep{
		{RunAgentInput: workflows.RunAgentInput{
			AgentID: b.api.AgentID("totals"),
			Files:   []asteroid.FileRef{{URI: "data:text/csv,claim,amount%0AC-1,250%0AC-2,50%0A", Name: "claims.csv"}},
		}},
		{RunAgentInput: workflows.RunAgentInput{AgentID: b.api.AgentID("report")}, ExecutionIDInput: "executionId", ResultInput: "result"},
	}})
	require.NoError(t, b.GetWorkflowError())
	var result workflows.PipelineResult
	require.NoError(t, b.GetWorkflowResult(&result))
	require.Len(t, result.Steps, 2)

	executions := b.api.Executions()
	require.Equal(t, result.Steps[0].ExecutionID, executions[1].Inputs["executionId"])
	handed, err := json.Marshal(executions[1].Inputs["result"])
	require.NoError(t, err)
	require.JSONEq(t, string(result.Steps[0].ExecutionResult.Result), string(handed))
	require.NotEqual(t, executions[0].Metadata[asteroid.MetadataExecutionKey], executions[1].Metadata[asteroid.MetadataExecutionKey])
	for _, e := range executions {
		require.True(t, strings.HasPrefix(e.Metadata[asteroid.MetadataExecutionKey], "default-test-namespace/default-test-workflow-id/"), e.Metadata)
	}
}

func TestPipelineRefusesNoSteps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ExecuteWorkflow(workflows.PipelineName, workflows.PipelineInput{})
	require.True(t, asteroid.IsInvalidInput(b.GetWorkflowError()))
}
