package files

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/httphdr"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

// remote is a file that is fetched over HTTP.
type Remote struct {
	Client *http.Client
	// locate returns where the file is. It is asked again when the address no longer serves.
	Locate func(ctx context.Context) (string, error)
	// renewable says that the next answer of locate may serve where this one is refused.
	Renewable bool
	Name      string        // for errors
	Size      int64         // unknownSize when that is not known
	timeout   time.Duration // for all of it; none when 0
	most      int64         // bytes; unbounded when 0
}

const (
	// maxStumbles is how often in a row a fetch may break off without having brought a byte.
	maxStumbles = 4
	// maxBreaks is how often it may break off altogether: a host that sends a byte at a time is not waited for.
	maxBreaks = 100
)

// stumblePause is the wait before the third request in a row; each further one comes so much later.
const stumblePause = 500 * time.Millisecond

var errChanged = errors.New("it changed while it was being fetched")

// peek asks for the first bytes. It sets the size, if it is told.
func (r *Remote) peek(ctx context.Context) (contentType string, head []byte, err error) {
	const some = 512 // what http.DetectContentType looks at
	ctx, cancel := context.WithTimeoutCause(ctx, peekTimeout, fmt.Errorf("no answer within %s", peekTimeout))
	defer cancel()
	response, err := r.get(ctx, "bytes=0-"+strconv.Itoa(some-1), "")
	if err == nil && response.StatusCode == http.StatusRequestedRangeNotSatisfiable { // an empty file has no first byte
		_ = response.Body.Close()
		response, err = r.get(ctx, "", "")
	}
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = response.Body.Close() }()
	_, total, ranged := contentRange(response.Header)
	switch {
	case response.StatusCode == http.StatusPartialContent && ranged:
		r.Size = total
	case response.StatusCode == http.StatusOK:
		r.Size = max(response.ContentLength, UnknownSize)
	default:
		return "", nil, r.refused(response)
	}
	head = make([]byte, some)
	n, err := io.ReadFull(response.Body, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", nil, r.broken(ctx, err)
	}
	return response.Header.Get("Content-Type"), head[:n], nil
}

// get makes one request and returns its answer, whatever its status. Where it gets none it fails.
func (r *Remote) get(ctx context.Context, byteRange, validator string) (*http.Response, error) {
	address, err := r.Locate(ctx)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be asked for", r.Name)
	}
	request.Header.Set("User-Agent", httphdr.UserAgent)
	request.Header.Set("Accept-Encoding", "identity") // sizes, ranges and digests are those of the file itself
	if byteRange != "" {
		request.Header.Set("Range", byteRange)
	}
	if validator != "" {
		request.Header.Set("If-Range", validator)
	}
	response, err := r.Client.Do(request)
	if err != nil {
		return nil, r.broken(ctx, err)
	}
	return response, nil
}

// broken says why a fetch broke off. The address is left out: it may hold a signature.
func (r *Remote) broken(ctx context.Context, err error) error {
	if blocked := (*blockedError)(nil); errors.As(err, &blocked) {
		return Invalid("%s: %w", r.Name, blocked.error)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if strings.Contains(err.Error(), "?") { // a header that cannot be read, say, is repeated as a whole
		err = errors.New("the answer, or where it redirects to, cannot be read")
	}
	return Unavailable("%s: %w", r.Name, err)
}

// refused says what the status of an answer means that brings no file.
func (r *Remote) refused(response *http.Response) error {
	said := fmt.Sprintf("%s: answered %d %s", r.Name, response.StatusCode, http.StatusText(response.StatusCode))
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Unauthorized("%s: the file is not open to this worker, or its link has expired", said)
	case status == http.StatusNotFound, status == http.StatusGone:
		return NotFound("%s", said)
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return &Error{Type: asteroid.ErrorTypeUnavailable, RetryAfter: httphdr.RetryAfter(response.Header, time.Now()), error: errors.New(said)}
	default:
		return Invalid("%s", said)
	}
}

// contentRange reads where an answer begins and how long the whole is, unknownSize if that is not told.
func contentRange(header http.Header) (start, total int64, ok bool) {
	unit, rest, _ := strings.Cut(header.Get("Content-Range"), " ")
	where, of, found := strings.Cut(rest, "/")
	if unit != "bytes" || !found {
		return 0, UnknownSize, false
	}
	total, err := strconv.ParseInt(of, 10, 64)
	if err != nil || total < 0 {
		total = UnknownSize
	}
	begin, _, _ := strings.Cut(where, "-")
	start, err = strconv.ParseInt(begin, 10, 64)
	return start, total, err == nil
}

// remoteBody reads a file to its end, with as many requests as that takes: one that breaks off is continued from where it
// was, with a fresh link if the old one has expired, and started over where the host knows no ranges.
type remoteBody struct {
	*Remote
	ctx       context.Context
	cancel    context.CancelFunc
	size      int64 // unknownSize until the end is seen
	offset    int64
	validator string       // what tells this version from another one; empty where the host does not say
	passed    maphash.Hash // of what was read, where there is no validator
	Digests   digests
	stumbles  int           // in a row
	breaks    int           // altogether
	failed    error         // the last one, which ends it
	body      io.ReadCloser // nil between two requests
}

