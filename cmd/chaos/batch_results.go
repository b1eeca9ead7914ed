package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// resultLine is a row of a file of results, by the names of its columns.
type resultLine map[string]string

func (l resultLine) status() asteroid.RowStatus { return asteroid.RowStatus(l["status"]) }

// readResults reads a file of results as any program would.
func readResults(path string) ([]resultLine, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".jsonl") {
		return readJSONLines(content)
	}
	return readTable(content)
}

func readTable(content []byte) (lines []resultLine, err error) {
	table, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil || len(table) == 0 {
		return nil, errors.Join(err, errors.New("has no header"))
	}
	for _, cells := range table[1:] {
		line := resultLine{}
		for i, name := range table[0] {
			line[name] = cells[i]
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func readJSONLines(content []byte) (lines []resultLine, err error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	for {
		var members map[string]any
		if err := decoder.Decode(&members); errors.Is(err, io.EOF) {
			return lines, nil
		} else if err != nil {
			return nil, err
		}
		line := resultLine{}
		for name, value := range members {
			line[name] = fmt.Sprint(value)
		}
		lines = append(lines, line)
	}
}

// batchCheck is what a batch has left, to be compared with its rows.
type batchCheck struct {
	rows   []plannedRow
	lines  []resultLine
	counts asteroid.RowCounts // that it reports
	// own are the executions of the rows by their keys.
	own map[string][]testsuite.Execution
}

// newBatchCheck returns the check of a batch. The ledger has executions of others, too.
func newBatchCheck(rows []plannedRow, lines []resultLine, counts asteroid.RowCounts, ledger []testsuite.Execution) *batchCheck {
	c := &batchCheck{rows: rows, lines: lines, counts: counts, own: map[string][]testsuite.Execution{}}
	for _, e := range ledger {
		if name, _ := e.Inputs[inputIntent].(string); e.ParentExecutionID == "" {
			c.own[name] = append(c.own[name], e)
		}
	}
	return c
}

// wrong says what is wrong with the results.
func (c *batchCheck) wrong() (wrong []string) {
	seen := map[string]int{}
	for _, line := range c.lines {
		seen[line[columnKey]]++
	}
	for _, row := range c.rows {
		if n := seen[row.key]; n != 1 {
			wrong = append(wrong, fmt.Sprintf("the row %s has %d results", row.key, n))
		}
		delete(seen, row.key)
	}
	for key := range seen {
		wrong = append(wrong, fmt.Sprintf("%q is no row, and has a result", key))
	}
	if len(wrong) > 0 {
		return wrong
	}
	var counted asteroid.RowCounts
	for i, line := range c.lines {
		row := c.rows[i]
		if line[columnKey] != row.key || line["rowNumber"] != strconv.Itoa(i+1) || line["rowKey"] != row.key {
			wrong = append(wrong, fmt.Sprintf("the result %d is that of the row %s, number %s: not in order", i+1, line["rowKey"], line["rowNumber"]))
			continue
		}
		note := strings.ReplaceAll(line[columnNote], "\r\n", "\n") // as in the source
		if note != row.note || line[columnProfile] != row.profile {
			wrong = append(wrong, fmt.Sprintf("the columns of %s are %q and %q, not %q and %q", row.key, note, line[columnProfile], row.note, row.profile))
		}
		wrong = append(wrong, c.wrongOutcome(row, line)...)
		count(&counted, line.status())
	}
	if counted != c.counts {
		wrong = append(wrong, fmt.Sprintf("the batch counts %+v, and its results have %+v", c.counts, counted))
	}
	return wrong
}

func count(counts *asteroid.RowCounts, status asteroid.RowStatus) {
	switch status {
	case asteroid.RowSucceeded:
		counts.Succeeded++
	case asteroid.RowFailed:
		counts.Failed++
	case asteroid.RowCancelled:
		counts.Cancelled++
	case asteroid.RowSkipped:
		counts.Skipped++
	default:
		counts.NotRun++
	}
}

// wrongOutcome compares the result of a row with the row's executions.
func (c *batchCheck) wrongOutcome(row plannedRow, line resultLine) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, row.key+": "+fmt.Sprintf(format, args...)) }
	attempt, _ := strconv.Atoi(line["attempt"])
	newest, alive := 0, map[int]int{}
	for _, e := range c.own[row.key] {
		of := attemptOf(e.Metadata)
		newest = max(newest, of)
		if alive[of] += one(e.Status != "cancelled"); alive[of] == 2 {
			say("attempt %d ran twice", of)
		}
	}
	i := slices.IndexFunc(c.own[row.key], func(e testsuite.Execution) bool { return e.ID == line["executionId"] })
	switch line.status() {
	case asteroid.RowNotRun:
		if newest > 0 {
			say("the result says that it was not run, but it was")
		}
		return wrong
	case asteroid.RowCancelled:
		if i < 0 && line["executionId"] == "" { // its workflow was cancelled before its agent started
			return wrong
		}
	}
	if i < 0 {
		say("the result names the execution %q, which is not its own", line["executionId"])
		return wrong
	}
	e := c.own[row.key][i]
	if of := attemptOf(e.Metadata); of != attempt || newest > attempt {
		say("the result is of attempt %s, execution %s of attempt %d, and the newest attempt is %d", line["attempt"], e.ID, of, newest)
	}
	if line["executionStatus"] != e.Status || line["outcome"] != e.Outcome {
		say("the result says %s %q, and execution %s is %s %q", line["executionStatus"], line["outcome"], e.ID, e.Status, e.Outcome)
	}
	want := map[string]asteroid.RowStatus{"completed": asteroid.RowSucceeded, "failed": asteroid.RowFailed, "cancelled": asteroid.RowCancelled}
	if line.status() != want[e.Status] {
		say("the row is %s, and execution %s is %s", line.status(), e.ID, e.Status)
	}
	return wrong
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// attempts returns the most attempts that a row has had.
func (c *batchCheck) attempts() (most int) {
	for _, row := range c.rows {
		for _, e := range c.own[row.key] {
			most = max(most, attemptOf(e.Metadata))
		}
	}
	return most
}

// outcomesOf returns how each row has ended, for the audit. Rows without a result are open.
func (c *batchCheck) outcomesOf(batchID string, cancelled bool) (outcomes []outcome) {
	lines := map[string]resultLine{}
	for _, line := range c.lines {
		lines[line[columnKey]] = line
	}
	for _, row := range c.rows {
		line := lines[row.key]
		o := outcome{
			intent: row.key, workflowID: batchID, cancelPlanned: cancelled, expectFailure: line.status() == asteroid.RowFailed && row.fails > 0,
			repeatsFailures: row.fails > 0, executionID: line["executionId"], resultIntent: line[inputIntent],
			errorType: line["errorType"], message: line["error"],
		}
		if own := c.own[row.key]; len(own) > 0 {
			o.workflowID = own[len(own)-1].Metadata[asteroid.MetadataWorkflowID]
		}
		switch line.status() {
		case asteroid.RowSucceeded:
			o.state = stateCompleted
		case asteroid.RowFailed:
			o.state = stateFailed
			if strings.Contains(o.message, plannedFailure) {
				o.reason = plannedFailure
			}
		case asteroid.RowCancelled:
			o.state = stateCancelled
			o.closedAt, _ = time.Parse(time.RFC3339Nano, line["endedAt"])
		case asteroid.RowNotRun:
			o.state, o.closedAt = stateCancelled, time.Time{}
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

// leftOver returns the files and folders in a directory that a batch should not leave beside its
// results.
func leftOver(directory, results string) (left []string) {
	keep := []string{results, results + ".ledger.jsonl", results + ".batch.json"}
	err := filepath.WalkDir(directory, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && name != directory && !slices.Contains(keep, name) {
			left = append(left, name)
		}
		return err
	})
	if err != nil {
		left = append(left, err.Error())
	}
	return left
}
