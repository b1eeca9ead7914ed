// Package text validates ids, and cleans and truncates text for messages and for people.
package text

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var plainIDPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._~-]{0,254}$`)

// PlainID reports whether id fits into one path segment unescaped, as the service's ids (UUIDs) do.
// Separators, dot segments and white space do not.
func PlainID(id string) bool { return plainIDPattern.MatchString(id) }

// mark ends a text that was cut.
const mark = "..."

// Truncate returns text in at most limit bytes. A text that it cuts has only whole runes and ends
// in "...", which it keeps even when limit is smaller.
func Truncate(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:max(limit-len(mark), 0)], "") + mark
}

// Clip cleans a value and truncates it to 80 bytes for an error message. A mistaken value can be a
// whole file.
func Clip(value string) string { return Prose(value, 80) }

// Misleading reports whether a character is invisible or changes how others appear: a control
// character other than a line break or a tab, a bidirectional control, a line separator, a private
// or ignorable character. The joiners that emoji and some scripts need are not.
func Misleading(r rune) bool {
	switch r {
	case '\n', '\t', '\u200c', '\u200d', '\ufe0e', '\ufe0f':
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point)
}

// Clean returns text with U+FFFD in place of each misleading character and of what is not UTF-8,
// and a blank in place of each carriage return. It never returns fewer bytes than it gets.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return ' '
		case Misleading(r):
			return utf8.RuneError
		default:
			return r
		}
	}, text)
}

// Prose returns a foreign text cleaned, in at most limit bytes, cut as Truncate does.
func Prose(text string, limit int) string {
	return Truncate(Clean(text[:min(len(text), limit+utf8.UTFMax)]), limit)
}

// Line is Prose with each run of white space as one blank.
func Line(text string, limit int) string {
	const most = 4 // times the limit: a text of more blanks than words is cut before
	cut := text[:min(len(text), most*(limit+utf8.UTFMax))]
	line := strings.Join(strings.Fields(cut), " ")
	if len(cut) < len(text) {
		line += mark
	}
	return Prose(line, limit)
}
