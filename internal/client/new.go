package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
	"github.com/temporal-asteroid/asteroid/internal/httphdr"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// New returns a client for the connection called name. It fills in the connection's defaults and
// validates it without a request. requestTimeout bounds requests; uploads have no bound and a long
// poll has its own. now is the clock of the rate limit.
func New(name string, connection asteroid.Connection, requestTimeout time.Duration, now func() time.Time) (*Client, error) {
	connection, base, err := normalized(connection)
	if err != nil {
		return nil, fmt.Errorf("connection %q: %w", name, err)
	}
	ownTransport := false
	if connection.Transport == nil {
		connection.Transport = http.DefaultTransport
		if standard, ok := connection.Transport.(*http.Transport); ok { // a tracing library may have replaced it
			connection.Transport, ownTransport = standard.Clone(), true
		}
	}
	c := &Client{
		Connection: connection, Name: name, base: base, requestTimeout: requestTimeout, ownTransport: ownTransport,
		Observe:   func(context.Context, string, string, time.Duration) {},
		rateLimit: rateLimitGate{now: now}, organizationLock: make(chan struct{}, 1),
	}
	c.Links = c.newLinkClient()
	c.api, err = api.NewClient(connection.BaseURL, api.WithHTTPClient(&http.Client{
		Transport: connection.Transport,
		// A redirect would carry the key to another host, since net/http does not know the header
		// as a secret. Link reads a redirect's Location instead, and Links follows it without the
		// key.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}), api.WithRequestEditorFn(c.authenticate))
	if err != nil {
		return nil, fmt.Errorf("connection %q: %w", name, err)
	}
	return c, nil
}

// authenticate adds the API key to a request. It fails for a read while the rate limit is reached.
func (c *Client) authenticate(ctx context.Context, r *http.Request) error {
	if err := c.rateLimit.check(r); err != nil {
		return err
	}
	key, err := c.key(ctx)
	if err != nil {
		return err
	}
	if sent, ok := ctx.Value(sentKeyContext{}).(*sentKey); ok {
		sent.Store(&key)
	}
	r.Header.Set(keyHeader(c.Dialect), key)
	r.Header.Set("User-Agent", httphdr.UserAgent)
	return nil
}

// key returns the API key, or an error with ErrNoKey if there is none that can be sent.
func (c *Client) key(ctx context.Context) (string, error) {
	key, err := c.APIKey(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoKey, err)
	}
	// net/http would not send such a key either, but its error is less clear.
	if key = strings.TrimSpace(key); key == "" || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", fmt.Errorf("%w: the APIKey function returned an empty string, or characters that an HTTP header cannot hold", ErrNoKey)
	}
	if len(key) < minKeyLength {
		return "", fmt.Errorf("%w: %w, only %d characters", ErrNoKey, ErrShortKey, len(key))
	}
	return key, nil
}

// CheckKey returns an *Error with [ErrNoKey] if there is no key to send. It sends nothing.
func (c *Client) CheckKey(ctx context.Context) error {
	if _, err := c.key(ctx); err != nil {
		return &Error{Connection: c.Name, Cause: err, NeverSent: true, Message: text.Prose(err.Error(), maxMessage)}
	}
	return nil
}
