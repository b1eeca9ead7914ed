package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// batchRows are rows in memory, and the activities that a batch runs. So the tests measure the
// workflows of a batch by themselves.
type batchRows struct {
	client client.Client
	rows   int
	slow   func(number int) time.Duration

	mu      sync.Mutex
	ran     map[int]int // how often each row has run
	results map[int]asteroid.RowResult
}

const rowsOfSegment = 300

func (b *batchRows) plan(_ context.Context, in asteroid.PlanBatchInput) (*asteroid.PlanBatchResult, error) {
	return &asteroid.PlanBatchResult{Mark: in.PlanID, Rows: b.rows, Segments: (b.rows + rowsOfSegment - 1) / rowsOfSegment}, nil
}

func (b *batchRows) read(_ context.Context, in asteroid.ReadBatchRowsInput) (*asteroid.ReadBatchRowsResult, error) {
	read := &asteroid.ReadBatchRowsResult{}
	for number := (in.Segment-1)*rowsOfSegment + 1; number <= min(b.rows, in.Segment*rowsOfSegment); number++ {
		read.Rows = append(read.Rows, asteroid.BatchRow{Number: number, Key: fmt.Sprint(number), Attempt: 1, Input: in.Template})
	}
	return read, nil
}

func (b *batchRows) write(_ context.Context, in asteroid.WriteBatchPartInput) (*asteroid.WriteBatchPartResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, row := range in.Rows {
		b.results[row.Number] = row
	}
	return &asteroid.WriteBatchPartResult{}, nil
}

func (b *batchRows) join(context.Context, asteroid.JoinBatchPartsInput) (*asteroid.JoinBatchPartsResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	joined := &asteroid.JoinBatchPartsResult{}
	for _, row := range b.results {
		if row.Status == asteroid.RowSucceeded {
			joined.Counts.Succeeded++
		} else {
			joined.Counts.Failed++
		}
	}
	joined.Counts.NotRun = b.rows - len(b.results)
	return joined, nil
}

func (b *batchRows) follow(ctx context.Context, in asteroid.FollowWorkflowInput) (*asteroid.FollowWorkflowResult, error) {
	found, err := b.client.DescribeWorkflowExecution(ctx, in.WorkflowID, in.RunID)
	if err != nil {
		return nil, err
	}
	switch found.WorkflowExecutionInfo.Status {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return nil, temporal.NewApplicationErrorWithOptions("it is running", asteroid.ErrorTypeStillRunning, temporal.ApplicationErrorOptions{NextRetryDelay: time.Second})
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		var result json.RawMessage
		err := b.client.GetWorkflow(ctx, in.WorkflowID, in.RunID).Get(ctx, &result)
		return &asteroid.FollowWorkflowResult{Status: "completed", Result: result}, err
	default:
		return &asteroid.FollowWorkflowResult{Status: "terminated"}, nil
	}
}

func (b *batchRows) run(ctx workflow.Context, in workflows.RunAgentInput) (*asteroid.RowResult, error) {
	row := in.Internal.Row
	if !workflow.IsReplaying(ctx) { //workflowcheck:ignore
		b.mu.Lock()
		b.ran[row.Number]++
		b.mu.Unlock()
	}
	if takes := b.slow(row.Number); takes > 0 {
		if err := workflow.Sleep(ctx, takes); err != nil {
			return nil, err
		}
	}
	return &asteroid.RowResult{Status: asteroid.RowSucceeded, StartedAt: workflow.Now(ctx), EndedAt: workflow.Now(ctx)}, nil
}

// newBatch starts a worker for batches of rows in memory.
func newBatch(t *testing.T, rows int, slow func(number int) time.Duration) (*stack, *batchRows) {
	t.Helper()
	s := newStack(t)
	b := &batchRows{client: s.client, rows: rows, slow: slow, ran: map[int]int{}, results: map[int]asteroid.RowResult{}}
	w := sdkworker.New(s.client, s.queue, sdkworker.Options{})
	workflows.Register(withoutRunAgent{w}, workflow.RegisterOptions{})
	w.RegisterWorkflowWithOptions(b.run, workflow.RegisterOptions{Name: workflows.RunAgentName})
	for name, does := range map[string]any{
		asteroid.PlanBatchName: b.plan, asteroid.ReadBatchRowsName: b.read, asteroid.WriteBatchPartName: b.write,
		asteroid.JoinBatchPartsName: b.join, asteroid.FollowWorkflowName: b.follow,
	} {
		w.RegisterActivityWithOptions(does, activity.RegisterOptions{Name: name})
	}
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return s, b
}

type withoutRunAgent struct{ workflows.Registry }

func (r withoutRunAgent) RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions) {
	if options.Name != workflows.RunAgentName {
		r.Registry.RegisterWorkflowWithOptions(w, options)
	}
}

func inputOfBatch(maxConcurrent int) workflows.BatchInput {
	return workflows.BatchInput{
		Rows: asteroid.BatchRows{Source: &asteroid.FileRef{URI: "file:///srv/rows.csv"}}, Template: workflows.RunAgentInput{AgentID: "a"},
		Results: asteroid.BatchResults{Destination: "file:///srv/results.csv"}, MaxConcurrent: maxConcurrent,
	}
}

