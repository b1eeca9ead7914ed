package activities_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestListAgentsListsByName(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	other := api.AddOrganization("Other")
	claims := api.AddAgent("claims clerk")
	api.AddAgentIn(other, "their claims clerk")
	list := func(search string) []asteroid.AgentSummary {
		listed, err := runActivity[asteroid.ListAgentsResult](newEnv(t, worker.Options{Connections: connect(api)}), asteroid.ListAgentsName, asteroid.ListAgentsInput{SearchName: search})
		require.NoError(t, err)
		require.False(t, listed.Incomplete)
		return listed.Agents
	}
	found := list("CLERK")
	require.Len(t, found, 1)
	require.Equal(t, "claims clerk", found[0].Name)
	require.Equal(t, claims, found[0].AgentID)
	require.Len(t, list(""), len(api.Agents()))
	require.Empty(t, list("nobody"))
}

func TestListAgentsIsBounded(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		var items []string
		for i := range 100 {
			items = append(items, fmt.Sprintf(`{"id":"a-%s-%d","name":%q}`, r.URL.Query().Get("page"), i, strings.Repeat("n", 10_000)))
		}
		_, _ = fmt.Fprintf(w, `{"items":[null,7,%s],"total":100000}`, strings.Join(items, ","))
	})})
	listed, err := runActivity[asteroid.ListAgentsResult](env, asteroid.ListAgentsName, asteroid.ListAgentsInput{})
	require.NoError(t, err)
	require.True(t, listed.Incomplete)
	require.Len(t, listed.Agents, 1000)
	require.LessOrEqual(t, len(listed.Agents[0].Name), 200)
}

func TestListAgentsEndsWithoutUsableAgents(t *testing.T) {
	t.Parallel()
	var pages atomic.Int64
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		if pages.Add(1) > 1000 {
			http.Error(w, "too many pages", http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(`{"items":[{"name":"without an id"}],"total":100000}`))
	})})
	listed, err := runActivity[asteroid.ListAgentsResult](env, asteroid.ListAgentsName, asteroid.ListAgentsInput{})
	require.NoError(t, err)
	require.True(t, listed.Incomplete)
	require.Empty(t, listed.Agents)
}
