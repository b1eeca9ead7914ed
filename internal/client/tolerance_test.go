package client

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
)

// cannedClient returns a client that gets these bytes as the response to every request.
func cannedClient(t testing.TB, body string) *Client {
	t.Helper()
	wire := clienttest.NewWire()
	wire.Answer(func(string, *http.Request) *http.Response { return clienttest.ReplyText(http.StatusOK, body) })
	c, err := New("default", asteroid.Connection{
		APIKey: asteroid.StaticAPIKey("secret-key"), OrganizationID: "org-1", Transport: wire,
	}, time.Minute, time.Now)
	require.NoError(t, err)
	return c
}

const completedExecution = `{
	"id": "e-1", "status": "completed", "agentId": "a-1", "agentName": "reader", "workflowId": "a-1", "workflowVersion": 3,
	"organizationId": "org-1", "createdAt": "2026-03-01T09:00:00Z", "startedAt": "2026-03-01T09:00:01Z",
	"terminalAt": "2026-03-01T10:00:00Z", "duration": 12.5, "parentExecutionId": "", "metadata": {"a": "b"}, "inputs": {"x": 1},
	"platformUrl": "https://p", "liveViewUrl": "https://l", "recordingUrl": "https://r", "comments": [], "humanLabels": [],
	"executionOptions": {"softTimeoutMins": 3}, "triggerContext": {"source": "api", "actor": {"kind": "person", "id": "u-1", "client": "web"}},
	"scriptFailures": [{"occurredAt": "2026-03-01T09:30:00Z", "nodeName": "Sign in", "scriptFilepath": "login.js", "error": "no", "failedLine": 7}], "hasBeenRerun": false, "purgedAt": null,
	"executionResult": {"id": "r-1", "outcome": "success", "reasoning": "done", "result": {"amount": 250}, "createdAt": "2026-03-01T10:00:00Z"}
}`

// odd are values of every type, in place of a member that has another.
var odd = []string{`null`, `true`, `7`, `-1.5e300`, `3.0`, `"12.5"`, `""`, `"not a time"`, `1772355600`, `1772355600000`, `[]`, `[null,{"x":[]}]`, `{}`, `{"x":null}`, strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)}

// mutations returns the object with each member, of each object in it too, absent and odd. keep
// says which paths are left alone.
func mutations(t testing.TB, object string, keep ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(object), &members))
	write := func(changed map[string]json.RawMessage) string {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(changed)) {
			parts = append(parts, fmt.Sprintf("%q:%s", name, changed[name]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	for name, value := range members {
		if slices.Contains(keep, name) {
			continue
		}
		changed := maps.Clone(members)
		if strings.HasPrefix(string(value), "{") {
			var below []string
			for _, path := range keep {
				if rest, ok := strings.CutPrefix(path, name+"."); ok {
					below = append(below, rest)
				}
			}
			for path, inner := range mutations(t, string(value), below...) {
				changed[name] = json.RawMessage(inner)
				all[name+"."+path] = write(changed)
			}
			if len(below) > 0 {
				continue
			}
		}
		for _, value := range odd {
			changed[name] = json.RawMessage(value)
			all[name+"="+value[:min(len(value), 20)]] = write(changed)
		}
		delete(changed, name)
		all[name+" absent"] = write(changed)
	}
	return all
}

func TestExecutionReadsIDStatusAndResultWhateverElseIsOdd(t *testing.T) {
	t.Parallel()
	all := mutations(t, completedExecution, "id", "status", "executionResult.result")
	require.Greater(t, len(all), 300)
	for name, body := range all {
		e, err := cannedClient(t, body).Execution(t.Context(), "e-1")
		require.NoError(t, err, name)
		require.Equal(t, "e-1", e.ExecutionID, name)
		require.Equal(t, asteroid.StatusCompleted, e.Status, name)
		require.JSONEq(t, `{"amount":250}`, string(e.Result()), name)
	}
}

func TestExecutionReadsUsualForms(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		member string
		want   func(e *asteroid.Execution) any
		value  any
	}{
		"version 3.0":        {`"workflowVersion":3.0`, func(e *asteroid.Execution) any { return e.WorkflowVersion }, 3},
		"version text":       {`"workflowVersion":"3"`, func(e *asteroid.Execution) any { return e.WorkflowVersion }, 3},
		"version 3.5":        {`"workflowVersion":3.5`, func(e *asteroid.Execution) any { return e.WorkflowVersion }, 0},
		"duration text":      {`"duration":"12.5"`, func(e *asteroid.Execution) any { return e.Duration }, 12.5},
		"time":               {`"createdAt":"2026-03-01T10:00:00.000+01:00"`, func(e *asteroid.Execution) any { return e.CreatedAt.UTC() }, created},
		"time without zone":  {`"createdAt":"2026-03-01T09:00:00"`, func(e *asteroid.Execution) any { return e.CreatedAt.UTC() }, created},
		"time with a blank":  {`"createdAt":"2026-03-01 09:00:00Z"`, func(e *asteroid.Execution) any { return e.CreatedAt.UTC() }, created},
		"time in seconds":    {fmt.Sprintf(`"createdAt":%d`, created.Unix()), func(e *asteroid.Execution) any { return e.CreatedAt.UTC() }, created},
		"time in ms, text":   {fmt.Sprintf(`"createdAt":"%d"`, created.UnixMilli()), func(e *asteroid.Execution) any { return e.CreatedAt.UTC() }, created},
		"id in capitals":     {`"id":"E-1"`, func(e *asteroid.Execution) any { return e.ExecutionID }, "E-1"},
		"a number for a URL": {`"platformUrl":5`, func(e *asteroid.Execution) any { return e.PlatformURL }, "5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := strings.TrimSuffix(completedExecution, "\n}") + "," + row.member + "}"
			e, err := cannedClient(t, body).Execution(t.Context(), "e-1")
			require.NoError(t, err)
			require.Equal(t, row.value, row.want(e))
		})
	}
}

