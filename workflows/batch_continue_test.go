package workflows_test

import (
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// runAlone runs one run of a batch's chain, as the environment's own workflow.
func (b *batchBench) runAlone(in workflows.BatchInput) (next *workflows.BatchInput, err error) {
	b.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: batchID, TaskQueue: "batches"})
	b.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", mock.Anything, mock.Anything).Return(
		func(_, id, _, name string, arg any) error {
			if id != batchID {
				return errors.New("it has ended")
			}
			b.SignalWorkflow(name, arg)
			return nil
		}).Maybe()
	b.ExecuteWorkflow(workflows.BatchName, in)
	err = b.GetWorkflowError()
	if continues, ok := errors.AsType[*workflow.ContinueAsNewError](err); ok {
		next = &workflows.BatchInput{}
		return next, converter.GetDefaultDataConverter().FromPayloads(continues.Input, next)
	}
	if err == nil {
		err = b.GetWorkflowResult(&b.result)
	}
	return nil, err
}

func TestBatchContinuesAsNewWithoutLoss(t *testing.T) {
	t.Parallel()
	first := newBatchBench(t, 40)
	changes := first.recordAttributes()
	first.at(210*time.Second, func() {
		outcome := &updateOutcome{}
		first.UpdateWorkflow(workflows.SetConcurrencyUpdate, "1", outcome, workflows.SetConcurrencyInput{MaxConcurrent: 7})
		outcome = &updateOutcome{}
		first.UpdateWorkflow(workflows.RerunFailedUpdate, "2", outcome)
	})
	first.at(4*time.Minute+time.Second, func() { first.SetCurrentHistoryLength(3000) })
	next, err := first.runAlone(batchInput(4))
	require.NoError(t, err)
	require.NotNil(t, next)
	encoded, err := json.Marshal(next.Internal)
	require.NoError(t, err)
	var internal struct {
		PlanID   string
		Progress struct {
			Mark                                        string
			MaxConcurrent, Pass, Next, Reruns, Segments int
			Open                                        []struct{ Number, Slots int }
			Closed                                      asteroid.RowCounts
		}
	}
	require.NoError(t, json.Unmarshal(encoded, &internal))
	require.NotEmpty(t, internal.PlanID)
	require.NotEmpty(t, internal.Progress.Open)
	require.Equal(t, 7, internal.Progress.MaxConcurrent)
	require.Equal(t, 1, internal.Progress.Reruns)
	require.Positive(t, internal.Progress.Closed.Succeeded)
	require.Contains(t, (*changes)[len(*changes)-1], "of 40 rows", "the next run gets the search attributes of this one")

	second := newBatchBench(t, 40)
	changes = second.recordAttributes()
	second.planned, second.marks = first.planned, first.marks
	maps.Copy(second.results, first.results)
	for _, open := range internal.Progress.Open { // the segments have gone on
		report := map[string]any{"mark": internal.Progress.Mark, "pass": 1, "segment": open.Number, "succeeded": 9, "failed": 1, "done": true}
		encoded, err := json.Marshal(report)
		require.NoError(t, err)
		second.closed[batchID+"/segment/"+internal.Progress.Mark+"/1/"+string(rune('0'+open.Number))] = closedWorkflow{result: encoded}
		for number := (open.Number-1)*10 + 1; number <= open.Number*10; number++ {
			second.results[number] = asteroid.RowResult{Number: number, Status: asteroid.RowSucceeded}
		}
		second.results[open.Number*10] = asteroid.RowResult{Number: open.Number * 10, Status: asteroid.RowFailed}
	}
	next, err = second.runAlone(*next)
	require.NoError(t, err)
	require.Nil(t, next)
	require.Equal(t, asteroid.RowCounts{Succeeded: 40}, second.result.Counts)
	require.Len(t, second.followed, len(internal.Progress.Open))
	require.Len(t, second.plans, 1, "only the pass of the failed rows")
	require.Equal(t, 2, second.plans[0].Pass)
	require.Equal(t, internal.PlanID, second.plans[0].PlanID)
	require.Equal(t, 7, second.mostAtWork)
	value, err := second.QueryWorkflow(workflows.StateQuery)
	require.NoError(t, err)
	var state workflows.BatchState
	require.NoError(t, value.Get(&state))
	require.Equal(t, 40, state.Succeeded)
	require.Zero(t, state.Failed)
	require.Regexp(t, "^agent: running: [1-9][0-9]*%", (*changes)[0])
	require.Equal(t, "done", (*changes)[len(*changes)-1])
}

// The server does not tell the next run that this one was cancelled.
func TestBatchThatIsCancelledEndsAsCancelledInItsNextRun(t *testing.T) {
	t.Parallel()
	first := newBatchBench(t, 40)
	first.run = func(ctx workflow.Context, _ *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		err := workflow.Sleep(ctx, time.Minute)
		if err != nil { // its agent takes a while to end
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			_ = workflow.Sleep(ctx, time.Minute)
		}
		return asteroid.RowResult{}, err
	}
	first.at(90*time.Second, first.CancelWorkflow)
	first.at(100*time.Second, func() { first.SetCurrentHistoryLength(3000) })
	next, err := first.runAlone(batchInput(4))
	require.NoError(t, err)
	require.NotNil(t, next, "it continues as new")

	second := newBatchBench(t, 40)
	second.planned, second.marks = first.planned, first.marks
	second.closed[batchID+"/segment/mark-1/1/1"] = closedWorkflow{
		result: json.RawMessage(`{"mark":"mark-1","pass":1,"segment":1,"succeeded":4,"cancelled":4,"done":true}`),
	}
	for number := 1; number <= 8; number++ {
		second.results[number] = asteroid.RowResult{Number: number, Status: asteroid.RowSucceeded}
		if number > 4 {
			second.results[number] = asteroid.RowResult{Number: number, Status: asteroid.RowCancelled}
		}
	}
	next, err = second.runAlone(*next)
	require.Nil(t, next)
	canceled, ok := errors.AsType[*temporal.CanceledError](err)
	require.True(t, ok, "%v", err)
	var result workflows.BatchResult
	require.NoError(t, canceled.Details(&result))
	require.Equal(t, asteroid.RowCounts{Succeeded: 4, Cancelled: 4, NotRun: 32}, result.Counts)
	require.Equal(t, "the workflow was cancelled", result.Stopped)
	require.Empty(t, second.started)
}
