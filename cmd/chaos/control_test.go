package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

func startTestControl(t *testing.T) *control {
	t.Helper()
	c, err := startControl(&tally{})
	require.NoError(t, err)
	t.Cleanup(c.close)
	return c
}

func TestControlCountsWebhooksOfOurOwn(t *testing.T) {
	t.Parallel()
	event := func(id, executionID string, at time.Time, token string) webhookBody {
		e := webhookBody{EventID: id, Timestamp: at}
		e.Info.ExecutionID, e.Info.Metadata = executionID, map[string]string{asteroid.MetadataToken: token}
		return e
	}
	c := startTestControl(t)
	for _, e := range []webhookBody{
		event("1", "e", noon, "token"),
		event("2", "e", noon.Add(2*time.Second), "token"),
		event("1", "e", noon, "token"),                     // repeated
		event("3", "e", noon.Add(time.Second), "token"),    // overtaken
		event("4", "other", noon, "token"),                 // of another execution
		event("5", "e", noon, ""),                          // of a workflow that has the watch
		event("5", "e", noon, ""),                          // the same
		event(forgedEvent+"6", "e", noon, "of a stranger"), // counted by its sender
		event(forgedEvent+"6", "e", noon, "of a stranger"),
	} {
		c.count(e)
	}
	require.Equal(t, map[kind]int{kindWebhookRepeated: 1, kindWebhookReordered: 1}, c.tally.fired)
}

func TestControlCountsAcceptedWebhooksOnly(t *testing.T) {
	t.Parallel()
	c := startTestControl(t)
	status := http.StatusInternalServerError
	post := func() int {
		w := httptest.NewRecorder()
		body := strings.NewReader(`{"event_id":"1","info":{"execution_id":"e","metadata":{"` + asteroid.MetadataToken + `":"token"}}}`)
		c.receive(w, httptest.NewRequest(http.MethodPost, "/webhooks", body))
		return w.Code
	}
	require.Equal(t, http.StatusServiceUnavailable, post(), "the Temporal server does not run yet")
	c.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	for range 2 {
		require.Equal(t, http.StatusInternalServerError, post())
	}
	require.Empty(t, c.tally.fired)
	status = http.StatusOK
	post()
	require.Empty(t, c.tally.fired)
	post()
	require.Equal(t, map[kind]int{kindWebhookRepeated: 1}, c.tally.fired)
}

func TestControlBreaksFirstReadsOfSource(t *testing.T) {
	t.Parallel()
	c := startTestControl(t)
	content := fileOf("source")
	uri := c.sourceURI("source", badSource{content: content, breaks: 1})
	require.Equal(t, sourceScheme+"://control/source", uri)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, uri, nil)
	require.NoError(t, err)
	store := sourceStore{c.url + "/sources"}

	info, err := store.Stat(t.Context(), r.URL)
	require.NoError(t, err)
	require.EqualValues(t, len(content), info.Size)
	read := func() ([]byte, error) {
		body, err := store.Open(t.Context(), r.URL)
		require.NoError(t, err)
		defer func() { require.NoError(t, body.Close()) }()
		return io.ReadAll(body)
	}
	half, err := read()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, content[:len(content)/2], half)
	require.Equal(t, map[kind]int{kindSourceBroken: 1}, c.tally.fired)
	whole, err := read()
	require.NoError(t, err)
	require.Equal(t, content, whole)
}
