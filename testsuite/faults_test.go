package testsuite_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// oneShot never reuses a connection, because net/http repeats a request that fails on a reused one.
var oneShot = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: noRedirects.CheckRedirect,
}

// attempt sends a request that may fail, and returns the part of the response that was read.
func attempt(r *http.Request) (response, error) {
	answer, err := oneShot.Do(r)
	if err != nil {
		return response{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return response{answer.StatusCode, answer.Header, string(body)}, err
}

// executeRequest returns a request to execute an agent by name.
func (c *client) executeRequest(agent string) *http.Request {
	c.t.Helper()
	return c.request("POST", "/agents/v2/agents/"+c.api.AgentID(agent)+"/execute", "application/json", strings.NewReader(`{"inputs":{"n":1}}`))
}

// lastRequest returns the newest entry of the ledger.
func (c *client) lastRequest() testsuite.Request {
	c.t.Helper()
	requests := c.api.Requests()
	require.NotEmpty(c.t, requests)
	return requests[len(requests)-1]
}

func TestLoseResponseCarriesRequestOut(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	c.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)

	_, err := attempt(c.executeRequest("patient"))
	require.ErrorIs(t, err, io.EOF)
	require.Len(t, c.api.Executions(), 1)
	require.Equal(t, "LoseResponse", c.lastRequest().Fault)
	require.Equal(t, http.StatusAccepted, c.lastRequest().Status)

	c.execute("patient", `{}`)
	require.Len(t, c.api.Executions(), 2)
	require.Empty(t, c.lastRequest().Fault)
}

func TestCommitLateCommitsAfterConnectionIsClosed(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	started := make(chan testsuite.Run, 1)
	c.api.ServeAgent("clerk", func(run testsuite.Run) []testsuite.Step {
		started <- run
		return []testsuite.Step{done(nil)}
	})
	const after = 50 * time.Millisecond
	c.api.Inject("AgentExecutePost", testsuite.CommitLate(after), 1)

	from := time.Now()
	_, err := attempt(c.executeRequest("clerk"))
	require.ErrorIs(t, err, io.EOF)
	run := <-started
	require.GreaterOrEqual(t, time.Since(from), after)
	require.Equal(t, map[string]any{"n": 1.0}, run.Inputs)
	require.Len(t, c.api.Executions(), 1)
	require.Equal(t, "CommitLate", c.lastRequest().Fault)
}

func TestCommitLateKeepsWholeUpload(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	content := strings.Repeat("x", 1<<20)
	contentType, body := form(t, part{"files", "a.txt", "text/plain", content})
	id := c.execute("patient", `{}`)
	c.api.Inject("ExecutionContextFilesUpload", testsuite.CommitLate(0), 1)

	_, err := attempt(c.request("POST", "/agents/v2/executions/"+id+"/context-files", contentType, body))
	require.ErrorIs(t, err, io.EOF)
	require.Eventually(t, func() bool { return c.lastRequest().Status == http.StatusOK }, 10*time.Second, time.Millisecond)
	execution, ok := c.api.Execution(id)
	require.True(t, ok)
	require.Len(t, execution.Files, 1)
	require.Equal(t, sum(content), execution.Files[0].SHA256)
}

func TestCloseDropsLateCommitsAndStalledRequests(t *testing.T) {
	t.Parallel()
	api, err := testsuite.StartAPI()
	require.NoError(t, err)
	c := &client{t: t, api: api, key: api.APIKey()}
	api.Inject("AgentExecutePost", testsuite.CommitLate(time.Hour), 1)
	api.Inject("AgentExecutePost", testsuite.Stall(time.Hour), 1)

	_, err = attempt(c.executeRequest("patient"))
	require.Error(t, err)
	stalled := make(chan error)
	request := c.executeRequest("patient")
	go func() {
		_, err := attempt(request)
		stalled <- err
	}()
	require.Eventually(t, func() bool { return c.lastRequest().Fault == "Stall" }, 10*time.Second, time.Millisecond)
	require.NoError(t, api.Close())
	require.Error(t, <-stalled)
	require.Empty(t, api.Executions())
}

func TestAnswerReplacesRealResponse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		fault  testsuite.Fault
		status int
		header map[string]string
		body   string

		carriedOut  bool
		entered     string // the fault in the ledger
		enteredWith int
	}{
		{
			name:   "rate limit",
			fault:  testsuite.Answer(429, `{"code":429,"message":"Slow down."}`, "Content-Type", "application/json", "Retry-After", "1"),
			status: 429, header: map[string]string{"Content-Type": "application/json", "Retry-After": "1"},
			body: `{"code":429,"message":"Slow down."}`, entered: "Answer 429", enteredWith: 429,
		},
		{
			name:   "gateway",
			fault:  testsuite.Answer(502, "<html>Bad Gateway</html>", "Content-Type", "text/html"),
			status: 502, header: map[string]string{"Content-Type": "text/html"}, body: "<html>Bad Gateway</html>",
			entered: "Answer 502", enteredWith: 502,
		},
		{
			name:   "gateway after the commit",
			fault:  testsuite.AnswerAfterCommit(503, "no", "Content-Type", "text/plain"),
			status: 503, header: map[string]string{"Content-Type": "text/plain"}, body: "no",
			carriedOut: true, entered: "AnswerAfterCommit 503", enteredWith: 202,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, _ := newClient(t)
			c.api.Inject("AgentExecutePost", test.fault, 1)
			answer, err := attempt(c.executeRequest("patient"))
			require.NoError(t, err)
			require.Equal(t, test.status, answer.status)
			require.Equal(t, test.body, answer.body)
			for name, value := range test.header {
				require.Equal(t, value, answer.header.Get(name))
			}
			require.Equal(t, test.carriedOut, len(c.api.Executions()) == 1)
			require.Equal(t, test.entered, c.lastRequest().Fault)
			require.Equal(t, test.enteredWith, c.lastRequest().Status)
		})
	}
}

