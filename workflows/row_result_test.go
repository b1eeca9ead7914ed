package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// runRow runs asteroid.RunAgent as a batch does.
func (b *bench) runRow(t *testing.T, in workflows.RunAgentInput, row workflows.RowOfBatch) asteroid.RowResult {
	t.Helper()
	row.Number, row.Key, row.Attempt = 7, "C-7", 2
	in.Internal.Row = &row
	b.ExecuteWorkflow(workflows.RunAgentName, in)
	require.NoError(t, b.GetWorkflowError())
	var result asteroid.RowResult
	require.NoError(t, b.GetWorkflowResult(&result))
	require.Equal(t, 7, result.Number)
	require.Equal(t, "C-7", result.Key)
	require.Equal(t, 2, result.Attempt)
	require.False(t, result.StartedAt.IsZero())
	require.False(t, result.EndedAt.Before(result.StartedAt))
	return result
}

func TestRunAgentReturnsTheResultOfARow(t *testing.T) {
	t.Parallel()
	t.Run("succeeded", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		in := workflows.RunAgentInput{AgentID: b.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:text/csv,a", Name: "a.csv"}}}
		result := b.runRow(t, in, workflows.RowOfBatch{Fields: []string{"files.0.name", "files.0.size", "none"}})
		require.Equal(t, asteroid.RowSucceeded, result.Status)
		require.Equal(t, asteroid.StatusCompleted, result.ExecutionStatus)
		require.NotEmpty(t, result.ExecutionID)
		require.Empty(t, result.Error)
		require.Equal(t, map[string]json.RawMessage{"files.0.name": json.RawMessage(`"a.csv"`), "files.0.size": json.RawMessage(`1`)}, result.Fields)
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		result := newBench(t).runRow(t, workflows.RunAgentInput{}, workflows.RowOfBatch{})
		require.Equal(t, asteroid.RowFailed, result.Status)
		require.Equal(t, asteroid.ErrorTypeInvalidInput, result.ErrorType)
		require.Contains(t, result.Error, "agentId")
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.RegisterDelayedCallback(b.CancelWorkflow, time.Minute)
		result := b.runRow(t, workflows.RunAgentInput{AgentID: b.workingAgent(time.Hour)}, workflows.RowOfBatch{})
		require.Equal(t, asteroid.RowCancelled, result.Status)
		require.NotEmpty(t, result.ExecutionID)
		require.Equal(t, asteroid.StatusCancelled, result.ExecutionStatus)
	})
	t.Run("timed out", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		result := b.runRow(t, workflows.RunAgentInput{AgentID: b.workingAgent(time.Hour), TimeoutSeconds: 60}, workflows.RowOfBatch{})
		require.Equal(t, asteroid.RowFailed, result.Status)
		require.Equal(t, asteroid.ErrorTypeExecutionTimedOut, result.ErrorType)
		require.NotEmpty(t, result.ExecutionID)
	})
}

func TestRunAgentCountsOutcomesAsFailuresOfARow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	result := b.runRow(t, workflows.RunAgentInput{AgentID: b.workingAgent(time.Minute)}, workflows.RowOfBatch{Outcomes: []string{"rejected", "success"}})
	require.Equal(t, asteroid.RowFailed, result.Status)
	require.Equal(t, "success", result.Outcome)
	require.Contains(t, result.Error, "success")
	require.Equal(t, asteroid.StatusCompleted, result.ExecutionStatus)
}

func TestRunAgentTellsTheBatchThatItsRowWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var phases []any
	b.OnSignalExternalWorkflow(mock.Anything, "claims", "", mock.Anything, mock.Anything).Return(
		func(_, _, _, _ string, arg any) error {
			encoded, _ := json.Marshal(arg)
			var wait map[string]any
			_ = json.Unmarshal(encoded, &wait)
			require.EqualValues(t, 3, wait["segment"])
			b.mu.Lock()
			defer b.mu.Unlock()
			phases = append(phases, wait["phase"])
			return nil
		})
	b.RegisterDelayedCallback(func() { b.answer(t, workflows.AnswerInput{Text: "yes"}) }, 10*time.Minute)
	result := b.runRow(t, workflows.RunAgentInput{AgentID: b.askingAgent(testsuite.Question{Text: "Which account?"})}, workflows.RowOfBatch{Batch: "claims", Pass: 1, Segment: 3})
	require.Equal(t, asteroid.RowSucceeded, result.Status)
	require.Equal(t, []any{string(workflows.PhaseNeedsHuman), nil}, phases)
}

func TestRowFieldsFollowPaths(t *testing.T) {
	t.Parallel()
	result := json.RawMessage(`{"claim": {"number": "C-1", "amount": 12345678901234567890, "x.y": true}, "items": [{"price": 1.50}], "a.b": null, "n": {"m": null}}`)
	for path, want := range map[string]string{
		"claim.number": `"C-1"`, "claim.amount": `12345678901234567890`, "items.0.price": `1.50`, "claim.x.y": `true`, "a.b": `null`,
		"items.1": "", "items.-1": "", "items.x": "", "claim.none": "", "claim.number.deeper": "", "": "", "n.m": "null", "n.m.o": "",
		"items.0": `{"price": 1.50}`,
	} {
		fields := workflows.RowFields([]string{path}, result)
		require.Equal(t, want, string(fields[path]), path)
	}
	require.Nil(t, workflows.RowFields([]string{"a"}, nil))
	require.Nil(t, workflows.RowFields([]string{"a"}, json.RawMessage(`"text"`)))
}

func TestRowResultsAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 4000)
	result := asteroid.RowResult{
		Number: 1, Key: strings.Repeat("k", 200), Status: asteroid.RowFailed, ExecutionID: "execution", Error: long, Outcome: long[:200],
		URL: "https://asteroid.example/" + strings.Repeat("u", 3000), Fields: map[string]json.RawMessage{"f": json.RawMessage(`"` + long[:900] + `"`)},
	}
	workflows.FitRow(&result)
	encoded, err := json.Marshal(result)
	require.NoError(t, err)
	require.LessOrEqual(t, len(encoded), 2<<10)
	require.True(t, result.FieldsOmitted)
	require.Equal(t, "execution", result.ExecutionID)
	require.Len(t, result.Key, 200)

	result = asteroid.RowResult{Fields: map[string]json.RawMessage{"f": json.RawMessage(`"` + long[:1100] + `"`)}}
	workflows.FitRow(&result)
	require.True(t, result.FieldsOmitted)
	require.Nil(t, result.Fields)
}
