package testsuite_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestExecutionRunsFromStartingToCompleted(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	c.api.AddAgent("clerk", scripted(testsuite.Work(2*time.Hour), done(map[string]any{"n": 1})))
	id := c.execute("clerk", `{}`)

	require.Equal(t, "starting", c.status(id))
	clock.Add(time.Second)
	running := c.execution(id)
	require.Equal(t, "running", running["status"])
	require.Contains(t, running, "liveViewUrl")
	for _, absent := range []string{"recordingUrl", "terminalAt", "duration", "executionResult"} {
		require.NotContains(t, running, absent)
	}
	clock.Add(2*time.Hour - time.Second)
	require.Equal(t, "running", c.status(id))
	clock.Add(time.Hour) // a late read shows the right time of the end
	ended := c.execution(id)
	require.Equal(t, "completed", ended["status"])
	require.Equal(t, "2026-03-01T11:00:01Z", ended["terminalAt"])
	require.EqualValues(t, 7201, ended["duration"])
	require.Contains(t, ended, "recordingUrl")
	require.NotContains(t, ended, "liveViewUrl")
	result := ended["executionResult"].(map[string]any)
	require.Equal(t, map[string]any{"n": 1.0}, result["result"])
	require.Equal(t, "success", c.lastChange(id)["completedPayload"].(map[string]any)["outcome"])
}

func TestResponsesHaveAllMembersOfTheService(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	id := c.execute("inventory", `{`+c.stage(part{"files", "a.csv", "text/csv", "x\n1\n"})+`}`)
	clock.Add(time.Minute)

	require.Subset(t, keys(c.execution(id)), []string{
		"id", "agentId", "agentName", "workflowId", "workflowName", "workflowVersionId", "organizationId", "status",
		"createdAt", "humanLabels", "comments", "hasBeenRerun",
	})
	directories := c.get("/agents/v2/executions/" + id + "/files").json(t)["directories"].(map[string]any)
	require.ElementsMatch(t, []string{"uploads", "downloads"}, keys(directories))
	for _, files := range directories {
		require.Subset(t, keys(files.([]any)[0].(map[string]any)), []string{
			"id", "agentId", "workflowId", "executionId", "directory", "filePath", "fileName", "fileSize", "createdBy",
			"downloadUrl", "createdAt", "updatedAt",
		})
	}
	flat := c.get("/agents/v2/executions/" + id + "/context-files").list(t)
	require.Len(t, flat, 2)
	require.Subset(t, keys(flat[0]), []string{
		"id", "executionId", "agentId", "workflowId", "filePath", "fileName", "fileExt", "fileSize", "fileType", "mimeType",
		"createdAt", "downloadUrl", "signedUrl",
	})
}

func keys(object map[string]any) []string {
	var names []string
	for name := range object {
		names = append(names, name)
	}
	return names
}

func TestStatusUpdateRefusesImpossibleStatuses(t *testing.T) {
	t.Parallel()
	agents := map[string]testsuite.Agent{
		"running":               scripted(testsuite.Work(time.Hour), done(nil)),
		"paused_by_agent":       scripted(testsuite.Ask("Well?"), done(nil)),
		"awaiting_confirmation": scripted(testsuite.AwaitConfirmation("Pay?"), done(nil)),
		"completed":             scripted(done(nil)),
		"failed":                scripted(testsuite.Fail("broken")),
		"cancelled":             scripted(testsuite.CancelBy("worker_lost")),
	}
	allowed := map[string][]string{
		"starting":              {"cancelled"},
		"running":               {"paused", "cancelled"},
		"paused":                {"running", "cancelled"},
		"paused_by_agent":       {"running", "cancelled"},
		"awaiting_confirmation": {"running", "cancelled"},
		"completed":             {}, "failed": {}, "cancelled": {},
	}
	c, clock := newClient(t)
	for name, agent := range agents {
		c.api.ServeAgent(name, agent)
	}
	for status, next := range allowed {
		for _, wanted := range []string{"running", "paused", "cancelled"} {
			name := status
			if agents[name] == nil {
				name = "running"
			}
			id := c.execute(name, `{}`)
			if status != "starting" {
				clock.Add(time.Second)
			}
			if status == "paused" {
				require.Equal(t, http.StatusOK, c.post("/agents/v2/executions/"+id+"/pause", "").status)
			}
			require.Equal(t, status, c.status(id))
			answer := c.post("/agents/v2/executions/"+id+"/status", `{"status":"`+wanted+`"}`)
			if !slices.Contains(next, wanted) {
				require.Equal(t, http.StatusBadRequest, answer.status, "%s to %s", status, wanted)
				require.Equal(t, status, c.status(id))
				continue
			}
			require.Equal(t, http.StatusOK, answer.status, "%s to %s", status, wanted)
			require.Equal(t, "Execution status updated.", answer.body)
			require.Contains(t, answer.header.Get("Content-Type"), "text/plain")
		}
	}
}

func TestPauseKeepsRemainingWork(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	c.api.AddAgent("clerk", scripted(testsuite.Work(time.Hour), done(nil)))
	id := c.execute("clerk", `{}`)
	clock.Add(time.Second + 20*time.Minute)
	require.Equal(t, "paused", c.post("/agents/v2/executions/"+id+"/pause", "").json(t)["status"])
	clock.Add(24 * time.Hour)
	require.Equal(t, "paused", c.status(id))
	require.Equal(t, "running", c.post("/agents/v2/executions/"+id+"/resume", "").json(t)["status"])
	clock.Add(39 * time.Minute)
	require.Equal(t, "running", c.status(id))
	clock.Add(time.Minute)
	require.Equal(t, "completed", c.status(id))
}

