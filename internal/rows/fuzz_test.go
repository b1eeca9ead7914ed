package rows_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/rows"
)

// Whatever the file: the reader ends without a panic, each row has a cell for every column, and
// what was read is the same after it was written. What encoding/csv reads, it reads the same.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"id,name\n1,Zo\u00eb\n", "\ufeffa;b\r\n1;\"x\n\"\"y\"\r\n", "a,b\n1,\"x", "a\n\"\"\n", "sep=;\na;b\n", "\xff\xfea\x00\n\x00", "{\"a\":1}\n", "{\" \":1}\n", "a,b\n\"x\"y, \"z\"\n",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, content string, lines bool) {
		options := rows.Options{Format: asteroid.RowsCSV, Delimiter: ','}
		if lines {
			options.Format = asteroid.RowsJSONLines
		}
		columns, read, whole := readTexts(t, strings.NewReader(content), options)
		if columns == nil || !whole {
			return
		}
		var written bytes.Buffer
		// A mark keeps a row of empty cells from being an empty line.
		writer := csv.NewWriter(&written)
		for i, record := range append([][]string{columns}, read...) {
			mark := "x"
			if i == 0 {
				mark = strings.Join(columns, "") + "mark"
			}
			if err := writer.Write(append(record, mark)); err != nil {
				t.Fatal(err)
			}
		}
		writer.Flush()
		if len(columns) == 0 || len(strings.Join(columns, ""))+len("mark") > 200 {
			return
		}
		_, again, _ := readTexts(t, &written, rows.Options{Format: asteroid.RowsCSV, Delimiter: ','})
		if len(again) != len(read) {
			t.Fatalf("%d rows, and %d after they were written", len(read), len(again))
		}
		for i, record := range read {
			if strings.Join(record, "\x00") != strings.Join(again[i][:len(record)], "\x00") {
				t.Fatalf("row %d was %q and is %q", i, record, again[i])
			}
		}
		if !lines {
			compareWithStandard(t, content, read)
		}
	})
}

// readTexts returns the texts of the rows, and whether all could be read.
func readTexts(t *testing.T, source io.Reader, options rows.Options) (columns []string, read [][]string, whole bool) {
	t.Helper()
	reader, err := rows.NewReader(source, options)
	if err != nil {
		return nil, nil, false
	}
	whole = true
	var all []*rows.Row
	for {
		row, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return reader.Columns(), nil, false
		}
		if row.Problem != nil {
			whole = false
			continue
		}
		if options.Format == asteroid.RowsCSV && len(row.Cells) != len(reader.Columns()) {
			t.Fatalf("%d cells in %d columns", len(row.Cells), len(reader.Columns()))
		}
		all = append(all, row)
	}
	columns = reader.Columns()
	for _, row := range all {
		var record []string
		for _, column := range columns {
			record = append(record, rows.Text(row.Cells[column]))
		}
		read = append(read, record)
	}
	return columns, read, whole
}

// compareWithStandard compares rows with those of encoding/csv, where that reads the file. It
// ignores fewer blank lines, and knows neither carriage returns on their own nor byte order marks.
func compareWithStandard(t *testing.T, content string, read [][]string) {
	t.Helper()
	if strings.ContainsAny(content, "\r\ufeff") || strings.HasPrefix(content, "sep=") || strings.HasPrefix(content, "\xff\xfe") || strings.HasPrefix(content, "\xfe\xff") {
		return
	}
	records, err := csv.NewReader(strings.NewReader(content)).ReadAll()
	if err != nil {
		return
	}
	var kept [][]string
	for _, record := range records {
		if strings.TrimSpace(strings.Join(record, "")) != "" {
			kept = append(kept, record)
		}
	}
	var filled [][]string
	for _, record := range read {
		if strings.TrimSpace(strings.Join(record, "")) != "" {
			filled = append(filled, record)
		}
	}
	if len(kept) != len(filled)+1 {
		t.Fatalf("%d rows, and encoding/csv has %d", len(filled), len(kept)-1)
	}
	for i, record := range filled {
		if strings.Join(record, "\x00") != strings.Join(kept[i+1], "\x00") {
			t.Fatalf("row %d is %q, and by encoding/csv %q", i, record, kept[i+1])
		}
	}
}
