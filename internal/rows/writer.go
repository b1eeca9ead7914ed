package rows

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"

	"github.com/temporal-asteroid/asteroid"
)

// Writer writes rows of named values as CSV with a header, or as JSON lines.
type Writer struct {
	out     *bufio.Writer
	columns []string
	table   *csv.Writer // nil for JSON lines
	record  []string
}

// NewWriter writes the header, if the format has one.
func NewWriter(out io.Writer, format asteroid.RowFormat, columns []string) (*Writer, error) {
	w := &Writer{out: bufio.NewWriterSize(out, 64<<10), columns: columns, record: make([]string, len(columns))}
	if format == asteroid.RowsJSONLines {
		return w, nil
	}
	w.table = csv.NewWriter(w.out)
	return w, w.table.Write(columns)
}

// Write writes one row. A column without a value is an empty cell, or no member.
func (w *Writer) Write(values map[string]json.RawMessage) error {
	if w.table != nil {
		for i, column := range w.columns {
			w.record[i] = Text(values[column])
		}
		return w.table.Write(w.record)
	}
	var line bytes.Buffer
	line.WriteByte('{')
	for _, column := range w.columns {
		if value := values[column]; len(value) > 0 {
			if line.Len() > 1 {
				line.WriteByte(',')
			}
			line.Write(Quote(column))
			line.WriteByte(':')
			line.Write(compact(value))
		}
	}
	line.WriteString("}\n")
	_, err := w.out.Write(line.Bytes())
	return err
}

// Close writes what is left in memory.
func (w *Writer) Close() error {
	if w.table != nil {
		w.table.Flush()
		if err := w.table.Error(); err != nil {
			return err
		}
	}
	return w.out.Flush()
}

// ResultNames are the columns of a file of results.
type ResultNames struct {
	All []string
	// Columns and Fields are what the rows' columns and the results' fields are called in the file.
	Columns, Fields map[string]string
}

// NewResultNames names the columns of a file of results: those of the rows, then the batch's own
// before and after the fields. A name that is taken gets the prefix "row." or "result.".
func NewResultNames(columns, before, fields, after []string) ResultNames {
	taken := map[string]bool{}
	for _, own := range slices.Concat(before, after) {
		taken[own] = true
	}
	n := ResultNames{Columns: map[string]string{}, Fields: map[string]string{}}
	add := func(names map[string]string, wanted, prefix string) {
		if _, twice := names[wanted]; twice {
			return
		}
		name := wanted
		for taken[name] {
			name = prefix + name
		}
		taken[name], names[wanted] = true, name
		n.All = append(n.All, name)
	}
	for _, column := range columns {
		add(n.Columns, column, "row.")
	}
	n.All = append(n.All, before...)
	for _, field := range fields {
		add(n.Fields, field, "result.")
	}
	n.All = append(n.All, after...)
	return n
}
