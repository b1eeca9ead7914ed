package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// oneLine returns a text of an agent, the service or a workflow as one line that cannot steer the
// terminal.
func oneLine(foreign string) string {
	const limit = 300 // in bytes
	return text.Line(foreign, limit)
}

// cell is oneLine for a column of a table.
func cell(foreign string) string {
	const limit = 60 // in bytes
	return text.Line(foreign, limit)
}

// argument returns a value as one types it into a shell.
func argument(value string) string {
	plain := func(c rune) bool {
		return strings.ContainsRune("-_.:/@", c) || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	if value != "" && strings.IndexFunc(value, func(c rune) bool { return !plain(c) }) < 0 {
		return value
	}
	return "'" + strings.ReplaceAll(text.Clean(value), "'", `'\''`) + "'"
}

// indented returns a value as indented JSON in which every character that could steer a terminal or
// mislead its reader is escaped.
func indented(value any) (string, error) {
	var encoded strings.Builder
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	var neutral strings.Builder
	for _, c := range encoded.String() {
		if !text.Misleading(c) {
			neutral.WriteRune(c)
			continue
		}
		for _, unit := range utf16.Encode([]rune{c}) {
			fmt.Fprintf(&neutral, `\u%04x`, unit)
		}
	}
	return neutral.String(), nil
}

// field prints a labelled line, unless the value is empty.
func field(out io.Writer, label, value string) {
	if value != "" {
		fmt.Fprintf(out, "  %-11s %s\n", label, value)
	}
}

// ago returns how long ago a time was, coarsely. It is empty for the zero time.
func ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return coarse(time.Since(t)) + " ago"
}

// coarse returns a duration in its largest unit.
func coarse(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

func size(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1000)
	default:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1000/1000)
	}
}

// help returns a command's description: paragraphs of lines of at most 100 columns, and the exit
// codes.
func help(paragraphs ...string) string {
	const columns = 100
	var page strings.Builder
	for _, paragraph := range paragraphs {
		column := 0
		for word := range strings.FieldsSeq(paragraph) {
			switch {
			case column == 0:
			case column+1+len(word) > columns:
				page.WriteByte('\n')
				column = 0
			default:
				page.WriteByte(' ')
				column++
			}
			page.WriteString(word)
			column += len(word)
		}
		page.WriteString("\n\n")
	}
	return page.String() + exitCodes
}
