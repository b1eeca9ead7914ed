package testsuite_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func sum(content string) string {
	hash := sha256.Sum256([]byte(content))
	return hex.EncodeToString(hash[:])
}

func TestStagedFilesReachAgentUnchanged(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	var run testsuite.Run
	c.api.AddAgent("clerk", func(given testsuite.Run) []testsuite.Step {
		run = given
		return []testsuite.Step{done(nil)}
	})
	large := strings.Repeat("0123456789abcdef", 40_000) // larger than spoolInMemory
	staged := c.stage(
		part{"files", "a.csv", "text/csv", "x\n1\n"}, part{"files", "a.csv", "text/plain", ""}, part{"files", "größe.bin", "", large},
	)
	id := c.execute("clerk", `{`+staged+`}`)
	require.Len(t, run.Files, 3)
	require.Equal(t, []string{"a.csv", "a-1.csv", "größe.bin"}, []string{run.Files[0].Name, run.Files[1].Name, run.Files[2].Name})
	require.Equal(t, "text/csv", run.Files[0].ContentType)
	require.Equal(t, "application/octet-stream", run.Files[2].ContentType)
	for i, want := range []string{"x\n1\n", "", large} {
		content, err := run.Files[i].Open()
		require.NoError(t, err)
		got, err := io.ReadAll(content)
		require.NoError(t, err)
		require.NoError(t, content.Close())
		require.True(t, want == string(got))
		require.Equal(t, int64(len(want)), run.Files[i].Size)
		require.Equal(t, sum(want), run.Files[i].SHA256)
	}
	execution, _ := c.api.Execution(id)
	require.Equal(t, sum(large), execution.Files[2].SHA256)
}

func TestStagedFilesMayHaveInvalidUTF8Names(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	answer := c.do(c.request("POST", "/agents/v2/temp-files", "multipart/form-data; boundary=x", strings.NewReader(
		"--x\r\nContent-Disposition: form-data; name=files; filename=\"gr\xf6\xdfe.txt\"\r\n\r\na\r\n--x--\r\n")))
	c.execute("inventory", answer.body)
}

func TestWriteFileAllowsPlainNamesOnly(t *testing.T) {
	t.Parallel()
	clock, fails := newManualClock(), &recorder{T: t}
	api := testsuite.NewAPI(fails, testsuite.WithClock(clock.Now))
	c := &client{t: t, api: api, key: api.APIKey()}
	for i, name := range []string{"", ".", "..", "/", "a/b"} {
		api.ServeAgent("clerk", scripted(testsuite.WriteFile("downloads", name, "", nil), done(nil)))
		id := c.execute("clerk", `{}`)
		clock.Add(time.Minute)
		require.Equal(t, "failed", c.status(id), name)
		require.Len(t, fails.failures(), i+1, name)
	}
}

func TestStagedFilesAreSingleUseAndExpire(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	refused := func(tempFiles string) {
		t.Helper()
		answer := c.post("/agents/v2/agents/"+c.api.AgentID("inventory")+"/execute", `{`+tempFiles+`}`)
		require.Equal(t, http.StatusBadRequest, answer.status)
		require.Contains(t, answer.json(t)["message"], `"a.txt"`)
		require.Equal(t, "tempFiles", answer.json(t)["errors"].([]any)[0].(map[string]any)["parameter"])
	}
	file := part{"files", "a.txt", "text/plain", "a"}
	once := c.stage(file)
	c.execute("inventory", `{`+once+`}`)
	refused(once)

	late, inTime := c.stage(file), c.stage(file)
	clock.Add(60*time.Minute - time.Second)
	c.execute("inventory", `{`+inTime+`}`)
	clock.Add(time.Second)
	refused(late)

	other := c.api.AddOrganization("Other")
	stranger := &client{t: t, api: c.api, key: c.api.AddAPIKey(other)}
	foreign := stranger.upload("/agents/v2/temp-files", file).body
	refused(strings.Trim(strings.TrimSpace(foreign), "{}"))
	twice := c.stage(file)
	refused(strings.Replace(twice, "[", "["+strings.Trim(strings.SplitN(twice, ":", 2)[1], "[]")+",", 1))
	refused(`"tempFiles":[{"id":"` + uuidA + `","name":"a.txt"}]`)
}

