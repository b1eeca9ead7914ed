package rows

import "fmt"

// Problem is what is wrong with a row or a file, and where. Line and Column count from 1, and
// Column counts characters.
type Problem struct {
	Position
	Text string
}

// Position is a place in a file.
type Position struct{ Line, Column int }

// String returns the problem with its place.
func (p *Problem) String() string {
	return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Text)
}

// FileError is the error of a file that cannot be read any further because of a problem in it.
type FileError struct{ Problem *Problem }

// Error returns the problem with its place.
func (e *FileError) Error() string { return e.Problem.String() }

func problemAt(at Position, format string, args ...any) *Problem {
	return &Problem{at, fmt.Sprintf(format, args...)}
}

func fileErrorAt(at Position, format string, args ...any) error {
	return &FileError{problemAt(at, format, args...)}
}