// An agent at work would be left alone if an empty object counted as its result.
func TestExecutionWithAnEmptyResultHasNone(t *testing.T) {
	t.Parallel()
	for result, want := range map[string]bool{
		`{}`: false, `null`: false, `{"outcome":null,"reasoning":"","result":null}`: false, `{"id":"r-1"}`: false, `[]`: false,
		`{"result":0}`: true, `{"outcome":"success"}`: true, `{"reasoning":"because"}`: true,
	} {
		body := `{"id":"e-1","status":"verifying","executionResult":` + result + `}`
		e, err := cannedClient(t, body).Execution(t.Context(), "e-1")
		require.NoError(t, err)
		require.Equal(t, want, e.Terminal(), result)
		summary, err := cannedClient(t, body).ReadSummary(t.Context(), "e-1")
		require.NoError(t, err)
		require.Equal(t, want, summary.Terminal, result)
	}
}

func TestExecutionResultIsUTF8(t *testing.T) {
	t.Parallel()
	for result, want := range map[string]string{
		"\"caf\xe9\"":          "\"caf\ufffd\"",
		"{\"\xff\xfe\":1e400}": "{\"\ufffd\":1e400}",
		`"\ud800"`:             `"\ud800"`,
		"\"é\"":                "\"é\"",
	} {
		e, err := cannedClient(t, `{"id":"e-1","status":"completed","executionResult":{"result":`+result+`}}`).Execution(t.Context(), "e-1")
		require.NoError(t, err)
		require.Equal(t, want, string(e.Result()))
	}
}

func TestReadsTakeAnySuccess(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 202, 203, 206, 226} {
		wire := clienttest.NewWire()
		wire.Answer(func(kind string, _ *http.Request) *http.Response {
			if kind == "list" {
				return clienttest.ReplyText(status, `{"items":[],"total":0}`)
			}
			return clienttest.ReplyText(status, completedExecution)
		})
		c, err := New("default", asteroid.Connection{APIKey: asteroid.StaticAPIKey("secret-key"), Transport: wire}, time.Minute, time.Now)
		require.NoError(t, err)
		e, err := c.Execution(t.Context(), "e-1")
		require.NoError(t, err)
		require.JSONEq(t, `{"amount":250}`, string(e.Result()))
		_, err = c.List(t.Context(), ListQuery{}, 1)
		require.NoError(t, err)
	}
}

func TestErrorBodyWithManyErrorsIsReadQuickly(t *testing.T) {
	t.Parallel()
	body := `{"message":"no","errors":[` + strings.Repeat(`{"parameter":"inputs"},`, 600_000) + `{}]}`
	_, p := decodeErrorBody("application/json", []byte(body), func(s string) string { return s })
	require.Len(t, p.parameters, maxParameters)
}

