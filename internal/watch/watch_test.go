package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestWatchSignalsEveryChangeOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.start("a", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(10 * time.Second), testsuite.Ask("Which?"), testsuite.Work(10 * time.Minute), testsuite.Complete("success", "", nil)}
	})
	h.rounds(1, 0)
	require.Empty(t, h.takeSignals(), "the workflow has just started it")
	h.rounds(2, 2*time.Second)
	require.Equal(t, []string{"wf a running"}, h.takeSignals())
	h.rounds(3, 5*time.Second)
	require.Equal(t, []string{"wf a paused_by_agent"}, h.takeSignals())
	_, err := h.client.SetStatus(t.Context(), id, asteroid.StatusRunning)
	require.NoError(t, err)
	h.rounds(2, 2*time.Second)
	require.Equal(t, []string{"wf a running"}, h.takeSignals())
	h.rounds(10, 2*time.Minute)
	require.Equal(t, []string{"wf a completed"}, h.takeSignals())
	require.Empty(t, h.tracked)
}

func TestWatchSignalsQuestionOfNewExecution(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start("a", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.AwaitConfirmation("Sure?"), testsuite.Complete("success", "", nil)}
	})
	h.rounds(3, 2*time.Second)
	require.Equal(t, []string{"wf a awaiting_confirmation"}, h.takeSignals())
}

func TestWatchSignalsExecutionThatFinishesBetweenScans(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"the first execution": false, "next to others": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			if before {
				h.start("other", worksFor(time.Hour))
				h.rounds(3, 2*time.Second)
				h.takeSignals()
			}
			h.start("quick", worksFor(time.Second))
			h.rounds(1, 8*time.Second)
			require.Equal(t, []string{"wf quick completed"}, h.takeSignals())
			h.wire.Take("get")
			h.rounds(30, 5*time.Second)
			require.Empty(t, h.takeSignals())
			require.Zero(t, h.wire.Take("get"))
		})
	}
}

func TestWatchSignalsWhatFinishedBeforeTakeOver(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start("ends", worksFor(time.Minute))
	h.start("goes on", worksFor(time.Hour))
	h.rounds(2, 2*time.Second)
	h.takeSignals()
	h.start("quick", worksFor(time.Second))
	h.clock.Advance(10 * time.Minute)
	h.start("new", worksFor(time.Hour))
	h.takeOver()
	h.rounds(3, 2*time.Second)
	require.ElementsMatch(t, []string{"wf ends completed", "wf quick completed"}, h.takeSignals())
	require.Len(t, h.tracked, 2)
}

func TestWatchWithoutStateSignalsNothingOfActiveExecutions(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start("a", worksFor(time.Hour))
	h.rounds(3, 10*time.Minute/3)
	h.takeSignals()
	h.tracked, h.serviceTime = map[string]*tracked{}, time.Time{}
	h.rounds(2, 2*time.Second)
	require.Empty(t, h.takeSignals())
}

func TestWatchSignalsOnlyWorkflowsThatAskForIt(t *testing.T) {
	t.Parallel()
	for name, changed := range map[string][]string{
		"of another namespace": {asteroid.MetadataNamespace, "other"},
		"of no namespace":      {asteroid.MetadataNamespace, ""},
		"without a signal":     {asteroid.MetadataSignal, ""},
		"with another signal":  {asteroid.MetadataSignal, "somebody's"},
		"of no workflow":       {asteroid.MetadataWorkflowID, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.wire.Answer(func(_ string, r *http.Request) *http.Response { // the service need not filter exactly
				query := r.URL.Query()
				query.Del("metadataKey")
				query.Del("metadataValue")
				r.URL.RawQuery = query.Encode()
				return nil
			})
			h.start("quick", worksFor(time.Second), changed...)
			h.start("long", worksFor(2*time.Minute), changed...)
			h.rounds(3, 2*time.Second)
			require.Empty(t, h.tracked)
			h.rounds(3, time.Minute)
			require.Empty(t, h.takeSignals())
			require.Zero(t, h.wire.Take("get"))
		})
	}
}

func TestWatchIgnoresExecutionsThatItDoesNotTrust(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.Trust(func(metadata map[string]string) bool { return metadata[asteroid.MetadataToken] != "wrong" })
	h.start("trusted", worksFor(time.Minute))
	h.start("forged", worksFor(time.Minute), asteroid.MetadataToken, "wrong")
	h.rounds(10, 10*time.Second)
	require.Equal(t, []string{"wf trusted completed"}, h.takeSignals())
}

