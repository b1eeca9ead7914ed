package text

import (
	"regexp"
	"strings"
)

// plainIDPattern admits every id that the service makes (UUIDs) and whatever else fits into one path segment
// unescaped, but no separator, no dot segment, no white space.
var plainIDPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._~-]{0,254}$`)

func PlainID(id string) bool { return plainIDPattern.MatchString(id) }

// clip keeps a mistaken value (a whole file, say) from filling an error message.
func Clip(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
