package activities_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

const header = "claim,amount,rowNumber,rowKey,attempt,status,executionId,executionStatus,outcome,errorType,error,link,startedAt,endedAt,seconds"

func TestBatchGoesFromRowsToResults(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,amount\nA-1,17\nA-2,\n")
	begin := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	planned := b.pass(func(row asteroid.BatchRow) *asteroid.RowResult {
		return &asteroid.RowResult{
			Status: asteroid.RowSucceeded, ExecutionID: "e-" + row.Key, ExecutionStatus: asteroid.StatusCompleted, Outcome: "success",
			URL: "https://p/e", StartedAt: begin, EndedAt: begin.Add(90500 * time.Millisecond),
		}
	})
	require.Equal(t, &asteroid.PlanBatchResult{Mark: planned.Mark, Rows: 2, Segments: 1}, planned)
	require.JSONEq(t, `{"agentId":"a","inputs":{"claim":"A-1"}}`, string(b.read[0].Input))
	joined, err := b.join()
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Succeeded: 2}, joined.Counts)
	require.Equal(t, []string{
		header,
		"A-1,17,1,1,1,succeeded,e-1,completed,success,,,https://p/e,2026-11-29T08:00:00Z,2026-11-29T08:01:30Z,90.5",
		"A-2,,2,2,1,succeeded,e-2,completed,success,,,https://p/e,2026-11-29T08:00:00Z,2026-11-29T08:01:30Z,90.5",
	}, b.results())
	tree := readTree(t, b.folder())
	require.Len(t, tree, 3, "results, ledger and pointer: %v", tree)

	again, err := b.join()
	require.NoError(t, err)
	require.Equal(t, joined, again)

	replanned, err := b.planPass(1) // as after a reset
	require.NoError(t, err)
	require.NotEqual(t, planned.Mark, replanned.Mark, "it is another plan under the same id")
	recorded, err := b.planPass(1)
	require.NoError(t, err)
	require.Equal(t, replanned, recorded)
}

func TestBatchRunsAgainOnlyWhatHasNotSucceeded(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,amount\nA-1,1\nA-2,2\nA-3,3\n")
	b.rows.KeyColumn = "claim"
	b.pass(failing("A-2"))
	_, err := b.join()
	require.NoError(t, err)

	next := b.again("plan-2")
	next.rows.Source = dataFile("claim,amount\nA-4,4\nA-3,3\nA-2,2\nA-1,1\n")
	planned := next.pass(succeeded)
	require.Equal(t, 2, planned.Succeeded)
	require.Equal(t, []string{"A-4/1", "A-2/2"}, next.keys())
	joined, err := next.join()
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Succeeded: 4}, joined.Counts)
	require.Equal(t, []string{
		header,
		"A-4,4,1,A-4,1,succeeded,,completed,,,,,,,",
		"A-3,3,2,A-3,1,succeeded,,completed,,,,,,,",
		"A-2,2,3,A-2,2,succeeded,,completed,,,,,,,",
		"A-1,1,4,A-1,1,succeeded,,completed,,,,,,,",
	}, next.results())
}

// The activities of a batch may run again at any time: after a lost result, or a reset.
func TestBatchActivitiesAreIdempotent(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,amount\nA-1,1\nA-2,2\n")
	planned := b.pass(failing("1"))
	before := readTree(t, b.folder())

	b.rows.Source = dataFile("claim,amount\nchanged,1\n") // nobody reads it again
	again, err := b.planPass(1)
	require.NoError(t, err)
	require.Equal(t, planned, again)
	require.NoError(t, b.write(1, 1, asteroid.RowResult{Number: 2, Key: "2", Attempt: 1, Status: asteroid.RowSucceeded, ExecutionStatus: asteroid.StatusCompleted}))
	require.Equal(t, before, readTree(t, b.folder()))

	second := b.pass(succeeded)
	require.Equal(t, []string{"1/1", "2/1", "1/2"}, b.keys())
	again, err = b.planPass(2)
	require.NoError(t, err)
	require.Equal(t, second, again)
	joined, err := b.join()
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Succeeded: 2}, joined.Counts)
	require.Equal(t, "A-1,1,1,1,2,succeeded,,completed,,,,,,,", b.results()[1])
}