func TestWatchIgnoresReruns(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	original := h.start("a", worksFor(time.Minute))
	h.rounds(1, 0)
	h.clock.Advance(2 * time.Minute)
	h.rounds(1, 0)
	require.Equal(t, []string{"wf a completed"}, h.takeSignals())
	require.NotEmpty(t, h.api.RerunExecution(original))
	h.rounds(10, 30*time.Second)
	require.Empty(t, h.takeSignals())
}

func TestWatchSignalsDeletedExecutionWithoutStatus(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.start("a", worksFor(2*time.Minute))
	h.rounds(2, 2*time.Second)
	h.takeSignals()
	h.clock.Advance(3 * time.Minute)
	h.api.DeleteExecution(id)
	h.rounds(3, 2*time.Second)
	require.Equal(t, []string{"wf a "}, h.takeSignals())
	require.Empty(t, h.tracked)
}

func TestWatchKeepsExecutionsWhenListFails(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start("a", worksFor(3*time.Minute))
	h.rounds(2, 2*time.Second)
	h.takeSignals()
	h.start("quick", worksFor(time.Second))
	for _, status := range []int{500, 401, 403, 400, 404, 503} {
		h.api.Inject("ExecutionsList", testsuite.Answer(status, "{}"), 2)
		h.clock.Advance(40 * time.Second)
		require.Error(t, h.round(t.Context()))
		require.Zero(t, h.wire.Take("get"))
		require.Len(t, h.tracked, 1)
	}
	h.rounds(1, 0)
	require.ElementsMatch(t, []string{"wf a completed", "wf quick completed"}, h.takeSignals(), "also of the executions that the failed lists lacked")
}

// startMany starts n executions, each of its own workflow.
func (h *harness) startMany(n int, agent testsuite.Agent) {
	for i := range n {
		h.start("many", agent, asteroid.MetadataWorkflowID, fmt.Sprint("wf", i))
	}
}

func TestWatchSignalsChangesOfReadablePages(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.startMany(250, worksFor(time.Hour))
	h.rounds(1, 0)
	require.Len(t, h.tracked, 250)
	h.wire.Answer(func(_ string, r *http.Request) *http.Response {
		if r.URL.Query().Get("page") == "2" {
			return clienttest.Reply(500, nil)
		}
		return nil
	})
	h.clock.Advance(5 * time.Second)
	require.Error(t, h.round(t.Context()))
	require.Len(t, h.takeSignals(), 150)
	require.Len(t, h.tracked, 250)
	require.Zero(t, h.wire.Take("get"))
	h.wire.Answer(nil)
	h.rounds(2, 2*time.Second)
	require.Len(t, h.takeSignals(), 100)
}

func TestWatchReadsSmallerPagesThanRequested(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.startMany(95, worksFor(time.Hour))
	h.wire.Answer(func(kind string, r *http.Request) *http.Response {
		if kind == "list" {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "pageSize=100", "pageSize=30", 1)
		}
		return nil
	})
	h.rounds(1, 0)
	require.Len(t, h.tracked, 95)
	h.rounds(1, 2*time.Second)
	require.Len(t, h.takeSignals(), 95)
	h.wire.Take("list")
	h.rounds(1, 2*time.Second)
	require.Equal(t, 4+1, h.wire.Take("list"))
}

func TestWatchListsOncePerHundredExecutions(t *testing.T) {
	if testing.Short() {
		t.Skip("starts thousands of runs")
	}
	t.Parallel()
	h := newHarness(t)
	h.startMany(3000, worksFor(time.Hour))
	h.rounds(2, 2*time.Second)
	require.Len(t, h.tracked, 3000)
	h.wire.Take("list")
	h.rounds(1, 2*time.Second)
	require.Equal(t, 30+1, h.wire.Take("list"))
	require.Zero(t, h.wire.Take("get"))
}

func TestWatchReadsImplausibleListAgain(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.startMany(60, worksFor(time.Hour))
	h.rounds(2, 2*time.Second)
	h.takeSignals()
	wrong := 2 // lists
	h.wire.Answer(func(kind string, _ *http.Request) *http.Response {
		if kind == "list" && wrong > 0 {
			wrong--
			return clienttest.Reply(200, clienttest.EmptyPage)
		}
		return nil
	})
	h.rounds(1, 2*time.Second)
	require.Empty(t, h.takeSignals())
	require.Zero(t, h.wire.Take("get"))
	require.Len(t, h.tracked, 60)
}

