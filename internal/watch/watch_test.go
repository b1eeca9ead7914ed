package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestEveryChangeIsToldOnce(t *testing.T) {
	t.Parallel()
	f := newField(t)
	id := f.begin("a", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(10 * time.Second), testsuite.Ask("Which?"), testsuite.Work(10 * time.Minute), testsuite.Complete("success", "", nil)}
	})
	f.rounds(1, 0)
	require.Empty(t, f.heard(), "its workflow has just started it")
	f.rounds(2, 2*time.Second)
	require.Equal(t, []string{"wf a running"}, f.heard())
	f.rounds(3, 5*time.Second)
	require.Equal(t, []string{"wf a paused_by_agent"}, f.heard())
	_, err := f.c.SetStatus(t.Context(), id, asteroid.StatusRunning)
	require.NoError(t, err)
	f.rounds(2, 2*time.Second)
	require.Equal(t, []string{"wf a running"}, f.heard())
	f.rounds(10, 2*time.Minute)
	require.Equal(t, []string{"wf a completed"}, f.heard())
	require.Empty(t, f.known)
}

func TestAnAgentThatAsksWhenItIsFirstSeenIsTold(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.begin("a", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.AwaitConfirmation("Sure?"), testsuite.Complete("success", "", nil)}
	})
	f.rounds(3, 2*time.Second)
	require.Equal(t, []string{"wf a awaiting_confirmation"}, f.heard())
}

func TestARunThatBeginsAndEndsBetweenTwoScansIsTold(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"the first thing that the watch sees": false, "next to others": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			if before {
				f.begin("other", works(time.Hour))
				f.rounds(3, 2*time.Second)
				f.heard()
			}
			f.begin("quick", works(time.Second))
			f.rounds(1, 8*time.Second)
			require.Equal(t, []string{"wf quick completed"}, f.heard())
			f.wire.Take("get")
			f.rounds(30, 5*time.Second)
			require.Empty(t, f.heard())
			require.Zero(t, f.wire.Take("get"))
		})
	}
}

func TestWhatEndsWhileNobodyWatchesIsToldAfterwards(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.begin("ends", works(time.Minute))
	f.begin("goes on", works(time.Hour))
	f.rounds(2, 2*time.Second)
	f.heard()
	f.begin("quick", works(time.Second))
	f.clock.Advance(10 * time.Minute)
	f.begin("new", works(time.Hour))
	f.takeOver()
	f.rounds(3, 2*time.Second)
	require.ElementsMatch(t, []string{"wf ends completed", "wf quick completed"}, f.heard())
	require.Len(t, f.known, 2)
}

func TestWithoutKnowledgeNothingIsToldOfRunsAtWork(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.begin("a", works(time.Hour))
	f.rounds(3, 10*time.Minute/3)
	f.heard()
	f.known, f.newest = map[string]*tracked{}, time.Time{}
	f.rounds(2, 2*time.Second)
	require.Empty(t, f.heard())
}

func TestOnlyWorkflowsThatWantToAreTold(t *testing.T) {
	t.Parallel()
	for name, changed := range map[string][]string{
		"of another namespace":  {asteroid.MetadataNamespace, "other"},
		"of no namespace":       {asteroid.MetadataNamespace, ""},
		"no signal wanted":      {asteroid.MetadataSignal, ""},
		"another signal wanted": {asteroid.MetadataSignal, "somebody's"},
		"of no workflow":        {asteroid.MetadataWorkflowID, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newField(t)
			f.wire.Answer(func(_ string, r *http.Request) *http.Response { // the service may match as it likes
				query := r.URL.Query()
				query.Del("metadataKey")
				query.Del("metadataValue")
				r.URL.RawQuery = query.Encode()
				return nil
			})
			f.begin("quick", works(time.Second), changed...)
			f.begin("long", works(2*time.Minute), changed...)
			f.rounds(3, 2*time.Second)
			require.Empty(t, f.known)
			f.rounds(3, time.Minute)
			require.Empty(t, f.heard())
			require.Zero(t, f.wire.Take("get"))
		})
	}
}