func TestAnswerReadsWholeRequestFirst(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	c.api.Inject("TempFilesStage", testsuite.Answer(500, "Internal server error."), 1)
	contentType, body := form(t, part{"files", "a.bin", "application/octet-stream", strings.Repeat("x", 16<<20)})
	request := c.request("POST", "/agents/v2/temp-files/"+c.api.OrganizationID(), contentType, body)

	conn, err := net.Dial("tcp", request.Host)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, request.Write(conn))
	answer, err := http.ReadResponse(bufio.NewReader(conn), request)
	require.NoError(t, err)
	require.Equal(t, 500, answer.StatusCode)
}

func TestAnswerPanicsOnInvalidArguments(t *testing.T) {
	t.Parallel()
	odd := []string{"Retry-After"} // a variable, because a linter refuses the literal
	require.Panics(t, func() { testsuite.Answer(429, "", odd...) })
	require.Panics(t, func() { testsuite.AnswerAfterCommit(42, "") })
}

func TestResetMidBodySendsHalfTheBody(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	c.api.Inject("AgentExecutePost", testsuite.ResetMidBody(), 1)
	answer, err := attempt(c.executeRequest("patient"))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Equal(t, http.StatusAccepted, answer.status)
	require.NotEmpty(t, answer.body)
	require.Greater(t, answer.header.Get("Content-Length"), "0")
	require.Len(t, c.api.Executions(), 1)
	require.Equal(t, "ResetMidBody", c.lastRequest().Fault)
}

func TestResetMidBodySendsNothingWithoutBody(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	id := c.execute("patient", `{"inputs":{"seconds":1}}`)
	clock.Add(time.Minute)
	c.api.Inject("ExecutionRecordingRedirect", testsuite.ResetMidBody(), 1)
	_, err := attempt(c.request("GET", "/agents/v2/executions/"+id+"/recording", "", nil))
	require.Error(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, c.lastRequest().Status)
}

func TestStallServesRequestLate(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	const stall = 50 * time.Millisecond
	c.api.Inject("AgentExecutePost", testsuite.Stall(stall), 1)
	from := time.Now()
	answer, err := attempt(c.executeRequest("patient"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(from), stall)
	require.Equal(t, http.StatusAccepted, answer.status)
	require.NotEmpty(t, answer.json(t)["executionId"])
	require.Equal(t, "Stall", c.lastRequest().Fault)
}

func TestStallDropsRequestOfClosedConnection(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	const stall = 500 * time.Millisecond
	c.api.Inject("AgentExecutePost", testsuite.Stall(stall), 2)
	ctx, cancel := context.WithTimeout(t.Context(), stall/10)
	defer cancel()
	_, err := attempt(c.executeRequest("patient").WithContext(ctx))
	require.ErrorIs(t, err, context.DeadlineExceeded)

	_, err = attempt(c.executeRequest("patient")) // ends later than the first one would
	require.NoError(t, err)
	require.Len(t, c.api.Executions(), 1)
}

func TestTruncateJSONSendsMatchingLength(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	c.api.Inject("AgentExecutePost", testsuite.TruncateJSON(), 1)
	answer, err := attempt(c.executeRequest("patient"))
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, answer.status)
	require.Equal(t, "application/json", answer.header.Get("Content-Type"))
	require.NotEmpty(t, answer.body)
	require.False(t, json.Valid([]byte(answer.body)))
	require.Len(t, c.api.Executions(), 1)
	require.Equal(t, "TruncateJSON", c.lastRequest().Fault)
}

