package testsuite_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestListFiltersAndPages(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	clerk := c.api.ServeAgent("clerk", scripted(testsuite.Complete("partial Success", "", nil)))
	var ids []string
	ids = append(ids, c.execute("clerk", `{"metadata":{"ref":"1","team":"a"}}`))
	clock.Add(time.Hour)
	ids = append(ids, c.execute("patient", `{"inputs":{"seconds":86400},"metadata":{"ref":"1","team":"b"}}`))
	clock.Add(time.Hour)
	ids = append(ids, c.execute("clerk", `{"metadata":{"ref":"12"},"version":3}`))
	label := c.api.LabelExecution(ids[0], "checked")
	organization := "organizationId=" + c.api.OrganizationID()

	for query, want := range map[string][]int{
		"":                                               {2, 1, 0},
		"sort=created_at:asc":                            {0, 1, 2},
		"sortField=status&sortDirection=asc":             {0, 1, 2},
		"sortField=started_at":                           {2, 1, 0},
		"pageSize=1&page=2":                              {1},
		"pageSize=2&page=2":                              {0},
		"page=9":                                         {},
		"metadataKey=ref&metadataValue=1":                {1, 0},
		"metadata=ref%3D1&metadata=team%3Db":             {1},
		"metadata=team%3Da&metadata=team%3Db":            {},
		"agentId=" + clerk:                               {2, 0},
		"workflowId=" + clerk:                            {2, 0},
		"executionId=" + ids[1][5:20]:                    {1},
		"status=completed&status=running":                {1, 0},
		"phase=active":                                   {2, 1},
		"phase=terminal&status=running":                  {},
		"createdAfter=2026-03-01T10:00:00Z":              {2, 1},
		"createdBefore=2026-03-01T10:30:00Z":             {1, 0},
		"createdAfter=2026-03-01T10:00:01.5%2B0000":      {2},
		"createdWithin=1h30m":                            {2, 1},
		"workflowVersion=3":                              {2},
		"workflowVersion=1":                              {1, 0},
		"triggerSource=ui":                               {},
		"triggerSource=ui&triggerSource=api":             {2, 1, 0},
		"humanLabels=" + label + "&humanLabels=" + uuidA: {0},
		"outcomeLabel=success":                           {0},
	} {
		answer := c.get("/agents/v2/executions?" + organization + "&" + query)
		require.Equal(t, http.StatusOK, answer.status, "%s: %s", query, answer.body)
		var got []int
		for _, item := range answer.json(t)["items"].([]any) {
			got = append(got, slices.Index(ids, item.(map[string]any)["id"].(string)))
		}
		require.ElementsMatch(t, want, got, query)
		if len(want) > 1 {
			require.Equal(t, want, got, query)
		}
	}
	require.EqualValues(t, 3, c.get("/agents/v2/executions?pageSize=1").json(t)["total"])
}

func TestListRefusesInvalidFilters(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	for _, query := range []string{
		"metadataKey=a", "metadataValue=a", "metadata=a", "status=done", "phase=over", "triggerSource=cron", "humanLabels=x",
		"createdWithin=1h&createdAfter=2026-03-01T10:00:00Z", "createdWithin=", "createdWithin=1m1h", "createdWithin=11000d",
		"createdAfter=yesterday", "createdAfter=2026-03-01", "createdAfter=", "createdBefore=", "sort=created_at:asc&sortField=status", "sort=created_at", "sort=name:asc",
		"sortField=name", "sortDirection=up", "page=0", "page=x", "pageSize=0", "pageSize=101", "organizationId=x", "agent=x",
	} {
		answer := c.get("/agents/v2/executions?" + query)
		require.Equal(t, http.StatusBadRequest, answer.status, query)
		require.NotEmpty(t, answer.json(t)["errors"], query)
	}
	require.Equal(t, http.StatusNotFound, c.get("/agents/v2/executions?organizationId="+uuidA).status)
}

