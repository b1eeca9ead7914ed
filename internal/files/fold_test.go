package files

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFoldedIsEqualForNamesThatFileSystemsFold(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{
		{"caf\u00e9.pdf", "cafe\u0301.pdf", "CAFE\u0301.PDF", "CAF\u00c9.pdf"},
		{"\u0439", "\u0438\u0306", "\u0419"},         // Cyrillic short i
		{"\u1ec7", "e\u0323\u0302", "e\u0302\u0323"}, // Vietnamese, marks in either order
		{"\uac01", "\u1100\u1161\u11a8"},             // a Hangul syllable and its letters
		{"\u304c", "\u304b\u3099"},                   // Japanese ga
		{"\u212b", "\u00c5", "a\u030a"},              // the Angstrom sign
		{"k", "K", "\u212a"}, {"s", "\u017f"},        // the Kelvin sign, the long s
		{"\u03c3", "\u03c2", "\u03a3"},                 // the final sigma
		{"stra\u00dfe", "STRASSE"}, {"a\u200db", "ab"}, // a joiner
	} {
		for _, name := range names {
			require.Equal(t, folded(names[0]), folded(name), "%+q", name)
		}
	}
	seen := map[string]string{}
	for _, name := range []string{"e", "\u00e9", "\u00e8", "\u0438", "\u0439", "\u304b", "\u304c", "\uac00", "\uac01", "a", "\u00e5", "\u0430"} {
		require.Empty(t, seen[folded(name)], "%+q", name)
		seen[folded(name)] = name
	}
}

func TestPathSetNumbersNamesThatFileSystemsFold(t *testing.T) {
	t.Parallel()
	paths := NewPathSet()
	for _, row := range [][2]string{
		{"d/caf\u00e9.pdf", "d/caf\u00e9.pdf"}, {"d/cafe\u0301.pdf", "d/cafe\u0301-2.pdf"}, {"d/r\u00e9sum\u00e9", "d/r\u00e9sum\u00e9"},
		{"d/resume", "d/resume"}, {"d/con.txt", "d/_con.txt"}, {"d/NUL", "d/_NUL"}, {"d/_nul", "d/_nul-2"}, {"d/report.", "d/report"},
		{"d/report ", "d/report-2"}, {"d/console.txt", "d/console.txt"}, {"d/com1 .txt", "d/_com1 .txt"}, {"d/e\u0301/x", "d/e\u0301/x"},
	} {
		require.Equal(t, row[1], paths.Unique(SafePath(row[0])), "%+q", row[0])
	}
}