func TestAlterBodyChangesOneByteOnly(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	c.api.AddAgent("clerk", scripted(testsuite.WriteFile("downloads", "a.txt", "text/plain", []byte("0123456789")), done(nil)))
	id := c.execute("clerk", `{}`)
	clock.Add(time.Second)
	files := "/agents/v2/executions/" + id + "/files"
	file := c.get(files).json(t)["directories"].(map[string]any)["downloads"].([]any)[0].(map[string]any)
	right := fetch(t, file["downloadUrl"].(string), nil)
	c.api.Inject("Download", testsuite.AlterBody(), 1)
	altered := fetch(t, file["downloadUrl"].(string), nil)
	require.Equal(t, http.StatusOK, altered.status)
	require.Equal(t, "01234\xca6789", altered.body)
	for _, name := range []string{"Content-Length", "Content-Type", "ETag", "Repr-Digest"} {
		require.Equal(t, right.header.Get(name), altered.header.Get(name), name)
	}
	require.Equal(t, "AlterBody", c.lastRequest().Fault)

	c.api.Inject("ExecutionFileDownloadRedirect", testsuite.AlterBody(), 1) // has no body to change
	require.Equal(t, http.StatusSeeOther, c.get(files+"/"+file["id"].(string)+"/download").status)
}

func TestAlterJSONSendsTheChangedBody(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	c.api.Inject("WhoamiGet", testsuite.AlterJSON("odd members", func(body any) any {
		body.(map[string]any)["odd"] = 3
		return body
	}), 1)
	answer := c.get("/users/v2/whoami").json(t)
	require.EqualValues(t, 3, answer["odd"])
	require.Greater(t, len(answer), 1)
	require.Equal(t, "odd members", c.lastRequest().Fault)
	require.NotContains(t, c.get("/users/v2/whoami").json(t), "odd")

	none := testsuite.AlterJSON("none", func(any) any { t.Error("the body is no JSON"); return nil })
	c.api.Inject("Download", none, 1)
	require.NotEqual(t, "null", fetch(t, c.api.BaseURL()+"/signed/a/b/c", nil).body)
}

func TestInjectAboutHitsRequestsThatNameTheID(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	one, other := c.execute("patient", `{}`), c.execute("patient", `{}`)
	c.api.InjectAbout(one, "ExecutionGet", testsuite.Answer(502, ""), 2)
	var got []int
	for _, id := range []string{other, one, other, one, one} {
		got = append(got, c.get("/agents/v2/executions/"+id).status)
	}
	require.Equal(t, []int{200, 502, 200, 502, 200}, got)
}

func TestWrongContentTypeKeepsBody(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	c.api.Inject("AgentExecutePost", testsuite.WrongContentType(), 1)
	answer, err := attempt(c.executeRequest("patient"))
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, answer.status)
	require.Contains(t, answer.header.Get("Content-Type"), "text/html")
	require.NotEmpty(t, answer.header.Get("X-Request-Id"))
	require.Contains(t, answer.body, c.api.Executions()[0].ID)
	require.Equal(t, "WrongContentType", c.lastRequest().Fault)
}

func TestInjectHappensInOrder(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	c.api.Inject("WhoamiGet", testsuite.Fault{}, 1) // the first request passes
	c.api.Inject("WhoamiGet", testsuite.Answer(500, ""), 2)
	c.api.Inject("", testsuite.Answer(503, ""), 1)
	c.api.Inject("ContextGet", testsuite.Answer(502, ""), 1)
	var got []int
	for _, path := range []string{
		"/users/v2/whoami", "/users/v2/whoami", "/users/v2/whoami", "/agents/v2/context", "/agents/v2/context", "/users/v2/whoami", "/agents/v2/context",
	} {
		got = append(got, c.get(path).status)
	}
	require.Equal(t, []int{200, 500, 500, 503, 502, 200, 200}, got)
}