func TestBatchTakesOverWhatATerminatedRunHasAchieved(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,amount\nA-1,1\nA-2,2\nA-3,3\nA-4,4\n")
	b.rows.KeyColumn = "claim"
	b.pass(func(row asteroid.BatchRow) *asteroid.RowResult {
		switch row.Key {
		case "A-1":
			return succeeded(row)
		case "A-2":
			return &asteroid.RowResult{Status: asteroid.RowFailed, ExecutionStatus: asteroid.StatusFailed}
		default:
			return nil // at work when the batch was terminated
		}
	})
	next := b.again("plan-2")
	next.rows.Source = dataFile("claim,amount\nA-3,3\nA-2,2\nA-1,1\n")
	require.Equal(t, 1, next.pass(succeeded).Succeeded)
	require.Equal(t, []string{"A-3/1", "A-2/2"}, next.keys(), "the row at work keeps its attempt, so that it adopts its agent")
	_, err := next.join()
	require.NoError(t, err)
	require.Len(t, readTree(t, next.folder()), 3, "the parts of both runs are gone")

	_, err = b.readSegment(1, 1)
	require.ErrorContains(t, err, "another run of it has taken over")
	requireErrorType(t, invalidInput, err)

	third := next.again("plan-3")
	third.rows.Source = dataFile("claim,amount\nA-4,4\nA-3,3\n")
	third.pass(succeeded)
	require.Equal(t, []string{"A-4/1"}, third.keys(), "the ledger keeps rows that a file lacks")
}

// A row whose agent may be at work keeps its attempt, in the next pass and in the next batch. The
// key of the next attempt would start a second agent.
func TestPlanBatchRaisesTheAttemptOnlyOfAnAgentThatHasEnded(t *testing.T) {
	t.Parallel()
	results := map[string]asteroid.RowResult{
		"failed":     {Status: asteroid.RowFailed, ExecutionID: "e", ExecutionStatus: asteroid.StatusFailed},
		"outcome":    {Status: asteroid.RowFailed, ExecutionID: "e", ExecutionStatus: asteroid.StatusCompleted},
		"refused":    {Status: asteroid.RowFailed, ErrorType: invalidInput},
		"unknown":    {Status: asteroid.RowFailed, ErrorType: asteroid.ErrorTypeUnknownStatus, ExecutionID: "e", ExecutionStatus: "archived"},
		"unread":     {Status: asteroid.RowFailed, ErrorType: asteroid.ErrorTypeUnauthorized, ExecutionID: "e", ExecutionStatus: asteroid.StatusRunning},
		"terminated": {Status: asteroid.RowFailed, Error: "the row's workflow was terminated"},
		"unanswered": {Status: asteroid.RowFailed, ErrorType: asteroid.ErrorTypeUnavailable},
		"other":      {Status: asteroid.RowFailed, ErrorType: invalidInput, ExecutionID: "e"},
	}
	content := "claim,id\n"
	for _, key := range slices.Sorted(maps.Keys(results)) {
		content += "1," + key + "\n"
	}
	b := newBatch(t, content)
	b.rows.KeyColumn = "id"
	fail := func(row asteroid.BatchRow) *asteroid.RowResult { return new(results[row.Key]) }
	b.pass(fail)
	b.pass(fail)
	require.Equal(t, []string{"failed/2", "other/1", "outcome/2", "refused/2", "terminated/1", "unanswered/1", "unknown/2", "unread/1"}, b.keys()[len(results):])
	_, err := b.join()
	require.NoError(t, err)

	next := b.again("plan-2")
	next.pass(succeeded)
	require.Equal(t, []string{"failed/3", "other/1", "outcome/3", "refused/3", "terminated/1", "unanswered/1", "unknown/3", "unread/1"}, next.keys())
	_, err = next.join()
	require.NoError(t, err)

	cancelled := newBatch(t, content)
	cancelled.rows.KeyColumn = "id"
	cancelled.pass(func(row asteroid.BatchRow) *asteroid.RowResult {
		result := fail(row)
		result.Status = asteroid.RowCancelled
		return result
	})
	next = cancelled.again("plan-2") // without a join, as after a termination
	next.rows.Source = dataFile(strings.ReplaceAll(content, "1,unread", "2,unread"))
	next.pass(succeeded)
	require.Equal(t, []string{"failed/2", "other/1", "outcome/2", "refused/2", "terminated/1", "unanswered/1", "unknown/2", "unread/2"}, next.keys(),
		"other content is another intent")
}

