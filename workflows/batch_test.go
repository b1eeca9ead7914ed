package workflows_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestBatchRunsEveryRowOnce(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 45)
	result, err := b.runBatch(t, batchInput(8))
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Succeeded: 45}, result.Counts)
	require.Empty(t, result.Stopped)
	require.Equal(t, "file:///srv/results.csv", result.Results.URI)
	for number := 1; number <= 45; number++ {
		require.Equal(t, 1, b.startsOf(number), "row %d", number)
	}
	require.Equal(t, batchID+"/row/row-1/1", b.started[0])
	require.Equal(t, "default-test-namespace/"+batchID+"/row-1/1", b.keys[0], "another namespace has another batch")
	require.Len(t, b.joins, 1)
	require.LessOrEqual(t, b.mostAtWork, 8)
}

func TestBatchKeepsItsWindowFull(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 60)
	b.run = func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		if row.Number == 3 { // it holds no other row back
			return asteroid.RowResult{}, workflow.Sleep(ctx, 24*time.Hour)
		}
		return asteroid.RowResult{}, workflow.Sleep(ctx, time.Minute)
	}
	result, err := b.runBatch(t, batchInput(6))
	require.NoError(t, err)
	require.Equal(t, 60, result.Counts.Succeeded)
	require.Equal(t, 6, b.mostAtWork)
	var last time.Time
	for number, row := range b.results {
		if number != 3 && row.EndedAt.After(last) {
			last = row.EndedAt
		}
	}
	ideal := 59 * time.Minute / 5
	require.Less(t, last.Sub(result.StartedAt), ideal+4*time.Minute, "waves would take longer")
}

func TestBatchStopsWhenRowsFail(t *testing.T) {
	t.Parallel()
	failEach := func(nth int) func(workflow.Context, *workflows.RowOfBatch, workflows.RunAgentInput) (asteroid.RowResult, error) {
		return func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
			err := workflow.Sleep(ctx, time.Minute)
			if row.Number%nth == 0 {
				return failed(), err
			}
			return asteroid.RowResult{}, err
		}
	}
	for name, row := range map[string]struct {
		failures workflows.FailuresOfBatch
		nth      int
		stopped  string
		ran      int // at most
	}{
		"after a number":          {workflows.FailuresOfBatch{StopAfter: 3, Reruns: 2}, 2, "stopAfter is 3", 10},
		"not below a share":       {workflows.FailuresOfBatch{StopShare: 0.6}, 2, "", 60},
		"not before the 20th row": {workflows.FailuresOfBatch{StopShare: 0.4}, 2, "stopShare is 0.4", 24},
		"not while they are few":  {workflows.FailuresOfBatch{StopAfter: 31}, 2, "", 60},
		"not when it is to go on": {workflows.FailuresOfBatch{}, 1, "", 60},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBatchBench(t, 60)
			b.run = failEach(row.nth)
			in := batchInput(4)
			in.Failures = row.failures
			result, err := b.runBatch(t, in)
			require.NoError(t, err)
			require.LessOrEqual(t, len(b.started), row.ran)
			require.Equal(t, 60-len(b.started), result.Counts.NotRun)
			if row.stopped == "" {
				require.Empty(t, result.Stopped)
				require.Len(t, b.started, 60)
				return
			}
			require.Contains(t, result.Stopped, row.stopped)
			require.Len(t, b.plans, 1, "a batch that has stopped does not run rows again")
			require.Len(t, b.joins, 1)
			require.Equal(t, []string{"asteroid_batches incomplete: 1"}, b.counted(metrics.Batches))
		})
	}
}

