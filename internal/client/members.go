package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// The functions of this file take JSON apart without decoding it, member by member. encoding/json
// refuses a whole response for one member of another type, and for a value that is nested deeper
// than 10,000 levels. A result of an agent may be of any depth.

// members is a JSON object whose values are not decoded.
type members map[string]json.RawMessage

// notJSONError is the error of text that is not JSON.
type notJSONError struct {
	member string // the name of the member at fault, in quotes; empty if it is not known
	value  []byte // the text from the member's value on
}

func (e *notJSONError) Error() string {
	if e.member == "" {
		return "is not JSON"
	}
	return "has the member " + e.member + ", which is not JSON"
}

var errNotJSON = &notJSONError{}

// splitObject returns the members of a JSON object. Of two members with one name the last counts.
func splitObject(raw []byte) (members, error) {
	found := members{}
	end, err := eachElement(raw, '{', '}', func(name, value []byte) error {
		var decoded string
		if err := json.Unmarshal(name, &decoded); err != nil {
			return errNotJSON
		}
		found[decoded] = value
		return nil
	})
	if err != nil {
		return nil, innermost(err)
	}
	return found, onlySpace(raw[end:])
}

// innermost returns the error of the innermost member at fault, such as result in executionResult.
// It descends three levels at most, because each costs a scan of the rest.
func innermost(err error) error {
	for range 3 {
		outer, ok := errors.AsType[*notJSONError](err)
		if !ok || len(outer.value) == 0 || outer.value[0] != '{' {
			break
		}
		_, below := eachElement(outer.value, '{', '}', func(_, _ []byte) error { return nil })
		inner, ok := errors.AsType[*notJSONError](below)
		if !ok || inner.member == "" {
			break
		}
		err = inner
	}
	return err
}

// splitArray returns the items of a JSON array.
func splitArray(raw []byte) ([]json.RawMessage, error) {
	var items []json.RawMessage
	end, err := eachElement(raw, '[', ']', func(_, value []byte) error {
		items = append(items, value)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, onlySpace(raw[end:])
}

func onlySpace(rest []byte) error {
	if len(bytes.TrimLeft(rest, " \t\r\n")) > 0 {
		return errNotJSON
	}
	return nil
}

// eachElement calls visit for each element of an object or array and returns where it ends. The
// error of a value that is not JSON names its member.
func eachElement(raw []byte, open, closing byte, visit func(name, value []byte) error) (end int, err error) {
	i := skipSpace(raw, 0)
	if i >= len(raw) || raw[i] != open {
		return 0, fmt.Errorf("does not begin with %c", open)
	}
	i = skipSpace(raw, i+1)
	if i < len(raw) && raw[i] == closing {
		return i + 1, nil
	}
	for {
		var name []byte
		if open == '{' {
			colonEnd, ok := skipName(raw, i)
			if !ok {
				return 0, errNotJSON
			}
			name = bytes.TrimRight(raw[i:colonEnd-1], " \t\r\n")
			i = skipSpace(raw, colonEnd)
		}
		valueEnd, ok := skipValue(raw, i)
		if !ok {
			return 0, &notJSONError{string(name), raw[i:]}
		}
		if err := visit(name, raw[i:valueEnd]); err != nil {
			return 0, err
		}
		i = skipSpace(raw, valueEnd)
		switch {
		case i >= len(raw):
			return 0, errNotJSON
		case raw[i] == closing:
			return i + 1, nil
		case raw[i] != ',':
			return 0, errNotJSON
		}
		i = skipSpace(raw, i+1)
	}
}

func skipSpace(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\r' || raw[i] == '\n') {
		i++
	}
	return i
}

// skipValue returns where the JSON value at i ends. It checks the value's syntax and uses a stack
// of its own, so that no depth is too deep.
func skipValue(raw []byte, i int) (end int, ok bool) {
	var stack []byte // the closing bracket of each open one
	for {
		// A value begins here.
		i = skipSpace(raw, i)
		if i >= len(raw) {
			return 0, false
		}
		switch c := raw[i]; c {
		case '{', '[':
			stack = append(stack, c+2) // in ASCII, '}' is '{'+2 and ']' is '['+2
			i = skipSpace(raw, i+1)
			if i < len(raw) && raw[i] == c+2 {
				break // empty: the closing bracket is handled below
			}
			if c == '{' {
				if i, ok = skipName(raw, i); !ok {
					return 0, false
				}
			}
			continue
		case '"':
			if i, ok = skipString(raw, i); !ok {
				return 0, false
			}
		default:
			if i, ok = skipLiteral(raw, i); !ok {
				return 0, false
			}
		}
		// A value has ended, or an empty container is about to.
		for {
			if len(stack) == 0 {
				return i, true
			}
			if i = skipSpace(raw, i); i >= len(raw) {
				return 0, false
			}
			top := stack[len(stack)-1]
			if raw[i] == top {
				stack, i = stack[:len(stack)-1], i+1
				continue
			}
			if raw[i] != ',' {
				return 0, false
			}
			i = skipSpace(raw, i+1)
			if top == '}' {
				if i, ok = skipName(raw, i); !ok {
					return 0, false
				}
			}
			break
		}
	}
}

// skipName skips a member's name and its colon.
func skipName(raw []byte, i int) (end int, ok bool) {
	if i, ok = skipString(raw, i); !ok {
		return 0, false
	}
	if i = skipSpace(raw, i); i >= len(raw) || raw[i] != ':' {
		return 0, false
	}
	return i + 1, true
}

func skipString(raw []byte, i int) (end int, ok bool) {
	if i >= len(raw) || raw[i] != '"' {
		return 0, false
	}
	for i++; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			return i + 1, true
		case c < ' ':
			return 0, false
		case c == '\\':
			i++
			if i >= len(raw) || !bytes.ContainsRune([]byte(`"\/bfnrtu`), rune(raw[i])) {
				return 0, false
			}
			if raw[i] == 'u' {
				for range 4 {
					if i++; i >= len(raw) || !isHex(raw[i]) {
						return 0, false
					}
				}
			}
		}
	}
	return 0, false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// skipLiteral skips a number, true, false or null.
func skipLiteral(raw []byte, i int) (end int, ok bool) {
	end = i
	for end < len(raw) && bytes.IndexByte([]byte(" \t\r\n,]}"), raw[end]) < 0 {
		end++
	}
	return end, json.Valid(raw[i:end])
}