func TestPlanBatchRefusesChangedRows(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,id\nA-1,1\nA-2,2\n")
	b.rows.KeyColumn = "id"
	b.pass(failing("2"))
	_, err := b.join()
	require.NoError(t, err)
	before := readTree(t, b.folder())

	next := b.again("plan-2")
	next.rows.Source = dataFile("claim,id\nB-1,1\nB-2,2\n")
	_, err = next.planPass(1)
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "line 2: the row 1 has succeeded before with other content")
	require.NotContains(t, err.Error(), "line 3", "the other one has failed")
	require.Equal(t, before, readTree(t, b.folder()))

	next.rows.OnChanged = asteroid.RowsRerun
	next.pass(succeeded)
	require.Equal(t, []string{"1/2", "2/2"}, next.keys())
	_, err = next.join()
	require.NoError(t, err)
}

func TestPlanBatchLeavesResultsOfAnotherBatchAlone(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,amount\nA-1,1\n")
	b.pass(succeeded)
	for range 2 { // before and after it is joined
		other := b.again("plan-2")
		other.plan.BatchKey = "suppliers"
		_, err := other.planPass(1)
		requireErrorType(t, invalidInput, err)
		require.ErrorContains(t, err, "results.destination: holds the results of the batch claims")
		_, err = b.join()
		require.NoError(t, err)
	}
}

func TestPlanBatchLeavesFilesAloneThatNoBatchHasWritten(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,amount\nA-1,1\n")
	path := filepath.Join(b.folder(), "results.csv")
	require.NoError(t, os.WriteFile(path, []byte("my thesis"), 0o600))
	_, err := b.planPass(1)
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "results.destination: holds a file that no batch has written: name another one, or remove that file")
	require.Equal(t, map[string]string{"results.csv": "my thesis"}, readTree(t, b.folder()))
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = b.planPass(1)
	require.NoError(t, err)
}

func TestPlanBatchReportsMalformedRowsOrSkipsThem(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 64<<10)
	b := newBatch(t, "id,claim,amount\n1,A-1,1\n2,A-2\n,A-3,3\n1,A-4,4\n5,"+large+",5\n6,A-6,6\n")
	b.rows.KeyColumn = "id"
	before := readTree(t, b.folder())
	_, err := b.planPass(1)
	requireErrorType(t, invalidInput, err)
	for _, said := range []string{
		"rows: nothing was started:\n",
		"\nline 3, column 3: has 2 cells, fewer than the 3 of the header",
		"\nline 4, column 1: the key, in the column id, is empty",
		"\nline 5, column 1: the key, in the column id, is that of line 2 too",
		"\nline 6, column 3: the input has 65573 bytes, more than 65536: pass large content as a file",
	} {
		require.ErrorContains(t, err, said)
	}
	require.NotContains(t, err.Error(), "A-")
	require.Equal(t, before, readTree(t, b.folder()), "nothing is left")

	b.rows.OnMalformed = asteroid.RowsSkip
	planned := b.pass(succeeded)
	require.Equal(t, &asteroid.PlanBatchResult{Mark: planned.Mark, Rows: 2, Segments: 1, Skipped: 4}, planned)
	require.Equal(t, []string{"1/1", "6/1"}, b.keys())
	b.plan.Results.Columns = []string{"id", "amount"}
	joined, err := b.join()
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Succeeded: 2, Skipped: 4}, joined.Counts)
	lines := b.results()
	require.Len(t, lines, 7)
	require.Equal(t, `2,,2,2,,skipped,,,,,"line 3, column 3: has 2 cells, fewer than the 3 of the header",,,,`, lines[2])
}

