package files

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

//go:generate go run ../../.ci/decompositions.go

// decomposition returns the canonical decompositions by character.
var decomposition = sync.OnceValue(func() map[rune]string {
	table := map[rune]string{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(decompositions, " "), " ") {
		composed, size := utf8.DecodeRuneInString(entry)
		table[composed] = entry[size:]
	}
	return table
})

// folded returns a key that two names share if any file system takes them for one: in both forms of
// an accent (NFC and NFD), whatever the letter case, without invisible joiners.
func folded(name string) string {
	var key []rune
	for _, r := range name {
		key = appendFolded(key, r)
	}
	sortMarks(key)
	return string(key)
}

// Hangul syllables are composed by arithmetic (Unicode, section 3.12).
const (
	firstSyllable, lastSyllable = 0xAC00, 0xD7A3
	firstLead, firstVowel       = 0x1100, 0x1161
	firstTrail                  = 0x11A7 // stands for none
	vowels, trails              = 21, 28
)

func appendFolded(key []rune, r rune) []rune {
	switch {
	case r < utf8.RuneSelf:
		return append(key, unicode.ToLower(r))
	case r == 'ß' || r == 'ẞ':
		return append(key, 's', 's')
	case r >= firstSyllable && r <= lastSyllable:
		index := r - firstSyllable
		key = append(key, firstLead+index/(vowels*trails), firstVowel+index/trails%vowels)
		if trail := index % trails; trail > 0 {
			key = append(key, firstTrail+trail)
		}
		return key
	case unicode.In(r, unicode.Cf, unicode.Variation_Selector):
		return key
	}
	parts, ok := decomposition()[r]
	if !ok {
		return append(key, foldCase(r))
	}
	for _, part := range parts {
		key = append(key, foldCase(part))
	}
	return key
}

// foldCase returns the smallest character that differs from r by case only, in lower case.
func foldCase(r rune) rune {
	smallest := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		smallest = min(smallest, other)
	}
	return unicode.ToLower(smallest)
}

// sortMarks sorts the marks behind each letter, whose order in a name may differ.
func sortMarks(key []rune) {
	for i := 0; i < len(key); i++ {
		first := i
		for i < len(key) && unicode.Is(unicode.Mn, key[i]) {
			i++
		}
		slices.Sort(key[first:i])
	}
}
