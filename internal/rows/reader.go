package rows

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"

	"github.com/temporal-asteroid/asteroid"
)

const (
	// MaxCell is the largest cell in bytes of UTF-8, or of JSON.
	MaxCell = 4 << 20
	// MaxRow is the largest row: all of its cells together.
	MaxRow = 16 << 20
	// MaxColumns is as many as a spreadsheet has.
	MaxColumns = 16384
)

// Options say how to read a file.
type Options struct {
	Format    asteroid.RowFormat
	Delimiter rune   // of CSV; 0 means what the header tells
	Encoding  string // utf-8, utf-16, latin1 or windows-1252; empty means what a byte order mark tells, else UTF-8
}

// Row is one row of a file.
type Row struct {
	Line int // where it begins
	// Cells are the values as JSON, by column. In CSV all are strings. A row of JSON lines may lack
	// columns.
	Cells map[string]json.RawMessage
	// Problem says that the row is malformed. Cells are what could be read.
	Problem *Problem

	at map[string]Position
}

// At returns where the cell of a column begins, or where the row does if it has none.
func (r *Row) At(column string) Position {
	if at, ok := r.at[column]; ok {
		return at
	}
	return Position{r.Line, 1}
}

// Reader reads the rows of a file.
type Reader struct {
	next    func() (*Row, error)
	columns []string
	known   map[string]bool
}

// NewReader reads the header, if the format has one.
func NewReader(source io.Reader, o Options) (*Reader, error) {
	text, err := newCharacters(source, o.Encoding)
	if err != nil {
		return nil, err
	}
	r := &Reader{known: map[string]bool{}}
	if o.Format == asteroid.RowsJSONLines {
		lines := &lineReader{text: text}
		r.next = func() (*Row, error) { return lines.next(r) }
		return r, nil
	}
	table := &csvReader{text: text, delimiter: o.Delimiter}
	if r.columns, err = table.header(); err != nil {
		return nil, err
	}
	r.next = func() (*Row, error) { return table.row(r.columns) }
	return r, nil
}

// Columns returns the names of the columns in their order: those of the header, or those of the
// objects read so far.
func (r *Reader) Columns() []string { return slices.Clone(r.columns) }

// Next returns the next row, or io.EOF.
func (r *Reader) Next() (*Row, error) { return r.next() }

// Inline returns rows that are JSON objects as a file of JSON lines.
func Inline(rows []json.RawMessage) io.Reader {
	var lines bytes.Buffer
	for _, row := range rows {
		if json.Compact(&lines, row) != nil {
			lines.Write(bytes.ReplaceAll(row, []byte("\n"), []byte(" ")))
		}
		lines.WriteByte('\n')
	}
	return &lines
}

// Quote returns a text as a JSON string.
func Quote(s string) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string can always be encoded
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