func TestPlanBatchSaysThatAListIsNoFileOfRows(t *testing.T) {
	t.Parallel()
	for content, said := range map[string]string{
		"[\n{\"claim\":1},\n{\"claim\":2},\n]\n": "line 1, column 1: is no JSON object: write each row as an object on a line of its own, without a list",
		"{\n\"claim\": 1\n}\n":                   "line 1, column 2: the object ends too early: write each on one line",
	} {
		b := newBatch(t, content)
		b.rows.Format = asteroid.RowsJSONLines
		_, err := b.planPass(1)
		requireErrorType(t, invalidInput, err)
		require.ErrorContains(t, err, "rows: nothing was started:\n"+said)
		b.rows.OnMalformed = asteroid.RowsSkip
		_, err = b.planPass(1)
		requireErrorType(t, invalidInput, err)
		require.ErrorContains(t, err, "rows: none of them can be read: "+said)
	}
}

func TestPlanBatchChecksLimitsOfEveryRow(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "")
	b.rows = asteroid.BatchRows{Inline: []json.RawMessage{json.RawMessage(`{"login":7}`), json.RawMessage(`{"login":null}`), json.RawMessage(`{"login":"a\tb"}`)}}
	b.template = `{"agentId":"a","metadata":{"login":"{{login}}"},"limits":[{"key":"{{login}}","max":2}]}`
	_, err := b.planPass(1)
	requireErrorType(t, invalidInput, err)
	require.NotContains(t, err.Error(), "line 1", "a number is a key like a text")
	require.ErrorContains(t, err, "\nline 2, column 1: limits[0].key: must have 1 to 200 bytes")
	require.ErrorContains(t, err, "\nline 3, column 1: limits[0].key: must have")

	b.rows.Inline = b.rows.Inline[:1]
	_, err = b.planPass(1)
	require.NoError(t, err)
	read, err := b.readSegment(1, 1)
	require.NoError(t, err)
	require.JSONEq(t, `{"agentId":"a","metadata":{"login":"7"},"limits":[{"key":"7","max":2}]}`, string(read.Rows[0].Input))
	require.Equal(t, []asteroid.Limit{{Key: "7", Max: 2}}, read.Rows[0].Limits)
}

func TestPlanBatchNamesTheFirstTwentyMalformedRows(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,b\n"+strings.Repeat("1\n", 30))
	_, err := b.planPass(1)
	require.ErrorContains(t, err, "line 21, column 1")
	require.NotContains(t, err.Error(), "line 22")
	require.ErrorContains(t, err, "\nand more")
}

func TestPlanBatchChecksNamesOfColumns(t *testing.T) {
	t.Parallel()
	const table, lines = "claim,amount\nA-1,1\n", `{"claim":"A-1","amount":1}`
	for said, change := range map[string]func(*batchRun){
		"template: the rows have no column clam: did you mean claim?":            func(b *batchRun) { b.template = `{"agentId":"a","inputs":{"x":"{{clam}}"}}` },
		"inputColumns: the rows have no column amont: did you mean amount?":      func(b *batchRun) { b.columns = []string{"amont"} },
		"rows.keyColumn: the rows have no column id":                             func(b *batchRun) { b.rows.KeyColumn = "id" },
		"results.columns: the rows have no column amounts: did you mean amount?": func(b *batchRun) { b.plan.Results.Columns = []string{"amounts"} },
	} {
		for _, content := range []string{table, lines} {
			b := newBatch(t, content)
			if content == lines {
				b.rows = asteroid.BatchRows{Inline: []json.RawMessage{json.RawMessage(lines)}}
			}
			change(b)
			_, err := b.planPass(1)
			require.ErrorContains(t, err, said)
			requireErrorType(t, invalidInput, err)
			require.Empty(t, readTree(t, b.folder()))
		}
	}
}

