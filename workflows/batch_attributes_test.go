package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// recordAttributes records the values of each change of the batch's search attributes.
func (b *batchBench) recordAttributes() *[]string {
	attributes := asteroid.DefaultSearchAttributes()
	b.attributes = &attributes
	var changes []string
	b.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		set, _ := args.Get(0).(temporal.SearchAttributes)
		var values []string
		for _, name := range []string{attributes.Agent, attributes.Status, attributes.Progress, attributes.Question} {
			if value, ok := set.GetKeyword(temporal.NewSearchAttributeKeyKeyword(name)); ok {
				values = append(values, value)
			}
		}
		changes = append(changes, strings.Join(values, ": "))
	}).Return(nil)
	return &changes
}

func TestBatchShowsProgressInSearchAttributes(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 40)
	changes := b.recordAttributes()
	b.run = func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		err := workflow.Sleep(ctx, time.Minute)
		if row.Number == 7 {
			return failed(), err
		}
		return asteroid.RowResult{}, err
	}
	b.at(150*time.Second, func() { b.updateBatch(t, workflows.PauseBatchUpdate) })
	b.at(time.Hour, func() { b.updateBatch(t, workflows.ResumeBatchUpdate) })
	_, err := b.runBatch(t, batchInput(4))
	require.NoError(t, err)
	require.Equal(t, "agent: running: 0%, 0 of 40 rows", (*changes)[0])
	require.Contains(t, *changes, "paused")
	require.Contains(t, *changes, "30%, 12 of 40 rows, 1 failed", "what changes in a pause is shown, too")
	require.Equal(t, []string{"joining: 100%, 40 of 40 rows, 1 failed", "done"}, (*changes)[len(*changes)-2:])
}

// A batch whose rows take weeks tells its progress often, but not with each row.
func TestBatchChangesSearchAttributesSeldom(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 600)
	b.segmentRows = 300
	b.run = func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		return asteroid.RowResult{}, workflow.Sleep(ctx, time.Duration(row.Number%7+1)*time.Second)
	}
	changes := b.recordAttributes()
	_, err := b.runBatch(t, batchInput(10))
	require.NoError(t, err)
	require.LessOrEqual(t, len(*changes), 50, strings.Join(*changes, "\n"))
	require.GreaterOrEqual(t, len(*changes), 10)
}

func TestBatchShowsTheLatestWaitsWhenNothingElseHappens(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 3)
	changes := b.recordAttributes()
	b.run = func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		_ = workflow.Sleep(ctx, time.Duration(row.Number)*time.Millisecond)
		wait := map[string]any{"pass": row.Pass, "segment": row.Segment, "number": row.Number, "at": 1, "phase": workflows.PhaseNeedsHuman}
		_ = workflow.SignalExternalWorkflow(ctx, row.Batch, "", "asteroid.batchRowWait", wait).Get(ctx, nil)
		return asteroid.RowResult{}, workflow.Sleep(ctx, 24*time.Hour)
	}
	b.at(time.Hour, func() {
		require.Contains(t, *changes, "0%, 0 of 3 rows, 3 wait for people")
		require.Contains(t, b.details(t), "3 wait for people")
		require.Contains(t, b.details(t), "rows 1, 2, 3.")
	})
	_, err := b.runBatch(t, batchInput(3))
	require.NoError(t, err)
}

func TestBatchSetsNoSearchAttributesByDefault(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 5)
	changes := b.recordAttributes()
	b.attributes = nil
	_, err := b.runBatch(t, batchInput(5))
	require.NoError(t, err)
	require.Empty(t, *changes)
}

func TestBatchDetailsSayHowToSteer(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 40)
	var running, paused string
	b.at(90*time.Second, func() { running = b.details(t) })
	b.at(100*time.Second, func() { b.updateBatch(t, workflows.PauseBatchUpdate) })
	b.at(101*time.Second, func() { paused = b.details(t); b.updateBatch(t, workflows.ResumeBatchUpdate) })
	_, err := b.runBatch(t, batchInput(4))
	require.NoError(t, err)
	for _, text := range []string{
		"of agent `agent` is **running** since", "`[###...........................]` 10%, 4 of 40 rows, 4 at work",
		"`asteroid.pauseBatch`: starts no new rows", "`asteroid.setConcurrency` with `{\"maxConcurrent\":4}`", "`asteroid.cancelBatch`",
		"--workflow-id " + batchID + " --name asteroid.pauseBatch\n",
	} {
		require.Contains(t, running, text)
	}
	require.NotContains(t, running, "resumeBatch")
	require.Contains(t, paused, "--name asteroid.resumeBatch\n")
	require.NotContains(t, paused, "pauseBatch")
	require.NotContains(t, b.details(t), "To steer it", "it takes no updates any more")
}

func TestBatchStateDrawsALine(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		state workflows.BatchState
		bar   string
		line  string
	}{
		"none":     {workflows.BatchState{}, "[..........]", "no rows to run"},
		"begun":    {workflows.BatchState{Rows: 3, AtWork: 2}, "[..........]", "0%, 0 of 3 rows, 2 at work"},
		"underway": {workflows.BatchState{Rows: 400, Succeeded: 100, Failed: 47, Cancelled: 1, AtWork: 9, NeedHuman: 2, WaitForPermit: 3}, "[###.......]", "37%, 148 of 400 rows, 47 failed, 1 cancelled, 9 at work, 2 wait for people, 3 wait for a permit"},
		"nearly":   {workflows.BatchState{Rows: 1000, Succeeded: 999}, "[#########.]", "99%, 999 of 1000 rows"},
		"all":      {workflows.BatchState{Rows: 3, Succeeded: 3}, "[##########]", "100%, 3 of 3 rows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.bar, row.state.Bar(10))
			require.Equal(t, row.line, row.state.Progress())
		})
	}
}
