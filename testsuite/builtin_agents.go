package testsuite

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// builtins are the agents that every fake serves. They compute their results from their files and
// inputs, so that a test proves that both arrived.
var builtins = []struct {
	name  string
	agent Agent
}{
	{"inventory", inventoryAgent},
	{"totals", totalsAgent},
	{"report", reportAgent},
	{"patient", patientAgent},
	{"echo", echoAgent},
}

// builtinWorkTime is how long the built-in agents work; patient sets its own.
const builtinWorkTime = time.Second

// inventoryAgent describes every staged file.
func inventoryAgent(run Run) []Step {
	type entry struct {
		Name        string   `json:"name"`
		Size        int64    `json:"size"`
		SHA256      string   `json:"sha256"`
		ContentType string   `json:"contentType"`
		Rows        *int     `json:"rows,omitempty"`
		Columns     []string `json:"columns,omitzero"`
		Problem     string   `json:"problem,omitempty"` // why a CSV file has no rows and columns
	}
	var result struct {
		Count     int            `json:"count"`
		TotalSize int64          `json:"totalSize"`
		Files     []entry        `json:"files"`
		Inputs    map[string]any `json:"inputs"`
	}
	result.Files, result.Inputs = []entry{}, run.Inputs
	steps := []Step{Act("file_list", fmt.Sprintf("Reading %d files", len(run.Files)))}
	for _, file := range run.Files {
		e := entry{Name: file.Name, Size: file.Size, SHA256: file.SHA256, ContentType: file.ContentType}
		if isCSV(file) {
			if table, err := readCSV(file, nil); err != nil {
				e.Problem = err.Error()
			} else {
				e.Rows, e.Columns = &table.rows, table.columns
			}
		}
		steps = append(steps, Act("file_read", "Read "+file.Name))
		result.Files = append(result.Files, e)
		result.Count++
		result.TotalSize += file.Size
	}
	listing, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return append(steps, Fail(err.Error()))
	}
	return append(steps,
		Work(builtinWorkTime),
		WriteFile("downloads", "inventory.json", "application/json", append(listing, '\n')),
		Complete("success", fmt.Sprintf("Described %d files.", result.Count), result))
}

// totalsAgent sums the numeric columns of every staged CSV file.
func totalsAgent(run Run) []Step {
	type entry struct {
		Name   string                 `json:"name"`
		Rows   int                    `json:"rows"`
		Totals map[string]json.Number `json:"totals"`
	}
	steps := []Step{Reason("Adding up the columns that hold only numbers.")}
	var entries []entry
	for _, file := range run.Files {
		if !isCSV(file) {
			continue
		}
		table, err := readCSV(file, (*csvTable).addCell)
		if err != nil {
			return append(steps, Fail(err.Error()))
		}
		steps = append(steps, Act("file_read", "Added up "+file.Name))
		entries = append(entries, entry{file.Name, table.rows, table.totals()})
	}
	if len(entries) == 0 {
		return append(steps, Fail("There is no CSV file to add up. Stage one, with the type text/csv or a name that ends in .csv."))
	}
	return append(steps, Work(builtinWorkTime),
		Complete("success", fmt.Sprintf("Added up %d files.", len(entries)), map[string]any{"files": entries}))
}

