package testsuite_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// page returns a page as a browser gets it: without a key.
func page(t *testing.T, address any) string {
	t.Helper()
	shown := fetch(t, address.(string), nil)
	require.Equal(t, http.StatusOK, shown.status, "%s: %s", address, shown.body)
	require.Equal(t, "text/html; charset=utf-8", shown.header.Get("Content-Type"))
	require.Contains(t, shown.header.Get("Content-Security-Policy"), "default-src 'none'")
	return shown.body
}

func TestPagesShowExecution(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t, testsuite.WithOrganization("Acme"))
	c.api.AddAgent("clerk", func(run testsuite.Run) []testsuite.Step {
		return []testsuite.Step{
			testsuite.Act("nav_to", "Opening the portal"), testsuite.Work(time.Minute), testsuite.Reason("It needs an account."),
			testsuite.Ask("Which account?", "Checking", "Savings"), testsuite.AwaitConfirmation("It costs 5."),
			testsuite.CopyFile("downloads", "receipt.txt", run.Files[0]), testsuite.Complete("paid", "The portal shows it.", run.Inputs),
		}
	})
	id := c.execute("clerk", `{"inputs":{"invoice":"INV-7"},"metadata":{"order":"1042"},`+c.stage(part{"files", "in.txt", "text/plain", "five"})+`}`)
	clock.Add(time.Second)
	running := c.execution(id)
	require.Equal(t, c.api.BaseURL()+"/executions/"+id, running["platformUrl"])
	live := page(t, running["liveViewUrl"])
	require.Contains(t, live, `http-equiv="refresh"`)
	for _, want := range []string{"clerk", "running", "Opening the portal"} {
		require.Contains(t, live, want)
	}
	require.Equal(t, http.StatusNotFound, fetch(t, running["platformUrl"].(string)+"/recording", nil).status)

	clock.Add(time.Minute)
	for _, address := range []any{running["platformUrl"], running["liveViewUrl"]} {
		shown := page(t, address)
		for _, want := range []string{"paused_by_agent", "The agent asks", "Which account?", "Checking", "Savings", "It needs an account."} {
			require.Contains(t, shown, want)
		}
	}
	c.post("/agents/v2/executions/"+id+"/user-messages", `{"message":"The second"}`)
	require.Contains(t, page(t, running["platformUrl"]), "It costs 5.")
	c.post("/agents/v2/executions/"+id+"/status", `{"status":"running"}`)

	ended := c.execution(id)
	shown := page(t, ended["platformUrl"])
	require.NotContains(t, shown, "http-equiv")
	require.NotContains(t, shown, "The agent asks")
	for _, want := range []string{
		"completed", "paid", "The portal shows it.", "INV-7", "The second", "Acme", "order", "1042", "2026-03-01 09:00:00 UTC",
		"in.txt", "receipt.txt", "4 bytes", "/executions/" + id + "/recording",
	} {
		require.Contains(t, shown, want)
	}
	links := regexp.MustCompile(`href="([^"]*/signed/[^"]*)"`).FindAllStringSubmatch(shown, -1)
	require.Len(t, links, 2)
	for _, link := range links {
		require.Equal(t, "five", fetch(t, html.UnescapeString(link[1]), nil).body)
	}
	recording := page(t, ended["recordingUrl"])
	for _, want := range []string{"1m1s", "<td>1s</td>", "Opening the portal"} {
		require.Contains(t, recording, want)
	}
	require.Contains(t, page(t, running["liveViewUrl"]), "does not work now")
}

func TestPagesEscapeEverything(t *testing.T) {
	t.Parallel()
	const evil = `"'><script>alert(1)</script>`
	c, clock := newClient(t, testsuite.WithOrganization(evil))
	c.api.AddAgent(evil, scripted(
		testsuite.Act(evil, evil), testsuite.Reason(evil),
		testsuite.WriteFile("downloads", strings.ReplaceAll(evil, "/", "&"), evil, nil),
		testsuite.AskFor(testsuite.Question{Text: evil, Header: evil, Options: []testsuite.Choice{{Label: evil, Description: evil}}}, nil),
		testsuite.AwaitConfirmation(evil), testsuite.Complete(evil, evil, map[string]any{evil: evil})))
	id := c.execute(evil, `{"inputs":{"a":"\"'><script>alert(1)</script>"},"metadata":{"\"'><script>":"\"'><script>"}}`)
	clock.Add(time.Second)
	check := func(addresses ...any) {
		for _, address := range addresses {
			shown := page(t, address)
			require.Contains(t, shown, "script&gt;alert")
			require.NotContains(t, shown, "<script")
			require.NotContains(t, shown, `"'>`)
		}
	}
	check(c.execution(id)["platformUrl"], c.api.BaseURL()+"/executions/"+id+"/live")
	c.post("/agents/v2/executions/"+id+"/user-messages", `{"message":"<script>alert(2)"}`)
	check(c.execution(id)["platformUrl"])
	c.post("/agents/v2/executions/"+id+"/status", `{"status":"running"}`)
	check(c.execution(id)["platformUrl"], c.execution(id)["recordingUrl"])
}

