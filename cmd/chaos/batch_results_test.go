package main

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// batchLeft is a batch of four rows: one that has succeeded, one that has failed twice, one that
// was cancelled, and one that has not run.
func batchLeft() *batchCheck {
	planned := []plannedRow{
		{key: "r/1", note: "two\nlines", profile: "p"}, {key: "r/2", fails: 2}, {key: "r/3"}, {key: "r/4"},
	}
	line := func(n, attempt int, status asteroid.RowStatus, executionID, executionStatus, outcome string) resultLine {
		row := planned[n-1]
		return resultLine{
			columnKey: row.key, columnNote: row.note, columnProfile: row.profile, "rowNumber": fmt.Sprint(n), "rowKey": row.key,
			"attempt": fmt.Sprint(attempt), "status": string(status), "executionId": executionID, "executionStatus": executionStatus, "outcome": outcome,
		}
	}
	execution := func(id, key, status, outcome string, attempt int) testsuite.Execution {
		e := inLedger(id, key, status)
		e.Outcome = outcome
		e.Metadata = map[string]string{asteroid.MetadataExecutionKey: fmt.Sprintf("batch/%s/%d", key, attempt), asteroid.MetadataWorkflowID: "row " + key}
		return e
	}
	return newBatchCheck(planned, []resultLine{
		line(1, 1, asteroid.RowSucceeded, "e1", "completed", "success"), line(2, 2, asteroid.RowFailed, "e2b", "failed", ""),
		line(3, 1, asteroid.RowCancelled, "e3", "cancelled", ""), line(4, 0, asteroid.RowNotRun, "", "", ""),
	}, asteroid.RowCounts{Succeeded: 1, Failed: 1, Cancelled: 1, NotRun: 1}, []testsuite.Execution{
		execution("e1", "r/1", "completed", "success", 1), execution("e2a", "r/2", "failed", "", 1), execution("e2b", "r/2", "failed", "", 2),
		execution("e3", "r/3", "cancelled", "", 1), rerun(execution("e4", "r/4", "completed", "success", 1)),
	})
}

func TestBatchCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	require.Empty(t, batchLeft().wrong())
	another := func(c *batchCheck, key, id, status string, attempt int) {
		e := inLedger(id, key, status)
		e.Metadata = map[string]string{asteroid.MetadataExecutionKey: fmt.Sprintf("batch/%s/%d#2", key, attempt)}
		c.own[key] = append(c.own[key], e)
	}
	for name, row := range map[string]struct {
		breaks func(*batchCheck)
		want   []string
	}{
		"a row is missing":  {func(c *batchCheck) { c.lines = c.lines[1:] }, []string{"the row r/1 has 0 results"}},
		"a row comes twice": {func(c *batchCheck) { c.lines = append(c.lines, c.lines[2]) }, []string{"the row r/3 has 2 results"}},
		"another row": {func(c *batchCheck) { c.lines = append(c.lines, resultLine{columnKey: "r/9"}) },
			[]string{`"r/9" is no row, and has a result`}},
		"another order": {func(c *batchCheck) { c.lines[0], c.lines[1] = c.lines[1], c.lines[0] }, []string{
			"the result 1 is that of the row r/2, number 2: not in order", "the result 2 is that of the row r/1, number 1: not in order",
			"the batch counts {Succeeded:1 Failed:1 Cancelled:1 NotRun:1 Skipped:0}, and its results have {Succeeded:0 Failed:0 Cancelled:1 NotRun:1 Skipped:0}",
		}},
		"another column": {func(c *batchCheck) { c.lines[0][columnNote] = "two" }, []string{`the columns of r/1 are "two" and "p", not "two\nlines" and "p"`}},
		"other counts": {func(c *batchCheck) { c.counts.Skipped = 1 }, []string{
			"the batch counts {Succeeded:1 Failed:1 Cancelled:1 NotRun:1 Skipped:1}, and its results have {Succeeded:1 Failed:1 Cancelled:1 NotRun:1 Skipped:0}",
		}},
		"the execution of another row": {func(c *batchCheck) { c.lines[0]["executionId"] = "e3" },
			[]string{`r/1: the result names the execution "e3", which is not its own`}},
		"the execution of an earlier attempt": {func(c *batchCheck) { c.lines[1]["executionId"] = "e2a" },
			[]string{"r/2: the result is of attempt 2, execution e2a of attempt 1, and the newest attempt is 2"}},
		"an attempt that is not reported": {func(c *batchCheck) { another(c, "r/1", "e1b", "cancelled", 2) },
			[]string{"r/1: the result is of attempt 1, execution e1 of attempt 1, and the newest attempt is 2"}},
		"an attempt that ran twice": {func(c *batchCheck) { another(c, "r/2", "e2c", "failed", 2) }, []string{"r/2: attempt 2 ran twice"}},
		"another status of the execution": {func(c *batchCheck) { c.lines[0]["executionStatus"] = "failed" },
			[]string{`r/1: the result says failed "success", and execution e1 is completed "success"`}},
		"another outcome": {func(c *batchCheck) { c.lines[0]["outcome"] = "" },
			[]string{`r/1: the result says completed "", and execution e1 is completed "success"`}},
		"another status of the row": {func(c *batchCheck) { c.lines[2]["status"], c.counts.Failed, c.counts.Cancelled = "failed", 2, 0 },
			[]string{"r/3: the row is failed, and execution e3 is cancelled"}},
		"an agent of a row that did not run": {func(c *batchCheck) { another(c, "r/4", "e4", "cancelled", 1) },
			[]string{"r/4: the result says that it was not run, but it was"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := batchLeft()
			row.breaks(c)
			require.Equal(t, row.want, c.wrong())
		})
	}
}

