package testsuite_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestKeysAreChecked(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	for name, headers := range map[string]map[string]string{
		"none":  {},
		"wrong": {"X-Api-Key": "guess"},
		"two":   {"X-Api-Key": c.key, "X-Asteroid-Agents-Api-Key": "guess"},
	} {
		for _, path := range []string{"/agents/v2/agents", "/agents/v2/executions", "/users/v2/whoami", "/agents/v2/agents/x/shared-files"} {
			r := c.request("GET", path, "", nil)
			r.Header.Del("X-Api-Key")
			for header, value := range headers {
				r.Header.Set(header, value)
			}
			answer := c.do(r)
			require.Equal(t, http.StatusUnauthorized, answer.status, "%s %s", name, path)
			body := answer.json(t)
			require.EqualValues(t, 401, body["code"])
			require.Equal(t, body["message"], body["detail"])
			require.Equal(t, path, body["instance"])
		}
	}
	require.Equal(t, http.StatusNotFound, c.get("/agents/v2/nothing").status)
}

func TestKeysWorkInBothHeaders(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	id := c.api.AgentID("patient")
	for _, header := range []string{"X-Api-Key", "X-Asteroid-Agents-Api-Key"} {
		for _, path := range []string{"/agents/v2/agents/", "/agents/v2/workflows/"} {
			r := c.request("POST", path+id+"/execute", "application/json", strings.NewReader(`{}`))
			r.Header.Del("X-Api-Key")
			r.Header.Set(header, c.key)
			answer := c.do(r)
			require.Equal(t, http.StatusAccepted, answer.status)
			require.Equal(t, "starting", answer.json(t)["status"])
			requests := c.api.Requests()
			last := requests[len(requests)-1]
			require.Equal(t, header, last.KeyHeader)
			require.Equal(t, http.StatusAccepted, last.Status)
			require.Equal(t, answer.header.Get("X-Request-Id"), last.RequestID)
			require.Equal(t, map[bool]string{true: "AgentExecutePost", false: "WorkflowExecutePost"}[path == "/agents/v2/agents/"], last.Operation)
		}
	}
}

func TestKeysSeeTheirOrganizationsOnly(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	id := c.execute("patient", `{}`)
	other := c.api.AddOrganization("Other")
	stranger := &client{t: t, api: c.api, key: c.api.AddAPIKey(other)}

	require.Equal(t, http.StatusForbidden, stranger.get("/agents/v2/executions/"+id).status)
	require.Equal(t, http.StatusForbidden, stranger.post("/agents/v2/executions/"+id+"/cancel", "").status)
	require.Equal(t, http.StatusForbidden, stranger.post("/agents/v2/agents/"+c.api.AgentID("patient")+"/execute", `{}`).status)
	require.Equal(t, http.StatusForbidden, stranger.get("/agents/v2/executions?organizationId="+c.api.OrganizationID()).status)
	require.Equal(t, http.StatusNotFound, stranger.get("/agents/v2/executions/"+id+"/files").status)
	require.EqualValues(t, 0, stranger.get("/agents/v2/executions").json(t)["total"])
	require.EqualValues(t, 5, stranger.get("/agents/v2/agents").json(t)["total"])
	theirs := c.api.AgentsIn(other)["patient"]
	require.NotEqual(t, c.api.AgentID("patient"), theirs)
	require.Equal(t, http.StatusAccepted, stranger.post("/agents/v2/agents/"+theirs+"/execute", `{}`).status)
	require.Equal(t, http.StatusForbidden, c.post("/agents/v2/agents/"+theirs+"/execute", `{}`).status)
	refused := stranger.upload("/agents/v2/temp-files/"+c.api.OrganizationID(), part{"files", "a", "text/plain", "a"})
	require.Equal(t, http.StatusForbidden, refused.status)
	require.Equal(t, "User is not a member of the organization.", refused.body)

	agent := c.api.ServeAgentIn(other, "their clerk", func(testsuite.Run) []testsuite.Step { return nil })
	require.Empty(t, c.api.AgentID("their clerk"))
	require.Equal(t, agent, c.api.AgentsIn(other)["their clerk"])
	require.EqualValues(t, 6, stranger.get("/agents/v2/agents").json(t)["total"])
	require.Equal(t, http.StatusAccepted, stranger.post("/agents/v2/agents/"+agent+"/execute", `{}`).status)
	require.EqualValues(t, 2, stranger.get("/agents/v2/executions").json(t)["total"])
	require.Equal(t, http.StatusForbidden, c.post("/agents/v2/agents/"+agent+"/execute", `{}`).status)

	nobody := &client{t: t, api: c.api, key: c.api.AddAPIKey()}
	require.Equal(t, []any{}, nobody.get("/agents/v2/context").json(t)["organizations"])
}

func TestKeysOfSeveralOrganizationsNameNone(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, testsuite.WithOrganization("First"))
	require.Equal(t, c.api.OrganizationID(), c.get("/users/v2/whoami").json(t)["organizationId"])

	second := c.api.AddOrganization("Second")
	both := &client{t: t, api: c.api, key: c.api.AddAPIKey(c.api.OrganizationID(), second)}
	require.NotContains(t, both.get("/users/v2/whoami").json(t), "organizationId")
	require.Equal(t, []any{
		map[string]any{"id": c.api.OrganizationID(), "name": "First"}, map[string]any{"id": second, "name": "Second"},
	}, both.get("/agents/v2/context").json(t)["organizations"])

	file := part{"files", "a.txt", "text/plain", "a"}
	require.Equal(t, http.StatusBadRequest, both.upload("/agents/v2/temp-files", file).status)
	require.Equal(t, http.StatusOK, both.upload("/agents/v2/temp-files?organizationId="+second, file).status)
	require.Equal(t, http.StatusOK, c.upload("/agents/v2/temp-files", file).status)
}
