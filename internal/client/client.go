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
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
	"github.com/temporal-asteroid/asteroid/internal/httphdr"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

// connection is a Connection at work.
type Client struct {
	asteroid.Connection
	Name           string
	requestTimeout time.Duration
	api            *api.Client
	base           *url.URL
	Links          *http.Client // for signed links: it sends no key

	rateLimit rateLimitGate

	asking         chan struct{} // held while organizationID is asked for
	organizationID string        // what the service said, when Connection.OrganizationID is empty
}

// call describes a request, for errors.
type Operation struct {
	Name        string // the contract's operation id
	subject     string // what it is about, when the operation alone does not say
	executionID string
	Execute     bool          // starts an agent: capacity and staged files can be in the way
	timeout     time.Duration // Options.RequestTimeout when 0, none when negative
}

func New(name string, settings asteroid.Connection, requestTimeout time.Duration, now func() time.Time) (*Client, error) {
	settings, err := normalized(settings)
	if err != nil {
		return nil, fmt.Errorf("connection %q: %w", name, err)
	}
	if settings.Transport == nil {
		settings.Transport = http.DefaultTransport
		if standard, ok := settings.Transport.(*http.Transport); ok { // a tracing library may have put in its own
			settings.Transport = standard.Clone()
		}
	}
	c := &Client{Connection: settings, Name: name, requestTimeout: requestTimeout, rateLimit: rateLimitGate{now: now}, asking: make(chan struct{}, 1)}
	if c.base, err = url.Parse(settings.BaseURL); err != nil {
		return nil, fmt.Errorf("connection %q: %w", name, err)
	}
	c.Links = c.newLinkClient()
	c.api, err = api.NewClient(settings.BaseURL, api.WithHTTPClient(&http.Client{
		Transport: settings.Transport,
		// Following a redirect would carry the key, which net/http does not know to be a secret, to wherever it
		// leads. The operations that redirect on purpose are followed by hand, without the key.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}), api.WithRequestEditorFn(c.authenticate))
	if err != nil {
		return nil, fmt.Errorf("connection %q: %w", name, err)
	}
	return c, nil
}

// errNoKey marks a request that was never sent for want of a key.
var ErrNoKey = errors.New("no API key")

func (c *Client) authenticate(ctx context.Context, r *http.Request) error {
	if err := c.rateLimit.check(r); err != nil {
		return err
	}
	key, err := c.APIKey(ctx)
	if err != nil {
		return fmt.Errorf("%w for connection %q: %w", ErrNoKey, c.Name, err)
	}
	// Checked here because net/http would send nothing either, but say so less clearly.
	if key = strings.TrimSpace(key); key == "" || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("%w for connection %q: its APIKey function returned an empty text or one that no header can hold", ErrNoKey, c.Name)
	}
	if sent, ok := ctx.Value(keySent{}).(*atomic.Pointer[string]); ok {
		sent.Store(&key)
	}
	r.Header.Set(keyHeader(c.Dialect), key)
	r.Header.Set("User-Agent", httphdr.UserAgent)
	return nil
}

// keySent is the context key under which send keeps the key that was used, to take it out of whatever comes back.
type keySent struct{}

// answer is what an accepted call returned.
type response struct {
	status   int
	body     []byte
	location string
}

// send makes one request and reads its answer, once: nothing here retries. An answer with another status than accept
// names is a *failure, and so is everything else that goes wrong.
func (c *Client) send(ctx context.Context, what Operation, request func(context.Context) (*http.Response, error), accept ...int) (response, error) {
	timeout := what.timeout
	if timeout == 0 {
		timeout = c.requestTimeout
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
		defer cancel()
	}
	var key atomic.Pointer[string]
	ctx = context.WithValue(ctx, keySent{}, &key)

	redact := func(text string) string {
		if used := key.Load(); used != nil {
			return strings.ReplaceAll(text, *used, "[API key]")
		}
		return text
	}
	failed := &Error{Operation: what, Connection: c.Name}

	got, err := request(ctx)
	if err != nil {
		var nested *Error
		var final *temporal.ApplicationError
		if errors.As(err, &nested) || errors.As(err, &final) {
			return response{}, err // asking for the organization failed, which tells more
		}
		if failed.rateLimited(err) {
			return response{}, failed
		}
		failed.NeverSent = surelyUnsent(err)
		if strings.Contains(err.Error(), "Location") { // net/http repeats one that it cannot read, signature and all
			err = errors.New("redirected to what is no address")
		}
		if cause := context.Cause(ctx); cause != nil && !failed.NeverSent {
			err = cause
		}
		failed.Cause, failed.Message = err, redact(err.Error())
		return response{}, failed
	}
	defer func() { _ = got.Body.Close() }()

	failed.Status, failed.contentType = got.StatusCode, got.Header.Get("Content-Type")
	failed.requestID = redact(cmp.Or(got.Header.Get("X-Request-Id"), got.Header.Get("Request-Id")))
	failed.RetryAfter = httphdr.RetryAfter(got.Header, time.Now())
	if failed.Status == http.StatusTooManyRequests && !what.Execute { // there it means a lack of capacity
		c.rateLimit.close(failed.RetryAfter)
	}
	raw, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer+1))
	for _, status := range accept {
		switch {
		case got.StatusCode != status:
		case err != nil:
			// The status says yes, but what it says yes to is lost.
			failed.Status = 0
			failed.Cause, failed.Message = err, fmt.Sprintf("answered %d, then broke off: %s", status, redact(err.Error()))
			return response{}, failed
		case len(raw) > maxAnswer:
			failed.Status = 0
			failed.Message = fmt.Sprintf("answered %d with more than %d bytes", status, maxAnswer)
			return response{}, failed
		default:
			return response{status: status, body: raw, location: got.Header.Get("Location")}, nil
		}
	}
	failed.Message, failed.body = decodeErrorBody(failed.contentType, []byte(redact(string(raw))))
	if location := got.Header.Get("Location"); location != "" {
		failed.Message = "redirected, which is not followed with an API key"
	}
	return response{}, failed
}

