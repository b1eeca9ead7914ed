package testsuite_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const uuidA, uuidB = "3c90c3cc-0d44-4b50-8888-8dd25736052a", "4c90c3cc-0d44-4b50-8888-8dd25736052a"

func TestExecuteRefusesInvalidRequests(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	staged := c.stage(part{"files", "a.txt", "text/plain", "a"})
	for body, parameter := range map[string]string{
		`{"input":{}}`:                               "input",
		`{"Inputs":{}}`:                              "Inputs",
		`{"inputs":null}`:                            "inputs",
		`{"inputs":[]}`:                              "inputs",
		`{"inputs":{"a-b":1}}`:                       "inputs",
		`{"inputs":{"1a":1}}`:                        "inputs",
		`{"inputs":{},"dynamicData":{}}`:             "dynamicData",
		`{"metadata":{"n":1}}`:                       "metadata.n",
		`{"metadata":{"n":null}}`:                    "metadata.n",
		`{"version":"1"}`:                            "version",
		`{"version":1.5}`:                            "version",
		`{"version":0}`:                              "version",
		`{"version":1,"head":true}`:                  "head",
		`{"executionOptions":{"softTimeoutMins":0}}`: "executionOptions.softTimeoutMins",
		`{"executionOptions":{"key":"x"}}`:           "executionOptions.key",
		`{"onCapacityLimit":"wait"}`:                 "onCapacityLimit",
		`{"onCapacityLimit":"queue",` + staged + `}`: "onCapacityLimit",
		`{"agentProfileId":"me"}`:                    "agentProfileId",
		`{"agentProfileId":"` + uuidA + `","agentProfilePoolId":"` + uuidB + `"}`: "agentProfilePoolId",
		`{"agentProfileId":"` + uuidA + `","profileId":"` + uuidA + `"}`:          "profileId",
		`{"tempFiles":[{"id":"` + uuidA + `"}]}`:                                  "tempFiles[0].name",
		`{"tempFiles":[{"id":"` + uuidA + `","name":"a"}]}`:                       "tempFiles",
	} {
		for _, kind := range []string{"agents", "workflows"} {
			answer := c.post("/agents/v2/"+kind+"/"+c.api.AgentID("patient")+"/execute", body)
			require.Equal(t, http.StatusBadRequest, answer.status, body)
			faults := answer.json(t)["errors"].([]any)
			require.Equal(t, parameter, faults[0].(map[string]any)["parameter"], body)
		}
	}
	for _, body := range []string{``, `{`, `[]`, `{} {}`} {
		require.Equal(t, http.StatusBadRequest, c.post("/agents/v2/agents/"+c.api.AgentID("patient")+"/execute", body).status, body)
	}
	text := c.request("POST", "/agents/v2/agents/"+c.api.AgentID("patient")+"/execute", "text/plain", strings.NewReader(`{}`))
	require.Equal(t, http.StatusBadRequest, c.do(text).status)
	require.Equal(t, http.StatusNotFound, c.post("/agents/v2/agents/"+uuidA+"/execute", `{}`).status)
	require.Empty(t, c.api.Executions())
}

func TestExecuteKeepsWholeRequest(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	id := c.execute("patient", `{"inputs":{"seconds":1,"big":12345678901234567890,"deep":[{"a":null}]},"metadata":{"a":"b"},
		"profileGroupId":"`+uuidA+`","version":7,"executionOptions":{"variantKey":"North","softTimeoutMins":3},"tempFiles":[]}`)
	answer := c.get("/agents/v2/executions/" + id)
	require.Contains(t, answer.body, `"big":12345678901234567890`)
	execution := answer.json(t)
	require.Equal(t, map[string]any{"a": "b"}, execution["metadata"])
	require.Equal(t, map[string]any{"variantKey": "North", "softTimeoutMins": 3.0}, execution["executionOptions"])
	require.EqualValues(t, 7, execution["workflowVersion"])
	require.NotEmpty(t, execution["agentProfileId"])
	require.Equal(t, "api", execution["triggerContext"].(map[string]any)["source"])
}

func TestSteeringRefusesInvalidRequests(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	path := "/agents/v2/executions/" + c.execute("patient", `{}`)
	for target, bodies := range map[string][]string{
		"/status":        {`{}`, `{"status":"completed"}`, `{"status":1}`, `{"status":"paused","why":"x"}`},
		"/user-messages": {`{}`, `{"message":""}`, `{"text":"x"}`},
		"/rerun":         {`{"metadata":{}}`, `{"agentProfileId":"` + uuidA + `","profileId":"` + uuidA + `"}`, `{"inputs":{"a b":1}}`},
	} {
		for _, body := range bodies {
			require.Equal(t, http.StatusBadRequest, c.post(path+target, body).status, "%s %s", target, body)
		}
	}
	for _, query := range []string{"?order=up", "?limit=0", "?limit=x", "?cursor=1"} {
		require.Equal(t, http.StatusBadRequest, c.get(path+"/activities"+query).status, query)
	}
	require.Len(t, c.get(path+"/activities?order=asc&limit=1").list(t), 1)
	require.Equal(t, http.StatusNotFound, c.get("/agents/v2/executions/"+uuidA+"/activities").status)
}

func TestQueriesRefuseUnknownParameters(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	execution, execute := "/agents/v2/executions/"+c.execute("patient", `{}`), "/agents/v2/agents/"+c.api.AgentID("patient")
	for _, path := range []string{
		execution, execution + "/files", execution + "/context-files", execution + "/sync", execution + "/activities",
		execution + "/recording", execute + "/shared-files", "/agents/v2/context", "/users/v2/whoami", "/agents/v2/agents",
		"/agents/v2/workflows", "/agents/v2/executions",
	} {
		require.Equal(t, http.StatusBadRequest, c.get(path+"?sharedStorageKey=a").status, path)
		require.Equal(t, http.StatusBadRequest, c.get(path+"?page=1;pageSize=2").status, path)
	}
	for _, path := range []string{execute + "/execute", execution + "/rerun", execution + "/status", execution + "/user-messages"} {
		answer := c.post(path+"?version=2", `{}`)
		require.Equal(t, http.StatusBadRequest, answer.status, path)
		require.Equal(t, "version", answer.json(t)["errors"].([]any)[0].(map[string]any)["parameter"], path)
	}
	file := part{"files", "a.txt", "text/plain", "a"}
	for _, path := range []string{"/agents/v2/temp-files", "/agents/v2/temp-files/" + c.api.OrganizationID(), execution + "/context-files"} {
		require.Equal(t, "Invalid file upload request.", c.upload(path+"?organisationId=x", file).body, path)
	}
	require.Len(t, c.api.Executions(), 1)
}

func TestExecuteTellsBrokenFromTooLargeBodies(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	path := "/agents/v2/agents/" + c.api.AgentID("patient") + "/execute"
	large := c.post(path, `{"inputs":{"a":"`+strings.Repeat("a", 5<<20)+`"}}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, large.status)

	host := strings.TrimPrefix(c.api.BaseURL(), "http://")
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
	require.NoError(t, err)
	defer connection.Close()
	_, err = fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\nContent-Type: application/json\r\n"+
		"Content-Length: 9\r\n\r\n{}", path, host, c.key)
	require.NoError(t, err)
	require.NoError(t, connection.(*net.TCPConn).CloseWrite())
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusBadRequest, answer.StatusCode)
	require.Empty(t, c.api.Executions())
}