func TestInjectReachesEveryRouteAndSignedLinks(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	for operation, path := range map[string]string{
		"WorkflowExecutePost": "/agents/v2/workflows/" + c.api.AgentID("patient") + "/execute",
		"TempFilesUpload":     "/agents/v2/temp-files",
		"TempFilesStage":      "/agents/v2/temp-files/" + c.api.OrganizationID(),
	} {
		c.api.Inject(operation, testsuite.Answer(599, ""), 1)
		require.Equal(t, 599, c.post(path, "").status)
	}
	c.api.Inject("Download", testsuite.Answer(599, ""), 1)
	require.Equal(t, 599, c.get("/signed/a/b/c").status)
}

func TestInjectAndWithChanceRefuseImpossibleFaults(t *testing.T) {
	t.Parallel()
	r := &recorder{T: t}
	testsuite.NewAPI(r).Inject("AgentExecute", testsuite.LoseResponse(), 1)
	require.Len(t, r.failures(), 1)
	require.Contains(t, r.failures()[0], `"AgentExecute"`)

	for _, test := range []struct {
		opts  []testsuite.Option
		fails string
	}{
		{[]testsuite.Option{testsuite.WithChance("AgentExecute", 0.1, testsuite.LoseResponse())}, `"AgentExecute"`},
		{[]testsuite.Option{testsuite.WithChance("AgentExecutePost", 10, testsuite.LoseResponse())}, "10 is not a probability"},
		{[]testsuite.Option{testsuite.WithChance("AgentExecutePost", math.NaN(), testsuite.LoseResponse())}, "not a probability"},
		{[]testsuite.Option{
			testsuite.WithChance("", 0.6, testsuite.LoseResponse()), testsuite.WithChance("WhoamiGet", 0.6, testsuite.LoseResponse()),
		}, "add up to 1.2"},
		{[]testsuite.Option{testsuite.WithCapacityStatus(404)}, "404 is not one of"},
	} {
		_, err := testsuite.StartAPI(test.opts...)
		require.ErrorContains(t, err, test.fails)
	}
}

// faultNames returns the faults of n requests. If mixed, another operation's request precedes each.
func faultNames(t *testing.T, n int, mixed bool, opts ...testsuite.Option) []string {
	t.Helper()
	c, _ := newClient(t, opts...)
	var names []string
	for range n {
		if mixed {
			c.get("/agents/v2/context")
		}
		c.get("/users/v2/whoami")
		names = append(names, c.lastRequest().Fault)
	}
	return names
}

func TestWithChanceRepeatsWithSameSeed(t *testing.T) {
	t.Parallel()
	const n = 400
	chances := func(seed uint64) []testsuite.Option {
		return []testsuite.Option{
			testsuite.WithSeed(seed),
			testsuite.WithChance("WhoamiGet", 0.25, testsuite.Answer(500, "")),
			testsuite.WithChance("", 0.25, testsuite.Answer(503, "")),
			testsuite.WithChance("ContextGet", 0.5, testsuite.Answer(429, "")),
		}
	}
	first := faultNames(t, n, false, chances(1)...)
	require.Equal(t, first, faultNames(t, n, true, chances(1)...))
	require.NotEqual(t, first, faultNames(t, n, false, chances(2)...))

	counts := map[string]int{}
	for _, fate := range first {
		counts[fate]++
	}
	require.Len(t, counts, 3)
	require.InDelta(t, n/4, counts["Answer 500"], n/10)
	require.InDelta(t, n/4, counts["Answer 503"], n/10)
	require.InDelta(t, n/2, counts[""], n/10)
}

func TestWithChanceOfOneHitsEveryRequest(t *testing.T) {
	t.Parallel()
	var opts []testsuite.Option
	for range 10 {
		opts = append(opts, testsuite.WithChance("WhoamiGet", 0.1, testsuite.Answer(500, "")))
	}
	require.NotContains(t, faultNames(t, 100, false, opts...), "")
}

