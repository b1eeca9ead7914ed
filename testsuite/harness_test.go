package testsuite_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// manualClock is a clock that advances only by Add.
type manualClock struct {
	mu  sync.Mutex
	now time.Time
}

func newManualClock() *manualClock {
	return &manualClock{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
}

func (m *manualClock) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *manualClock) Add(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

// client sends raw HTTP, so that the tests see what is on the wire.
type client struct {
	t   *testing.T
	api *testsuite.API
	key string
}

// response is a response whose body has been read.
type response struct {
	status int
	header http.Header
	body   string
}

func newClient(t *testing.T, opts ...testsuite.Option) (*client, *manualClock) {
	t.Helper()
	clock := newManualClock()
	api := testsuite.NewAPI(t, append([]testsuite.Option{testsuite.WithClock(clock.Now)}, opts...)...)
	return &client{t: t, api: api, key: api.APIKey()}, clock
}

// noRedirects returns redirects instead of following them.
var noRedirects = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (c *client) do(r *http.Request) response {
	c.t.Helper()
	answer, err := noRedirects.Do(r)
	require.NoError(c.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(c.t, err)
	return response{answer.StatusCode, answer.Header, string(body)}
}

func (c *client) request(method, path, contentType string, body io.Reader) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.api.BaseURL()+path, body)
	require.NoError(c.t, err)
	r.Header.Set("X-Api-Key", c.key)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func (c *client) get(path string) response { return c.do(c.request("GET", path, "", nil)) }

func (c *client) post(path, body string) response {
	return c.do(c.request("POST", path, "application/json", strings.NewReader(body)))
}

// execute starts an agent by name and returns the execution's id.
func (c *client) execute(agent, body string) string {
	c.t.Helper()
	answer := c.post("/agents/v2/agents/"+c.api.AgentID(agent)+"/execute", body)
	require.Equal(c.t, http.StatusAccepted, answer.status, answer.body)
	return answer.json(c.t)["executionId"].(string)
}

func (c *client) execution(id string) map[string]any {
	c.t.Helper()
	answer := c.get("/agents/v2/executions/" + id)
	require.Equal(c.t, http.StatusOK, answer.status, answer.body)
	return answer.json(c.t)
}

func (c *client) status(id string) string { return c.execution(id)["status"].(string) }

// lastChange returns the payload of the newest status_changed activity.
func (c *client) lastChange(id string) map[string]any {
	c.t.Helper()
	for _, activity := range c.get("/agents/v2/executions/" + id + "/activities?order=desc").list(c.t) {
		if payload := activity["payload"].(map[string]any); payload["activityType"] == "status_changed" {
			return payload
		}
	}
	c.t.Fatal("no status_changed activity")
	return nil
}

// part is one file of an upload form.
type part struct{ field, name, contentType, content string }

func form(t *testing.T, parts ...part) (contentType string, body io.Reader) {
	t.Helper()
	var buffer bytes.Buffer
	writer := multipart.NewWriter(&buffer)
	for _, p := range parts {
		header := textproto.MIMEHeader{}
		header.Set("Content-Disposition", fmt.Sprintf("form-data; name=%q; filename=%q", p.field, p.name))
		header.Set("Content-Type", p.contentType)
		content, err := writer.CreatePart(header)
		require.NoError(t, err)
		_, err = io.WriteString(content, p.content)
		require.NoError(t, err)
	}
	require.NoError(t, writer.Close())
	return writer.FormDataContentType(), &buffer
}

// upload posts an upload form.
func (c *client) upload(path string, parts ...part) response {
	c.t.Helper()
	contentType, body := form(c.t, parts...)
	return c.do(c.request("POST", path, contentType, body))
}

// stage stages files and returns the tempFiles member for execute.
func (c *client) stage(parts ...part) string {
	c.t.Helper()
	answer := c.upload("/agents/v2/temp-files/"+c.api.OrganizationID(), parts...)
	require.Equal(c.t, http.StatusOK, answer.status, answer.body)
	handles, err := json.Marshal(answer.json(c.t)["tempFiles"])
	require.NoError(c.t, err)
	return `"tempFiles":` + string(handles)
}

func (r response) json(t *testing.T) map[string]any {
	t.Helper()
	require.Equal(t, "application/json", r.header.Get("Content-Type"), r.body)
	var value map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &value), r.body)
	return value
}

func (r response) list(t *testing.T) []map[string]any {
	t.Helper()
	var value []map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &value), r.body)
	return value
}

// recorder is a T that records failures instead of failing the running test.
type recorder struct {
	*testing.T
	mu     sync.Mutex
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) failures() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.errors...)
}

func done(result any) testsuite.Step { return testsuite.Complete("success", "Done.", result) }

func scripted(steps ...testsuite.Step) testsuite.Agent {
	return func(testsuite.Run) []testsuite.Step { return steps }
}
