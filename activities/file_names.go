package activities

import (
	"path"
	"strconv"
	"strings"
	"unicode"
)

// uniqueNames returns a name for each: no directories, printable ASCII without what a header or a shell might
// trip over, and no two alike even where letter case does not count.
func uniqueNames(wanted []string) []string {
	names := make([]string, len(wanted))
	taken := make(map[string]bool, len(wanted))
	for i, name := range wanted {
		names[i] = unique(taken, asciiName(name))
	}
	return names
}

// unique puts a number before the ending of a name that is taken.
func unique(taken map[string]bool, name string) string {
	ending := path.Ext(name)
	stem := strings.TrimSuffix(name, ending)
	for n := 2; taken[strings.ToLower(name)]; n++ {
		name = stem + "-" + strconv.Itoa(n) + ending
	}
	taken[strings.ToLower(name)] = true
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
func safePath(name string) string {
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
	return first(path.Join(elements...), "file")
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

// usable replaces a name that a system reads in its own way, or not at all.
func usable(name string) string {
	if strings.Trim(name, "._ ") == "" {
		return "file"
	}
	return name
}