func TestUploadsWithoutFilesAreRefused(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	id := c.execute("patient", `{"inputs":{"seconds":10}}`)
	for _, path := range []string{
		"/agents/v2/temp-files", "/agents/v2/temp-files/" + c.api.OrganizationID(), "/agents/v2/executions/" + id + "/context-files",
	} {
		for name, answer := range map[string]response{
			"other field":  c.upload(path, part{"file", "a.txt", "text/plain", "a"}),
			"no file name": c.upload(path, part{"files", "", "text/plain", "a"}),
			"no file":      c.upload(path),
			"no form":      c.post(path, `{}`),
			"cut off":      c.do(c.request("POST", path, "multipart/form-data; boundary=x", strings.NewReader("--x\r\nContent-"))),
			"cut off after a file": c.do(c.request("POST", path, "multipart/form-data; boundary=x", strings.NewReader(
				"--x\r\nContent-Disposition: form-data; name=files; filename=a.txt\r\n\r\na\r\n--x\r\n"))),
			"cut off in a boundary": c.do(c.request("POST", path, "multipart/form-data; boundary=x", strings.NewReader(
				"--x\r\nContent-Disposition: form-data; name=files; filename=a.txt\r\n\r\na\r\n--x"))),
			"another form": c.do(c.request("POST", path, "multipart/mixed; boundary=x", strings.NewReader(
				"--x\r\nContent-Disposition: form-data; name=files; filename=a.txt\r\n\r\na\r\n--x--\r\n"))),
		} {
			require.Equal(t, http.StatusBadRequest, answer.status, name)
			require.Equal(t, "Invalid file upload request.", answer.body, name)
			require.Contains(t, answer.header.Get("Content-Type"), "text/plain", name)
		}
	}
	file := part{"files", "a.txt", "text/plain", "a"}
	require.Equal(t, http.StatusBadRequest, c.upload("/agents/v2/temp-files/me", file).status)
	require.Equal(t, http.StatusForbidden, c.upload("/agents/v2/temp-files/"+uuidA, file).status)

	context := "/agents/v2/executions/" + id + "/context-files"
	require.Equal(t, "Files uploaded.", c.upload(context, file, file).body)
	require.Len(t, c.get(context).list(t), 2)
	clock.Add(time.Minute)
	require.Equal(t, http.StatusBadRequest, c.upload(context, file).status)
	missing := c.upload("/agents/v2/executions/"+uuidA+"/context-files", file)
	require.Equal(t, "Execution not found.", missing.body)
	require.Equal(t, "Execution files not found.", c.get("/agents/v2/executions/"+uuidA+"/context-files").body)
	require.Equal(t, "Execution not found.", c.get("/agents/v2/executions/"+uuidA+"/files").body)
}

func TestSignedLinksUseAnotherHost(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	c.api.AddAgent("clerk", scripted(testsuite.WriteFile("downloads", "a b.txt", "text/plain", []byte("0123456789")), done(nil)))
	id := c.execute("clerk", `{}`)
	require.Equal(t, http.StatusNotFound, c.get("/agents/v2/executions/"+id+"/recording").status)
	clock.Add(time.Second)
	listing := c.get("/agents/v2/executions/" + id + "/files").json(t)["directories"].(map[string]any)
	file := listing["downloads"].([]any)[0].(map[string]any)
	require.Equal(t, "/downloads/a b.txt", file["filePath"])
	require.Equal(t, "agent", file["createdBy"])

	redirect := c.get("/agents/v2/executions/" + id + "/files/" + file["id"].(string) + "/download")
	require.Equal(t, http.StatusSeeOther, redirect.status)
	recording := c.get("/agents/v2/executions/" + id + "/recording")
	require.Equal(t, http.StatusTemporaryRedirect, recording.status)
	base, err := url.Parse(c.api.BaseURL())
	require.NoError(t, err)
	for _, link := range []string{redirect.header.Get("Location"), recording.header.Get("Location"), file["downloadUrl"].(string)} {
		target, err := url.Parse(link)
		require.NoError(t, err)
		require.NotEqual(t, base.Hostname(), target.Hostname())
		require.Equal(t, base.Port(), target.Port())
		require.Equal(t, http.StatusOK, fetch(t, link, nil).status)
	}

	link := redirect.header.Get("Location")
	require.Equal(t, "0123456789", fetch(t, link, nil).body)
	part := fetch(t, link, map[string]string{"Range": "bytes=4-"})
	require.Equal(t, http.StatusPartialContent, part.status)
	require.Equal(t, "456789", part.body)
	require.Equal(t, http.StatusForbidden, fetch(t, strings.Replace(link, "signature=", "signature=0", 1), nil).status)
	clock.Add(5 * time.Minute)
	require.Equal(t, http.StatusForbidden, fetch(t, link, nil).status)
	require.Equal(t, http.StatusNotFound, c.get("/agents/v2/executions/"+id+"/files/"+uuidA+"/download").status)
}

