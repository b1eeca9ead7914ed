package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/httphdr"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// response is one with an accepted status.
type response struct {
	status   int
	body     []byte
	location string
}

// send makes one request and reads its response. It never retries. It returns an *Error for a
// status that accept does not list, and for a request or response that breaks off.
func (c *Client) send(ctx context.Context, op Operation, request func(context.Context) (*http.Response, error), accept ...int) (response, error) {
	return c.exchange(ctx, op, request, nil, accept)
}

// fetchStream sends a request whose response is read while it arrives.
func (c *Client) fetchStream(ctx context.Context, op Operation, request func(context.Context) (*http.Response, error),
	read func(*stream) error) error {
	_, err := c.exchange(ctx, op, request, read, []int{anySuccess})
	return err
}

// exchange is send, or fetchStream if read is not nil.
func (c *Client) exchange(ctx context.Context, op Operation, request func(context.Context) (*http.Response, error),
	read func(*stream) error, accept []int) (response, error) {
	began := time.Now()
	got, err := c.exchangeUnobserved(ctx, op, request, read, accept)
	if status := statusClass(op, got.status, err); status != "" {
		c.Observe(ctx, op.Name, status, time.Since(began))
	}
	return got, err
}

// The classes of requests without a status: the service may have carried out one that is
// unanswered, and did not see one that is unsent.
const (
	StatusUnanswered = "unanswered"
	StatusUnsent     = "unsent"
)

// statusClass returns the class of a request's status for [Client.Observe]. It is empty if err is
// that of another request, which had to precede it.
func statusClass(op Operation, status int, err error) string {
	if err != nil {
		failed, ok := errors.AsType[*Error](err)
		switch {
		case !ok || failed.Name != op.Name:
			return ""
		case failed.NeverSent:
			return StatusUnsent
		}
		status = failed.Status
	}
	switch status {
	case 0:
		return StatusUnanswered
	case http.StatusTooManyRequests:
		return "429"
	default:
		return fmt.Sprintf("%dxx", status/100)
	}
}

func (c *Client) exchangeUnobserved(ctx context.Context, op Operation, request func(context.Context) (*http.Response, error),
	read func(*stream) error, accept []int) (response, error) {
	if timeout := cmp.Or(op.timeout, c.requestTimeout); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
		defer cancel()
	}
	key, trace := &sentKey{}, &sentTrace{}
	received, err := request(trace.context(context.WithValue(ctx, sentKeyContext{}, key)))
	if err != nil {
		return response{}, c.unansweredError(ctx, op, key, trace, err)
	}
	defer func() { _ = received.Body.Close() }()
	if received.StatusCode == http.StatusTooManyRequests && !op.Execute { // an execute's 429 is a lack of capacity
		c.rateLimit.close(httphdr.RetryAfter(received.Header, time.Now()))
	}
	var body []byte
	if read != nil && accepts(accept, received.StatusCode) {
		if err = read(newStream(received.Body)); errors.Is(err, errNotJSON) {
			failed := c.errorf(op, "answered %d with a body that is not the contract's JSON", received.StatusCode)
			failed.Cause = err
			return response{}, failed
		}
	} else {
		body, err = readBody(received, cmp.Or(op.maxResponse, budget.Response))
	}
	if err != nil || !accepts(accept, received.StatusCode) {
		return response{}, c.responseError(op, key, received, body, err, accept)
	}
	return response{received.StatusCode, body, received.Header.Get("Location")}, nil
}

// readBody reads a response of at most so many bytes.
func readBody(received *http.Response, most int) ([]byte, error) {
	var body bytes.Buffer
	if size := received.ContentLength; size > 0 && size <= int64(most) {
		body.Grow(int(size) + bytes.MinRead)
	}
	n, err := body.ReadFrom(io.LimitReader(received.Body, int64(most)+1))
	if err == nil && n > int64(most) {
		err = ErrTooLarge
	}
	return body.Bytes(), err
}

// unansweredError returns the error of a request that got no response.
func (c *Client) unansweredError(ctx context.Context, op Operation, key *sentKey, trace *sentTrace, err error) error {
	_, nested := errors.AsType[*Error](err)
	_, final := errors.AsType[*temporal.ApplicationError](err)
	if nested || final { // the lookup of the organization failed before this request
		return err
	}
	failed := &Error{Operation: op, Connection: c.Name, NeverSent: trace.neverSent(err)}
	if limited, ok := errors.AsType[*rateLimitedError](err); ok { // reported as the 429 that it follows from
		failed.Status, failed.NeverSent = http.StatusTooManyRequests, true
		failed.RetryAfter, failed.Message = max(limited.left, 10*time.Millisecond), limited.Error()
		return failed
	}
	if strings.Contains(err.Error(), "Location") { // net/http quotes one that it cannot parse, with its signature
		err = errors.New("redirected to a Location that is no address")
	}
	if cause := context.Cause(ctx); cause != nil && !failed.NeverSent {
		err = cause
	}
	failed.Cause, failed.Message = err, text.Prose(key.redact(err.Error()), maxMessage)
	return failed
}