func TestBatchRunsFailedRowsAgain(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 30)
	b.run = func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		err := workflow.Sleep(ctx, time.Minute)
		if row.Number%5 == 0 && row.Attempt == 1 || row.Number == 10 {
			return failed(), err
		}
		return asteroid.RowResult{}, err
	}
	in := batchInput(4)
	in.Failures.Reruns = 2
	result, err := b.runBatch(t, in)
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Succeeded: 29, Failed: 1}, result.Counts)
	require.Len(t, b.started, 30+6+1)
	require.Equal(t, 3, b.startsOf(10))
	require.Contains(t, b.started, batchID+"/row/row-10/3")
	require.Contains(t, b.keys, "default-test-namespace/"+batchID+"/row-10/3")
	require.Equal(t, 3, b.joins[0].Passes)
	state := b.state(t)
	require.Equal(t, 29, state.Succeeded)
	require.Equal(t, 1, state.Failed)
	require.Equal(t, 30, state.Rows)
	require.Equal(t, []string{
		"asteroid_batch_rows failed again: 2", "asteroid_batch_rows failed first: 6",
		"asteroid_batch_rows succeeded again: 5", "asteroid_batch_rows succeeded first: 24", "asteroid_batches incomplete: 1",
	}, b.counted(metrics.BatchRows, metrics.Batches))
	require.Empty(t, b.plans[1].Rows, "only the first pass reads the file's rows")
}

func TestBatchIsPausedAndResumed(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 30)
	var paused workflows.BatchState
	startedBefore := 0
	b.at(90*time.Second, func() { require.NoError(t, b.updateBatch(t, workflows.PauseBatchUpdate).rejected) })
	b.at(4*time.Hour, func() {
		paused, startedBefore = b.state(t), len(b.started)
		b.updateBatch(t, workflows.ResumeBatchUpdate)
	})
	result, err := b.runBatch(t, batchInput(4))
	require.NoError(t, err)
	require.Equal(t, 30, result.Counts.Succeeded)
	require.Equal(t, "paused", paused.Phase)
	require.Equal(t, 8, startedBefore)
	require.Zero(t, paused.AtWork)
	require.Equal(t, 8, paused.Succeeded)
}

func TestBatchConcurrencyChangesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 100)
	b.segmentRows = 50
	var reduced, raised int
	b.at(90*time.Second, func() {
		require.NoError(t, b.updateBatch(t, workflows.SetConcurrencyUpdate, workflows.SetConcurrencyInput{MaxConcurrent: 2}).rejected)
	})
	b.at(3*time.Minute+30*time.Second, func() {
		reduced = b.atWork
		b.updateBatch(t, workflows.SetConcurrencyUpdate, workflows.SetConcurrencyInput{MaxConcurrent: 12})
	})
	b.at(3*time.Minute+31*time.Second, func() { raised = b.atWork })
	result, err := b.runBatch(t, batchInput(5))
	require.NoError(t, err)
	require.Equal(t, 100, result.Counts.Succeeded)
	require.Equal(t, 2, reduced)
	require.Equal(t, 12, raised)
	require.Equal(t, 12, b.mostAtWork)
}

func TestBatchRefusesUpdatesThatComeToNothing(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 10)
	outcomes := map[string]*updateOutcome{}
	b.at(30*time.Second, func() {
		outcomes["maxConcurrent"] = b.updateBatch(t, workflows.SetConcurrencyUpdate, map[string]any{"maxConcurrent": 1001})
		outcomes["maxConcurent"] = b.updateBatch(t, workflows.SetConcurrencyUpdate, map[string]any{"maxConcurent": 5})
		require.NoError(t, b.updateBatch(t, workflows.CancelBatchUpdate).rejected)
		outcomes["update"] = b.updateBatch(t, workflows.RerunFailedUpdate)
	})
	_, err := b.runBatch(t, batchInput(2))
	require.NoError(t, err)
	for field, outcome := range outcomes {
		require.True(t, asteroid.IsInvalidInput(outcome.rejected), "%s: %v", field, outcome.rejected)
		require.ErrorContains(t, outcome.rejected, field)
	}
}

func TestBatchRunsFailedRowsAgainWhenAsked(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 10)
	b.run = func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		err := workflow.Sleep(ctx, time.Minute)
		if row.Attempt == 1 {
			return failed(), err
		}
		return asteroid.RowResult{}, err
	}
	b.at(30*time.Second, func() { require.NoError(t, b.updateBatch(t, workflows.RerunFailedUpdate).rejected) })
	result, err := b.runBatch(t, batchInput(5))
	require.NoError(t, err)
	require.Equal(t, 10, result.Counts.Succeeded)
	require.Len(t, b.plans, 2)
}