// awaitLengths waits until so many runs of batches and segments are listed with their lengths.
func (s *stack) awaitLengths(t *testing.T, batches, segments int) (lengths map[string][]int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		lengths = s.lengths(t)
		ended := !slices.Contains(lengths[workflows.BatchName], 0) && !slices.Contains(lengths[workflows.BatchSegmentName], 0)
		return ended && len(lengths[workflows.BatchName]) >= batches && len(lengths[workflows.BatchSegmentName]) == segments
	}, 20*time.Second, 200*time.Millisecond)
	return lengths
}

// lengths returns the number of events of each closed run of the workflows of a batch, by type.
func (s *stack) lengths(t *testing.T) map[string][]int64 {
	t.Helper()
	lengths := map[string][]int64{}
	var page []byte
	for {
		listed, err := s.client.ListWorkflow(s.ctx(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: fmt.Sprintf("TaskQueue = %q AND WorkflowType IN (%q, %q)", s.queue, workflows.BatchName, workflows.BatchSegmentName), NextPageToken: page,
		})
		require.NoError(t, err)
		for _, run := range listed.Executions {
			lengths[run.Type.Name] = append(lengths[run.Type.Name], run.HistoryLength)
		}
		if page = listed.NextPageToken; len(page) == 0 {
			return lengths
		}
	}
}

func TestBatchKeepsHistoriesShort(t *testing.T) {
	const rows = 350
	s, b := newBatch(t, rows, func(int) time.Duration { return 0 })
	var result workflows.BatchResult
	require.NoError(t, s.startWorkflow(workflows.BatchName, inputOfBatch(50)).Get(s.ctx(), &result))
	require.Equal(t, asteroid.RowCounts{Succeeded: rows}, result.Counts)
	for number := 1; number <= rows; number++ {
		require.Equal(t, 1, b.ran[number], "row %d", number)
	}
	lengths := s.awaitLengths(t, 1, 2)
	t.Log(lengths)
	require.LessOrEqual(t, slices.Max(lengths[workflows.BatchSegmentName]), int64(3600))
	require.LessOrEqual(t, slices.Max(lengths[workflows.BatchName]), int64(300))
}

func TestBatchLosesNothingWhenItContinuesAsNew(t *testing.T) {
	if !*many {
		t.Skip("needs -many")
	}
	s, b := newBatch(t, 310, func(number int) time.Duration {
		if number%100 == 7 { // they end in a later run of the batch
			return 20 * time.Second
		}
		return 0
	})
	batch := s.startWorkflow(workflows.BatchName, inputOfBatch(20))
	first := batch.GetRunID()
	for i := range 500 { // each makes the history longer
		handle, err := s.client.UpdateWorkflow(s.ctx(), client.UpdateWorkflowOptions{
			WorkflowID: batch.GetID(), UpdateName: workflows.SetConcurrencyUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
			Args: []any{workflows.SetConcurrencyInput{MaxConcurrent: 20 + i%2}},
		})
		if err == nil {
			err = handle.Get(s.ctx(), nil)
		}
		if refused := new(temporal.ApplicationError); errors.As(err, &refused) && strings.Contains(refused.Message(), "too late") {
			break
		}
		require.NoError(t, err)
		found, err := s.client.DescribeWorkflowExecution(s.ctx(), batch.GetID(), "")
		require.NoError(t, err)
		if found.WorkflowExecutionInfo.Execution.RunId != first {
			break
		}
	}
	var result workflows.BatchResult
	require.NoError(t, batch.Get(s.ctx(), &result))
	require.Equal(t, asteroid.RowCounts{Succeeded: 310}, result.Counts)
	for number := 1; number <= 310; number++ {
		require.Equal(t, 1, b.ran[number], "row %d", number)
	}
	lengths := s.awaitLengths(t, 2, 2)
	t.Log(lengths)
	require.LessOrEqual(t, slices.Max(lengths[workflows.BatchName]), int64(5000))
	require.LessOrEqual(t, slices.Max(lengths[workflows.BatchSegmentName]), int64(5000))
}

func TestBatchRunsNoRowTwiceAfterAReset(t *testing.T) {
	for _, name := range []string{"of the batch", "of a segment"} {
		t.Run(name, func(t *testing.T) {
			s, b := newBatch(t, 150, func(number int) time.Duration { return time.Duration(number%4) * time.Second })
			batch := s.startWorkflow(workflows.BatchName, inputOfBatch(20))
			ended := func() int {
				b.mu.Lock()
				defer b.mu.Unlock()
				return len(b.ran)
			}
			require.Eventually(t, func() bool { return ended() > 60 }, time.Minute, 50*time.Millisecond)
			target := batch
			if name == "of a segment" {
				target = s.client.GetWorkflow(s.ctx(), batch.GetID()+"/segment/"+batch.GetRunID()+"/1/1", "")
			}
			s.resetTo(target, 0)
			var result workflows.BatchResult
			require.NoError(t, s.client.GetWorkflow(s.ctx(), batch.GetID(), "").Get(s.ctx(), &result))
			require.Equal(t, asteroid.RowCounts{Succeeded: 150}, result.Counts)
			for number := 1; number <= 150; number++ {
				require.Equal(t, 1, b.ran[number], "row %d", number)
			}
		})
	}
}
