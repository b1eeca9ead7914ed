package rows

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// csvReader reads records of CSV. Unlike encoding/csv it bounds cells, goes on after a malformed
// record, and knows where each cell stands.
type csvReader struct {
	text      *characters
	delimiter rune
}

// csvCell is one cell of a record.
type csvCell struct {
	content string
	quoted  bool
	at      Position
}

// csvRecord is one record, with the first of its problems.
type csvRecord struct {
	cells   []csvCell
	problem *Problem
}

// end is what ends a cell.
type end int

const (
	endOfCell end = iota
	endOfRecord
	endOfFile
)

// header reads the names of the columns.
func (c *csvReader) header() ([]string, error) {
	c.detect()
	record, err := c.record()
	cells := record.cells
	switch {
	case errors.Is(err, io.EOF):
		return nil, fileErrorAt(Position{1, 1}, "has no header: the first line names the columns")
	case err != nil:
		return nil, err
	case record.problem != nil:
		return nil, &FileError{record.problem}
	case len(cells) > MaxColumns:
		return nil, fileErrorAt(cells[MaxColumns].at, "has %d columns, more than %d", len(cells), MaxColumns)
	}
	names, first := make([]string, len(cells)), map[string]int{}
	for i, cell := range cells {
		name := strings.TrimSpace(cell.content)
		if name == "" {
			return nil, fileErrorAt(cell.at, "column %d of the header has no name: name it or remove it", i+1)
		}
		if before, ok := first[name]; ok {
			return nil, fileErrorAt(cell.at, "columns %d and %d of the header are both called %s: rename one", before+1, i+1, text.Clip(name))
		}
		if problem := checkName(cell.at, name); problem != nil {
			return nil, &FileError{problem}
		}
		names[i], first[name] = name, i
	}
	return names, nil
}

// maxName is the longest name of a column, in bytes.
const maxName = 200

func checkName(at Position, name string) *Problem {
	switch {
	case len(name) > maxName:
		return problemAt(at, "the name of a column has %d bytes, more than %d: is this the header?", len(name), maxName)
	case name != strings.TrimSpace(name):
		return problemAt(at, "the name of a column begins or ends with white space")
	case strings.ContainsFunc(name, text.Misleading):
		return problemAt(at, "the name of a column has an invisible character")
	}
	return nil
}

// row reads the next record with a cell that is not blank.
func (c *csvReader) row(columns []string) (*Row, error) {
	record, err := c.record()
	if err != nil {
		return nil, err
	}
	cells := record.cells
	row := &Row{Line: cells[0].at.Line, Problem: record.problem, Cells: make(map[string]json.RawMessage, len(columns)), at: make(map[string]Position, len(columns))}
	for i, cell := range cells[:min(len(cells), len(columns))] {
		row.Cells[columns[i]], row.at[columns[i]] = Quote(cell.content), cell.at
	}
	switch last := cells[len(cells)-1]; {
	case row.Problem != nil:
	case len(cells) > len(columns):
		row.Problem = problemAt(cells[len(columns)].at, "has %d cells, more than the %d of the header", len(cells), len(columns))
	case len(cells) < len(columns):
		row.Problem = problemAt(last.at, "has %d cells, fewer than the %d of the header", len(cells), len(columns))
	}
	return row, nil
}

// record reads the next record that is not blank.
func (c *csvReader) record() (csvRecord, error) {
	for {
		var read csvRecord
		blank, size, last := true, 0, endOfCell
		for last == endOfCell {
			cell, problem, end, err := c.cell(&size)
			if err != nil {
				return csvRecord{}, err
			}
			if read.problem == nil {
				read.problem = problem
			}
			blank = blank && !cell.quoted && strings.TrimSpace(cell.content) == ""
			if len(read.cells) <= MaxColumns {
				read.cells = append(read.cells, cell)
			}
			last = end
		}
		switch {
		case !blank || read.problem != nil:
			return read, nil
		case last == endOfFile:
			return csvRecord{}, io.EOF
		}
	}
}

// cellReader collects the content of one cell.
type cellReader struct {
	*csvReader
	cell    csvCell
	content strings.Builder
	size    *int // of the row
	problem *Problem
}