func TestBatchIsCancelled(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		cancel   func(*testing.T, *batchBench)
		canceled bool
	}{
		"by its update":   {func(t *testing.T, b *batchBench) { b.updateBatch(t, workflows.CancelBatchUpdate) }, false},
		"by its workflow": {func(_ *testing.T, b *batchBench) { b.CancelWorkflowByID(batchID, "") }, true},
		"by its update, if paused": {func(t *testing.T, b *batchBench) {
			b.updateBatch(t, workflows.PauseBatchUpdate)
			b.updateBatch(t, workflows.CancelBatchUpdate)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBatchBench(t, 40)
			b.at(90*time.Second, func() { row.cancel(t, b) })
			result, err := b.runBatch(t, batchInput(4))
			require.Equal(t, row.canceled, temporal.IsCanceledError(err), "%v", err)
			if canceled, ok := errors.AsType[*temporal.CanceledError](err); ok {
				require.NoError(t, canceled.Details(&result))
			}
			require.Equal(t, asteroid.RowCounts{Succeeded: 4, Cancelled: 4, NotRun: 32}, result.Counts)
			require.Contains(t, result.Stopped, "cancelled")
			require.Zero(t, b.atWork)
			require.Len(t, b.joins, 1)
			require.Equal(t, []string{"asteroid_batches cancelled: 1"}, b.counted(metrics.Batches))
		})
	}
}

func TestBatchCountsTerminatedRowsAsFailed(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 10)
	b.run = func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		err := workflow.Sleep(ctx, time.Minute)
		switch row.Number {
		case 3:
			return asteroid.RowResult{}, &temporal.TerminatedError{}
		case 4:
			return asteroid.RowResult{}, temporal.NewNonRetryableApplicationError("no such agent", asteroid.ErrorTypeNotFound, nil,
				asteroid.ErrorDetails{ExecutionID: "execution-4"})
		}
		return asteroid.RowResult{}, err
	}
	result, err := b.runBatch(t, batchInput(5))
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Succeeded: 8, Failed: 2}, result.Counts)
	require.Contains(t, b.results[3].Error, "was terminated")
	require.Equal(t, "row-3", b.results[3].Key)
	require.False(t, b.results[3].EndedAt.IsZero())
	require.Equal(t, asteroid.ErrorTypeNotFound, b.results[4].ErrorType)
	require.Equal(t, "execution-4", b.results[4].ExecutionID)
}

func TestBatchFollowsRowsThatRunAlready(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		status asteroid.RowStatus // of the workflow that runs already
		agent  asteroid.Status    // of its agent
		head   time.Duration      // from its start to that of the batch
		ids    []string           // of the workflows that run the row
	}{
		"still at work":                      {asteroid.RowSucceeded, asteroid.StatusCompleted, 0, []string{"1"}},
		"completed":                          {asteroid.RowSucceeded, asteroid.StatusCompleted, time.Hour, []string{"1"}},
		"cancelled from outside":             {asteroid.RowCancelled, asteroid.StatusRunning, time.Hour, []string{"1", "1"}},
		"cancelled with its agent":           {asteroid.RowCancelled, asteroid.StatusCancelled, time.Hour, []string{"1", "2"}},
		"failed before the batch":            {asteroid.RowFailed, asteroid.StatusFailed, time.Hour, []string{"1", "2"}},
		"failed since the batch began":       {asteroid.RowFailed, asteroid.StatusFailed, 30 * time.Second, []string{"1"}},
		"failed, and its agent is at work":   {asteroid.RowFailed, asteroid.StatusRunning, time.Hour, []string{"1", "1"}},
		"fails, and its agent stays at work": {asteroid.RowFailed, asteroid.StatusRunning, 0, []string{"1", "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBatchBench(t, 10)
			b.before = func(ctx workflow.Context) { // as another batch of the key, or as a run that a reset has replaced
				startRow(ctx, 1, "")
				_ = workflow.Sleep(ctx, row.head)
			}
			b.run = func(ctx workflow.Context, of *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
				result := asteroid.RowResult{Status: asteroid.RowSucceeded, ExecutionStatus: asteroid.StatusCompleted}
				if of.Number == 2 && b.startsOf(2) == 1 {
					result = before(ctx, asteroid.RowResult{Status: row.status, ExecutionStatus: row.agent})
				}
				err := workflow.Sleep(ctx, time.Minute)
				if row.head < time.Minute {
					result.EndedAt = workflow.Now(ctx)
				}
				return result, err
			}
			result, err := b.runBatch(t, batchInput(5))
			require.NoError(t, err)
			require.Equal(t, 10, result.Counts.Succeeded+result.Counts.Failed)
			require.Equal(t, row.ids, b.attemptsOf(2))
			require.Equal(t, row.ids[len(row.ids)-1], strconv.Itoa(b.results[2].Attempt))
			require.Equal(t, len(row.ids) == 1 && row.status == asteroid.RowFailed, b.results[2].Status == asteroid.RowFailed)
			require.Equal(t, []string{batchID + "/row/row-2/1"}, b.followed)
		})
	}
}