func TestBatchCheckTellsTheAuditHowRowsEnded(t *testing.T) {
	t.Parallel()
	c := batchLeft()
	c.lines[0][inputIntent] = "r/1"
	c.lines[1]["errorType"], c.lines[1]["error"] = asteroid.ErrorTypeExecutionFailed, "failed: "+plannedFailure
	c.lines[2]["endedAt"] = noon.Format(time.RFC3339Nano)
	ledger := c.own["r/1"]
	for _, key := range []string{"r/2", "r/3"} {
		ledger = append(ledger, c.own[key]...)
	}
	var found findings
	got := audit(c.outcomesOf("batch", true), ledger, &found)
	require.Empty(t, found.all)
	require.Equal(t, map[state]int{stateCompleted: 1, stateFailed: 1, stateCancelled: 2}, got.ByState)

	c.lines = c.lines[:3]
	audit(c.outcomesOf("batch", false), ledger, &found)
	texts := []string{}
	for _, f := range found.all {
		texts = append(texts, f.workflowID+": "+f.text)
	}
	require.Equal(t, []string{"row r/3: r/3 was cancelled, although no cancellation was planned", "batch: r/4 is still open"}, texts)
}

func TestReadResultsReadsBothFormats(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"results.csv":   "claim,rowNumber,note\nr/1,1,\"two\nlines\"\nr/2,2,\n",
		"results.jsonl": `{"claim":"r/1","rowNumber":1,"note":"two\nlines"}` + "\n" + `{"claim":"r/2","rowNumber":2}` + "\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		lines, err := readResults(path)
		require.NoError(t, err)
		require.Len(t, lines, 2)
		require.Equal(t, "two\nlines", lines[0]["note"])
		require.Equal(t, "2", lines[1]["rowNumber"])
		require.Empty(t, lines[1]["note"])
		require.NoError(t, os.WriteFile(path, []byte(content[:len(content)-6]+`"`), 0o600))
		_, err = readResults(path)
		require.Error(t, err, "half of a file")
	}
}

func TestLeftOverNamesFilesAndFolders(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	results := filepath.Join(directory, "results.csv")
	for _, name := range []string{results, results + ".ledger.jsonl", results + ".batch.json"} {
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	require.Empty(t, leftOver(directory, results))
	require.NoError(t, os.MkdirAll(results+".parts/plan", 0o700))
	require.Equal(t, []string{results + ".parts", results + ".parts/plan"}, leftOver(directory, results))
	require.Len(t, leftOver(filepath.Join(directory, "none"), results), 1)
}

func TestRowsFileIsATableOfTheRows(t *testing.T) {
	t.Parallel()
	var planned []plannedRow
	want := [][]string{{columnKey, columnNote, columnProfile}}
	for i, note := range rowNotes {
		planned = append(planned, plannedRow{key: fmt.Sprint("r/", i), note: note, profile: "p"})
		want = append(want, []string{planned[i].key, note, "p"})
	}
	files := map[string]bool{}
	for seed := range uint64(60) {
		content := string(rowsFile(rand.New(rand.NewPCG(seed, 0)), planned))
		files[content] = true
		table := csv.NewReader(strings.NewReader(strings.TrimPrefix(content, "\ufeff")))
		if strings.Contains(content, columnKey+";") {
			table.Comma = ';'
		}
		got, err := table.ReadAll()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.Len(t, files, 8, "with a byte order mark or without, two delimiters, two ends of lines")
}

func TestAttemptOfIsTheEndOfTheExecutionKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int{"batch/r%2F1/1": 1, "batch/r%2F1/12": 12, "batch/r%2F1/2#3": 2, "batch": 0, "": 0} {
		require.Equal(t, want, attemptOf(map[string]string{asteroid.MetadataExecutionKey: key}), key)
	}
}
