package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

func TestTruncateCutsAtRunesAndMarksTheCut(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"fits":            {"abc", 3, "abc"},
		"cut":             {"abcdef", 5, "ab..."},
		"inside a rune":   {"aéééé", 7, "aé..."},
		"only the mark":   {"abcdef", 3, "..."},
		"less than that":  {"abcdef", 1, "..."},
		"empty":           {"", 0, ""},
		"no UTF-8 at all": {strings.Repeat("\xff", 9), 8, "..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := text.Truncate(row.text, row.limit)
			require.Equal(t, row.want, got)
			require.True(t, utf8.ValidString(got))
		})
	}
}

func TestPlainIDAdmitsOnePathSegment(t *testing.T) {
	t.Parallel()
	for id, plain := range map[string]bool{
		"0f8fad5b-d9cb-469f-a165-70867728950e": true, "agent_1.v2~b": true, "": false, ".": false, "..": false, "a/b": false, `a\b`: false, "a b": false,
		"a%2fb": false, "é": false, strings.Repeat("a", 255): true, strings.Repeat("a", 256): false,
	} {
		require.Equal(t, plain, text.PlainID(id), id)
	}
}

func TestCleanReplacesMisleadingCharacters(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"pay\u202egpj.exe":          "pay\ufffdgpj.exe",
		"\u2066a\u2069\u200e\u200f": "\ufffda\ufffd\ufffd\ufffd",
		"a\x00b\x1b[31mc\x7f":       "a\ufffdb\ufffd[31mc\ufffd",
		"a\r\nb\tc":                 "a \nb\tc",
		"\u2028\ufeff\u200b\u3164":  "\ufffd\ufffd\ufffd\ufffd",
		"\xff\xfe":                  "\ufffd\ufffd",
		"flag \U000e0041":           "flag \ufffd",
		"👨\u200d👩\u200d👧 ❤\ufe0f é": "👨\u200d👩\u200d👧 ❤\ufe0f é",
	} {
		got := text.Clean(given)
		require.Equal(t, want, got)
		require.Equal(t, got, text.Clean(got))
		require.GreaterOrEqual(t, len(got), len(given)-1)
	}
}

func TestProseCutsVisiblyAfterCleaning(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"0123456789":               "0123456789",
		"0123456789x":              "0123456...",
		"\x00\x00\x00":             "\ufffd\ufffd\ufffd",
		"\x00\x00\x00\x00":         "\ufffd\ufffd...",
		"012345678é":               "0123456...",
		strings.Repeat("é", 99):    "ééé...",
		strings.Repeat("x", 1<<20): "xxxxxxx...",
	} {
		require.Equal(t, want, text.Prose(given, 10))
	}
	require.Equal(t, "a b c", text.Line("  a\n\tb   c ", 10))
	require.Equal(t, "a b c d...", text.Line("a\nb\nc\nd\ne\nf", 10))
}
