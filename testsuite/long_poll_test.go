package testsuite_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestLongPollAnswersAtOnceWithVirtualClock(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	id := c.execute("patient", `{"inputs":{"seconds":7200}}`)
	path := "/agents/v2/executions/" + id + "/sync"
	answer := c.get(path)
	require.Equal(t, http.StatusAccepted, answer.status)
	require.Equal(t, "starting", answer.json(t)["status"])
	clock.Add(3 * time.Hour)
	answer = c.get(path + "?timeoutSeconds=25")
	require.Equal(t, http.StatusOK, answer.status)
	require.Equal(t, id, answer.json(t)["executionResult"].(map[string]any)["executionId"])
	for _, query := range []string{"0", "26", "x"} {
		require.Equal(t, http.StatusBadRequest, c.get(path+"?timeoutSeconds="+query).status, query)
	}
	require.Equal(t, http.StatusNotFound, c.get("/agents/v2/executions/"+uuidA+"/sync").status)
}

func TestLongPollWaitsWithWallClock(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t, testsuite.WithStartDelay(time.Millisecond))
	c := &client{t: t, api: api, key: api.APIKey()}
	api.ServeAgent("quick", scripted(testsuite.Work(50*time.Millisecond), done(nil)))
	api.ServeAgent("asking", scripted(testsuite.Work(50*time.Millisecond), testsuite.Ask("Well?"), done(nil)))

	require.Equal(t, "completed", c.get("/agents/v2/executions/" + c.execute("quick", `{}`) + "/sync").json(t)["status"])

	asking := c.execute("asking", `{}`)
	answer := c.get("/agents/v2/executions/" + asking + "/sync")
	require.Equal(t, http.StatusAccepted, answer.status)
	require.Equal(t, "paused_by_agent", answer.json(t)["status"])

	slow := c.execute("patient", `{}`)
	answers := make(chan response, 1)
	go func() {
		defer close(answers)
		answers <- c.get("/agents/v2/executions/" + slow + "/sync")
	}()
	require.Eventually(t, func() bool { return c.status(slow) == "running" }, 10*time.Second, time.Millisecond)
	require.Equal(t, http.StatusOK, c.post("/agents/v2/executions/"+slow+"/cancel", "").status)
	require.Equal(t, http.StatusOK, (<-answers).status)

	began := time.Now()
	answer = c.get("/agents/v2/executions/" + c.execute("patient", `{}`) + "/sync?timeoutSeconds=1")
	require.Equal(t, http.StatusAccepted, answer.status)
	require.GreaterOrEqual(t, time.Since(began), time.Second)
}

func TestExecuteDoesNotWaitForSlowScript(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	c := &client{t: t, api: api, key: api.APIKey()}
	read := make(chan struct{})
	api.AddAgent("slow", func(testsuite.Run) []testsuite.Step {
		<-read
		return []testsuite.Step{done(nil)}
	})
	path := "/agents/v2/executions/" + c.execute("slow", `{}`)
	require.Equal(t, http.StatusCreated, c.post(path+"/user-messages", `{"message":"Hurry"}`).status)
	close(read)
	require.Equal(t, http.StatusOK, c.get(path+"/sync").status)
	var last time.Time
	for _, activity := range c.get(path + "/activities").list(t) {
		at, err := time.Parse(time.RFC3339, activity["timestamp"].(string))
		require.NoError(t, err)
		require.False(t, at.Before(last), "the agent ran before it was ready")
		last = at
	}
}

func TestCloseEndsLongPolls(t *testing.T) {
	t.Parallel()
	api, err := testsuite.StartAPI()
	require.NoError(t, err)
	c := &client{t: t, api: api, key: api.APIKey()}
	id := c.execute("patient", `{}`)
	answers := make(chan int, 1)
	go func() { answers <- c.get("/agents/v2/executions/" + id + "/sync").status }()
	require.Eventually(t, func() bool {
		requests := api.Requests()
		return requests[len(requests)-1].Operation == "ExecutionSyncGet"
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, api.Close())
	require.Equal(t, http.StatusAccepted, <-answers)
}

func TestLongPollEndsWhenClientLeaves(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	c := &client{t: t, api: api, key: api.APIKey()}
	id := c.execute("patient", `{}`)
	ctx, leave := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer leave()
	_, err := noRedirects.Do(c.request("GET", "/agents/v2/executions/"+id+"/sync", "", nil).WithContext(ctx))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestWithoutLongPollAnswersNotFound(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, testsuite.WithoutLongPoll())
	answer := c.get("/agents/v2/executions/" + c.execute("patient", `{}`) + "/sync")
	require.Equal(t, http.StatusNotFound, answer.status)
	require.NotContains(t, answer.header.Get("Content-Type"), "json")
}

func TestStartAPIReportsProblemsByLogAndClose(t *testing.T) {
	t.Parallel()
	var logged []string
	api, err := testsuite.StartAPI(testsuite.WithStartDelay(0), testsuite.WithLog(func(message string) { logged = append(logged, message) }))
	require.NoError(t, err)
	c := &client{t: t, api: api, key: api.APIKey()}
	api.AddAgent("never")
	require.Equal(t, "failed", c.status(c.execute("never", `{}`)))
	require.ErrorContains(t, api.Close(), "scripted for 0 executions")
	require.Len(t, logged, 1)
}