func TestSignedLinksSendVersionAndChecksum(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t, testsuite.WithLinkLifetime(10*time.Second))
	c.api.AddAgent("clerk", scripted(testsuite.WriteFile("downloads", "a.txt", "text/plain", []byte("0123456789")), done(nil)))
	id := c.execute("clerk", `{}`)
	clock.Add(time.Second)
	file := c.get("/agents/v2/executions/" + id + "/files").json(t)["directories"].(map[string]any)["downloads"].([]any)[0].(map[string]any)
	for link, content := range map[string]string{
		file["downloadUrl"].(string): "0123456789",
		c.get("/agents/v2/executions/" + id + "/recording").header.Get("Location"): "recording of execution " + id + "\n",
	} {
		whole := fetch(t, link, nil)
		require.Equal(t, content, whole.body)
		require.Equal(t, `"`+sum(content)+`"`, whole.header.Get("ETag"))
		raw := sha256.Sum256([]byte(content))
		require.Equal(t, "sha-256=:"+base64.StdEncoding.EncodeToString(raw[:])+":", whole.header.Get("Repr-Digest"))

		same := map[string]string{"Range": "bytes=4-", "If-Range": whole.header.Get("ETag")}
		require.Equal(t, content[4:], fetch(t, link, same).body)
		other := map[string]string{"Range": "bytes=4-", "If-Range": `"other"`}
		require.Equal(t, content, fetch(t, link, other).body)
	}
	clock.Add(10*time.Second - time.Nanosecond)
	require.Equal(t, http.StatusOK, fetch(t, file["downloadUrl"].(string), nil).status)
	clock.Add(time.Nanosecond)
	require.Equal(t, http.StatusForbidden, fetch(t, file["downloadUrl"].(string), nil).status)
}

func TestWithDiscardedUploadsKeepsSizeOnly(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t, testsuite.WithDiscardedUploads())
	var opening error
	c.api.AddAgent("clerk", func(run testsuite.Run) []testsuite.Step {
		_, opening = run.Files[0].Open()
		return []testsuite.Step{
			testsuite.CopyFile("downloads", "copy", run.Files[0]), testsuite.WriteFile("downloads", "own", "text/plain", []byte("kept")), done(nil),
		}
	})
	id := c.execute("clerk", `{`+c.stage(part{"files", "a.txt", "text/csv", "0123456789"}, part{"files", "a.txt", "", ""})+`}`)
	require.ErrorContains(t, opening, "WithDiscardedUploads")
	execution, _ := c.api.Execution(id)
	require.Equal(t, []int64{10, 0}, []int64{execution.Files[0].Size, execution.Files[1].Size})
	require.Equal(t, []string{"a.txt", "a-1.txt"}, []string{execution.Files[0].Name, execution.Files[1].Name})
	require.Equal(t, "text/csv", execution.Files[0].ContentType)
	require.Empty(t, execution.Files[0].SHA256)

	context := "/agents/v2/executions/" + id + "/context-files"
	require.Equal(t, http.StatusBadRequest, c.upload(context, part{"file", "a.txt", "", "a"}).status)
	require.Equal(t, "Files uploaded.", c.upload(context, part{"files", "b.txt", "", "a"}).body)
	clock.Add(time.Second)
	directories := c.get("/agents/v2/executions/" + id + "/files").json(t)["directories"].(map[string]any)
	require.Len(t, directories["uploads"], 3)
	for i, status := range []int{http.StatusNotFound, http.StatusOK} {
		file := directories["downloads"].([]any)[i].(map[string]any)
		require.Equal(t, status, fetch(t, file["downloadUrl"].(string), nil).status)
	}
}