func TestWithListDelayHidesNewExecutions(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t, testsuite.WithListDelay(time.Minute), testsuite.WithListJitter(time.Minute), testsuite.WithSeed(7))
	listed := func() float64 { return c.get("/agents/v2/executions").json(t)["total"].(float64) }
	const n = 20
	for range n {
		c.status(c.execute("patient", `{}`)) // reads by id find it at once
	}
	require.Zero(t, listed())
	clock.Add(time.Minute - time.Microsecond)
	require.Zero(t, listed())
	clock.Add(30 * time.Second)
	require.Greater(t, listed(), 0.0)
	require.Less(t, listed(), float64(n))
	clock.Add(30*time.Second + time.Microsecond)
	require.EqualValues(t, n, listed())
}

func TestWithReadDelayHidesNewExecutions(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t, testsuite.WithReadDelay(time.Minute))
	id := c.execute("patient", `{"inputs":{"seconds":600}}`)
	reads := []string{"", "/sync", "/activities", "/files", "/context-files"}
	for _, read := range reads {
		require.Equal(t, http.StatusNotFound, c.get("/agents/v2/executions/"+id+read).status, read)
	}
	require.EqualValues(t, 1, c.get("/agents/v2/executions").json(t)["total"])
	clock.Add(2 * time.Second)
	require.Equal(t, http.StatusOK, c.post("/agents/v2/executions/"+id+"/pause", "").status)
	clock.Add(time.Minute)
	for _, read := range reads {
		require.Less(t, c.get("/agents/v2/executions/"+id+read).status, 300, read)
	}
}

func TestSetConcurrencyLimitRefusesForAWhile(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			c, _ := newClient(t, testsuite.WithCapacityStatus(status))
			c.execute("patient", `{}`)
			c.api.SetConcurrencyLimit(1)
			refused := c.post("/agents/v2/agents/"+c.api.AgentID("patient")+"/execute", `{}`)
			require.Equal(t, status, refused.status)
			require.EqualValues(t, status, refused.json(t)["code"])
			require.Equal(t, status == http.StatusTooManyRequests, refused.json(t)["limit"] != nil)
			queued := c.execute("patient", `{"onCapacityLimit":"queue"}`)
			require.Equal(t, "queued", c.status(queued))
			c.api.SetConcurrencyLimit(0)
			require.Equal(t, "starting", c.status(queued))
			c.execute("patient", `{}`)
		})
	}
}

func TestRequestsMatchExecutionsUnderFaults(t *testing.T) {
	t.Parallel()
	const clients, runs = 200, 3
	api, err := testsuite.StartAPI(
		testsuite.WithSeed(1),
		testsuite.WithChance("AgentExecutePost", 0.1, testsuite.LoseResponse()),
		testsuite.WithChance("AgentExecutePost", 0.1, testsuite.CommitLate(20*time.Millisecond)),
		testsuite.WithChance("AgentExecutePost", 0.1, testsuite.Stall(10*time.Millisecond)),
		testsuite.WithChance("AgentExecutePost", 0.1, testsuite.AnswerAfterCommit(502, "")),
		testsuite.WithChance("", 0.1, testsuite.Answer(503, "")),
		testsuite.WithChance("", 0.1, testsuite.ResetMidBody()),
		testsuite.WithChance("", 0.1, testsuite.TruncateJSON()),
	)
	require.NoError(t, err)
	c := &client{t: t, api: api, key: api.APIKey()}
	var seen atomic.Int64 // responses with 202, with any body
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range runs {
				if answer, err := attempt(c.executeRequest("patient")); err == nil && answer.status == http.StatusAccepted {
					seen.Add(1)
				}
				_, _ = attempt(c.request("GET", "/agents/v2/executions", "", nil)) // adds load
			}
		})
	}
	all.Wait()
	require.NoError(t, api.Close()) // late commits happen before Close returns, or never

	accepted := map[string]int{}
	total := 0
	for _, request := range api.Requests() {
		if request.Operation == "AgentExecutePost" && request.Status == http.StatusAccepted {
			accepted[request.Fault]++
			total++
		}
	}
	require.Len(t, api.Executions(), total)
	require.EqualValues(t, seen.Load(), accepted[""]+accepted["Stall"]+accepted["TruncateJSON"])
	require.NotZero(t, accepted["LoseResponse"])
	require.NotZero(t, accepted["AnswerAfterCommit 502"])
	require.Zero(t, accepted["Answer 503"])
}