// cell reads one cell and what ends it. size counts the bytes of the row.
func (c *csvReader) cell(size *int) (csvCell, *Problem, end, error) {
	r := &cellReader{csvReader: c, cell: csvCell{at: c.text.next}, size: size}
	end, err := r.read()
	r.cell.content = r.content.String()
	return r.cell, r.problem, end, err
}

func (r *cellReader) read() (end, error) {
	for {
		got, err := r.text.read()
		switch {
		case errors.Is(err, io.EOF):
			return endOfFile, nil
		case err != nil:
			return 0, err
		case got.r == r.delimiter && got.bad == nil:
			return endOfCell, nil
		case got.r == '\n':
			return endOfRecord, nil
		case got.r == '\r':
			return endOfRecord, r.text.skipLineFeed()
		case got.r == '"' && !r.cell.quoted && strings.TrimSpace(r.content.String()) == "":
			if r.content.Len() > 0 {
				r.report(got.at, "white space stands before a quote: remove it")
			}
			r.content.Reset()
			if err := r.quoted(got.at); err != nil {
				return 0, err
			}
		case r.cell.quoted:
			r.report(got.at, "text follows a closing quote: write a quote within a cell twice")
			r.add(got)
		default:
			r.add(got)
		}
	}
}

// quoted reads a cell up to its closing quote.
func (r *cellReader) quoted(opening Position) error {
	r.cell.quoted = true
	for {
		got, err := r.text.read()
		switch {
		case errors.Is(err, io.EOF):
			return fileErrorAt(opening, "the quote that begins here is never closed")
		case err != nil:
			return err
		case got.r != '"':
			r.add(got)
			continue
		}
		if next, ok := r.text.peek(0); !ok || next != '"' {
			return nil
		}
		if got, err = r.text.read(); err != nil {
			return err
		}
		r.add(got)
	}
}

// add adds a character to the cell, unless cell or row are too large.
func (r *cellReader) add(c character) {
	if c.bad != nil {
		r.report(c.bad.Position, "%s", c.bad.Text)
	}
	*r.size += utf8.RuneLen(c.r)
	switch {
	case r.content.Len() >= MaxCell:
		hint := ""
		if r.cell.quoted {
			hint = ": is its closing quote missing?"
		}
		r.report(r.cell.at, "the cell that begins here has more than %d bytes%s", MaxCell, hint)
	case *r.size > MaxRow:
		r.report(r.cell.at, "the row has more than %d bytes", MaxRow)
	default:
		r.content.WriteRune(c.r)
	}
}

func (r *cellReader) report(at Position, format string, args ...any) {
	if r.problem == nil {
		r.problem = problemAt(at, format, args...)
	}
}

// delimiters are those that a header may have, the likeliest first.
const delimiters = ",;\t|"

// detect finds out the delimiter by the first line that is not blank. It reads a line sep=; that
// spreadsheets write for each other.
func (c *csvReader) detect() {
	const most = 64 << 10 // characters
	counts, quoted, blank := map[rune]int{}, false, true
	for i := range most {
		r, ok := c.text.peek(i)
		if !ok || !quoted && !blank && (r == '\n' || r == '\r') {
			break
		}
		if i == 0 && c.readSeparatorLine() {
			return
		}
		if r == '"' {
			quoted = !quoted
		} else if !quoted {
			counts[r]++
		}
		if blank = blank && strings.ContainsRune(" \t\r\n", r); blank && (r == '\n' || r == '\r') {
			clear(counts) // of a line that is blank
		}
	}
	if c.delimiter != 0 {
		return
	}
	c.delimiter = ','
	for _, candidate := range delimiters {
		if counts[candidate] > counts[c.delimiter] {
			c.delimiter = candidate
		}
	}
}

// readSeparatorLine reads a first line such as sep=; and reports whether there is one.
func (c *csvReader) readSeparatorLine() bool {
	for i, wanted := range "sep=" {
		if r, ok := c.text.peek(i); !ok || r != wanted {
			return false
		}
	}
	const length = len("sep=")
	separator, ok := c.text.peek(length)
	after, more := c.text.peek(length + 1)
	if !ok || more && after != '\n' && after != '\r' || separator == '\n' || separator == '\r' || separator == '"' {
		return false
	}
	for range length + 1 {
		_, _ = c.text.read() // was looked at, so it does not fail
	}
	if c.delimiter == 0 {
		c.delimiter = separator
	}
	return true
}
