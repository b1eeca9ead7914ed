package activities_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
)

func TestNewRejectsInvalidOptions(t *testing.T) {
	t.Parallel()
	key := asteroid.StaticAPIKey("test-key")
	for message, options := range map[string]activities.Options{
		"no connections":            {},
		"empty name":                {Connections: map[string]asteroid.Connection{"": {APIKey: key}}},
		"APIKey is nil":             {Connections: asDefault(asteroid.Connection{})},
		`dialect "robots"`:          {Connections: asDefault(asteroid.Connection{APIKey: key, Dialect: "robots"})},
		"is not an id":              {Connections: asDefault(asteroid.Connection{APIKey: key, OrganizationID: "a/b"})},
		"unencrypted":               {Connections: asDefault(asteroid.Connection{APIKey: key, BaseURL: "http://asteroid.ai"})},
		"not an http":               {Connections: asDefault(asteroid.Connection{APIKey: key, BaseURL: "odyssey.asteroid.ai"})},
		"cannot be parsed":          {Connections: asDefault(asteroid.Connection{APIKey: key, BaseURL: "https://a b:c"})},
		"credentials belong":        {Connections: asDefault(asteroid.Connection{APIKey: key, BaseURL: "https://user:pass@asteroid.ai"})},
		"query or fragment":         {Connections: asDefault(asteroid.Connection{APIKey: key, BaseURL: "https://asteroid.ai?key=1"})},
		"is not an absolute path":   {Connections: asDefault(asteroid.Connection{APIKey: key}), FileRoots: []string{"claims"}},
		"no such file or directory": {Connections: asDefault(asteroid.Connection{APIKey: key}), FileRoots: []string{"/none/such"}},
		"is not a directory":        {Connections: asDefault(asteroid.Connection{APIKey: key}), FileRoots: []string{"/dev/null"}},
	} {
		_, err := activities.New(options)
		require.ErrorContains(t, err, message)
		require.NotContains(t, err.Error(), "pass@")
	}
}

func TestNewRejectsReservedOrInvalidSchemes(t *testing.T) {
	t.Parallel()
	for scheme, message := range map[string]string{
		"https": "built in", "http": "built in", "file": "built in", "data": "built in", "asteroid-execution": "built in",
		"": "lower case", "S3": "lower case", "s3:": "lower case", "s3://": "lower case", "1s": "lower case",
	} {
		_, err := activities.New(activities.Options{
			Connections: asDefault(asteroid.Connection{APIKey: asteroid.StaticAPIKey("test-key")}), Stores: map[string]asteroid.Store{scheme: newMemoryStore()},
		})
		require.ErrorContains(t, err, message, scheme)
	}
	_, err := activities.New(activities.Options{
		Connections: asDefault(asteroid.Connection{APIKey: asteroid.StaticAPIKey("test-key")}), Stores: map[string]asteroid.Store{"s3": nil},
	})
	require.ErrorContains(t, err, "nil")
}

func TestNewRejectsInvalidHTTPSOptions(t *testing.T) {
	t.Parallel()
	for _, options := range []asteroid.HTTPSOptions{
		{MaxBytes: -1}, {Timeout: -1}, {Hosts: []string{""}}, {Hosts: []string{"https://x"}}, {Hosts: []string{"x:443"}}, {Hosts: []string{"*.x"}},
		{Networks: []netip.Prefix{{}}},
	} {
		_, err := activities.New(activities.Options{Connections: asDefault(asteroid.Connection{APIKey: asteroid.StaticAPIKey("test-key")}), HTTPS: options})
		require.ErrorContains(t, err, "HTTPS")
	}
}

func TestNewAcceptsReplacedDefaultTransport(t *testing.T) {
	standard := http.DefaultTransport
	http.DefaultTransport = wrapped{standard}
	t.Cleanup(func() { http.DefaultTransport = standard })
	_, err := activities.New(activities.Options{Connections: asDefault(asteroid.Connection{APIKey: asteroid.StaticAPIKey("test-key")})})
	require.NoError(t, err)
}

type wrapped struct{ http.RoundTripper }
