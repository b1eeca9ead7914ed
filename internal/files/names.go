package files

import (
	"cmp"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// UniqueNames returns a name for each of the wanted ones: without directories, of ASCII letters,
// digits and a few signs that are safe in a header or a shell. No two are equal, even where letter
// case does not count.
func UniqueNames(wanted []string) []string {
	names := make([]string, len(wanted))
	taken := make(map[string]bool, len(wanted))
	for i, original := range wanted {
		clean := asciiName(original)
		ending := path.Ext(clean)
		names[i] = numbered("", strings.TrimSuffix(clean, ending), ending, func(name string) bool { return taken[name] })
		taken[folded(names[i])] = true
	}
	return names
}

// PathSet holds the relative paths of files that lie beneath one directory and do not collide, on
// any file system.
type PathSet struct{ files, folders map[string]bool } // keys are folded

// NewPathSet returns an empty set.
func NewPathSet() *PathSet { return &PathSet{map[string]bool{}, map[string]bool{}} }

// Reserve adds a path unchanged.
func (p *PathSet) Reserve(name string) {
	name = folded(name)
	p.files[name] = true
	for folder := path.Dir(name); folder != "." && folder != "/"; folder = path.Dir(folder) {
		p.folders[folder] = true
	}
}

// Unique adds a path and returns it, with numbers in it where needed: no two files have the same
// path, even where letter case or the form of an accent does not count, and no file has the path of
// a folder.
func (p *PathSet) Unique(name string) string {
	folder, last := path.Split(name)
	unique := ""
	for element := range strings.SplitSeq(strings.TrimSuffix(folder, "/"), "/") {
		unique = numbered(unique, element, "", func(name string) bool { return p.files[name] })
	}
	ending := path.Ext(last)
	unique = numbered(unique, strings.TrimSuffix(last, ending), ending, func(name string) bool { return p.files[name] || p.folders[name] })
	p.Reserve(unique)
	return unique
}

// numbered returns the path of a name in a folder, with a number before its ending if it is taken.
func numbered(folder, stem, ending string, taken func(folded string) bool) string {
	name := path.Join(folder, stem+ending)
	for n := 2; taken(folded(name)); n++ {
		name = path.Join(folder, stem+"-"+strconv.Itoa(n)+ending)
	}
	return name
}

// maxName bounds a name, or an element of a path, in bytes.
const maxName = 200

// asciiName returns the last element of a path, with an underscore for every character that is not
// safe in a header or a shell.
func asciiName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	ascii := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-+() ", r):
			return r
		default:
			return '_'
		}
	}, name)
	return usable(shorten(ascii))
}

// SafePath returns a relative path that stays beneath the directory it is joined to: no element
// leads up, holds a control character or another system's separator, or is too long for a disk.
func SafePath(name string) string {
	var elements []string
	for element := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		element = strings.Map(func(r rune) rune {
			if text.Misleading(r) || unicode.IsControl(r) || strings.ContainsRune(`:*?"<>|`, r) {
				return '_'
			}
			return r
		}, strings.ToValidUTF8(element, "_"))
		elements = append(elements, usable(shorten(element)))
	}
	const maxDepth = 20
	elements = elements[max(0, len(elements)-maxDepth):]
	return cmp.Or(path.Join(elements...), "file")
}

// shorten cuts a name to maxName bytes and keeps its ending. It removes dots and blanks at the end,
// as Windows does.
func shorten(name string) string {
	name = strings.TrimRight(name, ". ")
	if len(name) > maxName {
		ending := path.Ext(name)
		if len(ending) >= maxName {
			ending = ""
		}
		name = strings.ToValidUTF8(name[:maxName-len(ending)], "") + ending
	}
	return strings.TrimRight(name, ". ")
}

// deviceNames are the names that Windows takes for a device, with any ending.
var deviceNames = regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)`)

// usable replaces a name that has a special meaning to a system, or that DiskStore would take for
// one of its temporary files.
func usable(name string) string {
	switch {
	case strings.Trim(name, "._ ") == "":
		return "file"
	case strings.HasPrefix(strings.ToLower(name), partPrefix), deviceNames.MatchString(name):
		return "_" + name
	}
	return name
}