func TestWatchBoundsReadsWhenListStaysWrong(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.startMany(450, worksFor(24*time.Hour))
	h.rounds(2, 2*time.Second)
	h.takeSignals()
	h.wire.Answer(func(kind string, _ *http.Request) *http.Response {
		if kind == "list" {
			return clienttest.Reply(200, clienttest.EmptyPage)
		}
		return nil
	})
	h.rounds(1, 2*time.Second)
	require.Equal(t, maxReads, h.wire.Take("get"))
	require.False(t, h.unread, "more reads are useless")
	h.rounds(5, time.Second)
	require.LessOrEqual(t, h.wire.Take("get"), 5*maxReads)
	h.rounds(100, 8*time.Second)
	h.wire.Take("get")
	h.rounds(10, 60*time.Second/10)
	require.LessOrEqual(t, h.wire.Take("get"), 450, "once a minute each, at most")
	require.Empty(t, h.takeSignals())
	require.Len(t, h.tracked, 450)
	h.wire.Answer(nil)
	h.rounds(1, 2*time.Second)
	require.Zero(t, h.wire.Take("get"))
}

func TestWatchReadsManyFinishedExecutionsInBatches(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.startMany(450, worksFor(10*time.Minute))
	h.rounds(2, 2*time.Minute)
	h.takeSignals()
	h.wire.Take("get")
	h.rounds(1, 15*time.Minute)
	require.Equal(t, maxReads, h.wire.Take("get"))
	require.True(t, h.unread)
	lists := h.wire.Take("list")
	require.NoError(t, h.readRemaining(t.Context(), h.now().Add(time.Hour)))
	require.Equal(t, 450-maxReads, h.wire.Take("get"))
	require.Zero(t, h.wire.Take("list"), "%d before", lists)
	require.Len(t, h.takeSignals(), 450)
	require.Empty(t, h.tracked)
}

func TestWatchSignalsClosedWorkflowOnce(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{serviceerror.NewNotFound("workflow not found"), serviceerror.NewInvalidArgument("bad id")} {
		h := newHarness(t)
		h.start("a", worksFor(2*time.Minute))
		h.start("quick", worksFor(time.Second))
		h.signalErr = refusal
		h.rounds(1, 0)
		h.rounds(5, 5*time.Second)
		require.ElementsMatch(t, []string{"wf a running", "wf quick completed"}, h.takeSignals())
		h.rounds(2, 2*time.Minute)
		require.Equal(t, []string{"wf a completed"}, h.takeSignals())
		require.Empty(t, h.tracked)
	}
}

func TestWatchRepeatsFailedSignals(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start("a", worksFor(3*time.Minute))
	h.start("quick", worksFor(time.Second))
	h.rounds(1, 0)
	h.signalErr = serviceerror.NewUnavailable("away")
	h.rounds(60, time.Second)
	require.InDelta(t, 10, len(h.takeSignals()), 2, "twice each at 2, 4, 8, 16, 32 seconds")
	h.signalErr = nil
	h.rounds(10, 5*time.Second)
	require.ElementsMatch(t, []string{"wf a running", "wf quick completed"}, h.takeSignals())
	h.signalErr = errors.New("away")
	h.rounds(1, 2*time.Minute)
	require.Equal(t, []string{"wf a completed"}, h.takeSignals())
	h.signalErr = nil
	h.takeOver()
	h.rounds(2, 2*time.Second)
	require.Equal(t, []string{"wf a completed"}, h.takeSignals(), "by the next attempt")
}

func TestWatchReadsExecutionAgainAfterError(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start("a", worksFor(5*time.Minute))
	h.rounds(3, 2*time.Minute/3)
	h.takeSignals()
	for _, status := range []int{400, 403, 500} {
		h.wire.Answer(func(kind string, _ *http.Request) *http.Response {
			if kind == "get" {
				return clienttest.Reply(status, nil)
			}
			return nil
		})
		h.rounds(1, 5*time.Minute)
		require.Equal(t, 1, h.wire.Take("get"))
		h.rounds(10, time.Second/10)
		require.Zero(t, h.wire.Take("get"))
		require.Len(t, h.tracked, 1)
	}
	h.wire.Answer(nil)
	h.rounds(1, time.Minute)
	require.Equal(t, []string{"wf a completed"}, h.takeSignals())
}