func TestAskForSuggestsAnswersAndContinues(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	c.api.AddAgent("clerk", scripted(
		testsuite.AskFor(testsuite.Question{
			Text: "Which account?", Header: "Account", Options: []testsuite.Choice{
				{Label: "Checking", Description: "0.1 %"}, {Label: "Savings", Description: "2 %"},
			},
		}, func(answer string) []testsuite.Step {
			return []testsuite.Step{testsuite.Reason("They said " + answer)}
		}),
		testsuite.Work(time.Minute),
		done("paid"),
	))
	id := c.execute("clerk", `{}`)
	clock.Add(time.Second)
	paused := c.lastChange(id)["pausedPayload"].(map[string]any)
	require.Equal(t, "Which account?", paused["reason"])
	question := paused["question"].(map[string]any)["questions"].([]any)[0].(map[string]any)
	require.Equal(t, "Account", question["header"])
	require.Equal(t, map[string]any{"label": "Savings", "description": "2 %"}, question["options"].([]any)[1])

	clock.Add(100 * time.Hour)
	require.Equal(t, "paused_by_agent", c.status(id))
	answer := c.post("/agents/v2/executions/"+id+"/user-messages", `{"message":"Savings"}`)
	require.Equal(t, http.StatusCreated, answer.status)
	require.Equal(t, "User message added.", answer.body)
	require.Equal(t, "running", c.status(id))
	clock.Add(time.Minute)
	require.Equal(t, "completed", c.status(id))
	require.Contains(t, c.get("/agents/v2/executions/"+id+"/activities").body, "They said Savings")
	execution, ok := c.api.Execution(id)
	require.True(t, ok)
	require.Equal(t, "Savings", execution.Messages[0].Text)
	require.Equal(t, http.StatusBadRequest, c.post("/agents/v2/executions/"+id+"/user-messages", `{"message":"late"}`).status)
}

func TestAwaitConfirmationIgnoresMessages(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	c.api.AddAgent("clerk", scripted(testsuite.AwaitConfirmation("Pay 100?"), done(nil)))
	id := c.execute("clerk", `{}`)
	clock.Add(time.Second)
	require.Equal(t, "Pay 100?", c.lastChange(id)["awaitingConfirmationPayload"].(map[string]any)["reason"])
	require.Equal(t, http.StatusCreated, c.post("/agents/v2/executions/"+id+"/user-messages", `{"message":"yes"}`).status)
	require.Equal(t, "awaiting_confirmation", c.status(id))
	require.Equal(t, http.StatusOK, c.post("/agents/v2/executions/"+id+"/resume", "").status)
	require.Equal(t, "completed", c.status(id))
}

func TestActivitiesHaveReasons(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	c.api.AddAgent("clerk", scripted(testsuite.Fail("no such page")), scripted(testsuite.CancelBy("worker_lost")), scripted(testsuite.Work(time.Hour)))
	failed, lost, cancelled := c.execute("clerk", `{}`), c.execute("clerk", `{}`), c.execute("clerk", `{}`)
	clock.Add(time.Second)
	require.Equal(t, "no such page", c.lastChange(failed)["failedPayload"].(map[string]any)["reason"])
	require.Equal(t, "worker_lost", c.lastChange(lost)["cancelledPayload"].(map[string]any)["reason"])
	c.post("/agents/v2/executions/"+cancelled+"/cancel", "")
	require.Equal(t, "user_requested", c.lastChange(cancelled)["cancelledPayload"].(map[string]any)["reason"])
	require.Equal(t, "cancelled", c.status(cancelled))
}

func TestAddAgentFailsTheTestWhenScriptsRunOut(t *testing.T) {
	t.Parallel()
	clock := newManualClock()
	fails := &recorder{T: t}
	api := testsuite.NewAPI(fails, testsuite.WithClock(clock.Now))
	c := &client{t: t, api: api, key: api.APIKey()}

	api.AddAgent("once", scripted(done(nil)))
	c.execute("once", `{}`)
	second := c.execute("once", `{}`)
	require.Len(t, fails.failures(), 1)
	require.Contains(t, fails.failures()[0], "scripted for 1 executions")
	third := c.post("/agents/v2/executions/"+second+"/rerun", "").json(t)["executionId"].(string)
	clock.Add(time.Minute)
	for _, id := range []string{second, third} {
		require.Equal(t, "failed", c.status(id))
		require.Contains(t, c.lastChange(id)["failedPayload"].(map[string]any)["reason"], "scripted for 1 executions")
	}

	api.AddAgent("endless", scripted(testsuite.Work(time.Minute)))
	id := c.execute("endless", `{}`)
	clock.Add(time.Hour)
	require.Equal(t, "failed", c.status(id))
	require.Len(t, fails.failures(), 3)

	api.AddAgent("broken", func(testsuite.Run) []testsuite.Step { panic("oops") })
	id = c.execute("broken", `{}`)
	clock.Add(time.Hour)
	require.Equal(t, "failed", c.status(id))
	require.Contains(t, fails.failures()[3], "oops")
}

func TestWithResultDelayHidesResult(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t, testsuite.WithResultDelay(time.Minute))
	c.api.AddAgent("clerk", scripted(done(1)))
	id := c.execute("clerk", `{}`)
	clock.Add(time.Second)
	require.Equal(t, "completed", c.status(id))
	require.NotContains(t, c.execution(id), "executionResult")
	clock.Add(time.Minute)
	require.Contains(t, c.execution(id), "executionResult")
}
