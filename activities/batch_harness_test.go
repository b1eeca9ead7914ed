package activities_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// batchRun is one run of a batch, as its workflow calls the activities.
type batchRun struct {
	t        *testing.T
	options  worker.Options
	plan     asteroid.BatchPlan
	rows     asteroid.BatchRows
	template string
	columns  []string // InputColumns
	passes   int
	read     []asteroid.BatchRow // in the order in which they ran
}

const plainTemplate = `{"agentId":"a","inputs":{"claim":"{{claim}}"}}`

// newBatch returns a batch with its results in a folder, and the first run of it.
func newBatch(t *testing.T, rows string) *batchRun {
	t.Helper()
	root := t.TempDir()
	return &batchRun{
		t: t, options: worker.Options{Connections: expectNoRequest(t), OutputRoots: []string{root}},
		plan: asteroid.BatchPlan{
			BatchKey: "claims", PlanID: "plan-1",
			Results: asteroid.BatchResults{Destination: "file://" + root + "/results.csv"},
		},
		rows: asteroid.BatchRows{Source: dataFile(rows)}, template: plainTemplate,
	}
}

func dataFile(content string) *asteroid.FileRef {
	return &asteroid.FileRef{URI: "data:text/csv," + strings.NewReplacer("%", "%25", "\n", "%0A", "#", "%23").Replace(content)}
}

// again returns the next run of the same batch.
func (b *batchRun) again(planID string) *batchRun {
	next := *b
	next.plan.PlanID, next.passes, next.read = planID, 0, nil
	return &next
}

func (b *batchRun) planPass(pass int) (*asteroid.PlanBatchResult, error) {
	in := asteroid.PlanBatchInput{BatchPlan: b.plan, Pass: pass, Template: json.RawMessage(b.template), InputColumns: b.columns}
	if pass == 1 {
		in.Rows = b.rows
	}
	return runActivity[asteroid.PlanBatchResult](newEnv(b.t, b.options), asteroid.PlanBatchName, in)
}

func (b *batchRun) readSegment(pass, segment int) (*asteroid.ReadBatchRowsResult, error) {
	return runActivity[asteroid.ReadBatchRowsResult](newEnv(b.t, b.options), asteroid.ReadBatchRowsName, asteroid.ReadBatchRowsInput{
		BatchPlan: b.plan, Pass: pass, Segment: segment, Template: json.RawMessage(b.template), InputColumns: b.columns,
	})
}

func (b *batchRun) write(pass, segment int, results ...asteroid.RowResult) error {
	_, err := runActivity[asteroid.WriteBatchPartResult](newEnv(b.t, b.options), asteroid.WriteBatchPartName, asteroid.WriteBatchPartInput{
		BatchPlan: b.plan, Pass: pass, Segment: segment, Rows: results,
	})
	return err
}

func (b *batchRun) join() (*asteroid.JoinBatchPartsResult, error) {
	return runActivity[asteroid.JoinBatchPartsResult](newEnv(b.t, b.options), asteroid.JoinBatchPartsName, asteroid.JoinBatchPartsInput{
		BatchPlan: b.plan, Passes: max(b.passes, 1),
	})
}

// pass plans and runs the next pass. result says what becomes of a row; nil means nothing yet.
func (b *batchRun) pass(result func(asteroid.BatchRow) *asteroid.RowResult) *asteroid.PlanBatchResult {
	b.t.Helper()
	b.passes++
	planned, err := b.planPass(b.passes)
	require.NoError(b.t, err)
	for segment := range planned.Segments {
		read, err := b.readSegment(b.passes, segment+1)
		require.NoError(b.t, err)
		var results []asteroid.RowResult
		for _, row := range read.Rows {
			b.read = append(b.read, row)
			if r := result(row); r != nil {
				r.Number, r.Key, r.Attempt = row.Number, row.Key, row.Attempt
				results = append(results, *r)
			}
		}
		require.NoError(b.t, b.write(b.passes, segment+1, results...))
	}
	return planned
}

// keys returns the rows that ran, with their attempts.
func (b *batchRun) keys() (keys []string) {
	for _, row := range b.read {
		keys = append(keys, fmt.Sprintf("%s/%d", row.Key, row.Attempt))
	}
	return keys
}

// folder returns the folder of the results.
func (b *batchRun) folder() string { return b.options.OutputRoots[0] }

// results returns the lines of the results.
func (b *batchRun) results() []string {
	b.t.Helper()
	content, err := os.ReadFile(filepath.Join(b.folder(), "results.csv"))
	require.NoError(b.t, err)
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

func succeeded(asteroid.BatchRow) *asteroid.RowResult {
	return &asteroid.RowResult{Status: asteroid.RowSucceeded, ExecutionStatus: asteroid.StatusCompleted}
}

// failing returns results in which the rows with these keys fail.
func failing(keys ...string) func(asteroid.BatchRow) *asteroid.RowResult {
	return func(row asteroid.BatchRow) *asteroid.RowResult {
		if slices.Contains(keys, row.Key) {
			return &asteroid.RowResult{Status: asteroid.RowFailed, ExecutionStatus: asteroid.StatusFailed, Error: "the agent failed"}
		}
		return succeeded(row)
	}
}