func TestWatchSignalsUnknownStatusOnceAndReadsItSeldom(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := h.start("a", worksFor(time.Hour))
	h.rounds(2, 2*time.Second)
	h.takeSignals()
	created := h.now()
	status, ended := "hibernating", any(nil)
	h.wire.Answer(func(kind string, _ *http.Request) *http.Response {
		if kind == "list" {
			return clienttest.Reply(200, clienttest.EmptyPage)
		}
		return clienttest.Reply(200, map[string]any{"id": id, "status": status, "terminalAt": ended, "createdAt": created, "metadata": map[string]string{
			asteroid.MetadataNamespace: "ns", asteroid.MetadataWorkflowID: "wf", asteroid.MetadataSignal: asteroid.ExecutionEventSignal,
		}})
	})
	h.rounds(300, 2*time.Second)
	require.Equal(t, []string{"wf a hibernating"}, h.takeSignals())
	require.Less(t, h.wire.Take("get"), 20)
	h.takeOver()
	h.rounds(1, time.Minute)
	require.Equal(t, []string{"wf a hibernating"}, h.takeSignals(), "a hand-over does not lose it")
	ended = created.Add(time.Hour)
	h.rounds(1, time.Minute)
	require.Equal(t, []string{"wf a hibernating"}, h.takeSignals(), "it has ended")
	require.Empty(t, h.tracked)
}

func TestWatchIgnoresOldExecutionsWhenServiceIgnoresFilter(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start("old", worksFor(time.Second))
	h.clock.Advance(time.Hour)
	h.start("new", worksFor(time.Second))
	h.wire.Answer(func(kind string, r *http.Request) *http.Response {
		if kind == "list" {
			query := r.URL.Query()
			query.Del("status")
			r.URL.RawQuery = query.Encode()
		}
		return nil
	})
	h.rounds(5, 5*time.Second)
	require.Equal(t, []string{"wf new completed"}, h.takeSignals())
}

func TestWatchEndsRoundAtRateLimit(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.startMany(30, worksFor(5*time.Minute))
	h.rounds(2, 2*time.Minute)
	h.takeSignals()
	h.wire.Answer(func(kind string, _ *http.Request) *http.Response {
		if kind == "get" {
			return clienttest.Reply(429, nil, "Retry-After", "7")
		}
		return nil
	})
	h.clock.Advance(5 * time.Minute)
	err := h.round(t.Context())
	failed, ok := errors.AsType[*client.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 7*time.Second, failed.RetryAfter)
	require.LessOrEqual(t, h.wire.Take("get"), maxConcurrent, "only requests that were under way")
	h.wire.Answer(nil)
	h.rounds(1, 7*time.Second)
	require.Len(t, h.takeSignals(), 30)
}

func TestWatchSkipsMalformedListEntries(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	var odd []any
	require.NoError(t, json.Unmarshal([]byte(`[{"id":"../x","status":"paused","metadata":{"temporal_namespace":"ns","temporal_workflow_id":"wf","temporal_signal":"asteroid.executionEvent"}},
		{"id":"x","status":"","metadata":{"temporal_namespace":"ns","temporal_workflow_id":"wf","temporal_signal":"asteroid.executionEvent"}},
		{"id":"y","status":"paused","metadata":{"temporal_namespace":1,"temporal_workflow_id":["wf"],"temporal_signal":{}}},
		{"id":"z","status":"paused","metadata":null},{},null,7,[],"x"]`), &odd))
	h.wire.Answer(func(kind string, _ *http.Request) *http.Response {
		if kind != "list" {
			return nil
		}
		return clienttest.Reply(http.StatusOK, map[string]any{"items": odd, "total": len(odd)})
	})
	s := h.scan(t.Context())
	require.NoError(t, s.err)
	require.Empty(t, s.listed)
}

