package testsuite_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func newClaimsAgent(t *testing.T, c *client) string {
	t.Helper()
	id := c.api.ServeAgent("claims", func(run testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Complete("success", "", run.Version)}
	})
	first := testsuite.Version{Inputs: []testsuite.Input{
		{Name: "claim", Required: true, Description: "The claim's number."},
		{Name: "amount", Schema: map[string]any{"type": "number"}, Default: 5},
	}, Outputs: map[string]map[string]any{"filed": {"type": "object"}}, HardTimeoutMins: 90}
	require.Equal(t, 1, c.api.AddVersion(id, first))
	require.Equal(t, 2, c.api.AddVersion(id, testsuite.Version{Inputs: first.Inputs[:1]}))
	require.Equal(t, 3, c.api.AddVersion(id, testsuite.Version{Draft: true}))
	return id
}

func TestVersionsAreServedInBothDialects(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	id := newClaimsAgent(t, c)
	for _, dialect := range []string{"/agents/v2/workflows/" + id + "/versions", "/agents/v2/agents/" + id + "/workflows"} {
		refs := c.get(dialect).list(t)
		require.Len(t, refs, 3)
		for i, ref := range refs {
			require.EqualValues(t, i+1, ref["version"])
			require.Equal(t, i == 1, ref["isPublished"])
		}
		require.Equal(t, refs[0]["id"], refs[1]["parentId"])
		first := dialect + "/" + refs[0]["id"].(string)

		version := c.get(first).json(t)
		require.EqualValues(t, 1, version["version"])
		require.Equal(t, id, version["workflowId"])
		require.EqualValues(t, 90, version["settings"].(map[string]any)["max_timeout_mins"])
		require.Len(t, version["inputs"], 2)
		for _, member := range []string{"rules", "graph", "files", "rev"} {
			require.Contains(t, version, member, "the vendor's SDKs insist on it")
		}
		require.JSONEq(t, `{"inputs":[{"name":"claim","schema":{"type":"string"},"required":true,"description":"The claim's number."},
			{"name":"amount","schema":{"type":"number"},"required":false,"defaultValue":5}]}`, c.get(first+"/inputs").body)
		require.JSONEq(t, `{"filed":{"type":"object"}}`, c.get(first+"/output-schemas").body)
		require.JSONEq(t, `{}`, c.get(dialect+"/"+refs[1]["id"].(string)+"/output-schemas").body)
		require.Equal(t, http.StatusNotFound, c.get(dialect+"/"+id+"/inputs").status, "no version has this id")
		require.Equal(t, http.StatusBadRequest, c.get(first+"/inputs?draft=true").status)
	}
	require.Equal(t, http.StatusNotFound, c.get("/agents/v2/workflows/"+c.api.OrganizationID()+"/versions").status)
}

func TestExecutionsTellWhichVersionRuns(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	id := newClaimsAgent(t, c)
	run := func(body string) map[string]any { return c.execution(c.execute("claims", body)) }
	require.EqualValues(t, 2, run(`{}`)["workflowVersion"])
	require.EqualValues(t, 3, run(`{"head":true}`)["workflowVersion"])
	pinned := run(`{"version":1}`)
	require.EqualValues(t, 1, pinned["workflowVersion"])
	require.Equal(t, false, pinned["workflowVersionPublished"])
	require.Equal(t, c.get("/agents/v2/workflows/" + id + "/versions").list(t)[0]["id"], pinned["workflowVersionId"])
	require.Equal(t, http.StatusNotFound, c.post("/agents/v2/agents/"+id+"/execute", `{"version":4}`).status)

	published := run(`{}`)
	require.Equal(t, true, published["workflowVersionPublished"])
	c.api.AddVersion(id, testsuite.Version{})
	published = c.execution(published["id"].(string))
	require.Equal(t, false, published["workflowVersionPublished"], "now, not at the start")
	require.EqualValues(t, 2, published["workflowVersion"])

	draft := c.api.ServeAgent("draft", func(testsuite.Run) []testsuite.Step { return nil })
	c.api.AddVersion(draft, testsuite.Version{Draft: true})
	require.Equal(t, http.StatusBadRequest, c.post("/agents/v2/agents/"+draft+"/execute", `{}`).status, "nothing is published")
}

func TestVersionExecuteTakesAnyParent(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	id := newClaimsAgent(t, c)
	parent := c.execute("patient", `{}`)
	version := c.get("/agents/v2/workflows/" + id + "/versions").list(t)[2]["id"].(string)
	for _, route := range []string{"/agents/v2/workflows/" + id + "/versions/", "/agents/v2/agents/" + id + "/workflows/"} {
		started := c.post(route+version+"/execute", `{"inputVariables":{"claim":"7"},"metadata":{"mine":"1"},"parentExecutionId":"`+parent+`"}`)
		require.Equal(t, http.StatusAccepted, started.status, started.body)
		require.NotContains(t, started.json(t), "status")
		execution := c.execution(started.json(t)["executionId"].(string))
		require.EqualValues(t, 3, execution["workflowVersion"])
		require.Equal(t, parent, execution["parentExecutionId"])
		require.Equal(t, map[string]any{"mine": "1"}, execution["metadata"])
		require.Equal(t, true, c.execution(parent)["hasBeenRerun"])
		for _, wrong := range []string{`{"version":1}`, `{"onCapacityLimit":"queue"}`, `{"inputs":{},"inputVariables":{}}`} {
			require.Equal(t, http.StatusBadRequest, c.post(route+version+"/execute", wrong).status, wrong)
		}
	}
}

