package integration

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	operatorservice "go.temporal.io/api/operatorservice/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// newAttributesStack returns a stack in whose namespace the search attributes exist.
func newAttributesStack(t *testing.T, attributes asteroid.SearchAttributes) *stack {
	t.Helper()
	s := newStack(t)
	s.options.SearchAttributes = attributes
	require.NoError(t, worker.EnsureSearchAttributes(s.ctx(), s.client, "default", attributes))
	return s
}

// awaitAttributes waits until the list of workflows shows these search attributes of ours, of all
// runs of the workflow.
func (s *stack) awaitAttributes(run client.WorkflowRun, want ...map[string]string) {
	s.t.Helper()
	ours := asteroid.DefaultSearchAttributes()
	var got []map[string]string
	require.Eventually(s.t, func() bool {
		got = nil
		listed, err := s.client.ListWorkflow(s.ctx(), &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf("WorkflowId = %q", run.GetID())})
		require.NoError(s.t, err)
		for _, info := range listed.Executions {
			values := map[string]string{}
			for name, column := range map[string]string{ours.Agent: "agent", ours.Status: "status", ours.Question: "question", ours.Progress: "progress"} {
				if payload, ok := info.SearchAttributes.GetIndexedFields()[name]; ok {
					values[column] = string(bytes.Trim(payload.Data, `"`))
				}
			}
			got = append(got, values)
		}
		return fmt.Sprint(got) == fmt.Sprint(want)
	}, 20*time.Second, 100*time.Millisecond, "%v", &got)
}

func TestRunAgentFillsSearchAttributes(t *testing.T) {
	s := newAttributesStack(t, asteroid.DefaultSearchAttributes())
	stop := s.startWorker()
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.ServeAgent("claims-filer", asksTwice)})
	s.awaitQuestion(run, "Which account shall I use?")
	s.awaitAttributes(run, map[string]string{"agent": "claims-filer", "status": "paused_by_agent", "question": "Which account shall I use?"})
	_, err := s.answer(run, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Savings"}}}})
	require.NoError(t, err)

	// The options of a worker change. The run replays, and goes on with what it began with.
	stop()
	s.options.SearchAttributes = asteroid.SearchAttributes{}
	s.startWorker()
	s.awaitQuestion(run, "Which documents belong to the claim?")
	s.awaitAttributes(run, map[string]string{"agent": "claims-filer", "status": "paused_by_agent", "question": "Which documents belong to the claim?"})
	_, err = s.answer(run, workflows.AnswerInput{Answers: []workflows.Answer{{Labels: []string{"Invoice"}}}})
	require.NoError(t, err)
	require.NoError(t, run.Get(s.ctx(), nil))
	s.awaitAttributes(run, map[string]string{"agent": "claims-filer", "status": "completed"})
}

// askOnce is a workflow that continues as new while its agent asks.
func askOnce(ctx workflow.Context, agent string) error {
	if agent == "" {
		return nil
	}
	run, err := workflows.StartAgent(ctx, workflows.RunAgentInput{AgentID: agent})
	if err != nil {
		return err
	}
	workflow.Go(ctx, func(ctx workflow.Context) { _, _ = run.Result(ctx) })
	workflow.GetSignalChannel(ctx, "continue").Receive(ctx, nil)
	return workflow.NewContinueAsNewError(ctx, askOnce, "")
}

func TestSearchAttributesAreUnsetAcrossContinueAsNew(t *testing.T) {
	s := newAttributesStack(t, asteroid.DefaultSearchAttributes())
	s.startWorker(askOnce)
	run := s.startWorkflow(askOnce, s.api.ServeAgent("claims-filer", asksTwice))
	s.awaitQuestion(run, "Which account shall I use?")
	require.NoError(t, s.client.SignalWorkflow(s.ctx(), run.GetID(), "", "continue", nil))
	require.NoError(t, run.Get(s.ctx(), nil))
	s.awaitAttributes(run, map[string]string{}, map[string]string{})
}