// reportAgent writes an earlier execution's result as a Markdown file. Its inputs are executionId,
// result and, optionally, title.
func reportAgent(run Run) []Step {
	executionID, _ := run.Inputs["executionId"].(string)
	result, given := run.Inputs["result"]
	if executionID == "" || !given {
		return []Step{Fail("The inputs executionId (a string) and result (any value) are required. Pass those of an earlier execution.")}
	}
	title, _ := run.Inputs["title"].(string)
	if title == "" {
		title = "Report"
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // keeps <, > and & readable
	if err := encoder.Encode(result); err != nil {
		return []Step{Fail(err.Error())}
	}
	markdown := fmt.Appendf(nil, "# %s\n\nExecution `%s` found:\n\n```json\n%s```\n", title, executionID, body.Bytes())
	return []Step{
		Reason("Writing down what execution " + executionID + " found."),
		Work(builtinWorkTime),
		WriteFile("downloads", "report.md", "text/markdown", markdown),
		Complete("success", "Wrote report.md.", map[string]any{
			"file": "report.md", "size": len(markdown), "executionId": executionID,
		}),
	}
}

// patientAgent works for as many seconds as its input seconds says, 60 by default. With the input
// ask it stops half-way and asks that; the input answers can hold the suggested answers. It ends by
// endOnRequest.
func patientAgent(run Run) []Step {
	seconds, err := secondsInput(run.Inputs["seconds"], 60)
	if err != nil {
		return []Step{Fail(err.Error())}
	}
	half := time.Duration(seconds * float64(time.Second) / 2)
	result := map[string]any{"seconds": seconds}
	finish := func() []Step {
		return []Step{Work(half), endOnRequest(run.Inputs, Complete("success", "Worked for the requested time.", result))}
	}
	steps := []Step{Act("util_wait_time", fmt.Sprintf("Working for %v seconds", seconds)), Work(half)}
	question, isText := run.Inputs["ask"].(string)
	if run.Inputs["ask"] != nil && !isText {
		return []Step{Fail(fmt.Sprintf("the input ask must be a string, not %v", run.Inputs["ask"]))}
	}
	if question == "" {
		return append(steps, finish()...)
	}

	ask := Question{Text: question, Header: "Half-way"}
	answers, isList := run.Inputs["answers"].([]any)
	if run.Inputs["answers"] != nil && !isList {
		answers = []any{run.Inputs["answers"]}
	}
	for _, answer := range answers {
		ask.Options = append(ask.Options, Choice{Label: fmt.Sprint(answer)})
	}
	if len(ask.Options) == 0 {
		ask.Options = []Choice{{Label: "Yes", Description: "Go on"}, {Label: "No", Description: "Go on as well"}}
	}
	return append(steps, AskFor(ask, func(answer string) []Step {
		result["answer"] = answer
		return finish()
	}))
}

// secondsInput returns the value of the input seconds, or otherwise if there is none.
func secondsInput(value any, otherwise float64) (float64, error) {
	seconds := otherwise
	switch value := value.(type) {
	case nil:
	case float64:
		seconds = value
	case string:
		var err error
		if seconds, err = strconv.ParseFloat(value, 64); err != nil {
			return 0, fmt.Errorf("the input seconds must be a number, not %q", value)
		}
	default:
		return 0, fmt.Errorf("the input seconds must be a number, not %v", value)
	}
	if !(seconds >= 0 && seconds <= 30*24*3600) {
		return 0, errors.New("the input seconds must be from 0 to 2592000 (30 days)")
	}
	return seconds, nil
}

func isCSV(file File) bool {
	media, _, _ := mime.ParseMediaType(file.ContentType)
	return media == "text/csv" || strings.EqualFold(path.Ext(file.Name), ".csv")
}

// csvTable is the summary of a CSV file: its header, its number of rows and one sum per column.
type csvTable struct {
	columns    []string
	rows       int
	sums       []*big.Rat // per column, nil before its first number
	notNumeric []bool     // per column, whether a cell is not a number
	digits     []int      // per column, the most digits after the decimal point
}

const byteOrderMark = "\ufeff"

// readCSV reads a file row by row, so that its size does not matter. The first row is the header.
// It calls add, unless nil, for each cell of the other rows.
func readCSV(file File, add func(t *csvTable, column int, cell string)) (*csvTable, error) {
	content, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	text := bufio.NewReader(content)
	if mark, _ := text.Peek(len(byteOrderMark)); string(mark) == byteOrderMark { // not part of the first column's name
		_, _ = text.Discard(len(byteOrderMark))
	}
	reader := csv.NewReader(text)
	reader.ReuseRecord = true
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return &csvTable{columns: []string{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not CSV: %w", file.Name, err)
	}
	t := &csvTable{columns: slices.Clone(header)}
	t.sums, t.notNumeric, t.digits = make([]*big.Rat, len(header)), make([]bool, len(header)), make([]int, len(header))
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s is not CSV: %w", file.Name, err)
		}
		t.rows++
		if add == nil {
			continue
		}
		for i, cell := range row {
			add(t, i, strings.TrimSpace(cell))
		}
	}
}

var decimal = regexp.MustCompile(`^[+-]?\d{1,100}(\.\d{1,100})?$`)

// addCell adds a cell to its column's sum. Sums are exact, so that a test can compare every digit.
func (t *csvTable) addCell(column int, cell string) {
	if cell == "" || t.notNumeric[column] {
		return
	}
	if !decimal.MatchString(cell) {
		t.notNumeric[column] = true
		return
	}
	number, _ := new(big.Rat).SetString(cell)
	if t.sums[column] == nil {
		t.sums[column] = new(big.Rat)
	}
	t.sums[column].Add(t.sums[column], number)
	_, fraction, _ := strings.Cut(cell, ".")
	t.digits[column] = max(t.digits[column], len(fraction))
}

// totals returns the sums of the columns that hold only numbers. A column whose name is taken gets
// a numbered name, so that both sums are kept.
func (t *csvTable) totals() map[string]json.Number {
	totals := map[string]json.Number{}
	var names []string
	for i, sum := range t.sums {
		names = append(names, uniqueName(names, t.columns[i]))
		if sum != nil && !t.notNumeric[i] {
			totals[names[i]] = json.Number(sum.FloatString(t.digits[i]))
		}
	}
	return totals
}
