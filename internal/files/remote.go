package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/httphdr"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Remote is a file that is fetched over HTTP.
type Remote struct {
	Client *http.Client
	// Locate returns the URL of the file. Every request calls it.
	Locate func(ctx context.Context) (string, error)
	// Renewable means that Locate may return another URL when the server refuses this one as
	// unauthorized.
	Renewable bool
	Name      string        // for errors
	Size      int64         // in bytes; UnknownSize if it is not known
	timeout   time.Duration // of a whole download; 0 means none
	maxBytes  int64         // 0 means unbounded
	coding    string        // of the content, see contentCoding; Size and digests are those of the encoded file
}

// probeTimeout bounds the request for the first bytes of a file.
const probeTimeout = 30 * time.Second

// probe requests the first bytes. It sets size and coding to those that the response states, and
// returns the response's header.
func (r *Remote) probe(ctx context.Context) (header http.Header, head []byte, err error) {
	const headSize = 512 // as much as http.DetectContentType reads
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, fmt.Errorf("no answer within %s", probeTimeout))
	defer cancel()
	response, err := r.get(ctx, "bytes=0-"+strconv.Itoa(headSize-1), "")
	if err == nil && response.StatusCode == http.StatusRequestedRangeNotSatisfiable { // an empty file has no first byte
		_ = response.Body.Close()
		response, err = r.get(ctx, "", "")
	}
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	_, total, ranged := contentRange(response.Header)
	switch {
	case response.StatusCode == http.StatusPartialContent && ranged:
		r.Size = total
	case response.StatusCode == http.StatusOK:
		r.Size = max(response.ContentLength, UnknownSize)
	default:
		return nil, nil, r.statusError(response)
	}
	if r.coding, err = contentCoding(response.Header); err != nil {
		return nil, nil, Invalid("%s: %w", r.Name, err)
	}
	head = make([]byte, headSize)
	n, err := io.ReadFull(response.Body, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, r.fetchError(ctx, err)
	}
	return response.Header, head[:n], nil
}

// get makes one request and returns the response, whatever its status.
func (r *Remote) get(ctx context.Context, byteRange, validator string) (*http.Response, error) {
	address, err := r.Locate(ctx)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: its URL is not valid for a request", r.Name)
	}
	request.Header.Set("User-Agent", httphdr.UserAgent)
	request.Header.Set("Accept-Encoding", "identity") // sizes, ranges and digests must be those of the file itself
	if byteRange != "" {
		request.Header.Set("Range", byteRange)
	}
	if validator != "" {
		request.Header.Set("If-Range", validator)
	}
	response, err := r.Client.Do(request)
	if err != nil {
		return nil, r.fetchError(ctx, err)
	}
	return response, nil
}

// maxForeign bounds what an error repeats of a response.
const maxForeign = 300

// blockedError is a refusal by this worker: the reference is invalid, and no retry helps.
type blockedError struct{ error }

func (e *blockedError) Unwrap() error { return e.error }

// fetchError returns the error of a request that failed or of a body that broke off. Its text
// leaves out the URL, which may hold a signature.
func (r *Remote) fetchError(ctx context.Context, err error) error {
	if blocked := (*blockedError)(nil); errors.As(err, &blocked) {
		return Invalid("%s: %w", r.Name, blocked.error)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	// net/http repeats a malformed header as a whole, for example.
	if foreign := err.Error(); strings.Contains(foreign, "?") {
		err = errors.New("the response, or the URL that it redirects to, is malformed")
	} else if bounded := text.Prose(foreign, maxForeign); bounded != foreign {
		err = errors.New(bounded)
	}
	return Unavailable("%s: %w", r.Name, err)
}

// statusError classifies a response that brings no file.
func (r *Remote) statusError(response *http.Response) error {
	message := fmt.Sprintf("%s: answered %d %s", r.Name, response.StatusCode, http.StatusText(response.StatusCode))
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Unauthorized("%s: this worker may not access the file, or its link has expired", message)
	case status == http.StatusNotFound, status == http.StatusGone:
		return NotFound("%s", message)
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return &Error{Type: asteroid.ErrorTypeUnavailable, RetryAfter: httphdr.RetryAfter(response.Header, time.Now()), error: errors.New(message)}
	default:
		return Invalid("%s", message)
	}
}

// contentRange returns the offset where a response's content starts and the size of the whole file,
// which is UnknownSize if the header does not state it.
func contentRange(header http.Header) (start, total int64, ok bool) {
	unit, rest, _ := strings.Cut(header.Get("Content-Range"), " ")
	byteRange, size, found := strings.Cut(rest, "/")
	if unit != "bytes" || !found {
		return 0, UnknownSize, false
	}
	total, err := strconv.ParseInt(size, 10, 64)
	if err != nil || total < 0 {
		total = UnknownSize
	}
	first, _, _ := strings.Cut(byteRange, "-")
	start, err = strconv.ParseInt(first, 10, 64)
	return start, total, err == nil
}
