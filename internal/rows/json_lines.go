package rows

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// lineReader reads JSON objects, one a line.
type lineReader struct {
	text  *characters
	line  []byte
	names []string // of the members of the line's object, in order
}

// next returns the row of the next line that is not blank, and adds its members to the columns.
func (l *lineReader) next(r *Reader) (*Row, error) {
	for {
		begin := l.text.next
		problem, ended, err := l.readLine(begin)
		if err != nil {
			return nil, err
		}
		if blank := len(bytes.TrimSpace(l.line)) == 0; blank && problem == nil {
			if ended {
				return nil, io.EOF
			}
			continue
		}
		l.names = l.names[:0]
		row := &Row{Line: begin.Line, Problem: problem, Cells: map[string]json.RawMessage{}, at: map[string]Position{}}
		if problem == nil {
			row.Problem = l.object(row)
		}
		return row, r.addColumns(row, l.names)
	}
}

// readLine reads one line into line. ended says that the file ends with it.
func (l *lineReader) readLine(begin Position) (problem *Problem, ended bool, err error) {
	l.line = l.line[:0]
	for {
		got, err := l.text.read()
		switch {
		case errors.Is(err, io.EOF):
			return problem, true, nil
		case err != nil:
			return nil, false, err
		case got.r == '\n':
			return problem, false, nil
		case got.r == '\r':
			return problem, false, l.text.skipLineFeed()
		case got.bad != nil && problem == nil:
			problem = got.bad
		case len(l.line) >= MaxRow && problem == nil:
			problem = problemAt(begin, "the row has more than %d bytes", MaxRow)
		case problem == nil:
			l.line = utf8.AppendRune(l.line, got.r)
		}
	}
}

// object decodes the line into the row.
func (l *lineReader) object(row *Row) *Problem {
	begin := len(l.line) - len(bytes.TrimLeft(l.line, " \t"))
	if l.line[begin] == '[' {
		return l.problem(row.Line, begin, "is no JSON object: write each row as an object on a line of its own, without a list around them")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(l.line, &whole); err != nil {
		return l.syntaxProblem(row.Line, err)
	}
	if l.line[begin] != '{' {
		return l.problem(row.Line, begin, "is no JSON object")
	}
	decoder := json.NewDecoder(bytes.NewReader(l.line))
	_, _ = decoder.Token() // the line is valid
	for decoder.More() {
		token, _ := decoder.Token()
		name, _ := token.(string)
		at := l.position(row.Line, int(decoder.InputOffset())-1)
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return l.syntaxProblem(row.Line, err)
		}
		value = compact(value)
		_, twice := row.Cells[name]
		switch {
		case name == "":
			return problemAt(at, "has a member without a name")
		case twice:
			return problemAt(at, "has the member %s twice", text.Clip(name))
		case len(value) > MaxCell:
			return problemAt(at, "the value of %s has more than %d bytes", text.Clip(name), MaxCell)
		}
		if problem := checkName(at, name); problem != nil {
			return problem
		}
		row.Cells[name], row.at[name] = value, at
		l.names = append(l.names, name)
	}
	return nil
}

// addColumns adds names to the columns of the file.
func (r *Reader) addColumns(row *Row, names []string) error {
	for _, name := range names {
		if r.known[name] {
			continue
		}
		if len(r.columns) == MaxColumns {
			return fileErrorAt(row.At(name), "the rows have more than %d columns together", MaxColumns)
		}
		r.known[name] = true
		r.columns = append(r.columns, name)
	}
	return nil
}

func (l *lineReader) syntaxProblem(line int, err error) *Problem {
	offset := len(l.line)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && int(syntax.Offset) <= offset {
		offset = max(int(syntax.Offset)-1, 0)
		if bytes.HasPrefix([]byte(syntax.Error()), []byte("unexpected end")) {
			return l.problem(line, len(l.line), "the object ends too early: write each on one line")
		}
	}
	return l.problem(line, offset, "is no valid JSON")
}

func (l *lineReader) problem(line, offset int, text string) *Problem {
	return &Problem{l.position(line, offset), text}
}

// position returns the place of a byte of the line.
func (l *lineReader) position(line, offset int) Position {
	return Position{line, utf8.RuneCount(l.line[:min(offset, len(l.line))]) + 1}
}

// compact returns JSON without white space between its tokens.
func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return bytes.Clone(raw)
	}
	return b.Bytes()
}
