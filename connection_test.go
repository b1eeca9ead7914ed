package asteroid_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

func TestConnectionFromEnvReadsTheKeyAtEachCall(t *testing.T) {
	t.Setenv("ASTEROID_API_KEY", "")
	t.Setenv("ASTEROID_ORGANIZATION_ID", "org")
	t.Setenv("ASTEROID_BASE_URL", "https://asteroid.example.com")
	t.Setenv("ASTEROID_DIALECT", "workflows")
	c := asteroid.ConnectionFromEnv()
	require.Equal(t, "org", c.OrganizationID)
	require.Equal(t, "https://asteroid.example.com", c.BaseURL)
	require.Equal(t, asteroid.DialectWorkflows, c.Dialect)

	_, err := c.APIKey(t.Context())
	require.ErrorContains(t, err, "ASTEROID_API_KEY is not set")
	for _, want := range []string{"first", "rotated"} {
		t.Setenv("ASTEROID_API_KEY", want)
		key, err := c.APIKey(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, key)
	}
}

func TestConnectionPrintsNoKey(t *testing.T) {
	t.Parallel()
	c := asteroid.Connection{APIKey: asteroid.StaticAPIKey("topsecret")}
	key, err := c.APIKey(t.Context())
	require.NoError(t, err)
	require.Equal(t, "topsecret", key)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, c), "topsecret")
	}
}