func TestExecutionNamesTheMemberThatIsNotJSON(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"id":"e-1","status":"completed","executionResult":{"outcome":"success","result":NaN}}`: `has the member "result", which is not JSON`,
		`{"id":"e-1","status":completed}`:           `has the member "status", which is not JSON`,
		`{"id":"e-1","status":"completed"`:          `is not JSON`,
		`{"id":"e-1","status":"completed"} trailer`: `is not JSON`,
		`[]`:                   `does not begin with {`,
		`<html>`:               `does not begin with {`,
		``:                     `does not begin with {`,
		`{"id":"e-1","a":"\x"`: `is not JSON`,
	} {
		_, err := cannedClient(t, body).Execution(t.Context(), "e-1")
		require.ErrorContains(t, err, want, body)
		failed, ok := err.(*Error) //nolint:errorlint // it is returned as it is
		require.True(t, ok)
		like := strings.HasSuffix(body, "}") || strings.HasSuffix(body, "]")
		require.Equal(t, like, failed.Malformed != "", "only what is complete stays as it is: %s", body)
	}
}

// Naming the member at fault must cost neither the stack nor a scan for each level.
func TestExecutionRefusesDeepMalformedResponsesQuickly(t *testing.T) {
	t.Parallel()
	for _, levels := range []int{4, 2_000_000} {
		body := strings.Repeat(`{"a":`, levels) + "NaN"
		_, err := cannedClient(t, body).Execution(t.Context(), "e-1")
		require.ErrorContains(t, err, `has the member "a", which is not JSON`)
	}
}

func TestListCostsAnOddItemOnlyThatItem(t *testing.T) {
	t.Parallel()
	const item = `{"id":"e-1","status":"running","agentId":"a-1","createdAt":"2026-03-01T09:00:00Z","metadata":{"k":"v"},"workflowVersion":1}`
	for name, mutated := range mutations(t, item) {
		for _, odd := range []string{mutated, `null`, `7`, `"x"`, `[]`} {
			page, err := cannedClient(t, `{"items":[`+odd+`,`+item+`],"total":"2","page":{}}`).List(t.Context(), ListQuery{}, 1)
			require.NoError(t, err, name)
			require.Equal(t, 2, page.Listed)
			require.EqualValues(t, 2, page.Total)
			good := page.Items[len(page.Items)-1]
			require.Equal(t, "e-1", good.ID)
			require.Equal(t, asteroid.StatusRunning, good.Status)
			require.Equal(t, map[string]string{"k": "v"}, good.Metadata)
		}
	}
	_, err := cannedClient(t, `{"total":0}`).List(t.Context(), ListQuery{}, 1)
	require.ErrorContains(t, err, "without items", "an answer that is no page does not mean that nothing runs")
	_, err = cannedClient(t, `{"items":null}`).List(t.Context(), ListQuery{}, 1)
	require.ErrorContains(t, err, "without items")
	page, err := cannedClient(t, `{"items":null,"total":0}`).List(t.Context(), ListQuery{}, 1)
	require.NoError(t, err)
	require.Zero(t, page.Listed)
}

func TestFillReasonReadsOddLogs(t *testing.T) {
	t.Parallel()
	const entry = `{"id":"1","timestamp":"2026-03-01T09:00:00Z","payload":{"activityType":"status_changed","status":"failed","failedPayload":{"reason":"worker_lost","os_error":{"message":"disk full"}}}}`
	for _, other := range []string{`null`, `{}`, `{"payload":7}`, `{"timestamp":"yesterday","payload":{"activityType":5}}`, `{"payload":{"activityType":"status_changed","status":["failed"]}}`} {
		e := &asteroid.Execution{ExecutionID: "e-1", Status: asteroid.StatusFailed}
		require.NoError(t, cannedClient(t, `[`+other+`,`+entry+`]`).FillReason(t.Context(), e))
		require.Equal(t, "worker_lost (disk full)", e.Reason, other)
	}
	for name, mutated := range mutations(t, entry, "payload.activityType", "payload.status", "payload.failedPayload.reason") {
		e := &asteroid.Execution{ExecutionID: "e-1", Status: asteroid.StatusFailed}
		require.NoError(t, cannedClient(t, `[`+mutated+`]`).FillReason(t.Context(), e), name)
		require.Contains(t, e.Reason, "worker_lost", name)
	}
}

func TestFillReasonReadsOnUntilItFindsTheReason(t *testing.T) {
	t.Parallel()
	var entries []string
	for i := range 300 {
		entries = append(entries, fmt.Sprintf(`{"id":"%d","timestamp":"2026-03-01T10:00:00Z","payload":{"activityType":"file_added","fileName":"%d.csv"}}`, i, i))
	}
	entries = append(entries, `{"id":"r","timestamp":"2026-03-01T09:00:00Z","payload":{"activityType":"status_changed","status":"failed","failedPayload":{"reason":"worker_lost"}}}`)
	wire := clienttest.NewWire()
	wire.Answer(func(_ string, r *http.Request) *http.Response {
		var limit int
		_, _ = fmt.Sscan(r.URL.Query().Get("limit"), &limit)
		return clienttest.ReplyText(http.StatusOK, "["+strings.Join(entries[:min(limit, len(entries))], ",")+"]")
	})
	c, err := New("default", asteroid.Connection{APIKey: asteroid.StaticAPIKey("secret-key"), Transport: wire}, time.Minute, time.Now)
	require.NoError(t, err)
	e := &asteroid.Execution{ExecutionID: "e-1", Status: asteroid.StatusFailed}
	require.NoError(t, c.FillReason(t.Context(), e))
	require.Equal(t, "worker_lost", e.Reason)
	require.Equal(t, 2, wire.Take(http.MethodGet))
}

func FuzzSplitObject(f *testing.F) {
	for _, seed := range append([]string{completedExecution, `{"a":{"b":[1,"\u00e9\"",{}]},"a":2}`, `{"a":1,}`, `{"a" 1}`, "{\"a\":\"\n\"}", `{"\ud800":1}`}, odd...) {
		f.Add(seed)
		f.Add(`{"a":` + seed + `}`)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var want map[string]json.RawMessage
		err := json.Unmarshal([]byte(raw), &want)
		got, gotErr := splitObject([]byte(raw))
		if err != nil && strings.Contains(err.Error(), "max depth") || want == nil && err == nil {
			return // too deep for encoding/json, or null
		}
		require.Equal(t, err == nil, gotErr == nil, "%v, %v", err, gotErr)
		if err != nil {
			return
		}
		require.Len(t, got, len(want))
		for name, value := range want {
			require.Equal(t, string(value), string(got[name]), name)
		}
	})
}
