package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	asteroidworker "github.com/temporal-asteroid/asteroid/worker"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// checkTypes are the predicates of the types that Check documents.
var checkTypes = map[string]func(error) bool{
	"Unavailable": asteroid.IsUnavailable, "Unauthorized": asteroid.IsUnauthorized,
	"InvalidInput": asteroid.IsInvalidInput, "RateLimited": asteroid.IsRateLimited, "NotFound": asteroid.IsNotFound,
}

// requireChecked requires that an error has one line for each of the connections, which names it,
// and no API key.
func requireChecked(t *testing.T, err error, api *testsuite.API, connections ...string) {
	t.Helper()
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, len(connections), err)
	for i, name := range connections {
		require.Contains(t, lines[i], fmt.Sprintf("connection %q: ", name))
	}
	require.NotContains(t, err.Error(), api.APIKey())
	require.NotContains(t, err.Error(), "Get:", "an operation's id means nothing to an operator")
}

func TestCheckFindsWhatIsWrongWithConnection(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	second := api.AddOrganization("Second")
	right, both := asteroid.StaticAPIKey(api.APIKey()), asteroid.StaticAPIKey(api.AddAPIKey(api.OrganizationID(), second))
	serve := func(status int, contentType, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	tests := map[string]struct {
		connection asteroid.Connection
		errorType  string // none if empty
		said       string
	}{
		"right key":                    {asteroid.Connection{APIKey: right}, "", ""},
		"right key, workflows":         {asteroid.Connection{APIKey: right, Dialect: asteroid.DialectWorkflows}, "", ""},
		"right organization":           {asteroid.Connection{APIKey: right, OrganizationID: api.OrganizationID()}, "", ""},
		"ids have no case":             {asteroid.Connection{APIKey: right, OrganizationID: strings.ToUpper(api.OrganizationID())}, "", ""},
		"one of two organizations":     {asteroid.Connection{APIKey: both, OrganizationID: second}, "", ""},
		"two, and uploads need none":   {asteroid.Connection{APIKey: both, Dialect: asteroid.DialectWorkflows}, "", ""},
		"two organizations":            {asteroid.Connection{APIKey: both}, "InvalidInput", second + " (Second)"},
		"wrong organization":           {asteroid.Connection{APIKey: right, OrganizationID: second}, "InvalidInput", api.OrganizationID()},
		"wrong organization of two":    {asteroid.Connection{APIKey: both, OrganizationID: "org-3"}, "InvalidInput", second + " (Second)"},
		"wrong organization, dialect":  {asteroid.Connection{APIKey: right, OrganizationID: second, Dialect: asteroid.DialectWorkflows}, "InvalidInput", second},
		"no key":                       {asteroid.Connection{APIKey: asteroid.APIKeyFromEnv("NO_SUCH_KEY")}, "Unavailable", "NO_SUCH_KEY is not set: put the API key there"},
		"empty key":                    {asteroid.Connection{APIKey: asteroid.StaticAPIKey(" \n")}, "Unavailable", "no API key"},
		"key of several lines":         {asteroid.Connection{APIKey: asteroid.StaticAPIKey("one-line\nanother-line")}, "Unavailable", "no API key"},
		"error of several lines":       {asteroid.Connection{APIKey: func(context.Context) (string, error) { return "", errors.New("sealed\nvault") }}, "Unavailable", "sealed vault"},
		"short key":                    {asteroid.Connection{APIKey: asteroid.StaticAPIKey("short")}, "Unauthorized", "only 5 characters"},
		"wrong key":                    {asteroid.Connection{APIKey: asteroid.StaticAPIKey("a-wrong-key")}, "Unauthorized", "check the API key"},
		"forbidden":                    {asteroid.Connection{APIKey: right, BaseURL: serve(403, "text/plain", "no")}, "Unauthorized", "check the API key"},
		"nobody listens":               {asteroid.Connection{APIKey: right, BaseURL: "http://127.0.0.1:1"}, "Unavailable", "check the base URL"},
		"another service":              {asteroid.Connection{APIKey: right, BaseURL: serve(404, "text/html", "<html>")}, "Unavailable", "check the base URL"},
		"another service with a 400":   {asteroid.Connection{APIKey: right, BaseURL: serve(400, "text/plain", "bad")}, "Unavailable", "check the base URL"},
		"login page":                   {asteroid.Connection{APIKey: right, BaseURL: serve(200, "text/html", "<html>sign in</html>")}, "Unavailable", "check the base URL"},
		"service in trouble":           {asteroid.Connection{APIKey: right, BaseURL: serve(503, "text/plain", "")}, "Unavailable", "try again"},
		"rate limit":                   {asteroid.Connection{APIKey: right, BaseURL: serve(429, "text/plain", "")}, "RateLimited", "try again"},
		"service that echoes the key":  {asteroid.Connection{APIKey: right, BaseURL: serve(401, "text/plain", "bad key "+api.APIKey())}, "Unauthorized", "[API key]"},
		"service that tells no member": {asteroid.Connection{APIKey: right, BaseURL: serve(200, "application/json", "{}"), OrganizationID: "org"}, "", ""},
		"unknown host": {asteroid.Connection{APIKey: right, BaseURL: "https://asteroid.invalid", Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "asteroid.invalid", IsNotFound: true}
		})}, "Unavailable", "name service"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.connection.BaseURL == "" {
				test.connection.BaseURL = api.BaseURL()
			}
			err := asteroidworker.Check(t.Context(), asteroidworker.Options{Connections: map[string]asteroid.Connection{"main": test.connection}})
			if test.errorType == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.said)
			requireChecked(t, err, api, "main")
			for errorType, is := range checkTypes {
				require.Equal(t, errorType == test.errorType, is(err), "%s: %v", errorType, err)
			}
		})
	}
}