// Another batch of the key, with another destination, has run the row before: the attempts of both
// are the same workflows.
func TestBatchGoesOnWithTheAttemptsOfAnotherBatch(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 3)
	b.before = func(ctx workflow.Context) {
		startRow(ctx, 1, "")
		startRow(ctx, 2, "")
		_ = workflow.Sleep(ctx, time.Hour)
	}
	b.run = func(ctx workflow.Context, of *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		if of.Number == 2 && of.Attempt == 1 {
			return before(ctx, failed()), nil
		}
		return asteroid.RowResult{}, nil
	}
	result, err := b.runBatch(t, batchInput(3))
	require.NoError(t, err)
	require.Equal(t, 3, result.Counts.Succeeded)
	require.Equal(t, []string{"1", "2"}, b.attemptsOf(2), "the batch has started none")
	require.Equal(t, 2, b.results[2].Attempt)
	require.Equal(t, []string{workflows.RowID(batchID, "row-2", 1), workflows.RowID(batchID, "row-2", 2)}, b.followed)
}

// A row whose workflow has ended while its agent works runs again with its attempt: the key of a
// next one would start a second agent.
func TestBatchRunsUnfinishedRowsAgainWithTheirAttempt(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]struct {
		result asteroid.RowResult
		err    error
		again  string
	}{
		"its workflow was terminated": {asteroid.RowResult{}, &temporal.TerminatedError{}, "1"},
		"its wait has failed": {asteroid.RowResult{
			Status: asteroid.RowFailed, ErrorType: asteroid.ErrorTypeUnauthorized, ExecutionID: "e", ExecutionStatus: asteroid.StatusRunning,
		}, nil, "1"},
		"nobody knows whether it was started": {asteroid.RowResult{Status: asteroid.RowFailed, ErrorType: asteroid.ErrorTypeUnavailable}, nil, "1"},
		"it was refused":                      {asteroid.RowResult{Status: asteroid.RowFailed, ErrorType: asteroid.ErrorTypeInvalidInput}, nil, "2"},
		"its agent has failed":                {failed(), nil, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBatchBench(t, 3)
			looks := false // for its agent, also after the request
			b.run = func(_ workflow.Context, of *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
				if of.Number == 2 && b.startsOf(2) == 1 {
					return first.result, first.err
				}
				if of.Number == 2 {
					looks = !of.First
				}
				return asteroid.RowResult{}, nil
			}
			in := batchInput(3)
			in.Failures.Reruns = 1
			result, err := b.runBatch(t, in)
			require.NoError(t, err)
			require.Equal(t, 3, result.Counts.Succeeded)
			require.Equal(t, []string{"1", first.again}, b.attemptsOf(2))
			require.Equal(t, first.again == "1", looks)
		})
	}
}