func TestWatchSignalsManyExecutionsWithLargeResults(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	large := strings.Repeat("x", 200_000)
	for range 100 {
		h.start("large", func(testsuite.Run) []testsuite.Step {
			return []testsuite.Step{testsuite.Work(10 * time.Second), testsuite.Complete("success", "", large)}
		})
	}
	h.rounds(3, 2*time.Second)
	h.takeSignals()
	h.rounds(3, 10*time.Second)
	signals := h.takeSignals()
	require.Len(t, signals, 100)
	require.Equal(t, "wf large completed", signals[0])
	h.start("next", worksFor(time.Second))
	h.rounds(2, 2*time.Second)
	require.Equal(t, []string{"wf next completed"}, h.takeSignals(), "the watch goes on")
}

func TestWatchTellsNothingTwiceAfterTakeOver(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start("other", worksFor(time.Hour))
	h.rounds(2, 2*time.Second)
	h.takeSignals()
	h.start("quick", worksFor(time.Second))
	h.rounds(1, 8*time.Second)
	require.Equal(t, []string{"wf quick completed"}, h.takeSignals())
	h.takeOver()
	h.rounds(30, 5*time.Second)
	require.Empty(t, h.takeSignals(), "the lists hold the terminal execution for another minute")
	require.Empty(t, h.reported)
}

func TestWatchSignalsEndReadWithoutMetadata(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		takeOver bool
		without  any
	}{
		"null":              {false, nil},
		"empty":             {false, map[string]string{}},
		"of another type":   {false, []string{}},
		"after a take-over": {true, nil}, // the workflow is not known, so it is read again
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			id := h.start("a", worksFor(3*time.Minute))
			h.rounds(2, 2*time.Second)
			h.takeSignals()
			created := h.now()
			if row.takeOver {
				h.takeOver()
			}
			h.wire.Answer(func(kind string, _ *http.Request) *http.Response {
				if kind == "list" {
					return clienttest.Reply(200, clienttest.EmptyPage)
				}
				return clienttest.Reply(200, map[string]any{"id": id, "status": "completed", "createdAt": created, "metadata": row.without})
			})
			h.rounds(1, 5*time.Minute)
			if row.takeOver {
				require.Len(t, h.tracked, 1)
				h.wire.Answer(nil)
				h.rounds(1, time.Minute)
			}
			require.Equal(t, []string{"wf a completed"}, h.takeSignals())
		})
	}
}

func TestWatchScansBelowItsRateLimit(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][]string{"without Retry-After": nil, "with Retry-After": {"Retry-After", "2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.startMany(450, worksFor(10*time.Minute))
			var mu sync.Mutex
			window, used := time.Time{}, 0
			h.wire.Answer(func(kind string, _ *http.Request) *http.Response {
				mu.Lock()
				defer mu.Unlock()
				if now := h.clock.Now(); now.Sub(window) >= 2*time.Second {
					window, used = now, 0
				}
				if used++; (kind == "list" || kind == "get") && used > 2 {
					return clienttest.Reply(429, nil, header...)
				}
				return nil
			})
			h.rounds(3, 10*time.Second)
			h.takeSignals()
			require.Len(t, h.tracked, 450)
			require.True(t, h.limited.Load())
			require.Less(t, h.concurrent, maxConcurrent)
			h.clock.Advance(15 * time.Minute)
			for range 600 {
				_ = h.step(t.Context(), h.now().Add(8*time.Second))
				h.clock.Advance(2 * time.Second)
			}
			require.Len(t, h.takeSignals(), 450)
		})
	}
}

func TestWatchSignalsNothingOnceReplaced(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start("a", worksFor(2*time.Minute))
	h.rounds(2, 2*time.Second)
	h.takeSignals()
	replaced := true
	h.fence = func(context.Context) bool { return !replaced }
	h.rounds(3, 2*time.Minute)
	require.Empty(t, h.takeSignals())
	replaced = false
	h.rounds(1, time.Minute)
	require.Equal(t, []string{"wf a completed"}, h.takeSignals())
}

func TestWatchIsDeniedUntilASignalIsDelivered(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start("a", worksFor(2*time.Minute))
	h.rounds(1, 0)
	h.signalErr = serviceerror.NewPermissionDenied("no", "")
	h.rounds(5, 2*time.Second)
	require.Error(t, h.denied, "also in rounds in which nothing is due")
	h.signalErr = serviceerror.NewUnavailable("away")
	h.rounds(5, 2*time.Second)
	require.Error(t, h.denied)
	h.signalErr = nil
	h.rounds(5, time.Minute)
	require.NoError(t, h.denied)
}
