package activities_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestSweepDuplicatesRetriesCancelWithoutEffect(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/agents/v2/executions":
			_, _ = w.Write([]byte(`{"page":1,"pageSize":100,"total":1,"items":[{"id":"e-1","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z","metadata":{"temporal_execution_key":"k"}}]}`))
		case r.Method == http.MethodPost:
			_, _ = w.Write([]byte("Execution status updated."))
		default:
			_, _ = w.Write([]byte(`{"id":"e-1","status":"running","agentId":"a-1","organizationId":"o","createdAt":"2026-01-02T03:04:05Z"}`))
		}
	})})
	_, err := runActivity[asteroid.SweepDuplicatesResult](env, asteroid.SweepDuplicatesName, asteroid.SweepDuplicatesInput{AgentID: "a-1", ExecutionKey: "k"})
	require.True(t, asteroid.IsUnavailable(err), "%v", err)
	require.Contains(t, err.Error(), "still running")
}

func TestSweepDuplicatesContinuesAfterFailedCancel(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	execute := newExecuteAgent(t, f.options, asteroid.ExecuteAgentInput{AgentID: f.agent, Internal: asteroid.ExecuteAgentInternal{ExecutionKey: "k"}})
	f.postTwice(t, execute)
	f.api.Inject("ExecutionStatusUpdate", testsuite.Answer(400, `{"code":400,"message":"not now"}`, "Content-Type", "application/json"), 1)
	sweep := &attempts[asteroid.SweepDuplicatesResult]{t: t, name: asteroid.SweepDuplicatesName, options: f.options,
		in: asteroid.SweepDuplicatesInput{AgentID: f.agent, ExecutionKey: "k"}}
	require.True(t, asteroid.IsUnavailable(sweep.nextErr()))
	require.Len(t, f.live(), 1)
	swept, err := sweep.next()
	require.NoError(t, err)
	require.Empty(t, f.live())
	require.Len(t, swept.Cancelled, 2, "those of the attempt before, too")
}

func TestSweepDuplicatesWithoutKeepCoversNumberedKeys(t *testing.T) {
	t.Parallel()
	f := newAgentFixture(t)
	f.fails.Store(true)
	in := asteroid.ExecuteAgentInput{AgentID: f.agent, IdempotencyKey: "k"}
	_, err := newExecuteAgent(t, f.options, in).next()
	require.NoError(t, err)
	f.clock.Advance(time.Minute)
	f.fails.Store(false)
	second, err := newExecuteAgentAs(t, f.options, in, "again").next()
	require.NoError(t, err)
	require.Equal(t, "k#2", second.ExecutionKey)
	sweep := func(keep string) []string {
		swept, err := runActivity[asteroid.SweepDuplicatesResult](newEnv(t, f.options), asteroid.SweepDuplicatesName,
			asteroid.SweepDuplicatesInput{AgentID: f.agent, ExecutionKey: "k", Keep: keep})
		require.NoError(t, err)
		return swept.Cancelled
	}
	require.Empty(t, sweep(f.api.Executions()[0].ID), "what is to be left is of the first number")
	require.Equal(t, []string{second.ExecutionID}, sweep(""))
}

// Activities that share a key are swept for each on its own, and have to keep the same execution.
func TestSweepDuplicatesKeepsOldestOfSharedKey(t *testing.T) {
	t.Parallel()
	const workflow, run = "default-test-workflow-id", "default-test-run-id"
	type origin struct{ workflowID, runID, activityID, status string }
	for name, row := range map[string]struct {
		key       string
		older     origin
		cancelled string
	}{
		"another workflow":                     {"order-42", origin{"other", "r-9", "r-9/5", "running"}, "kept"},
		"another workflow, completed":          {"order-42", origin{"other", "r-9", "r-9/5", "completed"}, "kept"},
		"another workflow, cancelled":          {"order-42", origin{"other", "r-9", "r-9/5", "cancelled"}, ""},
		"another activity of this run":         {"order-42", origin{workflow, run, run + "/5", "running"}, "kept"},
		"an earlier attempt":                   {"order-42", origin{workflow, run, run + "/7", "running"}, "older"},
		"a run that was replaced":              {"order-42", origin{workflow, "r-0", "r-0/7", "running"}, "older"},
		"an activity before, with its own key": {"default-test-namespace/" + workflow + "/r-0/v1-1/1", origin{workflow, run, run + "/5", "running"}, "older"},
		"a child's, with its parent's key":     {"default-test-namespace/parent/r-0/v1-1/1", origin{"other", "r-9", "r-9/5", "running"}, "kept"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			item := func(id, createdAt string, o origin) string {
				return fmt.Sprintf(`{"id":%q,"status":%q,"agentId":"a-1","organizationId":"o","createdAt":%q,"metadata":{"temporal_execution_key":%q,
					"temporal_namespace":"default-test-namespace","temporal_workflow_id":%q,"temporal_run_id":%q,"temporal_activity_id":%q}}`,
					id, o.status, createdAt, row.key, o.workflowID, o.runID, o.activityID)
			}
			var cancelled string
			env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				switch id, isStatus := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/agents/v2/executions/"), "/status"); {
				case r.URL.Path == "/agents/v2/executions":
					_, _ = fmt.Fprintf(w, `{"page":1,"pageSize":100,"total":2,"items":[%s,%s]}`, item("older", "2026-01-02T03:04:05Z", row.older),
						item("kept", "2026-01-02T03:04:06Z", origin{workflow, run, run + "/7", "running"}))
				case isStatus:
					cancelled += id
				default:
					_, _ = w.Write([]byte(strings.Replace(executionJSON("cancelled"), "e-1", id, 1)))
				}
			})})
			_, err := runActivity[asteroid.SweepDuplicatesResult](env, asteroid.SweepDuplicatesName,
				asteroid.SweepDuplicatesInput{AgentID: "a-1", ExecutionKey: row.key, Keep: "kept"})
			require.NoError(t, err)
			require.Equal(t, row.cancelled, cancelled)
		})
	}
}
