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
	"github.com/temporal-asteroid/asteroid/internal/intent"
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

// Another workflow may have adopted the first attempt's execution and cancelled the second's, which
// the sweep is to keep.
func TestSweepDuplicatesKeepsAnySurvivorOfSharedKey(t *testing.T) {
	t.Parallel()
	const workflow, run = "default-test-workflow-id", "default-test-run-id"
	for name, row := range map[string]struct {
		status string // of Keep
		any    bool
		want   asteroid.SweepDuplicatesResult
	}{
		"cancelled by others":       {"cancelled", true, asteroid.SweepDuplicatesResult{Kept: "first"}},
		"cancelled by the workflow": {"cancelled", false, asteroid.SweepDuplicatesResult{Kept: "second", Cancelled: []string{"first"}}},
		"failed":                    {"failed", true, asteroid.SweepDuplicatesResult{Kept: "second", Cancelled: []string{"first"}}},
		"at work":                   {"running", true, asteroid.SweepDuplicatesResult{Kept: "second", Cancelled: []string{"first"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			item := func(id, createdAt, status string) string {
				return fmt.Sprintf(`{"id":%q,"status":%q,"agentId":"a-1","organizationId":"o","createdAt":%q,"metadata":{"temporal_execution_key":"order-42",
					"temporal_namespace":"default-test-namespace","temporal_workflow_id":%q,"temporal_run_id":%q,"temporal_activity_id":%q}}`,
					id, status, createdAt, workflow, run, run+"/7")
			}
			env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				switch path := strings.TrimPrefix(r.URL.Path, "/agents/v2/executions"); {
				case path == "":
					_, _ = fmt.Fprintf(w, `{"page":1,"pageSize":100,"total":2,"items":[%s,%s]}`,
						item("second", "2026-01-02T03:04:06Z", row.status), item("first", "2026-01-02T03:04:07Z", "running"))
				case r.Method == http.MethodPost:
				default:
					_, _ = w.Write([]byte(strings.Replace(executionJSON("cancelled"), "e-1", strings.TrimPrefix(path, "/"), 1)))
				}
			})})
			swept, err := runActivity[asteroid.SweepDuplicatesResult](env, asteroid.SweepDuplicatesName, asteroid.SweepDuplicatesInput{
				AgentID: "a-1", ExecutionKey: "order-42", Keep: "second", Internal: asteroid.SweepDuplicatesInternal{AnySurvivor: row.any},
			})
			require.NoError(t, err)
			require.Equal(t, row.want, *swept)
		})
	}
}

// The service may list an execution that the sweep keeps later than those of other workflows.
func TestSweepDuplicatesReadsWhatIsNotListedYet(t *testing.T) {
	t.Parallel()
	own := intent.Of(asteroid.ExecuteAgentInput{AgentID: "a-1"}, nil).String()
	different := intent.Of(asteroid.ExecuteAgentInput{AgentID: "a-1", Inputs: asteroid.Inputs{"claim": 1}}, nil).String()
	for name, row := range map[string]struct {
		createdAt, status, request string // of Keep
		listed                     bool
		want                       asteroid.SweepDuplicatesResult
	}{
		"younger":                      {"2026-01-02T03:04:06Z", "running", own, false, asteroid.SweepDuplicatesResult{Kept: "other", Cancelled: []string{"mine"}}},
		"younger, of another request":  {"2026-01-02T03:04:06Z", "running", different, false, asteroid.SweepDuplicatesResult{Kept: "other", Cancelled: []string{"mine"}, Conflict: []string{"inputs"}}},
		"older":                        {"2026-01-02T03:04:04Z", "running", own, false, asteroid.SweepDuplicatesResult{Kept: "mine", Cancelled: []string{"other"}}},
		"older, but cancelled":         {"2026-01-02T03:04:04Z", "cancelled", own, false, asteroid.SweepDuplicatesResult{Kept: "other"}},
		"older and listed, but failed": {"2026-01-02T03:04:04Z", "failed", own, true, asteroid.SweepDuplicatesResult{Kept: "other"}},
		"deleted":                      {"", "", "", false, asteroid.SweepDuplicatesResult{Kept: "other"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			item := func(id, createdAt, status, workflowID, request string) string {
				return fmt.Sprintf(`{"id":%q,"status":%q,"agentId":"a-1","organizationId":"o","createdAt":%q,"metadata":{"temporal_execution_key":"order-42",
					"temporal_namespace":"default-test-namespace","temporal_workflow_id":%q,"temporal_run_id":"r","temporal_activity_id":%q,"temporal_request":%q}}`,
					id, status, createdAt, workflowID, workflowID, request)
			}
			mine := item("mine", row.createdAt, row.status, "default-test-workflow-id", row.request)
			listed := item("other", "2026-01-02T03:04:05Z", "running", "other", own)
			if row.listed {
				listed += "," + mine
			}
			var cancelled atomic.Bool
			env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				switch path := strings.TrimPrefix(r.URL.Path, "/agents/v2/executions"); {
				case path == "":
					_, _ = fmt.Fprintf(w, `{"page":1,"pageSize":100,"total":1,"items":[%s]}`, listed)
				case r.Method == http.MethodPost:
					cancelled.Store(true)
				case cancelled.Load():
					_, _ = w.Write([]byte(strings.Replace(executionJSON("cancelled"), "e-1", strings.TrimPrefix(path, "/"), 1)))
				case row.status == "":
					http.Error(w, "Not found.", http.StatusNotFound)
				default:
					_, _ = w.Write([]byte(mine))
				}
			})})
			swept, err := runActivity[asteroid.SweepDuplicatesResult](env, asteroid.SweepDuplicatesName,
				asteroid.SweepDuplicatesInput{AgentID: "a-1", ExecutionKey: "order-42", Keep: "mine"})
			require.NoError(t, err)
			require.Equal(t, row.want, *swept)
		})
	}
}
