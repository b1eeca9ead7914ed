package files

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

// usableName matches every name that UniqueNames may return.
var usableName = regexp.MustCompile(`^[A-Za-z0-9._+() -]{1,210}$`)

// FuzzUniqueNames checks that the names made of any texts are harmless and unique.
func FuzzUniqueNames(f *testing.F) {
	for _, names := range []string{"a\na\nA", "../..\n..\n.\n", "a-2\na\na", "x\x00y\r\nx_y", "a/b\nb\\b", strings.Repeat("n", 500) + "\n" + strings.Repeat("n", 400), "a." + strings.Repeat("e", 300), "é.txt\nè.txt", ".csv\n.CSV", "a.\na\na .", "con\nCON.txt\nlpt1.a.b"} {
		f.Add(names)
	}
	f.Fuzz(func(t *testing.T, texts string) {
		wanted := strings.Split(texts, "\n")
		if len(wanted) > asteroid.MaxFiles {
			return
		}
		seen := map[string]bool{}
		for _, name := range UniqueNames(wanted) {
			require.Regexp(t, usableName, name)
			require.NotEmpty(t, strings.Trim(name, ". "))
			require.Equal(t, strings.TrimRight(name, ". "), name)
			require.NotRegexp(t, deviceNames, name)
			require.False(t, seen[strings.ToLower(name)], name)
			seen[strings.ToLower(name)] = true
		}
	})
}

// FuzzSafePath checks that the paths made of any texts stay beneath their directory and do not
// collide.
func FuzzSafePath(f *testing.F) {
	for _, paths := range []string{
		"a\na\nA", "a\na/b\na/b/c", "a/b\na", "../../x\n..", "/etc/passwd", `..\..\x`, "C:\\x\nC:/x", "a\x00b\na\u202eb", ".asteroid-part-x-AAAAAAAAAAAAAAAA", strings.Repeat("d/", 100), strings.Repeat("é", 300),
		"caf\u00e9\ncafe\u0301\nCAFE\u0301", "\uac01\n\u1100\u1161\u11a8", "nul\nNUL.txt\ncom\u00b9", "a./b\na/b\na /b", "ss\n\u00df", "a\u200db\nab", "\u212a\nk",
		"a/.\na/..", "a-2\na\na\na-2/x", "A\na/x\nA/x",
	} {
		f.Add(paths)
	}
	f.Fuzz(func(t *testing.T, texts string) {
		wanted := strings.Split(texts, "\n")
		if len(wanted) > asteroid.MaxFiles {
			return
		}
		paths := NewPathSet()
		files := map[string]bool{}
		var made []string
		for _, text := range wanted {
			made = append(made, paths.Unique("downloads/"+SafePath(text)))
		}
		for _, name := range made {
			require.True(t, filepath.IsLocal(name), name)
			require.Equal(t, filepath.Clean(name), name)
			require.NotRegexp(t, `[\x00-\x1f\x7f\\:*?"<>|]`, name)
			require.False(t, files[strings.ToLower(name)], name)
			files[strings.ToLower(name)] = true
			for element := range strings.SplitSeq(name, "/") {
				require.LessOrEqual(t, len(element), 255)
				require.False(t, strings.HasPrefix(strings.ToLower(element), partPrefix))
				require.NotRegexp(t, deviceNames, element)
				require.Equal(t, strings.TrimRight(element, ". "), element)
			}
		}
		for _, name := range made {
			for folder := filepath.Dir(name); folder != "."; folder = filepath.Dir(folder) {
				require.False(t, files[strings.ToLower(folder)], "%s is a file and a folder", folder)
			}
		}
	})
}
