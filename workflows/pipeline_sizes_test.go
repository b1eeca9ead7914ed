package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// runPipeline runs a pipeline and returns its result.
func (b *bench) runPipeline(t *testing.T, steps ...workflows.PipelineStep) (*workflows.PipelineResult, error) {
	t.Helper()
	b.ExecuteWorkflow(workflows.PipelineName, workflows.PipelineInput{Steps: steps})
	if err := b.GetWorkflowError(); err != nil {
		return nil, err
	}
	var result workflows.PipelineResult
	return &result, b.GetWorkflowResult(&result)
}

// echoStep returns a result of so many bytes.
func echoStep(b *bench, bytes int) workflows.PipelineStep {
	return workflows.PipelineStep{RunAgentInput: workflows.RunAgentInput{AgentID: b.api.AgentID("echo"), Inputs: asteroid.Inputs{"bytes": bytes}}}
}

func TestPipelinePassesALargeResultAsAFile(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		bytes  int
		asFile bool
	}{"64 KiB": {64 << 10, false}, "more": {64<<10 + 1, true}, "omitted": {300 << 10, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			second := workflows.PipelineStep{
				RunAgentInput: workflows.RunAgentInput{
					AgentID: b.api.AgentID("inventory"), OnCapacityLimit: asteroid.CapacityQueue,
				},
				ResultInput: "previous",
			}
			result, err := b.runPipeline(t, echoStep(b, row.bytes), second)
			require.NoError(t, err)
			received, _ := b.api.Execution(result.Steps[1].ExecutionID)
			if !row.asFile {
				require.Len(t, received.Inputs["previous"], row.bytes-2)
				require.Empty(t, received.Files)
				return
			}
			require.Equal(t, workflows.PreviousResultName, received.Inputs["previous"])
			require.Len(t, received.Files, 1)
			require.Equal(t, workflows.PreviousResultName, received.Files[0].Name)
			require.EqualValues(t, row.bytes, received.Files[0].Size)
			require.Equal(t, result.Steps[0].ExecutionResult.SHA256, received.Files[0].SHA256)
		})
	}
}

func TestPipelineKeepsTheNameOfTheResultAmongOtherFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	second := workflows.PipelineStep{
		RunAgentInput: workflows.RunAgentInput{AgentID: b.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:,x", Name: workflows.PreviousResultName}}},
		ResultInput:   "previous",
	}
	result, err := b.runPipeline(t, echoStep(b, 100_000), second)
	require.NoError(t, err)
	received, _ := b.api.Execution(result.Steps[1].ExecutionID)
	require.Equal(t, workflows.PreviousResultName, received.Files[0].Name)
	require.EqualValues(t, 100_000, received.Files[0].Size)
	require.Equal(t, "previous-result-2.json", received.Files[1].Name)
}

func TestPipelineLeavesOutTheEarliestResults(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var steps []workflows.PipelineStep
	for range 10 {
		steps = append(steps, echoStep(b, 250_000))
	}
	result, err := b.runPipeline(t, steps...)
	require.NoError(t, err)
	encoded, err := json.Marshal(result)
	require.NoError(t, err)
	require.Less(t, len(encoded), 19<<20/10)
	require.Len(t, result.Steps, 10)
	for i, step := range result.Steps {
		require.Equal(t, i < 3, step.ResultOmitted != nil, i)
		if i < 3 {
			require.Equal(t, asteroid.ExecutionResultURI(step.ExecutionID), step.ResultOmitted.URI)
			require.EqualValues(t, 250_000, step.ResultOmitted.Bytes)
			require.Equal(t, step.ExecutionResult.SHA256, step.ResultOmitted.SHA256)
			require.True(t, asteroid.IsResultTooLarge(step.DecodeResult(new(any))))
		}
	}
}

func TestPipelineEndsWithManyLongReasonings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.ServeAgent("verbose", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Complete("success", strings.Repeat("<", 4000), nil)}
	})
	steps := make([]workflows.PipelineStep, 120)
	for i := range steps {
		steps[i].AgentID = agent
	}
	result, err := b.runPipeline(t, steps...)
	require.NoError(t, err)
	require.Len(t, result.Steps, 120)
	require.Nil(t, result.Steps[0].ExecutionResult)
	require.NotEmpty(t, result.Steps[0].ExecutionID)
	require.NotEmpty(t, result.Steps[119].ExecutionResult.Reasoning)
}

func TestPipelineRefusesAStepWithoutRoomForTheResult(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	second := echoStep(b, 1)
	second.Inputs = asteroid.Inputs{"x": strings.Repeat("x", 1750<<10)}
	second.ResultInput = "previous"
	_, err := b.runPipeline(t, echoStep(b, 1), second)
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, "steps[1].inputs", details.Field)
	require.Empty(t, b.api.Requests())
}

func TestRunAgentShowsWhereAnOmittedResultIs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	result, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: b.api.AgentID("echo"), Inputs: asteroid.Inputs{"bytes": 300 << 10}, Collect: &workflows.Collect{FileSelection: asteroid.FileSelection{Result: true}},
	})
	require.NoError(t, err)
	require.Equal(t, asteroid.ExecutionResultURI(result.ExecutionID), result.ResultOmitted.URI)
	require.Len(t, result.Outputs, 1)
	require.Equal(t, result.ResultOmitted.URI, result.Outputs[0].URI)
	require.Equal(t, result.ExecutionResult.SHA256, result.Outputs[0].SHA256)
}

func TestAddResultPassesAResultOfAnySize(t *testing.T) {
	t.Parallel()
	small := &asteroid.Execution{ExecutionID: "e-1", ExecutionResult: &asteroid.ExecutionResult{Result: json.RawMessage(`1`)}}
	large := &asteroid.Execution{ExecutionID: "e-1", ExecutionResult: &asteroid.ExecutionResult{Result: json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)}}
	given := asteroid.Inputs{"own": true}
	for name, row := range map[string]struct {
		of    *asteroid.Execution
		input any
		files int
	}{
		"none":    {&asteroid.Execution{ExecutionID: "e-1"}, nil, 1},
		"small":   {small, json.RawMessage(`1`), 1},
		"large":   {large, workflows.PreviousResultName, 2},
		"omitted": {&asteroid.Execution{ExecutionID: "e-1", ResultOmitted: &asteroid.OmittedResult{}}, workflows.PreviousResultName, 2},
	} {
		in := workflows.RunAgentInput{Inputs: given, Files: []asteroid.FileRef{{URI: "data:,x"}}}
		in.AddResult("result", row.of)
		require.Equal(t, asteroid.Inputs{"own": true, "result": row.input}, in.Inputs, name)
		require.Len(t, in.Files, row.files, name)
		if row.files == 2 {
			require.Equal(t, asteroid.FileRef{URI: "asteroid-execution://e-1/result", Name: workflows.PreviousResultName}, in.Files[0])
		}
	}
	require.Len(t, given, 1, "the caller's map is left alone")
}

func TestRunAgentRefusesAnEmptyResultAsAnInput(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	omitted := &asteroid.Execution{ResultOmitted: &asteroid.OmittedResult{}}
	var err error
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		_, err = workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: "a", Inputs: asteroid.Inputs{"result": omitted.Result()}})
		return nil
	})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	require.ErrorContains(t, err, "AddResult")
	require.Empty(t, b.api.Requests())
}