// surelyUnsent reports whether err proves that the service saw nothing of a request. Only the want of a key and of a
// connection does: whatever else a transport reports may have happened after the last byte.
func surelyUnsent(err error) bool {
	var unresolved *net.DNSError
	var network *net.OpError
	return errors.Is(err, ErrNoKey) || errors.As(err, &unresolved) || errors.As(err, &network) && network.Op == "dial"
}

// fetch sends and decodes a JSON answer. Unknown members are ignored, as the contract asks of clients.
func fetch[T any](ctx context.Context, c *Client, what Operation, request func(context.Context) (*http.Response, error), accept ...int) (T, error) {
	var decoded T
	got, err := c.send(ctx, what, request, accept...)
	if err != nil {
		return decoded, err
	}
	if err := json.NewDecoder(bytes.NewReader(got.body)).Decode(&decoded); err != nil {
		return decoded, &Error{Operation: what, Connection: c.Name, Cause: err,
			Message: fmt.Sprintf("answered %d with something that is not the JSON of the contract: %v", got.status, err)}
	}
	return decoded, nil
}

// organization returns the id of the organization that the key belongs to. It asks once and remembers.
func (c *Client) organization(ctx context.Context) (string, error) {
	if c.OrganizationID != "" {
		return c.OrganizationID, nil
	}
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if c.organizationID != "" {
		return c.organizationID, nil
	}
	me, err := fetch[api.Whoami](ctx, c, Operation{Name: "WhoamiGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.WhoamiGet(ctx)
	}, http.StatusOK)
	var refused *Error
	switch {
	case err == nil && text.PlainID(value(me.OrganizationID)):
		c.organizationID = *me.OrganizationID
		return c.organizationID, nil
	case err != nil && !(errors.As(err, &refused) && refused.Status == http.StatusNotFound):
		return "", err // an older service has no whoami: 404
	}
	member, err := fetch[api.UserContext](ctx, c, Operation{Name: "ContextGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.ContextGet(ctx)
	}, http.StatusOK)
	if err != nil {
		return "", err
	}
	if len(member.Organizations) == 1 && text.PlainID(member.Organizations[0].ID) {
		c.organizationID = member.Organizations[0].ID
		return c.organizationID, nil
	}
	names := make([]string, len(member.Organizations))
	for i, o := range member.Organizations {
		names[i] = fmt.Sprintf("%s (%s)", o.ID, o.Name)
	}
	return "", asteroid.NewInvalidInput("connection", fmt.Sprintf("the API key of %q spans %d organizations: set OrganizationID to one of them: %s",
		c.Name, len(names), strings.Join(names, ", ")))
}

// watchedOrganization is the one whose executions the key can see; empty when it spans several, which a list takes for all.
func (c *Client) WatchedOrganization(ctx context.Context) (string, error) {
	organizationID, err := c.organization(ctx)
	if err != nil && !asteroid.IsInvalidInput(err) {
		return "", err
	}
	return organizationID, nil
}