func TestAgentListFiltersAndPages(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	names := func(query string) (names []string) {
		for _, item := range c.get("/agents/v2/agents?" + query).json(t)["items"].([]any) {
			names = append(names, item.(map[string]any)["name"].(string))
		}
		return names
	}
	require.Equal(t, []string{"totals", "report", "patient", "inventory", "echo"}, names("sortField=name&sortDirection=desc"))
	require.Equal(t, []string{"report"}, names("searchName="+url.QueryEscape("PORT")))
	require.Equal(t, []string{"patient", "report"}, names("page=2&pageSize=2&sortField=name"))
	for query, want := range map[string]string{
		"page=0": "Invalid request parameters.", "page=x": "Invalid request parameters.", "sortField=size": "Invalid request parameters.",
		"organizationId=x": "Invalid request parameters.", "organizationId=" + uuidA: "Organization not found.",
	} {
		answer := c.get("/agents/v2/agents?" + query)
		require.Equal(t, want, answer.body, query)
		require.Contains(t, answer.header.Get("Content-Type"), "text/plain")
	}
}

func TestRerunCopiesAllButFiles(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	var runs []testsuite.Run
	c.api.ServeAgent("clerk", func(run testsuite.Run) []testsuite.Step {
		runs = append(runs, run)
		return []testsuite.Step{done(nil)}
	})
	staged := c.stage(part{"files", "a.txt", "text/plain", "a"})
	original := c.execute("clerk", `{"inputs":{"a":1},"metadata":{"ref":"x"},"version":2,"executionOptions":{"sharedStorageKey":"k"},
		"agentProfileId":"`+uuidA+`",`+staged+`}`)
	require.Equal(t, false, c.execution(original)["hasBeenRerun"])
	answer := c.post("/agents/v2/executions/"+original+"/rerun", "")
	require.Equal(t, http.StatusAccepted, answer.status)
	again := answer.json(t)["executionId"].(string)
	changed := c.post("/agents/v2/executions/"+original+"/rerun", `{"inputs":{"b":2},"profileId":"`+uuidB+`"}`).json(t)["executionId"].(string)

	require.Equal(t, true, c.execution(original)["hasBeenRerun"])
	rerun := c.execution(again)
	require.Equal(t, original, rerun["parentExecutionId"])
	require.Equal(t, map[string]any{"ref": "x"}, rerun["metadata"])
	require.Len(t, runs, 3)
	require.Len(t, runs[0].Files, 1)
	require.Empty(t, runs[1].Files)
	require.Equal(t, runs[0].Inputs, runs[1].Inputs)
	require.Equal(t, [3]any{uuidA, 2, "k"}, [3]any{runs[1].ProfileID, runs[1].Version, runs[1].StorageKey})
	require.Equal(t, original, runs[1].ParentExecutionID)
	require.Equal(t, map[string]any{"b": 2.0}, runs[2].Inputs)
	require.Equal(t, uuidB, c.execution(changed)["agentProfileId"])

	byHand := c.execution(c.api.RerunExecution(original))
	require.Equal(t, original, byHand["parentExecutionId"])
	require.Equal(t, "ui", byHand["triggerContext"].(map[string]any)["source"])
	require.EqualValues(t, 1, c.get("/agents/v2/executions?triggerSource=ui&metadataKey=ref&metadataValue=x").json(t)["total"])
}

func TestDeleteAndPurgeHideExecutions(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	deleted := c.execute("inventory", `{}`)
	purged := c.execute("inventory", `{"inputs":{"a":1},`+c.stage(part{"files", "a.txt", "text/plain", "a"})+`}`)
	clock.Add(time.Minute)
	c.api.DeleteExecution(deleted)
	c.api.PurgeExecution(purged)
	require.Equal(t, http.StatusNotFound, c.get("/agents/v2/executions/"+deleted).status)
	require.EqualValues(t, 1, c.get("/agents/v2/executions").json(t)["total"])
	execution := c.execution(purged)
	require.Contains(t, execution, "purgedAt")
	for _, gone := range []string{"inputs", "executionResult", "recordingUrl"} {
		require.NotContains(t, execution, gone)
	}
	require.Empty(t, c.get("/agents/v2/executions/" + purged + "/files").json(t)["directories"])
	require.Empty(t, c.get("/agents/v2/executions/"+purged+"/activities").list(t))
}
