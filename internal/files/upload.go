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
	"time"
)

// stallTimeout ends a transfer of which nothing moves, neither a byte out nor the answer in.
const StallTimeout = 2 * time.Minute

// quota is how many bytes the files of one call may still have. It is taken up front for files whose size is known, by the
// read for others.
type Quota struct {
	whole int64 // unbounded when negative
	left  atomic.Int64
}

// newQuota returns a quota of limit bytes, unbounded when negative, of which some are taken.
func NewQuota(limit, taken int64) *Quota {
	q := &Quota{whole: limit}
	q.left.Store(limit - taken)
	return q
}

func (q *Quota) take(n int) error {
	if q.whole >= 0 && q.left.Add(-int64(n)) < 0 {
		return Invalid("goes on beyond the %d bytes that an execution takes", q.whole)
	}
	return nil
}

// upload is the body of a multipart form with one file, which is read as it is sent.
type Upload struct {
	formType string
	length   int64 // of the whole form; unknownSize when the file's is not known
	form     io.Reader
	sent     func(n int)

	mu     sync.Mutex // Close must not meet a Read
	file   *uploadedFile
	closed bool
}

// openUpload opens the file and puts the form's head and tail around it. Its errors are those of the source.
func OpenUpload(ctx context.Context, s *Source, name string, limit *Quota, sent func(n int)) (*Upload, error) {
	opened, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	var frame strings.Builder
	form := multipart.NewWriter(&frame)
	header := textproto.MIMEHeader{}
	// Neither needs escaping: names are made by uniqueNames, content types are checked when a reference is looked at.
	header.Set("Content-Disposition", `form-data; name="files"; filename="`+name+`"`)
	header.Set("Content-Type", s.ContentType)
	_, _ = form.CreatePart(header) // a strings.Builder never fails
	headLength := frame.Len()
	_ = form.Close()
	head, tail := frame.String()[:headLength], frame.String()[headLength:]

	u := &Upload{formType: form.FormDataContentType(), length: UnknownSize, sent: sent}
	u.file = &uploadedFile{ReadCloser: opened, size: s.Size, left: s.Size}
	if s.Size < 0 {
		u.file.limit = limit
	} else {
		u.length = int64(len(head)) + s.Size + int64(len(tail))
	}
	u.form = io.MultiReader(strings.NewReader(head), u.file, strings.NewReader(tail))
	return u, nil
}

func (u *Upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return 0, errors.New("closed")
	}
	n, err := u.form.Read(p)
	u.sent(n)
	return n, err
}

// Close is called by the transport, and by whoever opened the upload, in case it never got there.
func (u *Upload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil
	}
	u.closed = true
	return u.file.Close()
}

// trouble is what went wrong with reading the file, as opposed to sending it. It does not wait for a Read.
func (u *Upload) FileError() error {
	if err := u.file.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// FormType is the content type of the form.
func (u *Upload) FormType() string { return u.formType }

// Length is that of the form in bytes, negative when it is unknown.
func (u *Upload) Length() int64 { return u.length }

// size is how much of the file was read.
func (u *Upload) Size() int64 { return u.file.read.Load() }

// whole is whether that is all of it.
func (u *Upload) Complete() bool { return u.file.ended.Load() || u.Size() == u.file.size }

// uploadedFile reads as much of a file as was announced, and knows when that fails.
type uploadedFile struct {
	io.ReadCloser
	size   int64  // that was announced; unknownSize
	left   int64  // of that
	limit  *Quota // for a file of unknown size
	read   atomic.Int64
	ended  atomic.Bool
	failed atomic.Pointer[error]
}

func (f *uploadedFile) Read(p []byte) (int, error) {
	switch failed := f.failed.Load(); {
	case failed != nil:
		return 0, *failed
	case f.left == 0:
		return 0, f.end()
	case f.left > 0 && int64(len(p)) > f.left:
		p = p[:f.left]
	}
	n, err := f.ReadCloser.Read(p)
	f.read.Add(int64(n))
	if f.left > 0 {
		f.left -= int64(n)
	} else if over := f.limit.take(n); over != nil {
		err = over
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && f.left <= 0:
		f.ended.Store(true)
		return n, io.EOF
	case errors.Is(err, io.EOF):
		err = Unavailable("ended %d bytes early: it changed while it was being sent", f.left)
	default:
		err = StoreError("the file could not be read", err)
	}
	f.failed.Store(&err)
	return n, err
}

// end makes sure that the file has no more than was announced: what is sent would not be all of it.
func (f *uploadedFile) end() error {
	n, err := f.ReadCloser.Read(make([]byte, 1))
	switch {
	case n > 0:
		err = Unavailable("has more than the %d bytes that it had: it changed while it was being sent", f.size)
	case err == nil, errors.Is(err, io.EOF):
		return err
	default:
		err = StoreError("the file could not be read", err)
	}
	f.failed.Store(&err)
	return err
}

var errStalled = errors.New("nothing moved for " + StallTimeout.String())

// watchStall returns a context that ends when alive has not been called for so long.
func WatchStall(ctx context.Context, limit time.Duration) (watched context.Context, alive, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(limit, func() { cancel(errStalled) })
	return watched, func() { timer.Reset(limit) }, func() { timer.Stop(); cancel(nil) }
}