// A batch takes what another one of its key has done with a row, but not its opinion of it.
func TestBatchJudgesRowsOfAnotherBatchByItsOwnRules(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		theirs, ours []string // outcomes that count as failures
		status       asteroid.RowStatus
		fields       bool
	}{
		"both take it":              {nil, nil, asteroid.RowSucceeded, false},
		"ours wants fields":         {nil, nil, asteroid.RowSucceeded, true},
		"only theirs is a failure":  {[]string{"partial"}, []string{"none"}, asteroid.RowSucceeded, false},
		"only ours is a failure":    {nil, []string{"partial"}, asteroid.RowFailed, false},
		"for both it is a failure":  {[]string{"partial"}, []string{"partial"}, asteroid.RowFailed, true},
		"theirs failed for another": {[]string{"partial", "none"}, []string{"none", "partial"}, asteroid.RowFailed, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBatchBench(t, 3)
			b.before = func(ctx workflow.Context) { startRow(ctx, 1, "") }
			b.run = func(ctx workflow.Context, of *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
				result := asteroid.RowResult{Status: asteroid.RowSucceeded, ExecutionID: "e", ExecutionStatus: asteroid.StatusCompleted, Outcome: "success"}
				if of.Number == 2 {
					result.Outcome = "partial"
					if slices.Contains(row.theirs, result.Outcome) {
						result.Status, result.Error = asteroid.RowFailed, "counts as a failure"
					}
				}
				return result, workflow.Sleep(ctx, time.Minute)
			}
			in := batchInput(3)
			in.Failures.Outcomes = row.ours
			if row.fields {
				in.Results.Fields = []string{"claim.number"}
			}
			_, err := b.runBatch(t, in)
			require.NoError(t, err)
			require.Equal(t, row.status, b.results[2].Status)
			require.Equal(t, row.status == asteroid.RowFailed, b.results[2].Error != "")
			require.Equal(t, row.fields, b.results[2].FieldsOmitted, "WriteBatchPart reads them")
			require.Equal(t, 1, b.startsOf(2))
		})
	}
}

// startRow starts the workflow of an attempt of row 2 before the batch does.
func startRow(ctx workflow.Context, attempt int, request string) {
	const key = "row-2"
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflows.RowID(batchID, key, attempt)})
	row := &workflows.RowOfBatch{Number: 2, Key: key, Attempt: attempt, Request: request}
	_ = workflow.ExecuteChildWorkflow(ctx, workflows.RunAgentName, workflows.RunAgentInput{Internal: workflows.RunAgentInternal{Row: row}}).
		GetChildWorkflowExecution().Get(ctx, nil)
}

// A batch that is reset after its end plans again under its plan id. The rows that have failed are
// in segments with the numbers of those that have completed.
func TestBatchThatIsResetAfterItsEndRunsTheRowsThatFailed(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 20)
	in := batchInput(5)
	in.Internal.PlanID = "plan" // the test environment gives each run an original run id of its own
	b.before = func(ctx workflow.Context) {
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: batchID})
		var result workflows.BatchResult
		require.NoError(t, workflow.ExecuteChildWorkflow(ctx, workflows.BatchName, in).Get(ctx, &result))
		require.Equal(t, asteroid.RowCounts{Succeeded: 16, Failed: 4}, result.Counts)
	}
	b.run = func(_ workflow.Context, of *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		if of.Number%5 == 0 && of.Attempt == 1 {
			return failed(), nil
		}
		return asteroid.RowResult{}, nil
	}
	result, err := b.runBatch(t, in)
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Succeeded: 20}, result.Counts)
	require.Equal(t, b.plans[0].PlanID, b.plans[1].PlanID, "it is as after a reset")
	require.Equal(t, []string{"1", "2"}, b.attemptsOf(5))
	require.Len(t, b.started, 24)
}

func TestBatchHearsOfAKilledWorkerWithinAMinute(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 3)
	_, err := b.runBatch(t, batchInput(3))
	require.NoError(t, err)
	require.Equal(t, map[string]time.Duration{
		asteroid.PlanBatchName: time.Minute, asteroid.ReadBatchRowsName: time.Minute,
		asteroid.WriteBatchPartName: time.Minute, asteroid.JoinBatchPartsName: time.Minute,
	}, b.heartbeats)
}

