package client

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
)

// routedClient returns a client whose requests are answered by method and path.
func routedClient(t *testing.T, answer func(r *http.Request) *http.Response) (*Client, *clienttest.Wire) {
	t.Helper()
	wire := clienttest.NewWire()
	wire.Answer(func(_ string, r *http.Request) *http.Response { return answer(r) })
	c, err := New("default", asteroid.Connection{APIKey: asteroid.StaticAPIKey("secret-key"), Transport: wire}, time.Minute, time.Now)
	require.NoError(t, err)
	return c, wire
}

func TestSetStatusAcceptsAnySuccessAndReadsTheStatus(t *testing.T) {
	t.Parallel()
	for _, success := range []int{200, 201, 202, 204} {
		c, wire := routedClient(t, func(r *http.Request) *http.Response {
			if r.Method == http.MethodGet {
				return clienttest.ReplyText(http.StatusOK, `{"id":"e-1","status":"cancelled"}`)
			}
			return clienttest.ReplyText(success, "")
		})
		changed, err := c.SetStatus(t.Context(), "e-1", asteroid.StatusCancelled)
		require.NoError(t, err, success)
		require.Equal(t, asteroid.StatusCancelled, changed.Status)
		require.Equal(t, 1, wire.Take(http.MethodGet))
	}
}

func TestCandidatesNeedNoOrganization(t *testing.T) {
	t.Parallel()
	for _, refusal := range []int{403, 401, 500} {
		c, _ := routedClient(t, func(r *http.Request) *http.Response {
			if !strings.HasSuffix(r.URL.Path, "/executions") {
				return clienttest.ReplyText(refusal, `{}`)
			}
			require.Empty(t, r.URL.Query().Get("organizationId"))
			return clienttest.ReplyText(http.StatusOK, `{"items":[{"id":"e-1","agentId":"A-1","status":"running","metadata":{"temporal_execution_key":"k"}}],"total":1}`)
		})
		found, err := c.Candidates(t.Context(), "a-1", "k")
		require.NoError(t, err, refusal)
		require.Len(t, found, 1)
		require.Equal(t, "e-1", found[0].ID)
	}
}
