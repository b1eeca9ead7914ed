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

const (
	maxBatchKey   = 200
	maxInlineRows = 256 << 10
)

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

// Validate checks the form of the results' description. Its error is asteroid.InvalidInput and
// names the field. Only the activity checks Destination, since each worker accepts others.
func (r *BatchResults) Validate() error {
	switch {
	case r.Destination == "":
		return NewInvalidInput("results.destination", "is required: name the file for the results, such as file:///srv/claims/results.csv")
	case strings.HasSuffix(r.Destination, "/"):
		return NewInvalidInput("results.destination", "must name a file, not a folder")
	}
	for i, field := range r.Fields {
		if field == "" {
			return NewInvalidInput(fmt.Sprintf("results.fields[%d]", i), "is empty")
		}
	}
	return checkOneOf("results.format", r.Format, RowsCSV, RowsJSONLines)
}

func (p *BatchPlan) validate() error {
	switch {
	case p.BatchKey == "":
		return NewInvalidInput("batchKey", "is required")
	case len(p.BatchKey) > maxBatchKey || strings.ContainsFunc(p.BatchKey, text.Misleading):
		return NewInvalidInput("batchKey", fmt.Sprintf("must have at most %d bytes and no invisible characters", maxBatchKey))
	}
	return cmp.Or(checkID("planId", p.PlanID), p.Results.Validate())
}

func checkPass(field string, number int) error {
	if number < 1 {
		return NewInvalidInput(field, fmt.Sprintf("is %d: must be at least 1", number))
	}
	return nil
}

func checkTemplate(template json.RawMessage) error {
	if jsonKind(template) != kindObject {
		return NewInvalidInput("template", "must be an object, the input of asteroid.RunAgent")
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