func TestCheckJoinsErrorsOfConnectionsInOrder(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	connection := func(key string) asteroid.Connection {
		return asteroid.Connection{APIKey: asteroid.StaticAPIKey(key), BaseURL: api.BaseURL()}
	}
	err := asteroidworker.Check(t.Context(), asteroidworker.Options{Connections: map[string]asteroid.Connection{
		"c": connection("a-wrong-key"), "b": connection(api.APIKey()), "a": connection(""),
	}})
	requireChecked(t, err, api, "a", "c")
	require.True(t, asteroid.IsUnavailable(err))
	require.True(t, asteroid.IsUnauthorized(err))
}

func TestCheckReturnsWhenContextEndsDespiteBlockedKey(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	unblock := make(chan struct{})
	t.Cleanup(func() { close(unblock) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := asteroidworker.Check(ctx, asteroidworker.Options{Connections: map[string]asteroid.Connection{
		"blocked": {BaseURL: api.BaseURL(), APIKey: func(context.Context) (string, error) { <-unblock; return "", nil }},
	}})
	requireChecked(t, err, api, "blocked")
	require.True(t, asteroid.IsUnavailable(err))
}

func TestCheckRefusesInvalidOptions(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, asteroidworker.Check(t.Context(), asteroidworker.Options{}), "no connections")
}

func TestWorkerWarnsOnceOfMissingKeys(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	key := ""
	rotating := func(context.Context) (string, error) { return key, nil }
	var logged lockedBuffer
	plugin, err := asteroidworker.NewPlugin(asteroidworker.Options{Connections: map[string]asteroid.Connection{
		"first": {BaseURL: api.BaseURL(), APIKey: rotating}, "second": {BaseURL: api.BaseURL(), APIKey: rotating},
		"good": {BaseURL: api.BaseURL(), APIKey: asteroid.StaticAPIKey(api.APIKey())},
	}}, asteroidworker.WithLogger(log.NewStructuredLogger(slog.New(slog.NewTextHandler(&logged, nil)))))
	require.NoError(t, err)
	require.Empty(t, logged.String(), "NewPlugin reads no key")
	c, err := client.NewLazyClient(client.Options{
		HostPort: "127.0.0.1:1", Plugins: []client.Plugin{plugin}, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	start := func() { // it fails without a server, after the plugins have run
		require.Error(t, sdkworker.New(c, "queue", sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}}).Start())
	}
	start()
	require.Equal(t, 1, strings.Count(logged.String(), "level=WARN"))
	require.Contains(t, logged.String(), "first")
	require.Contains(t, logged.String(), "second")
	require.NotContains(t, logged.String(), "good")
	key = api.APIKey()
	start()
	require.Equal(t, 1, strings.Count(logged.String(), "\n"))
	require.Empty(t, api.Requests())
}
