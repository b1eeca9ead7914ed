package testsuite_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// In a bubble, an hour of work, a late commit and a stalled request take no time.
func TestTransportServesInSynctestBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := testsuite.NewAPI(t, testsuite.WithoutNetwork())
		agent := api.ServeAgent("clerk", scripted(testsuite.Work(time.Hour), done(1)))
		post := func() (*http.Response, error) {
			return send(t, api, "POST", "/agents/v2/agents/"+agent+"/execute", "{}")
		}

		response, err := post()
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, response.StatusCode)
		require.NotEmpty(t, response.Header.Get("X-Request-Id"))

		for name, fault := range map[string]testsuite.Fault{
			"lost": testsuite.LoseResponse(), "late": testsuite.CommitLate(time.Minute), "cut": testsuite.ResetMidBody(),
		} {
			before := len(api.Executions())
			api.Inject("AgentExecutePost", fault, 1)
			response, err := post()
			if name == "cut" {
				require.NoError(t, err, name)
				_, err = io.ReadAll(response.Body)
			}
			require.ErrorContains(t, err, "closed the connection", name)
			time.Sleep(2 * time.Minute)
			require.Len(t, api.Executions(), before+1, name)
		}

		began := time.Now()
		api.Inject("AgentExecutePost", testsuite.Stall(time.Minute), 1)
		_, err = post()
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), time.Minute)
		time.Sleep(2 * time.Hour)
		for _, e := range api.Executions() {
			require.Equal(t, "completed", e.Status)
		}
	})
}

func TestTransportAbandonsRequestWhoseContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := testsuite.NewAPI(t, testsuite.WithoutNetwork())
		agent := api.ServeAgent("clerk", scripted(done(1)))
		api.Inject("AgentExecutePost", testsuite.Stall(time.Hour), 1)
		client := &http.Client{Transport: api.Transport(), Timeout: time.Minute}
		r, err := http.NewRequestWithContext(t.Context(), "POST", api.BaseURL()+"/agents/v2/agents/"+agent+"/execute", strings.NewReader("{}"))
		require.NoError(t, err)
		r.Header.Set("X-Api-Key", api.APIKey())
		_, err = client.Do(r)
		require.Error(t, err)
		time.Sleep(2 * time.Hour)
		require.Empty(t, api.Executions())
	})
}

// send sends a request by the API's transport.
func send(t *testing.T, api *testsuite.API, method, path, body string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, api.BaseURL()+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("X-Api-Key", api.APIKey())
	r.Header.Set("Content-Type", "application/json")
	return (&http.Client{Transport: api.Transport()}).Do(r)
}
