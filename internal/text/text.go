// Package text validates ids and truncates text for messages.
package text

import (
	"regexp"
	"strings"
)

var plainIDPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._~-]{0,254}$`)

// PlainID reports whether id fits into one path segment unescaped, as the service's ids (UUIDs) do.
// Separators, dot segments and white space do not.
func PlainID(id string) bool { return plainIDPattern.MatchString(id) }

// Truncate returns text in at most limit bytes. A text that it cuts has only whole runes and ends
// in "...", which it keeps even when limit is smaller.
func Truncate(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const mark = "..."
	return strings.ToValidUTF8(text[:max(limit-len(mark), 0)], "") + mark
}

// Clip truncates a value to 80 bytes for an error message. A mistaken value can be a whole file.
func Clip(value string) string { return Truncate(value, 80) }
