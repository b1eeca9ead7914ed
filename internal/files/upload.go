package files

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
)

// Quota bounds the bytes of all files of one call. Files of known size take their share in advance,
// the others with each read.
type Quota struct {
	limit     int64 // unbounded if negative
	remaining atomic.Int64
}

// NewQuota returns a quota of limit bytes, unbounded if negative, of which some are taken already.
func NewQuota(limit, taken int64) *Quota {
	q := &Quota{limit: limit}
	q.remaining.Store(limit - taken)
	return q
}

// take fails when n more bytes exceed the quota.
func (q *Quota) take(n int) error {
	if q.limit >= 0 && q.remaining.Add(-int64(n)) < 0 {
		return Invalid("exceeds the %d bytes that an execution takes", q.limit)
	}
	return nil
}

// Upload is the body of a multipart form with one file. The file is read while the form is sent.
type Upload struct {
	formType string
	length   int64 // of the whole form; UnknownSize if the file's size is unknown
	form     io.Reader
	sent     func(n int)

	mu     sync.Mutex // keeps Close from running during a Read
	file   *uploadedFile
	closed bool
}

// OpenUpload opens the file and puts the form's head and tail around it. The name is one of
// UniqueNames. Every Read calls sent with its number of bytes. Errors are those of the source.
func OpenUpload(ctx context.Context, s *Source, name string, quota *Quota, sent func(n int)) (*Upload, error) {
	opened, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	var frame strings.Builder
	form := multipart.NewWriter(&frame)
	header := textproto.MIMEHeader{}
	// Neither needs escaping: UniqueNames makes the names, and content types are checked when the
	// source is found.
	header.Set("Content-Disposition", `form-data; name="files"; filename="`+name+`"`)
	header.Set("Content-Type", s.ContentType)
	_, _ = form.CreatePart(header) // a strings.Builder never fails
	headLength := frame.Len()
	_ = form.Close()
	head, tail := frame.String()[:headLength], frame.String()[headLength:]

	u := &Upload{formType: form.FormDataContentType(), length: UnknownSize, sent: sent}
	u.file = &uploadedFile{ReadCloser: opened, size: s.Size, remaining: s.Size}
	if s.Size < 0 {
		u.file.quota = quota
	} else {
		u.length = int64(len(head)) + s.Size + int64(len(tail))
	}
	u.form = io.MultiReader(strings.NewReader(head), u.file, strings.NewReader(tail))
	return u, nil
}

// Read implements [io.Reader].
func (u *Upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return 0, errors.New("the upload is closed")
	}
	n, err := u.form.Read(p)
	u.sent(n)
	return n, err
}

// Close closes the file. The HTTP transport calls it, and so must whoever opened the upload,
// because a request may fail before it reaches the transport.
func (u *Upload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	u.closed = true
	return u.file.Close()
}

// FileError returns the error of reading the file, as opposed to sending it. It does not wait for a
// Read.
func (u *Upload) FileError() error {
	if err := u.file.err.Load(); err != nil {
		return *err
	}
	return nil
}

// FormType returns the content type of the form.
func (u *Upload) FormType() string { return u.formType }

// Length returns the length of the form in bytes, negative if it is unknown.
func (u *Upload) Length() int64 { return u.length }

// BytesRead returns how many bytes of the file were read.
func (u *Upload) BytesRead() int64 { return u.file.read.Load() }

// Complete reports whether the whole file was read.
func (u *Upload) Complete() bool { return u.file.ended.Load() || u.BytesRead() == u.file.size }

// uploadedFile reads as many bytes of a file as its source stated, and fails if the file has fewer
// or more.
type uploadedFile struct {
	io.ReadCloser
	size      int64  // as the source stated it, or UnknownSize
	remaining int64  // of size
	quota     *Quota // for a file of unknown size
	read      atomic.Int64
	ended     atomic.Bool
	err       atomic.Pointer[error] // of reading the file
}

func (f *uploadedFile) Read(p []byte) (int, error) {
	switch earlier := f.err.Load(); {
	case earlier != nil:
		return 0, *earlier
	case f.remaining == 0:
		return 0, f.checkEnd()
	case f.remaining > 0 && int64(len(p)) > f.remaining:
		p = p[:f.remaining]
	}
	n, err := f.ReadCloser.Read(p)
	f.read.Add(int64(n))
	if f.remaining > 0 {
		f.remaining -= int64(n)
	} else if exceeded := f.quota.take(n); exceeded != nil {
		err = exceeded
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && f.remaining <= 0:
		f.ended.Store(true)
		return n, io.EOF
	case errors.Is(err, io.EOF):
		err = Unavailable("ended %d bytes early: it changed while it was being sent", f.remaining)
	default:
		err = StoreError("the file", err)
	}
	f.err.Store(&err)
	return n, err
}

// checkEnd returns io.EOF if the file ends where its source stated. A longer file would be sent
// incomplete.
func (f *uploadedFile) checkEnd() error {
	n, err := f.ReadCloser.Read(make([]byte, 1))
	switch {
	case n > 0:
		err = Unavailable("has more than its former %d bytes: it changed while it was being sent", f.size)
	case err == nil, errors.Is(err, io.EOF):
		return err
	default:
		err = StoreError("the file", err)
	}
	f.err.Store(&err)
	return err
}
