package asteroid

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// BatchRows says where the rows of a batch are and how to read them. Give Source or Inline.
type BatchRows struct {
	// Source is a file with one row per line or record: CSV with a header, or JSON lines, one
	// object each. Any source of StageFiles will do. It is read once, when the batch begins.
	Source *FileRef `json:"source,omitempty"`
	// Inline are the rows themselves, as JSON objects of at most 256 KiB together. They enter
	// history. Errors count them as lines.
	Inline []json.RawMessage `json:"inline,omitempty"`
	// Format is told by the name or the content type of Source when empty.
	Format RowFormat `json:"format,omitempty"`
	// Delimiter is the character between two cells of CSV. Empty means the one of , ; | and tab
	// that the header has most often.
	Delimiter string `json:"delimiter,omitempty"`
	// Encoding is utf-8, utf-16, latin1 or windows-1252. Empty means what a byte order mark says,
	// else utf-8. A byte that is no UTF-8 is an error that names line and column. latin1 is read as
	// windows-1252, which only adds characters to it.
	Encoding string `json:"encoding,omitempty"`
	// KeyColumn names the column whose value identifies a row, in this batch and when it is run
	// again. The values are unique texts or numbers of at most 200 bytes; white space around them
	// does not count. Empty means the row's number, counted from 1.
	KeyColumn string `json:"keyColumn,omitempty"`
	// OnMalformed is RowsRefuse when empty.
	OnMalformed OnRows `json:"onMalformed,omitempty"`
	// OnChanged says what happens to a row that has succeeded before, under the same batch key and
	// row key, with other content. It is RowsRefuse when empty.
	OnChanged OnRows `json:"onChanged,omitempty"`
}

// RowFormat is the format of a file of rows.
type RowFormat string

// The formats of rows and results.
const (
	RowsCSV       RowFormat = "csv"
	RowsJSONLines RowFormat = "jsonl"
)

// OnRows says what to do with rows of a kind.
type OnRows string

const (
	// RowsRefuse refuses the batch before its first agent starts. The error names the first 20 rows
	// by line and column.
	RowsRefuse OnRows = "refuse"
	// RowsSkip leaves the malformed rows out. The results have them, with the status skipped.
	RowsSkip OnRows = "skip"
	// RowsRerun runs the changed rows again.
	RowsRerun OnRows = "rerun"
)

const maxInlineRows = 256 << 10

// Validate checks the form of the rows' description. Its error is asteroid.InvalidInput and names
// the field. Only the activity reads the rows.
func (r *BatchRows) Validate() error { return r.validate(true) }

// validate is Validate. The rows are required in the first pass only.
func (r *BatchRows) validate(required bool) error {
	size := 0
	for _, row := range r.Inline {
		size += len(row)
	}
	switch {
	case r.Source != nil && len(r.Inline) > 0:
		return NewInvalidInput("rows.source", "excludes inline: give the rows one way")
	case r.Source == nil && len(r.Inline) == 0 && required:
		return NewInvalidInput("rows.source", "is required: name the file with the rows, or give them in inline")
	case r.Source != nil && r.Source.URI == "":
		return NewInvalidInput("rows.source.uri", "is required")
	case size > maxInlineRows:
		return NewInvalidInput("rows.inline", fmt.Sprintf("have %d bytes, more than %d: write them into a file", size, maxInlineRows))
	case len(r.Inline) > 0 && r.Format == RowsCSV:
		return NewInvalidInput("rows.format", "csv does not go with inline, whose rows are JSON objects")
	case len(r.Inline) > 0 && r.Encoding != "" && r.Encoding != "utf-8":
		return NewInvalidInput("rows.encoding", "does not go with inline, whose rows are texts already")
	}
	return cmp.Or(
		checkOneOf("rows.format", r.Format, RowsCSV, RowsJSONLines),
		r.checkDelimiter(),
		checkOneOf("rows.encoding", r.Encoding, "utf-8", "utf-16", "latin1", "windows-1252"),
		checkOneOf("rows.onMalformed", r.OnMalformed, RowsRefuse, RowsSkip),
		checkOneOf("rows.onChanged", r.OnChanged, RowsRefuse, RowsRerun),
	)
}

func (r *BatchRows) checkDelimiter() error {
	delimiter, size := utf8.DecodeRuneInString(r.Delimiter)
	if r.Delimiter != "" && (size != len(r.Delimiter) || delimiter == utf8.RuneError || strings.ContainsRune("\"\r\n\x00", delimiter)) {
		return NewInvalidInput("rows.delimiter", "must be one character, and neither a quote nor a line break")
	}
	return nil
}

// checkOneOf returns an error for a value that is neither empty nor one of the known ones.
func checkOneOf[T ~string](field string, value T, known ...T) error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	names := make([]string, len(known))
	for i, name := range known {
		names[i] = string(name)
	}
	return NewInvalidInput(field, fmt.Sprintf("%q is none of %s", text.Clip(string(value)), strings.Join(names, ", ")))
}
