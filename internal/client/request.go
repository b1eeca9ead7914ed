package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/internal/httphdr"
)

// maxResponse bounds in bytes what is read of a response.
const maxResponse = 16 << 20

// response is one with an accepted status.
type response struct {
	status   int
	body     []byte
	location string
}

// send makes one request and reads its response. It never retries. It returns an *Error for a
// status that accept does not list, and for a request or response that breaks off.
func (c *Client) send(ctx context.Context, op Operation, request func(context.Context) (*http.Response, error), accept ...int) (response, error) {
	if timeout := cmp.Or(op.timeout, c.requestTimeout); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
		defer cancel()
	}
	key := &sentKey{}
	received, err := request(context.WithValue(ctx, sentKeyContext{}, key))
	if err != nil {
		return response{}, c.unansweredError(ctx, op, key, err)
	}
	defer func() { _ = received.Body.Close() }()
	if received.StatusCode == http.StatusTooManyRequests && !op.Execute { // an execute's 429 is a lack of capacity
		c.rateLimit.close(httphdr.RetryAfter(received.Header, time.Now()))
	}
	body, err := io.ReadAll(io.LimitReader(received.Body, maxResponse+1))
	if err != nil || len(body) > maxResponse || !slices.Contains(accept, received.StatusCode) {
		return response{}, c.responseError(op, key, received, body, err, accept)
	}
	return response{received.StatusCode, body, received.Header.Get("Location")}, nil
}

// unansweredError returns the error of a request that got no response.
func (c *Client) unansweredError(ctx context.Context, op Operation, key *sentKey, err error) error {
	_, nested := errors.AsType[*Error](err)
	_, final := errors.AsType[*temporal.ApplicationError](err)
	if nested || final { // the lookup of the organization failed before this request
		return err
	}
	failed := &Error{Operation: op, Connection: c.Name, NeverSent: neverSent(err)}
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
	failed.Cause, failed.Message = err, key.redact(err.Error())
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
	case !slices.Contains(accept, status):
		failed.Status = status
		failed.Message, failed.body = decodeErrorBody(failed.contentType, []byte(key.redact(string(body))))
		if header.Get("Location") != "" {
			failed.Message = "redirected; a request with an API key does not follow redirects"
		}
	case readErr != nil:
		failed.Cause, failed.Message = readErr, fmt.Sprintf("answered %d, then broke off: %s", status, key.redact(readErr.Error()))
	default:
		failed.Message = fmt.Sprintf("answered %d with more than %d bytes", status, maxResponse)
	}
	return failed
}

// neverSent reports whether err proves that the service saw nothing of a request. Only a missing
// key and a missing connection do: a transport can report any other error after the last byte.
func neverSent(err error) bool {
	_, unresolved := errors.AsType[*net.DNSError](err)
	network, ok := errors.AsType[*net.OpError](err)
	return errors.Is(err, ErrNoKey) || unresolved || ok && network.Op == "dial"
}

// fetch sends a request and decodes its JSON response. It ignores unknown members, as the contract
// asks of clients.
func fetch[T any](ctx context.Context, c *Client, op Operation, request func(context.Context) (*http.Response, error), accept ...int) (T, error) {
	var decoded T
	got, err := c.send(ctx, op, request, accept...)
	if err != nil {
		return decoded, err
	}
	if err := json.NewDecoder(bytes.NewReader(got.body)).Decode(&decoded); err != nil {
		return decoded, &Error{Operation: op, Connection: c.Name, Cause: err,
			Message: fmt.Sprintf("answered %d with a body that is not the contract's JSON: %v", got.status, err)}
	}
	return decoded, nil
}
