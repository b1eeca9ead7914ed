package client

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"io"

	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// ErrTooLarge is the cause of an Error about a response that is larger than its operation's bound.
var ErrTooLarge = errors.New("the response is too large")

// stream reads JSON value by value, in bounded memory. It checks the syntax of the values that it
// returns, and of the others only the brackets.
type stream struct{ in *bufio.Reader }

// newStream returns a stream of at most budget.Listing bytes. Its error beyond is ErrTooLarge.
func newStream(in io.Reader) *stream {
	return &stream{bufio.NewReaderSize(&boundedReader{in, budget.Listing}, 64<<10)}
}

// boundedReader fails with ErrTooLarge beyond so many bytes.
type boundedReader struct {
	io.Reader
	left int64
}

func (r *boundedReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, ErrTooLarge
	}
	n, err := r.Reader.Read(p)
	r.left -= int64(n)
	return n, err
}

// peek returns the next byte that is not white space, and does not consume it.
func (s *stream) peek() (byte, error) {
	for {
		c, err := s.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, errNotJSON
		case err != nil:
			return 0, err
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return c, s.in.UnreadByte()
		}
	}
}

// expect consumes the next byte that is not white space.
func (s *stream) expect(wanted byte) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != wanted {
		return errNotJSON
	}
	_, err = s.in.Discard(1)
	return err
}

// elements calls visit for each element of an array, or of an object with the member's name. visit
// consumes the value. A value of another form is skipped.
func (s *stream) elements(open byte, visit func(name string) error) error {
	closing := open + 2 // in ASCII, '}' is '{'+2 and ']' is '['+2
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != open {
		return s.skip()
	}
	_, _ = s.in.Discard(1)
	if c, err = s.peek(); err != nil || c == closing {
		_, _ = s.in.Discard(1)
		return err
	}
	for {
		name := ""
		if open == '{' {
			raw, err := s.value(maxStreamedItem)
			if err != nil {
				return err
			}
			if json.Unmarshal(raw, &name) != nil {
				return errNotJSON
			}
			if err := s.expect(':'); err != nil {
				return err
			}
		}
		if err := visit(name); err != nil {
			return err
		}
		c, err := s.peek()
		switch {
		case err != nil:
			return err
		case c != closing && c != ',':
			return errNotJSON
		}
		_, _ = s.in.Discard(1)
		if c == closing {
			return nil
		}
	}
}

// members consumes the object that is the whole response, and calls visit for the value of one
// member.
func (s *stream) members(wanted string, visit func() error) error {
	if c, err := s.peek(); err != nil || c != '{' {
		return cmp.Or(err, error(errNotJSON))
	}
	err := s.elements('{', func(name string) error {
		if name == wanted {
			return visit()
		}
		return s.skip()
	})
	if err != nil {
		return err
	}
	if _, err = s.peek(); !errors.Is(err, errNotJSON) { // there is more than the object
		return cmp.Or(err, error(errNotJSON))
	}
	return nil
}

// maxStreamedItem is more than the longest names and paths of a file take in JSON.
const maxStreamedItem = 64 << 10

// skip consumes a value.
func (s *stream) skip() error {
	_, err := s.value(0)
	return err
}

// value consumes a value and returns its text, nil where that has more than so many bytes.
func (s *stream) value(most int) ([]byte, error) {
	if _, err := s.peek(); err != nil {
		return nil, err
	}
	var text []byte
	depth, quoted, escaped := 0, false, false
	for read := 0; ; read++ {
		c, err := s.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil, errNotJSON
		case err != nil:
			return nil, err
		}
		outside := false // the byte stands behind the value
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
			outside = depth < 0 // the bracket of the container ends a number
		case depth == 0:
			outside = c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\r' || c == '\n'
		}
		if outside {
			if read == 0 {
				return nil, errNotJSON
			}
			return text, s.in.UnreadByte()
		}
		if read < most {
			text = append(text, c)
		} else {
			text, most = nil, 0
		}
		if depth == 0 && !quoted && (c == '"' || c == '}' || c == ']') {
			return text, nil
		}
	}
}

// object consumes a value and returns its members, nil where it is no object or too large.
func (s *stream) object() (members, error) {
	raw, err := s.value(maxStreamedItem)
	if err != nil || raw == nil {
		return nil, err
	}
	found, err := splitObject(raw)
	if err != nil {
		return nil, nil //nolint:nilerr // one bad item costs that item, not the list
	}
	return found, nil
}