func TestBatchTakesNoResultOfAnotherRequest(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 3)
	b.before = func(ctx workflow.Context) { startRow(ctx, 1, "another") }
	result, err := b.runBatch(t, batchInput(3))
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Succeeded: 2, Failed: 1}, result.Counts)
	require.Equal(t, asteroid.ErrorTypeInvalidInput, b.results[2].ErrorType)
	require.Contains(t, b.results[2].Error, "give a new batch a new key")
	require.Equal(t, 1, b.startsOf(2))
}

func TestBatchThatIsCancelledCancelsOnlyItsOwnRows(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		parent    string
		cancelled bool
	}{
		"row of this batch":    {batchID + "/segment/plan/1/1", true},
		"row of another batch": {"others/segment/plan/1/1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBatchBench(t, 3)
			b.parentID, b.takes = row.parent, time.Hour
			b.before = func(ctx workflow.Context) { startRow(ctx, 1, "") }
			b.at(time.Minute, func() { b.updateBatch(t, workflows.CancelBatchUpdate) })
			result, err := b.runBatch(t, batchInput(3))
			require.NoError(t, err)
			require.Equal(t, asteroid.RowCounts{Cancelled: 3}, result.Counts, b.results[2].Error)
			require.Less(t, result.EndedAt.Sub(result.StartedAt), 5*time.Minute)
			_, closed := b.closed[workflows.RowID(batchID, "row-2", 1)]
			require.Equal(t, row.cancelled, closed)
		})
	}
}

func TestBatchSaysWhichRowsNoWorkflowHasRunBefore(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 3)
	first := map[int]bool{}
	b.before = func(ctx workflow.Context) { startRow(ctx, 1, ""); _ = workflow.Sleep(ctx, time.Hour) }
	b.run = func(_ workflow.Context, of *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		first[of.Number] = of.First
		if b.startsOf(2) == 1 {
			return asteroid.RowResult{Status: asteroid.RowFailed}, nil // and its agent may be at work
		}
		return asteroid.RowResult{}, nil
	}
	_, err := b.runBatch(t, batchInput(1))
	require.NoError(t, err)
	require.Equal(t, map[int]bool{1: true, 2: false, 3: true}, first)
}

func TestBatchPassesOverRowsWhoseLimitIsReached(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 20)
	b.segmentRows = 20
	b.limitOf = func(number int) string { return fmt.Sprintf("login-%d", number/6) } // a file that is sorted by login
	logins := map[string]int{}
	b.run = func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		key := b.limitOf(row.Number)
		logins[key]++
		require.Equal(t, 1, logins[key], "two rows use %s at once", key)
		err := workflow.Sleep(ctx, time.Minute)
		logins[key]--
		return asteroid.RowResult{}, err
	}
	result, err := b.runBatch(t, batchInput(4))
	require.NoError(t, err)
	require.Equal(t, 20, result.Counts.Succeeded)
	require.Equal(t, 4, b.mostAtWork)
	require.Less(t, result.EndedAt.Sub(result.StartedAt), 7*time.Minute)
}

func TestBatchStopsWhenASegmentFails(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 20)
	lost := false
	b.readFails = func(in asteroid.ReadBatchRowsInput) error {
		if in.Segment == 2 && !lost {
			lost = true
			return temporal.NewNonRetryableApplicationError("the disk is gone", asteroid.ErrorTypeUnavailable, nil)
		}
		return nil
	}
	result, err := b.runBatch(t, batchInput(4))
	require.NoError(t, err)
	require.Equal(t, "segment 2 of pass 1 has failed: the disk is gone", result.Stopped)
	require.Equal(t, asteroid.RowCounts{Succeeded: 10, NotRun: 10}, result.Counts)
}

func TestBatchWritesResultsAsItGoes(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 260)
	b.segmentRows = 260
	_, err := b.runBatch(t, batchInput(50))
	require.NoError(t, err)
	require.Len(t, b.parts, 3)
	for _, part := range b.parts[:2] {
		require.GreaterOrEqual(t, len(part.Rows), 100)
	}

	b = newBatchBench(t, 20)
	b.segmentRows, b.takes = 20, 4*time.Minute
	_, err = b.runBatch(t, batchInput(1))
	require.NoError(t, err)
	require.Greater(t, len(b.parts), 10, "one every five minutes")
}

