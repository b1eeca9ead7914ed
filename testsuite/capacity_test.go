package testsuite_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestWithConcurrencyLimitRefusesExecute(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, testsuite.WithConcurrencyLimit(1))
	c.api.ServeAgent("clerk", scripted(testsuite.Ask("Well?"), done(nil)))
	id := c.execute("clerk", `{}`) // a paused execution counts
	staged := c.stage(part{"files", "a.txt", "text/plain", "a"})

	answer := c.post("/agents/v2/agents/"+c.api.AgentID("clerk")+"/execute", `{`+staged+`}`)
	require.Equal(t, http.StatusTooManyRequests, answer.status)
	body := answer.json(t)
	require.Equal(t, "https://docs.asteroid.ai/errors/limit-reached", body["type"])
	require.EqualValues(t, 1, body["used"])
	require.EqualValues(t, 1, body["limit"])
	require.NotEmpty(t, body["capability"])

	c.post("/agents/v2/executions/"+id+"/cancel", "")
	c.execute("clerk", `{`+staged+`}`) // the refused request did not use the file
}

func TestWithConcurrencyLimitStartsQueuedOldestFirst(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t, testsuite.WithConcurrencyLimit(1))
	c.api.ServeAgent("clerk", scripted(testsuite.Work(time.Hour), done(nil)))
	first := c.execute("clerk", `{}`)
	clock.Add(time.Minute)
	var queued []string
	for range 3 {
		queued = append(queued, c.execute("clerk", `{"onCapacityLimit":"queue"}`))
	}
	require.Equal(t, "queued", c.status(queued[0]))
	require.NotContains(t, c.execution(queued[0]), "startedAt")
	require.Equal(t, http.StatusBadRequest, c.post("/agents/v2/executions/"+queued[0]+"/pause", "").status)
	require.Equal(t, http.StatusOK, c.post("/agents/v2/executions/"+queued[1]+"/cancel", "").status)
	require.EqualValues(t, 0, c.execution(queued[1])["duration"])

	clock.Add(3 * time.Hour) // without a request in between
	require.Equal(t, "2026-03-01T10:00:01Z", c.execution(first)["terminalAt"])
	require.Equal(t, "2026-03-01T10:00:01Z", c.execution(queued[0])["startedAt"])
	require.Equal(t, "2026-03-01T11:00:02Z", c.execution(queued[0])["terminalAt"])
	require.Equal(t, "2026-03-01T11:00:02Z", c.execution(queued[2])["startedAt"])
	require.Equal(t, "completed", c.status(queued[2]))
	require.Equal(t, "cancelled", c.status(queued[1]))
}

func TestAPIServesManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t, testsuite.WithStartDelay(0), testsuite.WithConcurrencyLimit(3))
	c := &client{t: t, api: api, key: api.APIKey()}
	clerk := api.ServeAgent("clerk", scripted(
		testsuite.Work(time.Millisecond), testsuite.WriteFile("downloads", "a.txt", "text/plain", []byte("a")), done(nil)))
	const clients, runs = 8, 5
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range runs {
				answer := c.post("/agents/v2/agents/"+clerk+"/execute", `{"onCapacityLimit":"queue"}`)
				id, _ := answer.json(t)["executionId"].(string)
				c.post("/agents/v2/executions/"+id+"/pause", "") // fails before it runs and after it finished
				c.get("/agents/v2/executions?phase=active")
				c.get("/agents/v2/executions/" + id + "/files")
				c.post("/agents/v2/executions/"+id+"/resume", "")
				c.get("/agents/v2/executions/" + id + "/sync")
				c.get("/agents/v2/executions/" + id + "/activities")
			}
		})
	}
	all.Wait()
	require.Len(t, api.Executions(), clients*runs)
	for _, execution := range api.Executions() {
		require.Equal(t, "completed", execution.Status)
	}
	require.Len(t, api.Requests(), clients*runs*7)
}
