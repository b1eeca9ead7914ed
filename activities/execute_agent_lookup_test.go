package activities_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestExecuteAgentLookupPagesInBothDialects(t *testing.T) {
	t.Parallel()
	for _, dialect := range []asteroid.Dialect{asteroid.DialectAgents, asteroid.DialectWorkflows} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			f := newAgentFixture(t)
			f.change(func(c *asteroid.Connection) { c.Dialect = dialect })
			in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "order-42"}
			first, err := newExecuteAgent(t, f.options, in).next()
			require.NoError(t, err)
			// Reruns share the key. Only a listing with the oldest first has the original on its
			// first page.
			for range 120 {
				f.api.RerunExecution(first.ExecutionID)
			}
			f.network.listRequests.Store(0)
			again, err := newExecuteAgent(t, f.options, in).next()
			require.NoError(t, err)
			require.Equal(t, first.ExecutionID, again.ExecutionID)
			require.EqualValues(t, 2, f.network.listRequests.Load())
		})
	}
}

func TestExecuteAgentLookupDropsInexactMatches(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	execute := newExecuteAgent(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(`{"executionId":"new"}`))
			return
		}
		_, _ = w.Write([]byte(`{"page":1,"pageSize":100,"total":4,"items":[` + listedExecutionJSON("e-1", "a-1", "order-421") + "," + listedExecutionJSON("e-2", "a-1", "ORDER-42") + "," +
			listedExecutionJSON("e-3", "a-2", "order-42") + "," + listedExecutionJSON("../e-4", "a-1", "order-42") + `]}`))
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "order-42"})
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, "new", result.ExecutionID)
	require.EqualValues(t, 1, posts.Load())
}

func TestExecuteAgentLookupFailsOnEndlessListing(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	row := listedExecutionJSON("e", "a-1", "other")
	rows := strings.TrimSuffix(strings.Repeat(row+",", 100), ",")
	execute := newExecuteAgent(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
			w.WriteHeader(202)
			_, _ = w.Write([]byte(`{"executionId":"new"}`))
			return
		}
		_, _ = fmt.Fprintf(w, `{"page":1,"pageSize":100,"total":50000,"items":[%s]}`, rows)
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "k"})
	require.Error(t, execute.nextErr())
	require.Zero(t, posts.Load())
}

func TestExecuteAgentLookupReadsSmallPagesToEnd(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	row := func(key string) string { return listedExecutionJSON("e-"+key, "a-1", key) }
	execute := newExecuteAgent(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
			w.WriteHeader(202)
			_, _ = w.Write([]byte(`{"executionId":"new"}`))
			return
		}
		if r.URL.Query().Get("page") == "2" {
			_, _ = fmt.Fprintf(w, `{"page":2,"pageSize":50,"total":51,"items":[%s]}`, row("k"))
			return
		}
		_, _ = fmt.Fprintf(w, `{"page":1,"pageSize":50,"total":51,"items":[%s]}`, strings.TrimSuffix(strings.Repeat(row("k1")+",", 50), ","))
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "k"})
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, "e-k", result.ExecutionID)
	require.Zero(t, posts.Load())
}

func TestExecuteAgentLookupWorksWithKeyOfSeveralOrganizations(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	f.change(func(c *asteroid.Connection) {
		c.APIKey = asteroid.StaticAPIKey(f.api.AddAPIKey(f.api.OrganizationID(), f.api.AddOrganization("Second")))
	})
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	execute.crash()
	result, err := execute.next()
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, f.api.Executions(), 1)
}

func TestExecuteAgentPostsNothingAfterFailedLookup(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	execute := newExecuteAgent(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		w.WriteHeader(http.StatusBadGateway)
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "k"})
	for range 3 {
		require.True(t, asteroid.IsUnavailable(execute.nextErr()))
	}
	require.Zero(t, posts.Load())
}

func TestExecuteAgentRepeatsRefusedPostWithoutLookup(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t, testsuite.WithConcurrencyLimit(1))
	_, err := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent}).next()
	require.NoError(t, err)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent, Internal: asteroid.ExecuteAgentInternal{ExecutionKey: "mine"}})
	require.True(t, asteroid.IsAtCapacity(execute.nextErr()))
	require.True(t, asteroid.IsAtCapacity(execute.nextErr()))
	f.clock.Advance(2 * time.Hour)
	_, err = execute.next()
	require.NoError(t, err)
	require.Zero(t, f.network.listRequests.Load())
}

