package integration

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// batchStack is a stack with an agent that fails the rows in failing, and a file of rows.
type batchStack struct {
	*stack
	in workflows.BatchInput

	mu      sync.Mutex
	failing func(row string) bool
	work    time.Duration
}

func newBatchStack(t *testing.T, rows int) *batchStack {
	t.Helper()
	b := &batchStack{stack: newStack(t), failing: func(string) bool { return false }}
	agent := b.api.ServeAgent("clerk", func(run testsuite.Run) []testsuite.Step {
		b.mu.Lock()
		defer b.mu.Unlock()
		row := fmt.Sprint(run.Inputs["claim"])
		if b.failing(row) {
			return []testsuite.Step{testsuite.Work(b.work), testsuite.Fail("no such claim")}
		}
		return []testsuite.Step{testsuite.Work(b.work), testsuite.Complete("success", "", map[string]any{"reference": "R-" + row})}
	})
	text := "claim,name\n"
	for i := 1; i <= rows; i++ {
		text += fmt.Sprintf("C%d,\"Name, %d\"\n", i, i)
	}
	source := filepath.Join(b.options.FileRoots[0], "claims.csv")
	require.NoError(t, os.WriteFile(source, []byte(text), 0o600))
	b.in = workflows.BatchInput{
		Rows:          asteroid.BatchRows{Source: &asteroid.FileRef{URI: "file://" + source}, KeyColumn: "claim"},
		Template:      workflows.RunAgentInput{AgentID: agent, Inputs: asteroid.Inputs{"claim": "{{claim}}"}},
		Results:       asteroid.BatchResults{Destination: "file://" + b.resultsPath(), Fields: []string{"reference"}},
		MaxConcurrent: 40,
		BatchKey:      t.Name(),
	}
	return b
}

func (b *batchStack) resultsPath() string {
	return filepath.Join(b.options.OutputRoots[0], "results.csv")
}

