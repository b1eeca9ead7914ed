package rows

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"
)

// The encodings that [Options].Encoding may name.
const (
	utf8Name    = "utf-8"
	utf16Name   = "utf-16"
	latin1Name  = "latin1"
	windowsName = "windows-1252"
)

// character is one character of a file. bad is the byte that is none in the file's encoding.
type character struct {
	r   rune
	at  Position
	bad *Problem
}

// characters reads the characters of a file in any encoding and knows where each stands.
type characters struct {
	source  *bufio.Reader
	decode  func(c *characters) (rune, bool, error)
	ahead   []decoded // were looked at, and not read yet
	failed  error     // that of a look ahead: a source that is read again after an error may say that it has ended
	next    Position
	afterCR bool
	wide    bool // UTF-16
}

// decoded is a rune that was not read yet. ok is false if it is the value of a byte that is no
// character.
type decoded struct {
	r  rune
	ok bool
}

// newCharacters finds out the encoding of a file: that of its byte order mark, else the given one,
// else UTF-8.
func newCharacters(source io.Reader, encoding string) (*characters, error) {
	const buffer = 64 << 10
	c := &characters{source: bufio.NewReaderSize(source, buffer), next: Position{1, 1}}
	head, err := c.source.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return nil, fileErrorAt(c.next, "is a workbook or a ZIP archive: save it as CSV")
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return nil, fileErrorAt(c.next, "is compressed: decompress it")
	}
	marked, length := "", 0
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		marked, length, c.decode = utf8Name, 3, decodeUTF8
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		marked, length, c.decode = utf16Name, 2, decodeUTF16(binary.LittleEndian)
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		marked, length, c.decode = utf16Name, 2, decodeUTF16(binary.BigEndian)
	case encoding == utf16Name && len(head) > 0 && head[0] == 0:
		c.decode = decodeUTF16(binary.BigEndian)
	case encoding == utf16Name:
		c.decode = decodeUTF16(binary.LittleEndian)
	case encoding == latin1Name, encoding == windowsName:
		c.decode = decodeWindows
	default:
		c.decode = decodeUTF8
	}
	c.wide = marked == utf16Name || marked == "" && encoding == utf16Name
	if marked != "" && encoding != "" && encoding != marked {
		return nil, fileErrorAt(c.next, "begins with the byte order mark of %s, and the encoding is said to be %s", marked, encoding)
	}
	_, err = c.source.Discard(length)
	return c, err
}

// read returns the next character, or io.EOF.
func (c *characters) read() (character, error) {
	var d decoded
	switch {
	case len(c.ahead) > 0:
		d, c.ahead = c.ahead[0], c.ahead[1:]
	case c.failed != nil:
		return character{}, c.failed
	default:
		r, ok, err := c.decode(c)
		if err != nil {
			return character{}, err
		}
		d = decoded{r, ok}
	}
	got := character{r: d.r, at: c.next}
	switch {
	case !d.ok && c.wide:
		got.bad, got.r = problemAt(c.next, "0x%X is half a character of UTF-16", d.r), utf8.RuneError
	case !d.ok:
		got.bad = problemAt(c.next, "the byte 0x%X is no UTF-8: set the encoding, such as %s", d.r, windowsName)
		got.r = utf8.RuneError
	case d.r == 0:
		got.bad = problemAt(c.next, "has a zero byte: if the file is UTF-16, set the encoding %s", utf16Name)
	}
	switch {
	case d.r == '\n' && c.afterCR:
		got.at = c.next // the line has been counted
	case d.r == '\n', d.r == '\r':
		c.next = Position{c.next.Line + 1, 1}
	default:
		c.next.Column++
	}
	c.afterCR = d.r == '\r'
	return got, nil
}

// peek returns the character at this distance without reading it. ok is false at the end of the
// file, and where it cannot be read: read says why.
func (c *characters) peek(distance int) (r rune, ok bool) {
	for len(c.ahead) <= distance {
		if c.failed != nil {
			return 0, false
		}
		r, ok, err := c.decode(c)
		if err != nil {
			c.failed = err
			return 0, false
		}
		c.ahead = append(c.ahead, decoded{r, ok})
	}
	return c.ahead[distance].r, true
}

// skipLineFeed reads the line feed that belongs to a carriage return.
func (c *characters) skipLineFeed() error {
	if r, ok := c.peek(0); !ok || r != '\n' {
		return nil
	}
	_, err := c.read()
	return err
}

func decodeUTF8(c *characters) (rune, bool, error) {
	r, size, err := c.source.ReadRune()
	if err != nil || r != utf8.RuneError || size != 1 {
		return r, true, err
	}
	if err := c.source.UnreadRune(); err != nil {
		return 0, false, err
	}
	b, err := c.source.ReadByte()
	return rune(b), false, err
}

// decodeUTF16 returns the decoder of UTF-16 in a byte order.
func decodeUTF16(order binary.ByteOrder) func(*characters) (rune, bool, error) {
	unit := func(b []byte) rune { return rune(order.Uint16(b)) }
	return func(c *characters) (rune, bool, error) {
		const highFrom, lowFrom, lowTo, size = 0xD800, 0xDC00, 0xE000, 2
		b, err := c.source.Peek(size)
		if len(b) < size {
			if len(b) == 1 && errors.Is(err, io.EOF) {
				_, err = c.source.Discard(1)
				return rune(b[0]), false, err
			}
			return 0, false, err
		}
		first := unit(b)
		if _, err := c.source.Discard(size); err != nil || first < highFrom || first >= lowTo {
			return first, true, err
		}
		if b, _ := c.source.Peek(size); first < lowFrom && len(b) == size {
			if second := unit(b); second >= lowFrom && second < lowTo {
				_, err := c.source.Discard(size)
				return 0x10000 + (first-highFrom)<<10 + (second - lowFrom), true, err
			}
		}
		return first, false, nil
	}
}

// windows1252 are the characters from 0x80 to 0x9F. Browsers read Latin-1 as Windows-1252 too,
// because nothing else in these places is ever meant.
var windows1252 = [...]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8D, 'Ž', 0x8F,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9D, 'ž', 'Ÿ',
}

func decodeWindows(c *characters) (rune, bool, error) {
	b, err := c.source.ReadByte()
	if place := int(b) - 0x80; err == nil && place >= 0 && place < len(windows1252) {
		return windows1252[place], true, nil
	}
	return rune(b), true, err
}