// responseError returns the error of a response with another status than those in accept, or of an
// accepted one whose body could not be read in full. The latter has no Status: the service did
// something, and what it returned is lost.
func (c *Client) responseError(op Operation, key *sentKey, received *http.Response, body []byte, readErr error, accept []int) error {
	status, header := received.StatusCode, received.Header
	failed := &Error{
		Operation: op, Connection: c.Name, contentType: header.Get("Content-Type"),
		requestID:  key.redact(cmp.Or(header.Get("X-Request-Id"), header.Get("Request-Id"))),
		RetryAfter: httphdr.RetryAfter(header, time.Now()),
	}
	switch {
	case !accepts(accept, status):
		failed.Status = status
		failed.Message, failed.problem = decodeErrorBody(failed.contentType, body, func(foreign string) string {
			return text.Truncate(strings.ToValidUTF8(strings.TrimSpace(key.redact(foreign)), ""), maxMessage)
		})
		if header.Get("Location") != "" {
			failed.Message = "redirected; a request with an API key does not follow redirects"
		}
	case errors.Is(readErr, ErrTooLarge):
		most := cmp.Or(op.maxResponse, budget.Response)
		failed.Cause, failed.Message = ErrTooLarge, fmt.Sprintf("answered %d with more than %d bytes", status, most)
	case readErr != nil:
		failed.Cause, failed.Message = readErr, fmt.Sprintf("answered %d, then broke off: %s", status, text.Prose(key.redact(readErr.Error()), maxMessage))
	}
	return failed
}

// sentTrace records whether a request reached a connection. A connection that could not be opened
// (no address, refused, no TLS, a proxy that refuses) has carried nothing to the service.
type sentTrace struct{ wanted, got atomic.Bool }

func (t *sentTrace) context(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) },
	})
}

// neverSent reports whether the service certainly saw nothing of a request that failed with err. A
// transport that does not report its connections proves it by its error only.
func (t *sentTrace) neverSent(err error) bool {
	_, unresolved := errors.AsType[*net.DNSError](err)
	network, ok := errors.AsType[*net.OpError](err)
	return errors.Is(err, ErrNoKey) || unresolved || ok && network.Op == "dial" || t.wanted.Load() && !t.got.Load()
}

// anySuccess, in the statuses that send accepts, stands for every 2xx. A read tells what a change
// did, and the body whether a read succeeded. The service may choose which success it answers, and
// a proxy may change it, such as to 203.
const anySuccess = 2

func accepts(accept []int, status int) bool {
	return slices.Contains(accept, status) || slices.Contains(accept, anySuccess) && status/100 == anySuccess
}

// fetchObject sends a request whose response is a JSON object, and returns its members. It ignores
// unknown members, as the contract asks of clients.
func (c *Client) fetchObject(ctx context.Context, op Operation, request func(context.Context) (*http.Response, error), accept ...int) (members, error) {
	got, err := c.send(ctx, op, request, accept...)
	if err != nil {
		return nil, err
	}
	found, err := splitObject(got.body)
	if err != nil {
		return nil, c.malformed(op, got, err)
	}
	return found, nil
}

// fetchItems sends a request whose response is a JSON array of objects. It leaves out items of
// another form.
func (c *Client) fetchItems(ctx context.Context, op Operation, request func(context.Context) (*http.Response, error), accept ...int) ([]members, error) {
	got, err := c.send(ctx, op, request, accept...)
	if err != nil {
		return nil, err
	}
	items, err := splitArray(got.body)
	if err != nil {
		return nil, c.malformed(op, got, err)
	}
	return objectsOf(items), nil
}

// malformed returns the error of a response that is not the JSON of the contract. One that does not
// begin and end like it is a gateway's page, or was cut short, and may be good the next time.
func (c *Client) malformed(op Operation, got response, err error) error {
	failed := c.errorf(op, "answered %d with a body that is not the contract's JSON: it %v", got.status, err)
	failed.Cause = err
	if body := bytes.TrimSpace(got.body); len(body) > 1 && (body[0] == '{' && body[len(body)-1] == '}' || body[0] == '[' && body[len(body)-1] == ']') {
		sum := sha256.Sum256(got.body)
		failed.Malformed = hex.EncodeToString(sum[:])
	}
	return failed
}