func TestPlanBatchChecksInputsOfEveryRowOnOneVersion(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	agent := api.ServeAgent("claims", func(testsuite.Run) []testsuite.Step { return nil })
	api.AddVersion(agent, testsuite.Version{Inputs: []testsuite.Input{
		{Name: "claim", Required: true}, {Name: "amount", Schema: map[string]any{"type": "number"}},
	}})
	b := newBatch(t, "")
	b.options.Connections = connect(api)
	b.template, b.columns = `{"agentId":"`+agent+`","checkInputs":true}`, []string{"*"}
	b.rows = asteroid.BatchRows{Inline: []json.RawMessage{
		json.RawMessage(`{"claim":"A-1"}`), json.RawMessage(`{"amount":7}`), json.RawMessage(`{"claim":"A-3","extra":1}`),
	}}
	_, err := b.planPass(1)
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "line 2, column 1: inputs: claim is required")
	require.ErrorContains(t, err, "line 3, column 1: inputs: extra is read by nobody")

	b.rows.Inline = b.rows.Inline[:1]
	b.rows.Inline = append(b.rows.Inline, json.RawMessage(`{"claim":"A-2","amount":"7"}`))
	planned := b.pass(succeeded)
	require.Equal(t, new(1), planned.Version)
	require.Equal(t, []string{"amount is a string, and the agent expects a number"}, planned.Warnings)
	require.JSONEq(t, `{"agentId":"`+agent+`","checkInputs":false,"version":1,"inputs":{"claim":"A-1"}}`, string(b.read[0].Input))
}

func TestBatchDividesRowsBySizeAndKeepsTheirOrder(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ rows, bytes, segments int }{
		"300 small rows a segment": {601, 0, 3}, "256 KiB a segment": {10, 60 << 10, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := "claim,amount\n"
			for i := range row.rows {
				content += fmt.Sprintf("%d%s,x\n", i+1, strings.Repeat("y", row.bytes))
			}
			b := newBatch(t, content)
			require.Equal(t, row.segments, b.pass(succeeded).Segments)
			_, err := b.join()
			require.NoError(t, err)
			lines := b.results()
			require.Len(t, lines, row.rows+1)
			for i, line := range lines[1:] {
				require.Regexp(t, fmt.Sprintf(`^%[1]dy*,x,%[1]d,%[1]d,1,succeeded,`, i+1), line)
			}
		})
	}
}

func TestBatchWithoutRowsWritesTheHeader(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,amount\n")
	planned := b.pass(nil)
	require.Equal(t, &asteroid.PlanBatchResult{Mark: planned.Mark}, planned)
	joined, err := b.join()
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{}, joined.Counts)
	require.Equal(t, []string{header}, b.results())
}

// A batch that stopped has rows without a result, and more passes do not lose what they had.
func TestJoinBatchPartsTakesTheNewestResult(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,amount\nA-1,1\nA-2,2\nA-3,3\n")
	b.pass(func(row asteroid.BatchRow) *asteroid.RowResult {
		if row.Key == "3" {
			return nil
		}
		return &asteroid.RowResult{Status: asteroid.RowFailed, ExecutionStatus: asteroid.StatusFailed, Error: "the first"}
	})
	b.pass(func(row asteroid.BatchRow) *asteroid.RowResult {
		if row.Key == "1" {
			return &asteroid.RowResult{Status: asteroid.RowNotRun}
		}
		return &asteroid.RowResult{Status: asteroid.RowCancelled}
	})
	joined, err := b.join()
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Failed: 1, Cancelled: 1, NotRun: 1}, joined.Counts)
	require.Equal(t, []string{
		header, "A-1,1,1,1,1,failed,,failed,,,the first,,,,", "A-2,2,2,2,2,cancelled,,,,,,,,,", "A-3,3,3,3,,notRun,,,,,,,,,",
	}, b.results())
}