func TestARerunIsNobodys(t *testing.T) {
	t.Parallel()
	f := newField(t)
	original := f.begin("a", works(time.Minute))
	f.rounds(1, 0)
	f.clock.Advance(2 * time.Minute)
	f.rounds(1, 0)
	require.Equal(t, []string{"wf a completed"}, f.heard())
	require.NotEmpty(t, f.api.RerunExecution(original))
	f.rounds(10, 30*time.Second)
	require.Empty(t, f.heard())
}

func TestAnExecutionThatIsDeletedIsToldWithoutAStatus(t *testing.T) {
	t.Parallel()
	f := newField(t)
	id := f.begin("a", works(2*time.Minute))
	f.rounds(2, 2*time.Second)
	f.heard()
	f.clock.Advance(3 * time.Minute)
	f.api.DeleteExecution(id)
	f.rounds(3, 2*time.Second)
	require.Equal(t, []string{"wf a "}, f.heard())
	require.Empty(t, f.known)
}

func TestAListThatFailsEndsNothing(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.begin("a", works(3*time.Minute))
	f.rounds(2, 2*time.Second)
	f.heard()
	f.begin("quick", works(time.Second))
	for _, status := range []int{500, 401, 403, 400, 404, 503} {
		f.api.Inject("ExecutionsList", testsuite.Answer(status, "{}"), 2)
		f.clock.Advance(40 * time.Second)
		require.Error(t, f.round(t.Context()))
		require.Zero(t, f.wire.Take("get"))
		require.Len(t, f.known, 1)
	}
	f.rounds(1, 0)
	require.ElementsMatch(t, []string{"wf a completed", "wf quick completed"}, f.heard(), "what was missed meanwhile, too")
}

// many begins more executions than a page holds.
func (f *field) many(n int, agent testsuite.Agent) {
	for i := range n {
		f.begin("many", agent, asteroid.MetadataWorkflowID, fmt.Sprint("wf", i))
	}
}

func TestAPageThatFailsHidesOnlyItsOwnChanges(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.many(250, works(time.Hour))
	f.rounds(1, 0)
	require.Len(t, f.known, 250)
	f.wire.Answer(func(_ string, r *http.Request) *http.Response {
		if r.URL.Query().Get("page") == "2" {
			return clienttest.Reply(500, nil)
		}
		return nil
	})
	f.clock.Advance(5 * time.Second)
	require.Error(t, f.round(t.Context()))
	require.Len(t, f.heard(), 150)
	require.Len(t, f.known, 250)
	require.Zero(t, f.wire.Take("get"))
	f.wire.Answer(nil)
	f.rounds(2, 2*time.Second)
	require.Len(t, f.heard(), 100)
}

func TestPagesMayBeSmallerThanAskedFor(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.many(95, works(time.Hour))
	f.wire.Answer(func(kind string, r *http.Request) *http.Response {
		if kind == "list" {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "pageSize=100", "pageSize=30", 1)
		}
		return nil
	})
	f.rounds(1, 0)
	require.Len(t, f.known, 95)
	f.rounds(1, 2*time.Second)
	require.Len(t, f.heard(), 95)
	f.wire.Take("list")
	f.rounds(1, 2*time.Second)
	require.Equal(t, 4+1, f.wire.Take("list"))
}

func TestTenThousandRunsCostAListForEachHundred(t *testing.T) {
	if testing.Short() {
		t.Skip("starts thousands of runs")
	}
	t.Parallel()
	f := newField(t)
	f.many(3000, works(time.Hour))
	f.rounds(2, 2*time.Second)
	require.Len(t, f.known, 3000)
	f.wire.Take("list")
	f.rounds(1, 2*time.Second)
	require.Equal(t, 30+1, f.wire.Take("list"))
	require.Zero(t, f.wire.Take("get"))
}

