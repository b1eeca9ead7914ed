package activities

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

	"github.com/temporal-asteroid/asteroid/internal/api"
)

const (
	userAgent = "temporal-asteroid (+https://github.com/temporal-asteroid/asteroid)"
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 16 << 20
)

// connection is a Connection at work.
type connection struct {
	Connection
	name           string
	requestTimeout time.Duration
	api            *api.Client
	base           *url.URL
	links          *http.Client // for signed links: it sends no key

	hold hold

	asking         chan struct{} // held while organizationID is asked for
	organizationID string        // what the service said, when Connection.OrganizationID is empty
}

// call describes a request, for errors.
type call struct {
	operation   string // the contract's operation id
	subject     string // what it is about, when the operation alone does not say
	executionID string
	execute     bool          // starts an agent: capacity and staged files can be in the way
	timeout     time.Duration // Options.RequestTimeout when 0, none when negative
}

func newConnection(name string, settings Connection, requestTimeout time.Duration, now func() time.Time) (*connection, error) {
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
	c := &connection{Connection: settings, name: name, requestTimeout: requestTimeout, hold: hold{now: now}, asking: make(chan struct{}, 1)}
	if c.base, err = url.Parse(settings.BaseURL); err != nil {
		return nil, fmt.Errorf("connection %q: %w", name, err)
	}
	c.links = c.newLinkClient()
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
var errNoKey = errors.New("no API key")

func (c *connection) authenticate(ctx context.Context, r *http.Request) error {
	if err := c.hold.check(r); err != nil {
		return err
	}
	key, err := c.APIKey(ctx)
	if err != nil {
		return fmt.Errorf("%w for connection %q: %w", errNoKey, c.name, err)
	}
	// Checked here because net/http would send nothing either, but say so less clearly.
	if key = strings.TrimSpace(key); key == "" || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("%w for connection %q: its APIKey function returned an empty text or one that no header can hold", errNoKey, c.name)
	}
	if sent, ok := ctx.Value(keySent{}).(*atomic.Pointer[string]); ok {
		sent.Store(&key)
	}
	r.Header.Set(keyHeader(c.Dialect), key)
	r.Header.Set("User-Agent", userAgent)
	return nil
}

// keySent is the context key under which send keeps the key that was used, to take it out of whatever comes back.
type keySent struct{}

// answer is what an accepted call returned.
type answer struct {
	status   int
	body     []byte
	location string
}

// send makes one request and reads its answer, once: nothing here retries. An answer with another status than accept
// names is a *failure, and so is everything else that goes wrong.
func (c *connection) send(ctx context.Context, what call, request func(context.Context) (*http.Response, error), accept ...int) (answer, error) {
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
	failed := &failure{call: what, connection: c.name}

	got, err := request(ctx)
	if err != nil {
		var nested *failure
		var final *temporal.ApplicationError
		if errors.As(err, &nested) || errors.As(err, &final) {
			return answer{}, err // asking for the organization failed, which tells more
		}
		if failed.held(err) {
			return answer{}, failed
		}
		failed.neverSent = surelyUnsent(err)
		if strings.Contains(err.Error(), "Location") { // net/http repeats one that it cannot read, signature and all
			err = errors.New("redirected to what is no address")
		}
		if cause := context.Cause(ctx); cause != nil && !failed.neverSent {
			err = cause
		}
		failed.cause, failed.message = err, redact(err.Error())
		return answer{}, failed
	}
	defer func() { _ = got.Body.Close() }()

	failed.status, failed.contentType = got.StatusCode, got.Header.Get("Content-Type")
	failed.requestID = redact(cmp.Or(got.Header.Get("X-Request-Id"), got.Header.Get("Request-Id")))
	failed.retryAfter = retryAfter(got.Header, time.Now())
	if failed.status == http.StatusTooManyRequests && !what.execute { // there it means a lack of capacity
		c.hold.begin(failed.retryAfter)
	}
	raw, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer+1))
	for _, status := range accept {
		switch {
		case got.StatusCode != status:
		case err != nil:
			// The status says yes, but what it says yes to is lost.
			failed.status = 0
			failed.cause, failed.message = err, fmt.Sprintf("answered %d, then broke off: %s", status, redact(err.Error()))
			return answer{}, failed
		case len(raw) > maxAnswer:
			failed.status = 0
			failed.message = fmt.Sprintf("answered %d with more than %d bytes", status, maxAnswer)
			return answer{}, failed
		default:
			return answer{status: status, body: raw, location: got.Header.Get("Location")}, nil
		}
	}
	failed.message, failed.body = decodeErrorBody(failed.contentType, []byte(redact(string(raw))))
	if location := got.Header.Get("Location"); location != "" {
		failed.message = "redirected, which is not followed with an API key"
	}
	return answer{}, failed
}

// surelyUnsent reports whether err proves that the service saw nothing of a request. Only the want of a key and of a
// connection does: whatever else a transport reports may have happened after the last byte.
func surelyUnsent(err error) bool {
	var unresolved *net.DNSError
	var network *net.OpError
	return errors.Is(err, errNoKey) || errors.As(err, &unresolved) || errors.As(err, &network) && network.Op == "dial"
}

// fetch sends and decodes a JSON answer. Unknown members are ignored, as the contract asks of clients.
func fetch[T any](ctx context.Context, c *connection, what call, request func(context.Context) (*http.Response, error), accept ...int) (T, error) {
	var decoded T
	got, err := c.send(ctx, what, request, accept...)
	if err != nil {
		return decoded, err
	}
	if err := json.NewDecoder(bytes.NewReader(got.body)).Decode(&decoded); err != nil {
		return decoded, &failure{call: what, connection: c.name, cause: err,
			message: fmt.Sprintf("answered %d with something that is not the JSON of the contract: %v", got.status, err)}
	}
	return decoded, nil
}

// organization returns the id of the organization that the key belongs to. It asks once and remembers.
func (c *connection) organization(ctx context.Context) (string, error) {
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
	me, err := fetch[api.Whoami](ctx, c, call{operation: "WhoamiGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.WhoamiGet(ctx)
	}, http.StatusOK)
	var refused *failure
	switch {
	case err == nil && plainID(value(me.OrganizationID)):
		c.organizationID = *me.OrganizationID
		return c.organizationID, nil
	case err != nil && !(errors.As(err, &refused) && refused.status == http.StatusNotFound):
		return "", err // an older service has no whoami: 404
	}
	member, err := fetch[api.UserContext](ctx, c, call{operation: "ContextGet"}, func(ctx context.Context) (*http.Response, error) {
		return c.api.ContextGet(ctx)
	}, http.StatusOK)
	if err != nil {
		return "", err
	}
	if len(member.Organizations) == 1 && plainID(member.Organizations[0].ID) {
		c.organizationID = member.Organizations[0].ID
		return c.organizationID, nil
	}
	names := make([]string, len(member.Organizations))
	for i, o := range member.Organizations {
		names[i] = fmt.Sprintf("%s (%s)", o.ID, o.Name)
	}
	return "", temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("the API key of connection %q spans %d organizations: set OrganizationID to one of them: %s",
			c.name, len(names), strings.Join(names, ", ")),
		ErrorTypeInvalidInput, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{ErrorDetails{Field: "connection"}}})
}

// watchedOrganization is the one whose executions the key can see; empty when it spans several, which a list takes for all.
func (c *connection) watchedOrganization(ctx context.Context) (string, error) {
	organizationID, err := c.organization(ctx)
	if err != nil && !IsInvalidInput(err) {
		return "", err
	}
	return organizationID, nil
}