func TestWriteBatchPartReadsWholeResultsAndOmittedFields(t *testing.T) {
	t.Parallel()
	api, clock, options := newAPI(t)
	id := executeSteps(t, api, options, testsuite.Complete("success", "", map[string]any{"claim": map[string]any{"number": "A-1"}, "n": 7, "status": "filed"}))
	clock.Advance(time.Hour)
	b := newBatch(t, "claim,amount\n=A-1,1\nA-2,2\n")
	options.OutputRoots = b.options.OutputRoots
	b.options = options
	b.plan.Results.Destination = strings.TrimSuffix(b.plan.Results.Destination, "csv") + "jsonl"
	b.plan.Results.Fields, b.plan.Results.WholeResult = []string{"claim.number", "n", "absent", "status"}, true
	ended := asteroid.RowResult{Status: asteroid.RowSucceeded, ExecutionID: id, ExecutionStatus: asteroid.StatusCompleted, FieldsOmitted: true}
	gone := ended
	gone.ExecutionID = "0f8fad5b-d9cb-469f-a165-70867728950e"
	b.pass(func(row asteroid.BatchRow) *asteroid.RowResult {
		if row.Number == 1 {
			return new(ended)
		}
		return new(gone)
	})
	reads := countRequests(api, "execution")
	ended.Number, ended.Key, ended.Attempt = 1, "1", 1
	gone.Number, gone.Key, gone.Attempt = 2, "2", 1
	require.NoError(t, b.write(1, 1, ended, gone))
	require.Equal(t, reads, countRequests(api, "execution"), "what was written is not read again")
	_, err := b.join()
	require.NoError(t, err)
	content, err := os.ReadFile(filepath.Join(b.folder(), "results.jsonl"))
	require.NoError(t, err)
	lines := strings.Split(string(content), "\n")
	require.Equal(t, `{"claim":"=A-1","amount":"1","rowNumber":1,"rowKey":"1","attempt":1,"status":"succeeded","executionId":"`+id+
		`","executionStatus":"completed","claim.number":"A-1","n":7,"result.status":"filed","result":{"claim":{"number":"A-1"},"n":7,"status":"filed"}}`, lines[0])
	require.Contains(t, lines[1], `"error":"its result could not be read: `)
}

func TestPlanBatchDoesNotReplaceItsRows(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "")
	b.options.FileRoots = b.options.OutputRoots
	file := filepath.Join(b.folder(), "claims list.csv")
	require.NoError(t, os.WriteFile(file, []byte("claim\nA-1\n"), 0o600))
	b.rows.Source = &asteroid.FileRef{URI: "file://" + b.folder() + "/claims%20list.csv"}
	before := readTree(t, b.folder())
	for _, destination := range []string{"file://" + b.folder() + "/claims%20list.csv", "file://" + b.folder() + "/x/../claims list.csv"} {
		b.plan.Results.Destination = destination
		_, err := b.planPass(1)
		requireErrorType(t, invalidInput, err)
		require.ErrorContains(t, err, "results.destination: is the file with the rows")
		require.Equal(t, before, readTree(t, b.folder()))
	}
}

func TestPlanBatchRefusesAFolderForTheResults(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim\nA-1\n")
	require.NoError(t, os.Mkdir(filepath.Join(b.folder(), "claims"), 0o700))
	before := readTree(t, b.folder())
	for _, folder := range []string{"", "/claims", "/claims/..", "/claims/../claims"} {
		b.plan.Results.Destination = "file://" + b.folder() + folder
		_, err := b.planPass(1)
		requireErrorType(t, invalidInput, err)
		require.ErrorContains(t, err, "results.destination: ")
		require.ErrorContains(t, err, "is not a regular file")
		require.Equal(t, before, readTree(t, b.folder()))
	}
}

func TestPlanBatchRefusesAStoreForTheResults(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim\nA-1\n")
	b.options.Stores = map[string]asteroid.Store{"mem": newMemoryStore()}
	b.plan.Results.Destination = "mem://bucket"
	_, err := b.planPass(1)
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "results.destination: must name a file, such as mem://bucket/results.csv")
}

