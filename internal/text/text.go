// Package text holds the helpers for text that several packages need.
package text

import (
	"regexp"
	"strings"
)

var plainIDPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._~-]{0,254}$`)

// PlainID reports whether id fits into one path segment unescaped, as every id of the service does
// (UUIDs). It admits no separator, no dot segment and no white space.
func PlainID(id string) bool { return plainIDPattern.MatchString(id) }

// Truncate returns text in at most the given number of bytes. It cuts at a rune, and a text that it
// cuts ends in "...". It drops what is not UTF-8 at the cut.
func Truncate(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const mark = "..."
	return strings.ToValidUTF8(text[:max(most-len(mark), 0)], "") + mark
}

// Clip truncates a value that an error message repeats, so that a mistaken one (a whole file, say)
// cannot fill it.
func Clip(value string) string { return Truncate(value, 80) }
