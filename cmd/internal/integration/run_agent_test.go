package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

const claims = "claim,amount\nC-1,250.50\nC-2,49.50\n"

// claimsFile writes a file that the worker may read.
func (s *stack) claimsFile() asteroid.FileRef {
	s.t.Helper()
	path := filepath.Join(s.options.FileRoots[0], "claims.csv")
	require.NoError(s.t, os.WriteFile(path, []byte(claims), 0o600))
	return asteroid.FileRef{URI: "file://" + path}
}

func (s *stack) pipeline() workflows.PipelineInput {
	return workflows.PipelineInput{Steps: []workflows.PipelineStep{
		{RunAgentInput: workflows.RunAgentInput{AgentID: s.api.AgentID("totals"), Files: []asteroid.FileRef{s.claimsFile()}}},
		{RunAgentInput: workflows.RunAgentInput{AgentID: s.api.AgentID("report")}, ExecutionIDInput: "executionId", ResultInput: "result"},
	}}
}

func TestPipelinePassesResultToNextAgent(t *testing.T) {
	s := newStack(t)
	s.startWorker()
	run := s.startWorkflow(workflows.PipelineName, s.pipeline())
	var result workflows.PipelineResult
	require.NoError(t, run.Get(s.ctx(), &result))
	require.Contains(t, string(result.Steps[0].ExecutionResult.Result), "300")

	executions := s.api.Executions()
	require.Len(t, executions, 2)
	require.Equal(t, result.Steps[0].ExecutionID, executions[1].Inputs["executionId"])
	for _, e := range executions {
		require.Equal(t, run.GetID(), e.Metadata[asteroid.MetadataWorkflowID])
		require.Equal(t, run.GetRunID(), e.Metadata[asteroid.MetadataRunID])
		require.Equal(t, "default", e.Metadata[asteroid.MetadataNamespace])
	}
	counts := scheduled(s.history(run))
	require.GreaterOrEqual(t, counts[asteroid.AwaitExecutionName], 2)
	for _, name := range []string{asteroid.GetExecutionName, asteroid.AwaitExecutionName} { // a busy machine has more events
		delete(counts, name)
	}
	require.Equal(t, map[string]int{asteroid.StageFilesName: 1, asteroid.ExecuteAgentName: 2, asteroid.CheckUploadsName: 1}, counts)
	requests := map[string]int{}
	for _, r := range s.api.Requests() {
		requests[r.Operation]++
	}
	delete(requests, "ExecutionGet")   // after each event
	delete(requests, "ExecutionsList") // the watch
	require.Equal(t, map[string]int{"WhoamiGet": 1, "TempFilesStage": 1, "AgentExecutePost": 2, "ExecutionFilesGet": 1}, requests)
	record(t, "pipeline", s.history(run))
}

func TestRunAgentLongWaitAddsNoHistory(t *testing.T) {
	s := newStack(t)
	s.options.Events = asteroid.EventsPoll
	s.startWorker()
	events := map[int]int{}
	polls := map[int]int{}
	for _, seconds := range []int{1, 25} {
		before := len(s.api.Requests())
		run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{
			AgentID: s.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": seconds},
		})
		require.NoError(t, run.Get(s.ctx(), nil))
		events[seconds] = len(s.history(run).Events)
		polls[seconds] = len(s.api.Requests()) - before
	}
	require.Equal(t, events[1], events[25])
	require.Greater(t, polls[25], polls[1])
}

func TestRunAgentExposesExecutionIDAndCancelsExecution(t *testing.T) {
	s := newStack(t)
	s.startWorker()
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 3600}})
	state := s.awaitState(run, phase(workflows.PhaseRunning))
	require.Equal(t, s.api.Executions()[0].ID, state.Agents[0].ExecutionID)

	require.NoError(t, s.client.CancelWorkflow(s.ctx(), run.GetID(), run.GetRunID()))
	err := run.Get(s.ctx(), nil)
	var cancelled *temporal.CanceledError
	require.True(t, errors.As(err, &cancelled), "%v", err)
	require.Equal(t, "cancelled", s.api.Executions()[0].Status)
	record(t, "cancelled", s.history(run))
}

func TestRunAgentSurvivesWorkerStop(t *testing.T) {
	s := newStack(t)
	stop := s.startWorker()
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 5}})
	s.awaitState(run, phase(workflows.PhaseRunning))
	stop()
	require.NotEqual(t, "cancelled", s.api.Executions()[0].Status)
	s.startWorker()
	var result workflows.RunAgentResult
	require.NoError(t, run.Get(s.ctx(), &result))
	require.Equal(t, asteroid.StatusCompleted, result.Status)
	require.Len(t, s.api.Executions(), 1)
}