func TestJoinBatchPartsLosesNoRow(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim\n"+strings.Repeat("A\n", 301))
	b.pass(succeeded)
	parts, err := filepath.Glob(filepath.Join(b.folder(), "results.csv.parts", "*", "p1-0002.rows.jsonl"))
	require.NoError(t, err)
	require.Len(t, parts, 1)
	require.NoError(t, os.Remove(parts[0]))
	_, err = b.join()
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "lacks 1 of the batch's rows")
	require.NoFileExists(t, filepath.Join(b.folder(), "results.csv"))

	next := b.again("plan-2")
	require.Equal(t, 300, next.pass(succeeded).Succeeded, "the batch goes on when it runs again")
	joined, err := next.join()
	require.NoError(t, err)
	require.Equal(t, asteroid.RowCounts{Succeeded: 301}, joined.Counts)
}

func TestBatchWritesTheFormatThatTheNameOfTheResultsTells(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"r.json": `{"claim":"A",`, "r.JSONL": `{"claim":"A",`, "r.ndjson": `{"claim":"A",`, "r.csv": "claim,", "r.txt": "claim,", "r": "claim,",
	} {
		b := newBatch(t, "claim\nA\n")
		b.plan.Results.Destination = "file://" + b.folder() + "/" + name
		b.pass(succeeded)
		_, err := b.join()
		require.NoError(t, err)
		content, err := os.ReadFile(filepath.Join(b.folder(), name))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(content), want), "%s: %s", name, content)
	}
}

func TestBatchKeepsItsFilesInAStore(t *testing.T) {
	t.Parallel()
	for name, deletes := range map[string]bool{"that deletes": true, "that does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			memory := newMemoryStore()
			b := newBatch(t, "claim,amount\nA-1,1\n")
			b.options.OutputRoots = nil
			b.options.Stores = map[string]asteroid.Store{"mem": memory}
			kept := 6
			if deletes {
				b.options.Stores["mem"], kept = deletingStore{memory}, 3
			}
			b.plan.Results.Destination = "mem://bucket/a%20b/results.csv"
			planned := b.pass(succeeded)
			require.Equal(t, deletes, len(planned.Warnings) == 0)
			joined, err := b.join()
			require.NoError(t, err)
			again, err := b.join()
			require.NoError(t, err)
			require.Equal(t, joined, again)
			all := memory.all()
			require.Len(t, all, kept)
			results := all["mem://bucket/a%20b/results.csv"]
			require.Equal(t, "text/csv", results.info.ContentType)
			require.EqualValues(t, len(results.content), joined.Results.Size)
			require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(results.content)), joined.Results.SHA256)

			next := b.again("plan-2")
			require.Equal(t, 1, next.pass(nil).Succeeded)
			_, err = next.join()
			require.NoError(t, err)
		})
	}
}

// deletingStore is a store that deletes files.
type deletingStore struct{ *memoryStore }

func (s deletingStore) Delete(_ context.Context, uri *url.URL) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, uri.String())
	return nil
}

// Whatever file of a batch cannot be written or read now: the activity fails for now, and another
// attempt completes.
func TestBatchSurvivesAStoreThatFails(t *testing.T) {
	t.Parallel()
	failed := 0
	for at := int64(1); ; at++ {
		// A write that was given up may still call the store, so each round has its own.
		var failing atomic.Bool
		var calls atomic.Int64
		memory := newMemoryStore()
		memory.fail = func(op string, _ *url.URL) error {
			if calls.Add(1) == at && failing.Load() {
				return fmt.Errorf("mem: %s: down", op)
			}
			return nil
		}
		failing.Store(true)
		b := newBatch(t, "")
		memory.put("mem://bucket/rows.csv", []byte("claim,amount\nA-1,1\nA-2,2\n"), asteroid.FileInfo{Size: 25})
		b.rows.Source = &asteroid.FileRef{URI: "mem://bucket/rows.csv"}
		b.options.OutputRoots, b.options.Stores = nil, map[string]asteroid.Store{"mem": deletingStore{memory}}
		b.plan.Results.Destination = "mem://bucket/results.csv"
		retry := func(do func() error) {
			err := do()
			if err != nil {
				failed++
				requireErrorType(t, unavailable, err)
				require.ErrorContains(t, err, "down")
				err = do()
			}
			require.NoError(t, err, at)
		}
		retry(func() error { _, err := b.planPass(1); return err })
		retry(func() error { _, err := b.readSegment(1, 1); return err })
		retry(func() error {
			return b.write(1, 1, asteroid.RowResult{Number: 1, Key: "1", Attempt: 1, Status: asteroid.RowSucceeded},
				asteroid.RowResult{Number: 2, Key: "2", Attempt: 1, Status: asteroid.RowFailed})
		})
		retry(func() error { _, err := b.join(); return err })
		require.Len(t, memory.all(), 4, "rows, results, ledger and pointer")
		require.Equal(t, header+"\nA-1,1,1,1,1,succeeded,,,,,,,,,\nA-2,2,2,2,1,failed,,,,,,,,,\n", string(memory.all()["mem://bucket/results.csv"].content))
		if calls.Load() < at {
			break
		}
	}
	require.Greater(t, failed, 10)
}