func TestAnEmptyListIsReadAgain(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.many(60, works(time.Hour))
	f.rounds(2, 2*time.Second)
	f.heard()
	wrong := 2 // lists
	f.wire.Answer(func(kind string, _ *http.Request) *http.Response {
		if kind == "list" && wrong > 0 {
			wrong--
			return clienttest.Reply(200, clienttest.EmptyPage)
		}
		return nil
	})
	f.rounds(1, 2*time.Second)
	require.Empty(t, f.heard())
	require.Zero(t, f.wire.Take("get"))
	require.Len(t, f.known, 60)
}

func TestAListThatStaysWrongCausesFewReadsAndNoSignal(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.many(450, works(24*time.Hour))
	f.rounds(2, 2*time.Second)
	f.heard()
	f.wire.Answer(func(kind string, _ *http.Request) *http.Response {
		if kind == "list" {
			return clienttest.Reply(200, clienttest.EmptyPage)
		}
		return nil
	})
	f.rounds(1, 2*time.Second)
	require.Equal(t, maxLooks, f.wire.Take("get"))
	require.False(t, f.pending, "there is no use in reading on")
	f.rounds(5, time.Second)
	require.LessOrEqual(t, f.wire.Take("get"), 5*maxLooks)
	f.rounds(100, 8*time.Second)
	f.wire.Take("get")
	f.rounds(10, 60*time.Second/10)
	require.LessOrEqual(t, f.wire.Take("get"), 450, "once a minute each, at most")
	require.Empty(t, f.heard())
	require.Len(t, f.known, 450)
	f.wire.Answer(nil)
	f.rounds(1, 2*time.Second)
	require.Zero(t, f.wire.Take("get"))
}

func TestManyThatEndTogetherAreReadInTurn(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.many(450, works(10*time.Minute))
	f.rounds(2, 2*time.Minute)
	f.heard()
	f.wire.Take("get")
	f.rounds(1, 15*time.Minute)
	require.Equal(t, maxLooks, f.wire.Take("get"))
	require.True(t, f.pending)
	lists := f.wire.Take("list")
	require.NoError(t, f.catchUp(t.Context(), f.now().Add(time.Hour)))
	require.Equal(t, 450-maxLooks, f.wire.Take("get"))
	require.Zero(t, f.wire.Take("list"), "%d before", lists)
	require.Len(t, f.heard(), 450)
	require.Empty(t, f.known)
}

func TestAWorkflowThatIsOverIsToldOnceOnly(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{serviceerror.NewNotFound("workflow not found"), serviceerror.NewInvalidArgument("bad id")} {
		f := newField(t)
		f.begin("a", works(2*time.Minute))
		f.begin("quick", works(time.Second))
		f.fail = refusal
		f.rounds(1, 0)
		f.rounds(5, 5*time.Second)
		require.ElementsMatch(t, []string{"wf a running", "wf quick completed"}, f.heard())
		f.rounds(2, 2*time.Minute)
		require.Equal(t, []string{"wf a completed"}, f.heard())
		require.Empty(t, f.known)
	}
}

func TestASignalThatFailsIsRepeatedLater(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.begin("a", works(3*time.Minute))
	f.begin("quick", works(time.Second))
	f.rounds(1, 0)
	f.fail = serviceerror.NewUnavailable("away")
	f.rounds(60, time.Second)
	require.InDelta(t, 10, len(f.heard()), 2, "twice each at 2, 4, 8, 16, 32 seconds")
	f.fail = nil
	f.rounds(10, 5*time.Second)
	require.ElementsMatch(t, []string{"wf a running", "wf quick completed"}, f.heard())
	f.fail = errors.New("away")
	f.rounds(1, 2*time.Minute)
	require.Equal(t, []string{"wf a completed"}, f.heard())
	f.fail = nil
	f.takeOver()
	f.rounds(2, 2*time.Second)
	require.Equal(t, []string{"wf a completed"}, f.heard(), "by the next attempt")
}