func TestPagesShowWhatClientsSee(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t, testsuite.WithReadDelay(time.Minute), testsuite.WithResultDelay(time.Hour), testsuite.WithFileSyncDelay(time.Hour))
	c.api.AddAgent("clerk", scripted(testsuite.WriteFile("downloads", "a.txt", "text/plain", nil), done("the answer")))
	id := c.execute("clerk", `{"inputs":{"secret":"s3cr3t"}}`)
	address := c.api.BaseURL() + "/executions/" + id
	require.Equal(t, http.StatusNotFound, fetch(t, address, nil).status)
	clock.Add(time.Minute)
	for _, hidden := range []string{"the answer", "a.txt"} {
		require.NotContains(t, page(t, address), hidden)
	}
	clock.Add(time.Hour)
	for _, visible := range []string{"the answer", "a.txt", "s3cr3t"} {
		require.Contains(t, page(t, address), visible)
		require.Contains(t, page(t, c.api.BaseURL()+"/executions/"+strings.ToUpper(id)), visible)
	}
	c.api.PurgeExecution(id)
	for _, gone := range []string{"the answer", "a.txt", "s3cr3t", "Done."} {
		require.NotContains(t, page(t, address), gone)
	}
	require.Contains(t, page(t, address), "Purged")
	c.api.DeleteExecution(id)
	require.Equal(t, http.StatusNotFound, fetch(t, address, nil).status)
}

func TestPagesAreNoOperations(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, testsuite.WithChance("", 1, testsuite.Answer(500, "")))
	require.Equal(t, http.StatusNotFound, fetch(t, c.api.BaseURL()+"/executions/"+uuidA, nil).status)
	require.Empty(t, c.api.Requests())
	for _, other := range []string{"/", "/executions", "/executions/" + uuidA + "/other", "/agents/v2//agents"} {
		fetch(t, c.api.BaseURL()+other, nil)
	}
	require.Len(t, c.api.Requests(), 4)
}

func TestPagesBoundWhatTheyShow(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	for _, inputs := range []string{`"bytes":3000000`, `"levels":5000`, `"levels":100000`, `"bytes":60000,"levels":20000`} {
		id := c.execute("echo", `{"inputs":{`+inputs+`}}`)
		clock.Add(time.Minute)
		require.Less(t, len(page(t, c.api.BaseURL()+"/executions/"+id)), 200_000, inputs)
	}
	steps := []testsuite.Step{}
	for range 5000 {
		steps = append(steps, testsuite.Reason("again"))
	}
	c.api.AddAgent("thinker", scripted(append(steps, done(nil))...))
	id := c.execute("thinker", `{}`)
	clock.Add(time.Minute)
	shown := page(t, c.execution(id)["platformUrl"])
	require.Less(t, strings.Count(shown, "again"), 501)
	require.Contains(t, shown, "older entries are not shown")
}

func TestPagesWithoutNetworkHaveValidAddresses(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t, testsuite.WithoutNetwork(), testsuite.WithStartDelay(0))
	browser := &http.Client{Transport: api.Transport()}
	do := func(method, path, body string) string {
		r, err := http.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("X-Api-Key", api.APIKey())
		r.Header.Set("Content-Type", "application/json")
		answer, err := browser.Do(r)
		require.NoError(t, err)
		content, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return string(content)
	}
	do("POST", api.BaseURL()+"/agents/v2/agents/"+api.AgentID("patient")+"/execute", `{}`)
	execution := api.Executions()[0]
	running := response{header: http.Header{"Content-Type": {"application/json"}}, body: do("GET", api.BaseURL()+"/agents/v2/executions/"+execution.ID, "")}.json(t)
	for _, member := range []string{"platformUrl", "liveViewUrl", "browserLiveViewUrl"} {
		address, err := url.Parse(running[member].(string))
		require.NoError(t, err)
		require.Equal(t, "https", address.Scheme)
		require.NotEmpty(t, address.Host)
		require.Contains(t, do("GET", address.String(), ""), "patient")
	}
}