// This test is not parallel: the memory of other tests would count.
func TestBatchNeedsConstantMemoryFor200000Rows(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200,000 rows twice")
	}
	const count = 200_000
	b := newBatch(t, "")
	path := filepath.Join(b.folder(), "rows.csv")
	file, err := os.Create(path)
	require.NoError(t, err)
	out := bufio.NewWriter(file)
	_, _ = fmt.Fprintln(out, "claim,text")
	for i := range count {
		_, _ = fmt.Fprintf(out, "A-%d,%0500d\n", i, i)
	}
	require.NoError(t, errors.Join(out.Flush(), file.Close()))
	b.options.FileRoots = b.options.OutputRoots
	b.rows = asteroid.BatchRows{Source: &asteroid.FileRef{URI: "file://" + path}, KeyColumn: "claim"}
	b.passes = 1
	runtime.GC()
	idle := memory()
	var peak atomic.Uint64
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for ticker := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-ticker.C:
				peak.Store(max(peak.Load(), memory()))
			case <-stop:
				ticker.Stop()
				return
			}
		}
	})
	planned, err := b.planPass(1)
	require.NoError(t, err)
	require.Equal(t, count, planned.Rows)
	joined, err := b.join()
	close(stop)
	group.Wait()
	require.NoError(t, err)
	require.Equal(t, count, joined.Counts.NotRun)
	grown := int64(peak.Load()) - int64(idle)
	t.Logf("idle %d KiB, peak growth %d KiB for %d MiB", idle>>10, grown>>10, joined.Results.Size>>20)
	require.Less(t, grown, int64(64<<20))
}

func TestPlanBatchFindsSearchAttributesOfABatch(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim\n1\n")
	b.options.SearchAttributes = asteroid.DefaultSearchAttributes()
	for range 2 { // the second time the pass is planned already
		planned, err := b.planPass(1)
		require.NoError(t, err)
		require.Equal(t, &asteroid.SearchAttributes{Agent: "AsteroidAgent", Status: "AsteroidStatus", Progress: "AsteroidProgress"}, planned.SearchAttributes)
	}
}

func TestReadBatchRowsTellsTheLimitsOfEachRow(t *testing.T) {
	t.Parallel()
	b := newBatch(t, "claim,profile\n1,p1\n2,\n")
	b.options.Limits = asteroid.RunLimits{PerProfile: 2, All: []asteroid.Limit{{Key: "site", Max: 9, FairnessKey: "us"}}}
	b.template = `{"agentId":"a","agentProfileId":"{{profile}}","limits":[{"key":"login/{{claim}}","fairnessKey":"us"}]}`
	_, err := b.planPass(1)
	require.NoError(t, err)
	read, err := b.readSegment(1, 1)
	require.NoError(t, err)
	require.Len(t, read.Rows, 2)
	require.Equal(t, []asteroid.Limit{{Key: "login/1"}, {Key: "profile/p1", Max: 2}, {Key: "site", Max: 9}}, read.Rows[0].Limits)
	require.Equal(t, []asteroid.Limit{{Key: "login/2"}, {Key: "site", Max: 9}}, read.Rows[1].Limits)
}