func TestExecuteAgentIgnoresReruns(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent})
	execute.crash()
	original := f.api.Executions()[0].ID
	rerun := f.api.RerunExecution(original)
	f.api.RerunExecution(rerun)
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, original, result.ExecutionID)
	require.Empty(t, result.DuplicatesCancelled)
	_, err = newEnv(t, f.options).ExecuteActivity(asteroid.SweepDuplicatesName, asteroid.SweepDuplicatesInput{
		AgentID: f.agent, ExecutionKey: result.ExecutionKey, Keep: original,
	})
	require.NoError(t, err)
	require.Len(t, f.live(), 3)
}

func TestExecuteAgentWithKeyOfItsOwnLooksForDuplicatesOnlyAfterUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		own, loses       bool
		lookups          int32
		mayHaveDuplicate bool
	}{
		"shared key":                  {false, false, 2, true},
		"own key":                     {true, false, 1, false},
		"own key, then lost response": {true, true, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newAgentFixture(t)
			in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "claims/row-1/1"}
			in.Internal.KeyIsOwn = row.own
			execute := newExecuteAgent(t, f.options, in)
			if row.loses {
				f.network.loseResponses.Store(true)
				f.network.hideExecutions.Store(true)
				require.Error(t, execute.nextErr())
				f.clock.Advance(activities.DefaultLookupGrace)
				f.network.loseResponses.Store(false)
			}
			result, err := execute.next()
			require.NoError(t, err)
			require.Equal(t, row.mayHaveDuplicate, result.MayHaveLateDuplicate)
			require.Equal(t, row.lookups, f.network.listRequests.Load())

			f.network.hideExecutions.Store(false)
			again, err := newExecuteAgentAs(t, f.options, in, "of another run of the batch").next()
			require.NoError(t, err)
			require.True(t, again.Adopted)
		})
	}
}

func TestExecuteAgentFindsUnlistedOriginalOfRerun(t *testing.T) {
	t.Parallel()
	const (
		page   = `{"page":1,"pageSize":100,"total":2,"items":[{"id":"foreign","parentExecutionId":"gone","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:04Z","metadata":{"temporal_execution_key":"k"}},{"id":"rerun","parentExecutionId":"middle","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z","metadata":{"temporal_execution_key":"k"}}]}`
		common = `"status":"running","organizationId":"o","createdAt":"2026-01-02T03:04:05Z"`
		ours   = `"agentId":"a-1","metadata":{"temporal_execution_key":"k"}`
	)
	for name, row := range map[string]struct {
		middle, original string // their members
		want             string
	}{
		"of ours":                  {ours, ours, "original"},
		"of another agent":         {ours, `"agentId":"a-2","metadata":{"temporal_execution_key":"k"}`, "new"},
		"of another key":           {ours, `"agentId":"a-1","metadata":{"temporal_execution_key":"k2"}`, "new"},
		"without a key":            {ours, `"agentId":"a-1"`, "new"},
		"behind another's":         {`"agentId":"a-1","metadata":{}`, ours, "new"},
		"behind one of ours twice": {`"agentId":"A-1","metadata":{"temporal_execution_key":"k","mine":"x"}`, ours, "original"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			execute := newExecuteAgent(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodPost:
					w.WriteHeader(http.StatusAccepted)
					_, _ = w.Write([]byte(`{"executionId":"new"}`))
				case r.URL.Path == "/agents/v2/executions":
					_, _ = w.Write([]byte(page))
				case r.URL.Path == "/agents/v2/executions/middle":
					_, _ = w.Write([]byte(`{"id":"middle","parentExecutionId":"original",` + common + "," + row.middle + "}"))
				case r.URL.Path == "/agents/v2/executions/original":
					_, _ = w.Write([]byte(`{"id":"original",` + common + "," + row.original + "}"))
				default:
					w.WriteHeader(http.StatusNotFound)
					_, _ = w.Write([]byte(`{"code":404,"message":"gone"}`))
				}
			})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "k"})
			result, err := execute.next()
			require.NoError(t, err)
			require.Equal(t, row.want, result.ExecutionID)
		})
	}
}

func TestExecuteAgentPostsWhenOriginalOfRerunIsDeleted(t *testing.T) {
	t.Parallel()
	const page = `{"page":1,"pageSize":100,"total":1,"items":[{"id":"rerun","parentExecutionId":"gone","status":"completed","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z","metadata":{"temporal_execution_key":"k"}}]}`
	execute := newExecuteAgent(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(`{"executionId":"new"}`))
		case r.URL.Path == "/agents/v2/executions":
			_, _ = w.Write([]byte(page))
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"code":404,"message":"gone"}`))
		}
	})}, asteroid.ExecuteAgentInput{AgentID: "a-1", IdempotencyKey: "k"})
	result, err := execute.next()
	require.NoError(t, err)
	require.Equal(t, "new", result.ExecutionID)
}