func TestAnItemThatCannotBeReadIsLeftForLater(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.begin("a", works(5*time.Minute))
	f.rounds(3, 2*time.Minute/3)
	f.heard()
	for _, status := range []int{400, 403, 500} {
		f.wire.Answer(func(kind string, _ *http.Request) *http.Response {
			if kind == "get" {
				return clienttest.Reply(status, nil)
			}
			return nil
		})
		f.rounds(1, 5*time.Minute)
		require.Equal(t, 1, f.wire.Take("get"))
		f.rounds(10, time.Second/10)
		require.Zero(t, f.wire.Take("get"))
		require.Len(t, f.known, 1)
	}
	f.wire.Answer(nil)
	f.rounds(1, time.Minute)
	require.Equal(t, []string{"wf a completed"}, f.heard())
}

func TestAStatusThatIsUnknownIsToldOnceAndReadSeldom(t *testing.T) {
	t.Parallel()
	f := newField(t)
	id := f.begin("a", works(time.Hour))
	f.rounds(2, 2*time.Second)
	f.heard()
	created := f.now()
	status := "hibernating"
	f.wire.Answer(func(kind string, _ *http.Request) *http.Response {
		if kind == "list" {
			return clienttest.Reply(200, clienttest.EmptyPage)
		}
		return clienttest.Reply(200, map[string]any{"id": id, "status": status, "createdAt": created, "metadata": map[string]string{
			asteroid.MetadataNamespace: "ns", asteroid.MetadataWorkflowID: "wf", asteroid.MetadataSignal: asteroid.ExecutionEventSignal,
		}})
	})
	f.rounds(300, 2*time.Second)
	require.Equal(t, []string{"wf a hibernating"}, f.heard())
	require.Less(t, f.wire.Take("get"), 20)
	status = "failed"
	f.rounds(1, time.Minute)
	require.Equal(t, []string{"wf a failed"}, f.heard())
}

func TestAServiceThatIgnoresTheFilterDoesNotBringUpThePast(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.begin("old", works(time.Second))
	f.clock.Advance(time.Hour)
	f.begin("new", works(time.Second))
	f.wire.Answer(func(kind string, r *http.Request) *http.Response {
		if kind == "list" {
			query := r.URL.Query()
			query.Del("status")
			r.URL.RawQuery = query.Encode()
		}
		return nil
	})
	f.rounds(5, 5*time.Second)
	require.Equal(t, []string{"wf new completed"}, f.heard())
}

func TestALimitedRateEndsTheRound(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.many(30, works(5*time.Minute))
	f.rounds(2, 2*time.Minute)
	f.heard()
	f.wire.Answer(func(kind string, _ *http.Request) *http.Response {
		if kind == "get" {
			return clienttest.Reply(429, nil, "Retry-After", "7")
		}
		return nil
	})
	f.clock.Advance(5 * time.Minute)
	err := f.round(t.Context())
	failed, ok := errors.AsType[*client.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 7*time.Second, failed.RetryAfter)
	require.LessOrEqual(t, f.wire.Take("get"), watchAtOnce, "what was under way")
	f.wire.Answer(nil)
	f.rounds(1, 7*time.Second)
	require.Len(t, f.heard(), 30)
}

func TestAnOddListEntryIsPassedOver(t *testing.T) {
	t.Parallel()
	f := newField(t)
	var odd []client.Summary
	require.NoError(t, json.Unmarshal([]byte(`[{"id":"../x","status":"paused","metadata":{"temporal_namespace":"ns","temporal_workflow_id":"wf","temporal_signal":"asteroid.executionEvent"}},
		{"id":"x","status":"","metadata":{"temporal_namespace":"ns","temporal_workflow_id":"wf","temporal_signal":"asteroid.executionEvent"}},
		{"id":"y","status":"paused","metadata":{"temporal_namespace":1,"temporal_workflow_id":["wf"],"temporal_signal":{}}},
		{"id":"z","status":"paused","metadata":null},{}]`), &odd))
	s := &scan{seen: map[string]observation{}}
	for _, e := range odd {
		s.take(f.Watch, e)
	}
	require.Empty(t, s.seen)
}
