package testsuite_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (c *client) result(id string) map[string]any {
	c.t.Helper()
	execution := c.execution(id)
	require.Equal(c.t, "completed", execution["status"])
	return execution["executionResult"].(map[string]any)["result"].(map[string]any)
}

func TestInventoryDescribesStagedFiles(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	table := "\ufeffmonth,amount\r\n\"May, late\",1\r\nJune,2\r\n"
	id := c.execute("inventory", `{"inputs":{"region":"north"},`+
		c.stage(part{"files", "t.csv", "text/csv", table}, part{"files", "n.bin", "application/x-noise", "\x00\x01"})+`}`)
	clock.Add(time.Minute)
	result := c.result(id)
	require.Equal(t, map[string]any{"region": "north"}, result["inputs"])
	require.Equal(t, []any{
		map[string]any{
			"name": "t.csv", "size": float64(len(table)), "sha256": sum(table), "contentType": "text/csv",
			"rows": 2.0, "columns": []any{"month", "amount"},
		},
		map[string]any{"name": "n.bin", "size": 2.0, "sha256": sum("\x00\x01"), "contentType": "application/x-noise"},
	}, result["files"])

}

func TestInventoryDescribesAnyCSV(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	id := c.execute("inventory", `{`+c.stage(
		part{"files", "marked.csv", "text/csv", "\ufeff\"a\",b\n1,2\n"}, part{"files", "empty.csv", "text/csv", ""},
		part{"files", "ragged.csv", "text/csv", "a,b\n1\n"})+`}`)
	clock.Add(time.Minute)
	files := c.result(id)["files"].([]any)
	require.Equal(t, []any{"a", "b"}, files[0].(map[string]any)["columns"])
	require.Equal(t, []any{}, files[1].(map[string]any)["columns"])
	ragged := files[2].(map[string]any)
	require.Equal(t, sum("a,b\n1\n"), ragged["sha256"])
	require.Contains(t, ragged["problem"], "ragged.csv is not CSV")
	require.NotContains(t, ragged, "rows")
}

func TestTotalsAddsUpExactly(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	id := c.execute("totals", `{`+c.stage(
		part{"files", "t.csv", "text/plain", "name,a,b,none\nx,0.1,-1,\ny,0.2,,\nz,12345678901234567890,1e5,\n"},
		part{"files", "n.bin", "application/octet-stream", "x"})+`}`)
	none := c.execute("totals", `{}`)
	twice := c.execute("totals", `{`+c.stage(part{"files", "t.csv", "text/csv", "a,a\n1,2\n"})+`}`)
	ragged := c.execute("totals", `{`+c.stage(part{"files", "t.csv", "text/csv", "a,b\n1\n"})+`}`)
	clock.Add(time.Minute)
	require.Contains(t, c.get("/agents/v2/executions/"+twice).body, `"totals":{"a":1,"a-1":2}`)
	require.Contains(t, c.lastChange(ragged)["failedPayload"].(map[string]any)["reason"], "t.csv is not CSV")
	require.Contains(t, c.get("/agents/v2/executions/"+id).body, `"totals":{"a":12345678901234567890.3}`)
	require.Contains(t, c.lastChange(none)["failedPayload"].(map[string]any)["reason"], "no CSV file")
}

func TestReportWritesEarlierResult(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	inputs, err := json.Marshal(map[string]any{
		"inputs": map[string]any{"executionId": uuidA, "result": map[string]any{"amount": 19.75, "of": "<A & B>"}, "title": "Sales"},
	})
	require.NoError(t, err)
	id, none := c.execute("report", string(inputs)), c.execute("report", `{}`)
	clock.Add(time.Minute)
	require.Equal(t, uuidA, c.result(id)["executionId"])
	listing := c.get("/agents/v2/executions/" + id + "/files").json(t)["directories"].(map[string]any)
	report := fetch(t, listing["downloads"].([]any)[0].(map[string]any)["downloadUrl"].(string), nil)
	require.Equal(t, "text/markdown", report.header.Get("Content-Type"))
	require.Equal(t, "# Sales\n\nExecution `"+uuidA+"` found:\n\n```json\n{\n  \"amount\": 19.75,\n  \"of\": \"<A & B>\"\n}\n```\n", report.body)
	require.Contains(t, c.lastChange(none)["failedPayload"].(map[string]any)["reason"], "executionId")
}

func TestPatientWorksForGivenSeconds(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	usual, asking, wrong := c.execute("patient", `{}`), c.execute("patient", `{"inputs":{"seconds":"10","ask":"Go on?"}}`),
		c.execute("patient", `{"inputs":{"seconds":"soon"}}`)
	clock.Add(60 * time.Second)
	require.Equal(t, "running", c.status(usual))
	require.Equal(t, "paused_by_agent", c.status(asking))
	require.Equal(t, "failed", c.status(wrong))
	require.Len(t, c.lastChange(asking)["pausedPayload"].(map[string]any)["question"].(map[string]any)["questions"].([]any)[0].(map[string]any)["options"], 2)
	clock.Add(time.Second)
	require.EqualValues(t, 60, c.result(usual)["seconds"])
	c.post("/agents/v2/executions/"+asking+"/user-messages", `{"message":"Yes"}`)
	clock.Add(4 * time.Second)
	require.Equal(t, "running", c.status(asking))
	clock.Add(time.Second)
	require.Equal(t, "Yes", c.result(asking)["answer"])
}