func TestRunAgentRunsWithoutMissingSearchAttributes(t *testing.T) {
	for name, missing := range map[string]asteroid.SearchAttributes{
		"lacking":    {Agent: "NoAgent", Status: "NoStatus", Question: "NoQuestion"},
		"other type": {Status: "CountedStatus"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			_, err := s.client.OperatorService().AddSearchAttributes(s.ctx(), &operatorservice.AddSearchAttributesRequest{
				Namespace: "default", SearchAttributes: map[string]enums.IndexedValueType{"CountedStatus": enums.INDEXED_VALUE_TYPE_INT},
			})
			require.NoError(t, err)
			s.options.SearchAttributes = missing
			plugin, err := worker.NewPlugin(s.options, worker.WithStartCheck(s.client, "default", log.NewStructuredLogger(slog.New(slog.NewTextHandler(s.logged, nil)))))
			require.NoError(t, err)
			w := sdkworker.New(s.client, s.queue, sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})
			require.NoError(t, w.Start())
			t.Cleanup(w.Stop)
			require.Contains(t, s.logged.String(), missing.Names()[0], "the worker warns at its start")

			run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{
				AgentID: s.api.ServeAgent("claims-filer", func(testsuite.Run) []testsuite.Step {
					return []testsuite.Step{testsuite.Ask("Go on?", "Yes"), testsuite.Complete("success", "", nil)}
				}),
				QuestionSearchAttribute: "NobodyHasIt",
			})
			s.awaitQuestion(run, "Go on?")
			_, err = s.answer(run, workflows.AnswerInput{Text: "Yes"})
			require.NoError(t, err)
			require.NoError(t, run.Get(s.ctx(), nil))
			require.Contains(t, s.logged.String(), "NobodyHasIt")
		})
	}
}

func TestBatchFillsSearchAttributes(t *testing.T) {
	b := newBatchStack(t, 4)
	b.options.SearchAttributes = asteroid.DefaultSearchAttributes()
	require.NoError(t, worker.EnsureSearchAttributes(b.ctx(), b.client, "default", b.options.SearchAttributes))
	b.in.Template.AgentID = b.api.ServeAgent("asking-clerk", func(run testsuite.Run) []testsuite.Step {
		switch run.Inputs["claim"] {
		case "C1":
			return []testsuite.Step{testsuite.Complete("success", "", nil)}
		case "C2":
			return []testsuite.Step{testsuite.Fail("no such claim")}
		default:
			return []testsuite.Step{testsuite.Ask("Which account?", "Savings"), testsuite.Complete("success", "", nil)}
		}
	})
	stop := b.startWorker()
	run := b.startWorkflow(workflows.BatchName, b.in)
	agent := b.in.Template.AgentID
	b.awaitAttributes(run, map[string]string{"agent": agent, "status": "running", "progress": "50%, 2 of 4 rows, 1 failed, 2 wait for people"})

	// The options of a worker change. The batch replays, and goes on with what it began with.
	stop()
	b.options.SearchAttributes = asteroid.SearchAttributes{}
	b.startWorker()
	_, err := b.client.UpdateWorkflow(b.ctx(), client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), UpdateName: workflows.CancelBatchUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	require.NoError(t, run.Get(b.ctx(), nil))
	b.awaitAttributes(run, map[string]string{"agent": agent, "status": "done", "progress": "100%, 4 of 4 rows, 1 failed, 2 cancelled"})
	record(t, "batch-cancelled", b.history(run))
	record(t, "batch-segment-cancelled", b.history(b.segment(run, 1)))
}

func TestBatchRunsWithoutMissingSearchAttributes(t *testing.T) {
	b := newBatchStack(t, 3)
	b.options.SearchAttributes = asteroid.SearchAttributes{Agent: "NoAgent", Status: "NoStatus", Progress: "NoProgress"}
	b.startWorker()
	require.Equal(t, asteroid.RowCounts{Succeeded: 3}, b.run().Counts)
	require.Contains(t, b.logged.String(), "NoProgress")
}

func TestEnsureSearchAttributes(t *testing.T) {
	s := newStack(t)
	attributes := asteroid.SearchAttributes{Agent: "EnsuredAgent", Status: "EnsuredStatus"}
	for range 2 { // the second time they exist
		require.NoError(t, worker.EnsureSearchAttributes(s.ctx(), s.client, "default", attributes))
	}
	_, err := s.client.OperatorService().AddSearchAttributes(s.ctx(), &operatorservice.AddSearchAttributesRequest{
		Namespace: "default", SearchAttributes: map[string]enums.IndexedValueType{"EnsuredCount": enums.INDEXED_VALUE_TYPE_INT},
	})
	require.NoError(t, err)
	err = worker.EnsureSearchAttributes(s.ctx(), s.client, "default", asteroid.SearchAttributes{Status: "EnsuredCount"})
	require.ErrorContains(t, err, "EnsuredCount with the type Int and not Keyword")
	err = worker.EnsureSearchAttributes(s.ctx(), s.client, "nowhere", attributes)
	require.ErrorContains(t, err, `namespace "nowhere"`)
}