func fetch(t *testing.T, link string, headers map[string]string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", link, nil)
	require.NoError(t, err)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	return (&client{t: t}).do(r)
}

func TestSignedLinksWithKeyFailTheTest(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"X-Api-Key", "X-Asteroid-Agents-Api-Key"} {
		clock, fails := newManualClock(), &recorder{T: t}
		api := testsuite.NewAPI(fails, testsuite.WithClock(clock.Now))
		c := &client{t: t, api: api, key: api.APIKey()}
		id := c.execute("inventory", `{}`)
		clock.Add(time.Minute)
		link := c.get("/agents/v2/executions/" + id + "/recording").header.Get("Location")
		require.Equal(t, http.StatusBadRequest, fetch(t, link, map[string]string{header: c.key}).status)
		require.Len(t, fails.failures(), 1)
	}
}

func TestWithFileSyncDelayHidesNewFiles(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t, testsuite.WithFileSyncDelay(time.Minute))
	c.api.AddAgent("clerk", scripted(testsuite.WriteFile("workspace", "a.txt", "", []byte("a")), done(nil)))
	id := c.execute("clerk", `{}`)
	clock.Add(time.Second)
	require.Equal(t, "completed", c.status(id))
	require.Empty(t, c.get("/agents/v2/executions/" + id + "/files").json(t)["directories"])
	require.NotContains(t, c.get("/agents/v2/executions/"+id+"/activities").body, "file_added")
	clock.Add(time.Minute)
	require.Len(t, c.get("/agents/v2/executions/" + id + "/files").json(t)["directories"], 1)
	require.Contains(t, c.get("/agents/v2/executions/"+id+"/activities").body, "file_added")
}

func TestSharedFilesOutliveExecution(t *testing.T) {
	t.Parallel()
	c, clock := newClient(t)
	id := c.api.ServeAgent("clerk", scripted(testsuite.WriteFile("shared", "state.json", "application/json", []byte("{}")), done(nil)))
	require.Equal(t, http.StatusBadRequest, c.get("/agents/v2/agents/me/shared-files").status)
	require.Empty(t, c.get("/agents/v2/agents/" + id + "/shared-files").json(t)["files"])
	c.execute("clerk", `{}`)
	c.execute("clerk", `{}`)
	c.execute("clerk", `{"executionOptions":{"sharedStorageKey":"North & West"}}`)
	clock.Add(time.Minute)
	body := c.get("/agents/v2/agents/" + id + "/shared-files").json(t)
	require.EqualValues(t, 4, body["totalSize"])
	files := body["files"].([]any)
	require.Equal(t, "/shared/state.json", files[0].(map[string]any)["filePath"])
	require.EqualValues(t, 2, files[0].(map[string]any)["version"])
	require.Equal(t, sum("{}"), files[0].(map[string]any)["checksum"])
	require.Equal(t, "/shared/north-west/state.json", files[1].(map[string]any)["filePath"])

	writer := c.execute("clerk", `{}`)
	clock.Add(time.Minute)
	c.api.DeleteExecution(writer)
	newest := c.get("/agents/v2/agents/" + id + "/shared-files").json(t)["files"].([]any)[0].(map[string]any)
	require.EqualValues(t, 3, newest["version"])
	require.Equal(t, files[0].(map[string]any)["id"], newest["id"])
	require.Equal(t, "{}", fetch(t, newest["downloadUrl"].(string), nil).body)
}
