//go:build ignore

// Columns fails if a comment line of a hand-written Go file or a line of a Markdown file is wider
// than 100 columns. A tab counts as 4 columns. It reads the files that git tracks below the current
// directory. Markdown tables, Go directives, trailing comments and lines of a single word, such as
// a URL, may be wider.
package main

import (
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"strings"
	"unicode/utf8"
)

const maxColumns = 100

func main() {
	list, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		fail("list the files that git tracks", err)
	}
	wide := 0
	for file := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		var check func(lines []string) []int
		switch {
		case strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, ".gen.go"):
			check = commentLines
		case strings.HasSuffix(file, ".md"):
			check = markdownLines
		default:
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			fail("read a tracked file", err)
		}
		lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
		for _, n := range check(lines) {
			if columns := width(lines[n]); columns > maxColumns && !singleWord(lines[n]) {
				fmt.Printf("%s:%d: %d columns\n", file, n+1, columns)
				wide++
			}
		}
	}
	if wide > 0 {
		fmt.Fprintf(os.Stderr, "%d lines are wider than %d columns; wrap them\n", wide, maxColumns)
		os.Exit(1)
	}
}

func fail(tried string, err error) {
	fmt.Fprintf(os.Stderr, "could not %s: %v\n", tried, err)
	os.Exit(1)
}

// commentLines returns the indexes of the lines on which a Go comment comes first. It scans tokens,
// because a string can contain what looks like a comment.
func commentLines(lines []string) (indexes []int) {
	source := []byte(strings.Join(lines, "\n"))
	file := token.NewFileSet().AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, func(token.Position, string) {}, scanner.ScanComments) // build reports errors
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return indexes
		}
		if tok != token.COMMENT || strings.HasPrefix(text, "//go:") || strings.HasPrefix(text, "//nolint") {
			continue
		}
		at := file.PositionFor(pos, false)
		for n := range strings.Count(text, "\n") + 1 {
			if n > 0 || strings.TrimSpace(lines[at.Line-1][:at.Column-1]) == "" {
				indexes = append(indexes, at.Line-1+n)
			}
		}
	}
}

// markdownLines returns the indexes of the lines outside tables.
func markdownLines(lines []string) (indexes []int) {
	for n, line := range lines {
		if !strings.HasPrefix(strings.TrimSpace(line), "|") {
			indexes = append(indexes, n)
		}
	}
	return indexes
}

func width(line string) int { return utf8.RuneCountInString(line) + 3*strings.Count(line, "\t") }

// singleWord reports whether the line, without markers of comments, lists and quotations, has no
// space at which it could be wrapped.
func singleWord(line string) bool {
	words := strings.Fields(line)
	for len(words) > 1 && strings.Trim(words[0], "/*->") == "" {
		words = words[1:]
	}
	return len(words) == 1
}
