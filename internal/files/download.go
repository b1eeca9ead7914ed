package files

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const (
	// maxFailuresInRow bounds the consecutive requests that fail without a byte.
	maxFailuresInRow = 4
	// maxFailures bounds all failed requests of a download, so that a host that sends one byte a
	// request cannot occupy it.
	maxFailures = 100
	// retryDelayStep is the delay before the third consecutive request. Each further request waits
	// one step longer.
	retryDelayStep = 500 * time.Millisecond
)

var errChanged = errors.New("it changed while it was being fetched")

// Download is the content of a Remote. It makes as many requests as the content takes: after an
// interruption it continues at its offset, with a new link if the old one has expired. If the host
// does not support ranges, it starts over and skips what was read already.
type Download struct {
	*Remote
	Digests Digests // as the first response states them

	ctx           context.Context
	cancel        context.CancelFunc
	size          int64 // UnknownSize until the end is reached
	offset        int64
	validator     string        // identifies the version of the file; empty if the host states none
	readHash      maphash.Hash  // of what was read, if there is no validator
	failuresInRow int           // since the last byte
	failures      int           // in all
	err           error         // the final error, or io.EOF
	body          io.ReadCloser // nil between two requests
}

// Open starts a download. Its errors are those of the first requests.
func (r *Remote) Open(ctx context.Context) (*Download, error) {
	d := &Download{Remote: r, ctx: ctx, cancel: func() {}, size: r.Size}
	if r.timeout > 0 {
		d.ctx, d.cancel = context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("not fetched within %s", r.timeout))
	}
	for d.body == nil {
		if err := d.request(); err != nil && !d.retry(err) {
			d.cancel()
			return nil, d.err
		}
	}
	return d, nil
}

// OpenChecked starts a download that fails in place of io.EOF if the content does not match the
// checksums that the host states.
func (r *Remote) OpenChecked(ctx context.Context) (io.ReadCloser, error) {
	download, err := r.Open(ctx)
	if err != nil {
		return nil, err
	}
	if len(download.Digests) == 0 {
		return download, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{NewCheckedReader(r.Name, download, r.Size, download.Digests), download}, nil
}

// Read implements [io.Reader].
func (d *Download) Read(p []byte) (int, error) {
	for d.err == nil {
		if d.body == nil {
			if err := d.request(); err != nil && !d.retry(err) {
				break
			}
			continue
		}
		n, err := d.body.Read(p)
		d.offset += int64(n)
		if d.validator == "" {
			_, _ = d.readHash.Write(p[:n]) // a hash never fails
		}
		switch {
		case d.size >= 0 && d.offset > d.size:
			d.err = Unavailable("%s has more than the %d bytes that were announced", d.Name, d.size)
		case d.maxBytes > 0 && d.offset > d.maxBytes:
			d.err = Invalid("%s has more than the %d bytes that this worker fetches", d.Name, d.maxBytes)
		case n > 0:
			d.failuresInRow = 0
			return n, nil // the next Read returns err again
		case err != nil && d.offset == d.size, errors.Is(err, io.EOF) && d.size < 0:
			d.err = io.EOF
		case err != nil:
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("ended after %d of %d bytes", d.offset, d.size)
			}
			d.closeBody()
			d.retry(d.fetchError(d.ctx, err))
		}
	}
	return 0, d.err
}

// retry reports, after a delay, whether to make another request after a failed one. Otherwise it
// ends the download with the error.
func (d *Download) retry(err error) bool {
	d.failuresInRow++
	d.failures++
	classified, ok := errors.AsType[*Error](err)
	expired := ok && classified.Type == asteroid.ErrorTypeUnauthorized && d.Renewable
	passing := ok && classified.Type == asteroid.ErrorTypeUnavailable && classified.RetryAfter == 0 && !errors.Is(err, errChanged)
	if (passing || expired) && d.failuresInRow < maxFailuresInRow && d.failures < maxFailures &&
		parallel.Sleep(d.ctx, time.Duration(d.failuresInRow-1)*retryDelayStep) {
		return true
	}
	if expired {
		err = Unavailable("%w", classified.error) // a later link may work
	}
	d.err = err
	return false
}

// request requests what is still missing.
func (d *Download) request() error {
	byteRange := ""
	if d.offset > 0 && d.validator != "" {
		byteRange = fmt.Sprintf("bytes=%d-", d.offset)
	}
	response, err := d.get(d.ctx, byteRange, d.validator)
	if err != nil {
		return err
	}
	if err := d.accept(response); err != nil {
		_ = response.Body.Close()
		return err
	}
	d.body = response.Body
	return nil
}

// accept checks that a response continues the same file, and advances its body to the offset.
func (d *Download) accept(response *http.Response) error {
	changed := Unavailable("%s: %w", d.Name, errChanged)
	start, total, ranged := contentRange(response.Header)
	validator := validatorOf(response.Header)
	coding, err := contentCoding(response.Header)
	if success := response.StatusCode/100 == 2; success && d.coding == "" && (coding != "" || err != nil) {
		return Invalid("%s arrives with the Content-Encoding %s, although its own bytes were requested", d.Name, text.Clip(response.Header.Get("Content-Encoding")))
	} else if success && coding != d.coding {
		return changed
	}
	switch status := response.StatusCode; {
	case status == http.StatusRequestedRangeNotSatisfiable && d.offset > 0 && total == d.offset:
		_ = response.Body.Close() // it holds an error text
		response.Body, d.size = http.NoBody, total
		return nil
	case status == http.StatusPartialContent && ranged && d.offset > 0:
		if start != d.offset || total >= 0 && d.size >= 0 && total != d.size || validator != "" && validator != d.validator {
			return changed
		}
		return nil
	case status != http.StatusOK:
		return d.statusError(response)
	case d.size >= 0 && response.ContentLength >= 0 && response.ContentLength != d.size:
		return changed
	case d.offset == 0:
		d.validator, d.Digests = validator, digestsOf(response.Header)
		return nil
	case d.validator != "" && validator != d.validator:
		return changed
	}
	// The host does not support ranges, or states no validator. Then the content is compared with
	// what was read.
	var skipped maphash.Hash
	skipped.SetSeed(d.readHash.Seed())
	if _, err := io.CopyN(&skipped, livingReader{response.Body, d.ctx}, d.offset); err != nil {
		return d.fetchError(d.ctx, err)
	}
	if d.validator == "" && skipped.Sum64() != d.readHash.Sum64() {
		return changed
	}
	return nil
}

// validatorOf returns what identifies the version of a file, in the form that If-Range takes: a
// strong ETag, or a Last-Modified that is strong because it lies a second or more before the Date
// of the response (RFC 9110, section 8.8.2.2). Within the same second the file may change again.
func validatorOf(header http.Header) string {
	if tag := header.Get("ETag"); len(tag) >= 2 && strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`) {
		return tag
	}
	modified, err := http.ParseTime(header.Get("Last-Modified"))
	date, dateErr := http.ParseTime(header.Get("Date"))
	if err != nil || dateErr != nil || date.Sub(modified) < time.Second {
		return ""
	}
	return header.Get("Last-Modified")
}

func (d *Download) closeBody() {
	if d.body != nil {
		_ = d.body.Close()
		d.body = nil
	}
}

// Close ends the download. It must not run during a Read.
func (d *Download) Close() error {
	d.cancel()
	d.closeBody()
	return nil
}
