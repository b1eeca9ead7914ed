package workflows_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// writer writes three files and completes.
func writer(testsuite.Run) []testsuite.Step {
	return []testsuite.Step{
		testsuite.Work(time.Hour),
		testsuite.WriteFile("downloads", "report.pdf", "application/pdf", []byte("%PDF-1.7 the report")),
		testsuite.WriteFile("downloads", "log.txt", "text/plain", []byte("what I did")),
		testsuite.WriteFile("workspace", "notes.md", "text/markdown", []byte("# Notes")),
		testsuite.Complete("success", "Wrote it.", 1),
	}
}

func TestPipelinePassesCollectedFilesByReference(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.api.AddAgent("writer", writer)
	b.ExecuteWorkflow(workflows.PipelineName, workflows.PipelineInput{Steps: []workflows.PipelineStep{
		{RunAgentInput: workflows.RunAgentInput{AgentID: first, Collect: &workflows.Collect{FileSelection: asteroid.FileSelection{
			Directories: []string{"downloads", "workspace"}, Names: []string{"*.pdf", "notes.*"},
		}}}},
		{RunAgentInput: workflows.RunAgentInput{AgentID: b.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:,x", Name: "own.txt"}}}, TakeFiles: true},
	}})
	require.NoError(t, b.GetWorkflowError())
	var result workflows.PipelineResult
	require.NoError(t, b.GetWorkflowResult(&result))
	outputs := result.Steps[0].Outputs
	require.Len(t, outputs, 2)
	require.Equal(t, "asteroid-execution://"+result.Steps[0].ExecutionID+"/downloads/report.pdf", outputs[0].URI)
	require.Equal(t, "notes.md", outputs[1].Name)
	require.EqualValues(t, 19, outputs[0].Size)

	// The second agent got the bytes, and no other file.
	second, ok := b.api.Execution(result.Steps[1].ExecutionID)
	require.True(t, ok)
	require.Len(t, second.Files, 3)
	require.Equal(t, []string{"own.txt", "report.pdf", "notes.md"}, []string{second.Files[0].Name, second.Files[1].Name, second.Files[2].Name})
	digest := sha256.Sum256([]byte("%PDF-1.7 the report"))
	require.Equal(t, hex.EncodeToString(digest[:]), second.Files[1].SHA256)
	history, err := json.Marshal(result)
	require.NoError(t, err)
	require.NotContains(t, string(history), "the report")
}

func TestRunAgentSavesOutputsToTheDestination(t *testing.T) {
	t.Parallel()
	b := newBench(t, testsuite.WithFileSyncDelay(0))
	root := t.TempDir()
	b.outputRoots = []string{root}
	result, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: b.api.AddAgent("writer", writer), Collect: &workflows.Collect{Destination: "file://" + root + "/claims"},
	})
	require.NoError(t, err)
	require.Len(t, result.Outputs, 2)
	for _, output := range result.Outputs {
		content, err := os.ReadFile(filepath.Join(root, "claims", result.ExecutionID, "downloads", output.Name))
		require.NoError(t, err)
		digest := sha256.Sum256(content)
		require.Equal(t, hex.EncodeToString(digest[:]), output.SHA256)
		require.Equal(t, "file://"+root+"/claims/"+result.ExecutionID+"/downloads/"+output.Name, output.URI)
	}
	value, err := b.QueryWorkflow(workflows.StateQuery)
	require.NoError(t, err)
	var state workflows.State
	require.NoError(t, value.Get(&state))
	require.Equal(t, result.Outputs, state.Agents[0].Outputs)
	require.Equal(t, workflows.PhaseCompleted, state.Agents[0].Phase)
}

func TestRunAgentRefusesAForbiddenDestinationBeforeExecuting(t *testing.T) {
	t.Parallel()
	for _, destination := range []string{"file:///etc", "s3://bucket/x", "nowhere"} {
		b := newBench(t)
		b.outputRoots = []string{t.TempDir()}
		_, err := b.runAgent(t, workflows.RunAgentInput{
			AgentID: b.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:,x"}}, Collect: &workflows.Collect{Destination: destination},
		})
		require.True(t, asteroid.IsInvalidInput(err), "%v", err)
		require.Contains(t, err.Error(), "destination")
		require.Empty(t, b.api.Requests())
	}
}

func TestRunAgentCollectsNoFilesOfAFailedRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.AddAgent("fails", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.WriteFile("downloads", "half.txt", "text/plain", []byte("x")), testsuite.Fail("no")}
	})
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, OnFailure: workflows.FailureIsResult, Collect: &workflows.Collect{}})
	require.NoError(t, err)
	require.Empty(t, result.Outputs)
	require.Zero(t, b.requests("ExecutionFilesGet"))
}

func TestAttachFilesAddsFilesToARunningExecution(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var attached *asteroid.AttachFilesResult
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		run, err := workflows.StartAgent(ctx, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 60}})
		if err != nil {
			return err
		}
		if attached, err = workflows.AttachFiles(ctx, asteroid.AttachFilesInput{
			ExecutionID: run.ExecutionID(), Files: []asteroid.FileRef{{URI: "data:text/plain,late", Name: "late.txt"}},
		}); err != nil {
			return err
		}
		_, err = run.Result(ctx)
		return err
	})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, "late.txt", attached.Files[0].Name)
	require.Equal(t, "late.txt", b.api.Executions()[0].Files[0].Name)
}
