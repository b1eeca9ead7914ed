package files

import (
	"cmp"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// uniqueNames returns a name for each: no directories, printable ASCII without what a header or a shell might
// trip over, and no two alike even where letter case does not count.
func UniqueNames(wanted []string) []string {
	names := make([]string, len(wanted))
	taken := make(map[string]bool, len(wanted))
	for i, name := range wanted {
		clean := asciiName(name)
		ending := path.Ext(clean)
		names[i] = numbered("", strings.TrimSuffix(clean, ending), ending, func(name string) bool { return taken[name] })
		taken[strings.ToLower(names[i])] = true
	}
	return names
}

// outputPaths gives files paths that can be side by side.
type Paths struct{ files, folders map[string]bool }

func NewPaths() *Paths { return &Paths{map[string]bool{}, map[string]bool{}} }

// reserve takes a path as it is.
func (p *Paths) Reserve(name string) {
	name = strings.ToLower(name)
	p.files[name] = true
	for folder := path.Dir(name); folder != "." && folder != "/"; folder = path.Dir(folder) {
		p.folders[folder] = true
	}
}

// unique takes a path, with numbers in it where needed: no two files lie at the same, even where letter case does not count, and
// none where another one has a folder.
func (p *Paths) Unique(name string) string {
	folder, last := path.Split(name)
	clean := ""
	for element := range strings.SplitSeq(strings.TrimSuffix(folder, "/"), "/") {
		clean = numbered(clean, element, "", func(name string) bool { return p.files[name] })
	}
	ending := path.Ext(last)
	clean = numbered(clean, strings.TrimSuffix(last, ending), ending, func(name string) bool { return p.files[name] || p.folders[name] })
	p.Reserve(clean)
	return clean
}

// numbered puts a number before the ending of a name that is taken in its folder.
func numbered(folder, stem, ending string, taken func(lower string) bool) string {
	name := path.Join(folder, stem+ending)
	for n := 2; taken(strings.ToLower(name)); n++ {
		name = path.Join(folder, stem+"-"+strconv.Itoa(n)+ending)
	}
	return name
}

const maxName = 200

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

// safePath returns a relative path that stays where it is put: no element that leads up, no control character, no
// separator of another system, nothing too long for a disk.
func SafePath(name string) string {
	var elements []string
	for element := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		element = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || !unicode.IsPrint(r) || strings.ContainsRune(`:*?"<>|`, r) {
				return '_'
			}
			return r
		}, strings.ToValidUTF8(element, "_"))
		elements = append(elements, usable(shorten(element)))
	}
	const deepest = 20
	if len(elements) > deepest {
		elements = elements[len(elements)-deepest:]
	}
	return cmp.Or(path.Join(elements...), "file")
}

// shorten keeps the ending.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	ending := path.Ext(name)
	if len(ending) >= maxName {
		ending = ""
	}
	return strings.ToValidUTF8(name[:maxName-len(ending)], "") + ending
}

// usable replaces a name that a system reads in its own way, or not at all, or that SaveFiles would take for a part of its own.
func usable(name string) string {
	switch {
	case strings.Trim(name, "._ ") == "":
		return "file"
	case strings.HasPrefix(strings.ToLower(name), partPrefix):
		return "_" + name
	}
	return name
}