func TestScriptFailuresAreSentAndListed(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	c.api.AddAgent("scripted", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{
			testsuite.FailScript(testsuite.ScriptFailure{NodeName: "Sign in", File: "login.js", Error: "no such button", Line: 7}),
			testsuite.CancelBy("script_failed"),
		}
	})
	id := c.execute("scripted", `{}`)
	clock.Add(time.Minute)
	execution := c.execution(id)
	failures := execution["scriptFailures"].([]any)
	require.Len(t, failures, 1)
	failure := failures[0].(map[string]any)
	require.Equal(t, "Sign in", failure["nodeName"])
	require.EqualValues(t, 7, failure["failedLine"])
	require.Equal(t, "person", execution["triggerContext"].(map[string]any)["actor"].(map[string]any)["kind"])
	c.execute("patient", `{}`)
	require.EqualValues(t, 1, c.get("/agents/v2/executions?hasScriptFailures=true").json(t)["total"])
	require.EqualValues(t, 1, c.get("/agents/v2/executions?hasScriptFailures=false").json(t)["total"])
}

func TestExecutionsAreFilteredByInputsAndProfiles(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	profile := c.api.AddProfile("Portal")
	c.execute("patient", `{"inputs":{"claim":"ORDER-42","seconds":3600},"profileId":"`+profile+`"}`)
	c.execute("patient", `{"inputs":{"seconds":3600}}`)
	for query, total := range map[string]int{
		"inputsKey=claim&inputsValue=order": 1, "inputsKey=seconds&inputsValue=36": 2, "inputsKey=claim&inputsValue=x": 0,
		"profileIds=" + profile: 1, "agentProfileIds=" + profile: 1, "profileIds=" + c.api.OrganizationID(): 0, "batchId=b": 0,
	} {
		require.EqualValues(t, total, c.get("/agents/v2/executions?" + query).json(t)["total"], query)
	}
	for _, query := range []string{"inputsKey=claim", "inputsValue=x", "profileIds=mine"} {
		require.Equal(t, http.StatusBadRequest, c.get("/agents/v2/executions?"+query).status, query)
	}
}

func TestProfilesAreServedInBothDialects(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	portal := c.api.AddProfile("Portal")
	bank := c.api.AddProfile("Bank")
	group := c.api.AddProfileGroup("Logins", portal, bank)
	older := c.api.AddInboxEmail(portal, testsuite.InboxEmail{From: "noreply@example.com", Subject: "Code", Text: "123"})
	clock.Add(1)
	newer := c.api.AddInboxEmail(portal, testsuite.InboxEmail{Subject: "Code", Text: "456"})
	for _, names := range [][2]string{{"profiles", "profile-groups"}, {"agent-profiles", "agent-profile-pools"}} {
		profiles, groups := "/agents/v2/"+names[0], "/agents/v2/"+names[1]
		page := c.get(profiles + "?sortField=name&pageSize=1&organizationId=" + c.api.OrganizationID()).json(t)
		require.EqualValues(t, 2, page["total"])
		require.Equal(t, bank, page["items"].([]any)[0].(map[string]any)["id"])
		require.EqualValues(t, 1, c.get(profiles + "?searchName=port").json(t)["total"])
		one := c.get(profiles + "/" + portal).json(t)
		require.Equal(t, "Portal", one["name"])
		require.Equal(t, []any{}, one["cookies"])
		mails := c.get(profiles + "/" + portal + "/inbox-emails?limit=1").json(t)
		require.Equal(t, true, mails["hasMore"])
		require.Equal(t, newer, mails["emails"].([]any)[0].(map[string]any)["id"])
		require.Equal(t, "123", c.get(profiles + "/" + portal + "/inbox-emails/" + older).json(t)["text"])
		require.EqualValues(t, 1, c.get(groups).json(t)["total"])
		require.Equal(t, "Logins", c.get(groups + "/" + group).json(t)["name"])
		require.EqualValues(t, 2, c.get(groups + "/" + group + "/members").json(t)["total"])
		for path, status := range map[string]int{
			profiles + "/x": 400, profiles + "/" + group: 404, groups + "/" + portal: 404, groups + "?sortField=size": 400,
			profiles + "?active=true": 400, profiles + "/" + bank + "/inbox-emails/" + older: 404, profiles + "/" + bank + "/inbox-emails?limit=0": 400,
		} {
			require.Equal(t, status, c.get(path).status, path)
		}
	}
	stranger := &client{t: t, api: c.api, key: c.api.AddAPIKey(c.api.AddOrganization("Other"))}
	require.Equal(t, http.StatusForbidden, stranger.get("/agents/v2/profiles/"+portal).status)
	require.EqualValues(t, 0, stranger.get("/agents/v2/profiles").json(t)["total"])
	execution := c.execution(c.execute("inventory", `{"profileGroupId":"`+group+`"}`))
	require.Equal(t, "Portal", execution["profileName"])
	require.Equal(t, "Portal", execution["agentProfileName"])
}