func TestPatientValidatesAsk(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	number := c.execute("patient", `{"inputs":{"seconds":0,"ask":5}}`)
	one := c.execute("patient", `{"inputs":{"seconds":0,"ask":"Go on?","answers":"Sure"}}`)
	clock.Add(time.Minute)
	require.Contains(t, c.lastChange(number)["failedPayload"].(map[string]any)["reason"], "the input ask must be a string")
	asked := c.lastChange(one)["pausedPayload"].(map[string]any)["question"].(map[string]any)["questions"].([]any)[0].(map[string]any)
	require.Equal(t, []any{map[string]any{"label": "Sure", "description": ""}}, asked["options"])
}

func TestEchoReturnsItsInputs(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	id := c.execute("echo", `{"inputs":{"claim":1042,"nested":{"a":[true,null]}}}`)
	slow := c.execute("echo", `{"inputs":{"seconds":3600}}`)
	clock.Add(time.Minute)
	require.Equal(t, map[string]any{"claim": 1042.0, "nested": map[string]any{"a": []any{true, nil}}}, c.result(id))
	require.Equal(t, "running", c.execution(slow)["status"])
	clock.Add(time.Hour)
	require.Equal(t, "completed", c.execution(slow)["status"])
}

func TestEchoReturnsAnySizeAndDepth(t *testing.T) {
	t.Parallel()
	for inputs, want := range map[string]struct{ bytes, levels int }{
		`"bytes":1`:                      {1, 0},
		`"bytes":2`:                      {2, 0},
		`"bytes":3145728`:                {3 << 20, 0},
		`"levels":3`:                     {6, 3},
		`"levels":10000`:                 {20_000, 10_000},
		`"levels":50000,"bytes":1000000`: {1_000_000, 50_000},
	} {
		t.Run(inputs, func(t *testing.T) {
			t.Parallel()
			c, clock := newClient(t)
			id := c.execute("echo", `{"inputs":{`+inputs+`}}`)
			clock.Add(time.Minute)
			body := c.get("/agents/v2/executions/" + id).body
			_, rest, found := strings.Cut(body, `"result":`)
			require.True(t, found)
			deep := strings.Repeat("[", want.levels)
			require.True(t, strings.HasPrefix(rest, deep))
			require.False(t, strings.HasPrefix(rest, deep+"["))
			raw := c.api.Executions()[0].Result
			require.Len(t, raw, want.bytes)
			require.True(t, strings.HasPrefix(rest, string(raw)))
		})
	}
}

func TestBuiltinAgentsEndOnRequest(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	for _, agent := range []string{"patient", "echo"} {
		for inputs, want := range map[string]map[string]any{
			`"fail":"no such page"`:      {"status": "failed", "failedPayload": map[string]any{"reason": "no such page"}},
			`"cancel":"budget_exceeded"`: {"status": "cancelled", "cancelledPayload": map[string]any{"reason": "budget_exceeded"}},
			`"cancel":"worker_lost"`:     {"status": "cancelled", "cancelledPayload": map[string]any{"reason": "worker_lost"}},
		} {
			id := c.execute(agent, `{"inputs":{`+inputs+`}}`)
			clock.Add(30 * time.Second)
			if agent == "patient" { // it ends when its work would have
				require.Equal(t, "running", c.status(id))
			}
			clock.Add(time.Minute)
			got := c.lastChange(id)
			delete(got, "activityType")
			require.Equal(t, want, got, "%s %s", agent, inputs)
		}
		for _, wrong := range []string{`"cancel":"boredom"`, `"cancel":true`, `"cancel":null`} {
			id := c.execute(agent, `{"inputs":{`+wrong+`}}`)
			clock.Add(time.Hour)
			require.Contains(t, c.lastChange(id)["failedPayload"].(map[string]any)["reason"], "budget_exceeded", "%s %s", agent, wrong)
		}
	}
}

func TestEchoAsksAndFails(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	id := c.execute("echo", `{"inputs":{"ask":2,"fail":"worker_lost"}}`)
	for range 2 {
		clock.Add(time.Minute)
		require.Equal(t, "paused_by_agent", c.execution(id)["status"])
		c.post("/agents/v2/executions/"+id+"/user-messages", `{"message":"Yes"}`)
	}
	clock.Add(time.Minute)
	require.Equal(t, "failed", c.execution(id)["status"])
	for _, wrong := range []string{`"bytes":-1`, `"bytes":1.5`, `"levels":"3"`, `"levels":5,"bytes":9`, `"ask":1000`, `"seconds":"soon"`} {
		id := c.execute("echo", `{"inputs":{`+wrong+`}}`)
		clock.Add(time.Minute)
		require.Equal(t, "failed", c.execution(id)["status"], wrong)
	}
}
