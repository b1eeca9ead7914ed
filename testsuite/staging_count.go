package testsuite

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/textproto"
)

// countBuffer is how many bytes of a body are read at a time. mime/multipart reads 4 KiB, which
// takes many more system calls.
const countBuffer = 256 << 10

var errForm = errors.New("the body is not a multipart form with the boundary of its Content-Type")

// countForm reads an upload form like receiveForm, but counts the contents instead of storing them.
func countForm(body io.Reader, boundary string) (uploads []upload, err error) {
	form := &formCounter{bufio.NewReaderSize(body, countBuffer)}
	delimiter := []byte("\r\n--" + boundary)
	if preamble, err := form.skipTo(delimiter[2:]); err != nil || preamble > 0 {
		return nil, errForm
	}
	for {
		// A boundary is followed by the end of the form or of the line.
		switch after, err := form.Peek(2); {
		case err != nil:
			return nil, errForm
		case string(after) == "--" && len(uploads) > 0:
			_, err = io.Copy(io.Discard, form) // ignores what follows the form
			return uploads, err
		case string(after) != "\r\n":
			return nil, errForm
		}
		header, err := form.header()
		if err != nil {
			return nil, err
		}
		u, err := newUpload(uploads, &multipart.Part{Header: header})
		if err != nil {
			return nil, err
		}
		size, err := form.skipTo(delimiter)
		if err != nil {
			return nil, err
		}
		u.blob = &blob{size: size}
		uploads = append(uploads, u)
	}
}

type formCounter struct{ *bufio.Reader }

// skipTo reads up to and including mark, and returns the number of bytes before it.
func (r formCounter) skipTo(mark []byte) (before int64, err error) {
	for {
		if _, err := r.Peek(len(mark)); err != nil { // fills the buffer
			return before, errForm
		}
		window, _ := r.Peek(r.Buffered())
		at := bytes.Index(window, mark)
		if at >= 0 {
			_, err := r.Discard(at + len(mark))
			return before + int64(at), err
		}
		// The last bytes may be the beginning of the mark.
		n, err := r.Discard(len(window) - len(mark) + 1)
		before += int64(n)
		if err != nil {
			return before, err
		}
	}
}

// header reads the header of a part, from the end of the boundary's line to the empty line. It must
// fit into the buffer.
func (r formCounter) header() (textproto.MIMEHeader, error) {
	end := []byte("\r\n\r\n")
	for size := len(end); ; size = r.Buffered() + 1 {
		if _, err := r.Peek(size); err != nil {
			return nil, errForm
		}
		window, _ := r.Peek(r.Buffered())
		if at := bytes.Index(window, end); at >= 0 {
			head := append(bytes.Clone(window[min(2, at):at]), end...) // without the end of the boundary's line
			if _, err := r.Discard(at + len(end)); err != nil {
				return nil, err
			}
			return textproto.NewReader(bufio.NewReader(bytes.NewReader(head))).ReadMIMEHeader()
		}
	}
}