func TestSendMessageStandaloneAnswersQuestionOfRunAgent(t *testing.T) {
	s := newStack(t)
	s.startWorker()
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{
		AgentID: s.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 2, "ask": "Which account?", "answers": []string{"Checking", "Savings"}},
	})
	agent := s.awaitState(run, asks).Agents[0]
	require.Equal(t, "Which account?", agent.Questions[0].Question)
	handle, err := s.client.ExecuteActivity(s.ctx(), client.StartActivityOptions{
		ID: "answer-" + run.GetID(), TaskQueue: s.queue, StartToCloseTimeout: activityTimeout,
	}, asteroid.SendMessageName, asteroid.SendMessageInput{
		ExecutionID: agent.ExecutionID, Asking: agent.Asking, Message: agent.Questions[0].Options[1].Label,
	})
	require.NoError(t, err)
	require.NoError(t, handle.Get(s.ctx(), nil))
	var result workflows.RunAgentResult
	require.NoError(t, run.Get(s.ctx(), &result))
	require.Contains(t, string(result.ExecutionResult.Result), "Savings")
	record(t, "asked", s.history(run))
}

func TestPluginOnClientAndWorkerRegistersOnce(t *testing.T) {
	s := newStack(t)
	plugin, err := worker.NewPlugin(s.options)
	require.NoError(t, err)
	c, err := server.Client(client.Options{Plugins: []client.Plugin{plugin}})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	for range 2 { // two workers with one plugin, one after the other
		w := sdkworker.New(c, s.queue, sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})
		require.NoError(t, w.Start())
		run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 0}})
		require.NoError(t, run.Get(s.ctx(), nil))
		w.Stop()
	}
	require.Len(t, s.api.Executions(), 2)
}

func TestRunAgentErrorNamesReasonAndExecution(t *testing.T) {
	s := newStack(t)
	s.startWorker()
	agent := s.api.AddAgent("fails", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Fail("the portal is down")}
	})
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: agent})
	err := run.Get(s.ctx(), nil)
	require.True(t, asteroid.IsExecutionFailed(err), "%v", err)
	details, ok := asteroid.DetailsOf(err)
	require.True(t, ok)
	require.Equal(t, s.api.Executions()[0].ID, details.ExecutionID)
	require.Equal(t, "the portal is down", details.Execution.Reason)
	record(t, "failed", s.history(run))
}

// The test searches everything that leaves the worker: histories with every payload decoded, logs
// at debug level, errors, and the server's descriptions of workflows.
func TestPluginKeepsAPIKeyOutOfHistoryLogsAndErrors(t *testing.T) {
	const key = "ak_live_51H8zq2eZvKYlo2C"
	s := newStack(t, testsuite.WithAPIKey(key))
	s.startWorker()
	var texts []string
	collect := func(run client.WorkflowRun) {
		if err := run.Get(s.ctx(), nil); err != nil {
			texts = append(texts, err.Error(), fmt.Sprintf("%+v", err))
		}
		h := s.history(run)
		raw, err := protojson.Marshal(h)
		require.NoError(t, err)
		texts = append(texts, string(raw), plainPayloads(t, raw))
		described, err := s.client.DescribeWorkflowExecution(s.ctx(), run.GetID(), run.GetRunID())
		require.NoError(t, err)
		texts = append(texts, described.String())
	}
	collect(s.startWorkflow(workflows.PipelineName, s.pipeline()))
	collect(s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: "none-such"}))
	collect(s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: "a/b"}))
	texts = append(texts, s.logged.String())

	all := strings.Join(texts, "\n")
	// Not require.Contains: it would print megabytes.
	require.True(t, strings.Contains(all, s.api.Executions()[0].ID), "histories must be searched")
	require.True(t, strings.Contains(all, `"claims.csv"`), "payloads must be decoded")
	require.True(t, strings.Contains(all, "Activity error"), "the log must be searched")
	require.False(t, strings.Contains(all, key), "the API key leaked")
}

// plainPayloads decodes every base64 payload of a history's JSON.
func plainPayloads(t *testing.T, raw []byte) string {
	t.Helper()
	var decoded strings.Builder
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			for name, member := range v {
				if text, ok := member.(string); ok && name == "data" {
					var content []byte
					require.NoError(t, json.Unmarshal([]byte(`"`+text+`"`), &content))
					decoded.Write(content)
				}
				walk(member)
			}
		case []any:
			for _, member := range v {
				walk(member)
			}
		}
	}
	var tree any
	require.NoError(t, json.Unmarshal(raw, &tree))
	walk(tree)
	return decoded.String()
}
