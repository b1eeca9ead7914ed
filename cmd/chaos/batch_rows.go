package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	rand "math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// plannedRow is a row of a batch, and what its agent does.
type plannedRow struct {
	key     string // the row's key, and the intent of its agent
	note    string
	profile string
	work    time.Duration
	fails   int // how many of its attempts fail
}

// The columns of the rows.
const (
	columnKey     = "claim"
	columnNote    = "note"
	columnProfile = "profile"
)

// rowNotes are texts that people have in their tables.
var rowNotes = []string{"", "plain", "first line\nsecond line", `a "quoted" word`, "Zoë, 東京; Ærø", " with space around ", "=1+1"}

// rowsFile returns a file of the rows as a spreadsheet writes it: with one delimiter or another,
// and with a byte order mark or without.
func rowsFile(draw *rand.Rand, rows []plannedRow) []byte {
	var file bytes.Buffer
	if draw.IntN(2) == 0 {
		file.WriteString("\ufeff")
	}
	table := csv.NewWriter(&file)
	if draw.IntN(2) == 0 {
		table.Comma = ';'
	}
	table.UseCRLF = draw.IntN(2) == 0
	_ = table.Write([]string{columnKey, columnNote, columnProfile}) // into memory
	for _, row := range rows {
		_ = table.Write([]string{row.key, row.note, row.profile})
	}
	table.Flush()
	return file.Bytes()
}

// rowClerk is the script of the agent that all rows of a batch run.
func rowClerk(rows []plannedRow) testsuite.Agent {
	byKey := map[any]plannedRow{}
	for _, row := range rows {
		byKey[row.key] = row
	}
	return func(run testsuite.Run) []testsuite.Step {
		row, known := byKey[run.Inputs[inputIntent]]
		work := testsuite.Work(row.work)
		switch {
		case !known:
			return []testsuite.Step{testsuite.Fail("no such row")}
		case attemptOf(run.Metadata) <= row.fails:
			return []testsuite.Step{work, testsuite.Fail(plannedFailure)}
		default:
			return []testsuite.Step{work, testsuite.Complete("success", "Filed it.", map[string]any{inputIntent: row.key})}
		}
	}
}

// attemptOf returns the attempt of a row from the key of its execution, whose last part it is.
func attemptOf(metadata map[string]string) int {
	key, _, _ := strings.Cut(metadata[asteroid.MetadataExecutionKey], "#") // the number of an execution under that key
	attempt, _ := strconv.Atoi(key[strings.LastIndex(key, "/")+1:])
	return attempt
}

// planRows draws rows. The first attempts of the last failing ones fail. Their profiles follow each
// other in turn.
func planRows(s *scene, n, failing int, profiles ...string) (rows []plannedRow) {
	for i := range n {
		row := plannedRow{
			key: fmt.Sprintf("%s/%d", s.id, i+1), note: rowNotes[s.random.IntN(len(rowNotes))], work: s.some(500*time.Millisecond, 2*time.Second),
		}
		if i >= n-failing {
			row.fails = 1
		}
		if len(profiles) > 0 {
			row.profile = profiles[i%len(profiles)]
		}
		rows = append(rows, row)
	}
	return rows
}
