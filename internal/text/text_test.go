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