// open begins to fetch. Its errors are those of the first request.
func (r *Remote) Open(ctx context.Context) (*remoteBody, error) {
	b := &remoteBody{Remote: r, cancel: func() {}, size: r.Size}
	b.ctx = ctx
	if r.timeout > 0 {
		b.ctx, b.cancel = context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("not fetched within %s", r.timeout))
	}
	for b.body == nil {
		if err := b.request(); err != nil && !b.stumble(err) {
			b.cancel()
			return nil, b.failed
		}
	}
	return b, nil
}

// openChecked is open, and becomes an error in place of the end where the host tells a checksum that the content does not have.
func (r *Remote) OpenChecked(ctx context.Context) (io.ReadCloser, error) {
	body, err := r.Open(ctx)
	if err != nil {
		return nil, err
	}
	if len(body.Digests) == 0 {
		return body, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{NewCheckedReader(r.Name, body, r.Size, body.Digests), body}, nil
}

func (b *remoteBody) Read(p []byte) (int, error) {
	for b.failed == nil {
		if b.body == nil {
			if err := b.request(); err != nil && !b.stumble(err) {
				break
			}
			continue
		}
		n, err := b.body.Read(p)
		b.offset += int64(n)
		if b.validator == "" {
			_, _ = b.passed.Write(p[:n]) // a hash never fails
		}
		switch {
		case b.size >= 0 && b.offset > b.size:
			b.failed = Unavailable("%s has more than the %d bytes that were announced", b.Name, b.size)
		case b.most > 0 && b.offset > b.most:
			b.failed = Invalid("%s has more than the %d bytes that this worker fetches", b.Name, b.most)
		case n > 0:
			b.stumbles = 0
			return n, nil // an error comes again with the next call
		case err != nil && b.offset == b.size, errors.Is(err, io.EOF) && b.size < 0:
			b.failed = io.EOF
		case err != nil:
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("ended after %d of %d bytes", b.offset, b.size)
			}
			b.drop()
			b.stumble(b.broken(b.ctx, err))
		}
	}
	return 0, b.failed
}

// stumble decides whether to go on after an error.
func (b *remoteBody) stumble(err error) bool {
	var trouble *Error
	b.stumbles++
	b.breaks++
	passing := errors.As(err, &trouble) && !errors.Is(err, errChanged) && (trouble.Type == asteroid.ErrorTypeUnavailable && trouble.RetryAfter == 0 ||
		trouble.Type == asteroid.ErrorTypeUnauthorized && b.Renewable)
	if passing && b.stumbles < maxStumbles && b.breaks < maxBreaks && parallel.Sleep(b.ctx, time.Duration(b.stumbles-1)*stumblePause) {
		return true
	}
	if b.Renewable && errors.As(err, &trouble) && trouble.Type == asteroid.ErrorTypeUnauthorized {
		err = Unavailable("%w", trouble.error) // a link that works may come later
	}
	b.failed = err
	return false
}

// request asks for what is still missing.
func (b *remoteBody) request() error {
	byteRange := ""
	if b.offset > 0 && b.validator != "" {
		byteRange = fmt.Sprintf("bytes=%d-", b.offset)
	}
	response, err := b.get(b.ctx, byteRange, b.validator)
	if err != nil {
		return err
	}
	if err := b.accept(response); err != nil {
		_ = response.Body.Close()
		return err
	}
	b.body = response.Body
	return nil
}

// accept leaves the answer's body where the file goes on.
func (b *remoteBody) accept(response *http.Response) error {
	changed := Unavailable("%s: %w", b.Name, errChanged)
	start, total, ranged := contentRange(response.Header)
	again := validatorOf(response.Header)
	switch status := response.StatusCode; {
	case status == http.StatusRequestedRangeNotSatisfiable && b.offset > 0 && total == b.offset:
		_ = response.Body.Close() // says so in words
		response.Body, b.size = http.NoBody, total
		return nil
	case status == http.StatusPartialContent && ranged && b.offset > 0:
		if start != b.offset || total >= 0 && b.size >= 0 && total != b.size || again != "" && again != b.validator {
			return changed
		}
		return nil
	case status != http.StatusOK:
		return b.refused(response)
	case b.size >= 0 && response.ContentLength >= 0 && response.ContentLength != b.size:
		return changed
	case b.offset == 0:
		b.validator, b.Digests = again, digestsOf(response.Header)
		return nil
	case b.validator != "" && again != b.validator:
		return changed
	}
	// The host knows no ranges, or not whether this is still the same: then what was read tells.
	var same maphash.Hash
	same.SetSeed(b.passed.Seed())
	if _, err := io.CopyN(&same, response.Body, b.offset); err != nil {
		return b.broken(b.ctx, err)
	}
	if b.validator == "" && same.Sum64() != b.passed.Sum64() {
		return changed
	}
	return nil
}

// validatorOf is what tells one version of a file from another, in the form that If-Range takes.
func validatorOf(header http.Header) string {
	if tag := header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return header.Get("Last-Modified")
}

func (b *remoteBody) drop() {
	if b.body != nil {
		_ = b.body.Close()
		b.body = nil
	}
}

// Close ends the fetch. It must not meet a Read.
func (b *remoteBody) Close() error {
	b.cancel()
	b.drop()
	return nil
}