func TestBatchStateTellsWhereItIs(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 60)
	b.run = func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		if row.Number != 2 {
			return asteroid.RowResult{}, workflow.Sleep(ctx, time.Minute)
		}
		require.Equal(t, batchID, row.Batch)
		wait := map[string]any{"pass": row.Pass, "segment": row.Segment, "number": 2, "at": 1, "phase": workflows.PhaseNeedsHuman}
		_ = workflow.SignalExternalWorkflow(ctx, row.Batch, "", "asteroid.batchRowWait", wait).Get(ctx, nil)
		err := workflow.Sleep(ctx, 6*time.Minute)
		wait["at"], wait["phase"] = 2, ""
		_ = workflow.SignalExternalWorkflow(ctx, row.Batch, "", "asteroid.batchRowWait", wait).Get(ctx, nil)
		return asteroid.RowResult{}, err
	}
	var early, late workflows.BatchState
	b.at(5*time.Minute+30*time.Second, func() { early = b.state(t) })
	b.at(8*time.Minute+30*time.Second, func() { late = b.state(t) })
	_, err := b.runBatch(t, batchInput(5))
	require.NoError(t, err)
	require.Equal(t, "running", early.Phase)
	require.Equal(t, 1, early.NeedHuman)
	require.InDelta(t, 20, early.Succeeded, 2)
	require.InDelta(t, 5, early.AtWork, 2)
	require.InDelta(t, 4, early.RowsPerMinute, 1)
	require.WithinDuration(t, early.StartedAt.Add(14*time.Minute), early.EstimatedEnd, 4*time.Minute)
	require.Equal(t, 60, early.Rows)
	require.Equal(t, 5, early.MaxConcurrent)
	require.Zero(t, late.NeedHuman)
	last := b.state(t)
	require.Equal(t, "done", last.Phase)
	require.Equal(t, 60, last.Result.Counts.Succeeded)
	require.Zero(t, last.AtWork)
}

func TestExecuteBatchGivesTheChildAKeyThatSurvivesAReset(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 3)
	var result workflows.BatchResult
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		return workflows.ExecuteBatch(ctx, batchInput(2)).Get(ctx, &result)
	})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, 3, result.Counts.Succeeded)
	key := b.plans[0].BatchKey
	require.Contains(t, key, "default-test-workflow-id/default-test-run-id/")
	require.Contains(t, key, "results.csv/1")
	require.Equal(t, key+"/row/row-1/1", b.started[0])
	require.Equal(t, "default-test-namespace/"+key+"/row-1/1", b.keys[0])
}

func TestBatchStateAgreesWithTheResultWhenARerunIsCancelled(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 40)
	b.run = func(ctx workflow.Context, row *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
		err := workflow.Sleep(ctx, time.Minute)
		if row.Number%2 == 0 {
			return failed(), err
		}
		return asteroid.RowResult{}, err
	}
	in := batchInput(10)
	in.Failures.Reruns = 1
	b.at(4*time.Minute+30*time.Second, func() { b.updateBatch(t, workflows.CancelBatchUpdate) })
	result, err := b.runBatch(t, in)
	require.NoError(t, err)
	state := b.state(t)
	require.Equal(t, 2, state.Pass)
	require.Equal(t, 20, result.Counts.Succeeded)
	require.Positive(t, result.Counts.Failed)
	require.Equal(t, result.Counts, asteroid.RowCounts{Succeeded: state.Succeeded, Failed: state.Failed, Cancelled: state.Cancelled})
	require.Equal(t, state.Rows, state.Ended())
}

func TestBatchStateSaysWhyTheBatchHasFailed(t *testing.T) {
	t.Parallel()
	b := newBatchBench(t, 20)
	b.OnActivity(asteroid.PlanBatchName, mock.Anything, mock.Anything).Return(nil, asteroid.NewInvalidInput("rows", "line 1, column 1: has no header"))
	_, err := b.runBatch(t, batchInput(4))
	require.True(t, asteroid.IsInvalidInput(err))
	state := b.state(t)
	require.Equal(t, "failed", state.Phase)
	require.Equal(t, "rows: line 1, column 1: has no header", state.Error)
}