func (b *batchStack) fail(rows func(row string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failing = rows
}

// results returns the rows of the results file, each by the names of its columns.
func (b *batchStack) results() (rows []map[string]string) {
	b.t.Helper()
	file, err := os.Open(b.resultsPath())
	require.NoError(b.t, err)
	defer func() { _ = file.Close() }()
	lines, err := csv.NewReader(file).ReadAll()
	require.NoError(b.t, err)
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range line {
			row[lines[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// requireWhole requires one result for each row, in order.
func (b *batchStack) requireWhole(n int) {
	b.t.Helper()
	rows := b.results()
	require.Len(b.t, rows, n)
	for i, row := range rows {
		require.Equal(b.t, fmt.Sprintf("C%d", i+1), row["claim"])
		require.Equal(b.t, fmt.Sprintf("Name, %d", i+1), row["name"])
		if row["status"] == string(asteroid.RowSucceeded) {
			require.Equal(b.t, "R-"+row["claim"], row["reference"], "%v", row)
		}
	}
}

// requireBoundedHistories requires that no run of a workflow of the batch has many events.
func (b *batchStack) requireBoundedHistories() {
	b.t.Helper()
	listed, err := b.client.ListWorkflow(b.ctx(), &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("TaskQueue = %q AND WorkflowType IN (%q, %q)", b.queue, workflows.BatchName, workflows.BatchSegmentName),
	})
	require.NoError(b.t, err)
	require.NotEmpty(b.t, listed.Executions)
	for _, info := range listed.Executions {
		require.LessOrEqual(b.t, info.HistoryLength, int64(5000), info.Type.Name)
	}
}

func (b *batchStack) run() workflows.BatchResult {
	b.t.Helper()
	var result workflows.BatchResult
	require.NoError(b.t, b.startWorkflow(workflows.BatchName, b.in).Get(b.ctx(), &result))
	return result
}

// segment returns a segment of the first pass of a batch, whose id has the mark of the plan.
func (b *batchStack) segment(batch client.WorkflowRun, number int) client.WorkflowRun {
	b.t.Helper()
	for _, event := range b.history(batch).GetEvents() {
		id := event.GetStartChildWorkflowExecutionInitiatedEventAttributes().GetWorkflowId()
		if strings.HasSuffix(id, fmt.Sprintf("/1/%d", number)) {
			return b.client.GetWorkflow(b.ctx(), id, "")
		}
	}
	require.Fail(b.t, "the batch has not started the segment", "%d", number)
	return nil
}

func (b *batchStack) executionsOf(row string) (n int) {
	for _, e := range b.api.Executions() {
		if e.Inputs["claim"] == row {
			n++
		}
	}
	return n
}

func TestBatchRunsEveryRowOnceAlthoughWorkersStop(t *testing.T) {
	rows := 150
	if *many {
		rows = 650 // three segments
	}
	b := newBatchStack(t, rows)
	stop := b.startWorker()
	run := b.startWorkflow(workflows.BatchName, b.in)
	for _, n := range []int{rows / 6, rows / 2, rows * 4 / 5} {
		b.awaitExecutions(n)
		stop()
		stop = b.startWorker()
	}
	var result workflows.BatchResult
	require.NoError(t, run.Get(b.ctx(), &result))
	require.Equal(t, asteroid.RowCounts{Succeeded: rows}, result.Counts)
	b.requireWhole(rows)
	require.Len(t, b.api.Executions(), rows)
	require.LessOrEqual(t, mostAtOnce(b.api.Executions()), b.in.MaxConcurrent)
	b.requireBoundedHistories()
	left, err := filepath.Glob(filepath.Join(b.options.OutputRoots[0], "*.parts"))
	require.NoError(t, err)
	require.Empty(t, left, "the parts are removed")
}

func TestBatchRunsOnlyWhatHasNotSucceeded(t *testing.T) {
	const rows = 40
	b := newBatchStack(t, rows)
	b.startWorker()
	even := func(row string) bool { return strings.HasSuffix(row, "2") || strings.HasSuffix(row, "4") }
	b.fail(even)
	result := b.run()
	require.Equal(t, 8, result.Counts.Failed)
	b.requireWhole(rows)
	require.Contains(t, b.results()[1]["error"], "no such claim")

	b.fail(func(string) bool { return false })
	result = b.run()
	require.Equal(t, asteroid.RowCounts{Succeeded: rows}, result.Counts)
	require.Equal(t, rows-8, result.AlreadySucceeded)
	b.requireWhole(rows)
	require.Len(t, b.api.Executions(), rows+8)
	require.Equal(t, 2, b.executionsOf("C2"))
	require.Equal(t, 1, b.executionsOf("C3"))
}

func TestBatchRunsFailedRowsAgainAtTheEnd(t *testing.T) {
	b := newBatchStack(t, 8)
	b.in.Failures.Reruns = 1
	b.fail(func(row string) bool { return row == "C7" && b.executionsOf("C7") < 2 })
	b.startWorker()
	run := b.startWorkflow(workflows.BatchName, b.in)
	var result workflows.BatchResult
	require.NoError(t, run.Get(b.ctx(), &result))
	require.Equal(t, 8, result.Counts.Succeeded+result.Counts.Failed)
	b.requireWhole(8)
	require.Equal(t, 2, b.executionsOf("C7"))
	require.Len(t, b.api.Executions(), 9)
	record(t, "batch", b.history(run))
	record(t, "batch-segment", b.history(b.segment(run, 1)))
	record(t, "batch-row", b.history(b.client.GetWorkflow(b.ctx(), b.in.BatchKey+"/row/C7/1", "")))
}

func TestBatchThatIsResetRunsNothingTwice(t *testing.T) {
	const rows = 60
	b := newBatchStack(t, rows)
	b.options.LookupGrace, b.options.RequestTimeout = 3*time.Second, 2*time.Second
	b.work = 300 * time.Millisecond
	b.in.MaxConcurrent = 10
	b.startWorker()
	run := b.startWorkflow(workflows.BatchName, b.in)
	b.awaitExecutions(rows / 3)
	again := b.resetTo(run, 0)
	var result workflows.BatchResult
	require.NoError(t, again.Get(b.ctx(), &result))
	require.Equal(t, asteroid.RowCounts{Succeeded: rows}, result.Counts)
	b.requireWhole(rows)
	require.Len(t, b.api.Executions(), rows)
}

func TestBatchThatIsCancelledCancelsItsAgentsAndWritesResults(t *testing.T) {
	const rows = 30
	b := newBatchStack(t, rows)
	b.work = time.Hour
	b.in.MaxConcurrent = 5
	b.startWorker()
	run := b.startWorkflow(workflows.BatchName, b.in)
	b.awaitExecutions(5)
	handle, err := b.client.UpdateWorkflow(b.ctx(), client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), UpdateName: workflows.CancelBatchUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	require.NoError(t, handle.Get(b.ctx(), nil))
	cancelled := time.Now()
	var result workflows.BatchResult
	require.NoError(t, run.Get(b.ctx(), &result))
	require.Less(t, result.EndedAt.Sub(cancelled), activities.DefaultLookupGrace, "no row looks for late duplicates")
	require.NotEmpty(t, result.Stopped)
	require.Zero(t, result.Counts.Succeeded)
	require.Equal(t, rows, result.Counts.Cancelled+result.Counts.NotRun)
	b.requireWhole(rows)
	for _, e := range b.api.Executions() {
		require.Equal(t, "cancelled", e.Status)
	}
}

func TestTwoBatchesWithOneKeyRunEachRowOnce(t *testing.T) {
	const rows = 40
	b := newBatchStack(t, rows)
	b.work = 200 * time.Millisecond
	b.in.MaxConcurrent = 10
	b.startWorker()
	other := b.in
	elsewhere := filepath.Join(b.options.OutputRoots[0], "elsewhere.csv")
	other.Results.Destination = "file://" + elsewhere
	one, two := b.startWorkflow(workflows.BatchName, b.in), b.startWorkflow(workflows.BatchName, other)
	for _, run := range []client.WorkflowRun{one, two} {
		var result workflows.BatchResult
		require.NoError(t, run.Get(b.ctx(), &result))
		require.Equal(t, asteroid.RowCounts{Succeeded: rows}, result.Counts)
	}
	require.Len(t, b.api.Executions(), rows)
	b.requireWhole(rows)
	here, err := os.ReadFile(b.resultsPath())
	require.NoError(t, err)
	there, err := os.ReadFile(elsewhere)
	require.NoError(t, err)
	require.Equal(t, string(here), string(there))
}

func TestBatchRefusesMalformedRowsBeforeTheFirstAgent(t *testing.T) {
	b := newBatchStack(t, 1)
	source := filepath.Join(b.options.FileRoots[0], "claims.csv")
	require.NoError(t, os.WriteFile(source, []byte("claim;name\nC1;a\nC2\nC1;b\n"), 0o600))
	b.startWorker()
	err := b.startWorkflow(workflows.BatchName, b.in).Get(b.ctx(), nil)
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	require.ErrorContains(t, err, "line 3")
	require.ErrorContains(t, err, "line 4")
	require.Empty(t, b.api.Executions())
}

func TestBatchWithLimitsKeepsThem(t *testing.T) {
	const rows = 15
	b := newBatchStack(t, rows)
	b.work = 50 * time.Millisecond
	b.in.Template.Limits = []asteroid.Limit{{Key: t.Name(), Max: 3}}
	b.startWorker()
	require.Equal(t, rows, b.run().Counts.Succeeded)
	require.LessOrEqual(t, mostAtOnce(b.api.Executions()), 3)
}

// A file sorted by profile does not fill the window with rows that wait for one of the worker's
// limits.
func TestBatchPassesOverRowsThatTheWorkerLimits(t *testing.T) {
	b := newBatchStack(t, 8)
	b.options.Limits.PerProfile = 1
	b.work = time.Second
	text := "claim,profile\n"
	for i, profile := range []string{b.api.AddProfile("one"), b.api.AddProfile("two")} {
		for row := range 4 {
			text += fmt.Sprintf("C%d,%s\n", 4*i+row+1, profile)
		}
	}
	require.NoError(t, os.WriteFile(strings.TrimPrefix(b.in.Rows.Source.URI, "file://"), []byte(text), 0o600))
	b.in.Template.AgentProfileID, b.in.MaxConcurrent = "{{profile}}", 2
	b.startWorker()
	var result workflows.BatchResult
	require.NoError(t, b.startWorkflow(workflows.BatchName, b.in).Get(b.ctx(), &result))
	require.Equal(t, asteroid.RowCounts{Succeeded: 8}, result.Counts)

	executions := b.api.Executions()
	slices.SortFunc(executions, func(a, b testsuite.Execution) int { return a.CreatedAt.Compare(b.CreatedAt) })
	require.Len(t, executions, 8)
	require.NotEqual(t, executions[0].AgentProfileID, executions[1].AgentProfileID, "the first rows of both profiles are at work at once")
	require.Equal(t, 2, mostAtOnce(executions))
}
