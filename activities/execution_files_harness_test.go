package activities_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// finished is a fake, by a clock of its own, with an execution that has ended after these steps.
func finished(t *testing.T, opts []testsuite.Option, steps ...testsuite.Step) (api *testsuite.API, clock *clock, id string) {
	t.Helper()
	clock = newClock()
	api = testsuite.NewAPI(t, append([]testsuite.Option{testsuite.WithClock(clock.Now)}, opts...)...)
	id = executeOn(t, api, worker.Options{Connections: connect(api)}, append(steps, testsuite.Complete("success", "Done.", nil))...)
	clock.pass(2 * time.Second)
	execution, _ := api.Execution(id)
	require.Equal(t, "completed", execution.Status)
	return api, clock, id
}

func download(name string, content []byte) testsuite.Step {
	return testsuite.WriteFile("downloads", name, "application/x-own", content)
}

// downloads is a transport that numbers the requests to link hosts, from 1 on.
func downloads(seen *headerLog, before func(nth int) error) hook {
	return func(r *http.Request) error {
		if !strings.HasPrefix(r.URL.Path, "/signed/") {
			return nil
		}
		return before(seen.add(r))
	}
}

// handOver stages files, runs an agent with them and returns what it was given.
func handOver(t *testing.T, api *testsuite.API, options worker.Options, refs ...asteroid.FileRef) ([]testsuite.File, error) {
	t.Helper()
	staged, err := stage(t, options, refs...)
	if err != nil {
		return nil, err
	}
	executed, err := run[asteroid.ExecuteAgentResult](newEnv(t, options), asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{
		AgentID: api.AgentID("inventory"), TempFiles: staged.Files,
	})
	require.NoError(t, err)
	execution, _ := api.Execution(executed.ExecutionID)
	return execution.Files, nil
}

// listing is a service with one execution, whose files link to wherever link says.
func listing(t *testing.T, files string, link func(r *http.Request) string, serve http.HandlerFunc) map[string]asteroid.Connection {
	t.Helper()
	return canned(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/files"):
			_, _ = io.WriteString(w, files)
		case strings.HasSuffix(r.URL.Path, "/download"):
			w.Header().Set("Location", link(r))
			w.WriteHeader(http.StatusSeeOther)
		case strings.HasSuffix(r.URL.Path, "/activities"):
			_, _ = io.WriteString(w, "[]")
		case strings.Contains(r.URL.Path, "/temp-files/"):
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"tempFiles":[{"id":"t-1","name":"a"}]}`)
		default:
			if r.Header.Get("X-Asteroid-Agents-Api-Key") != "" {
				t.Errorf("%s came with the key", r.URL)
			}
			serve(w, r)
		}
	})
}

// disk serves files by their ids and lists what it is told to.
func disk(t *testing.T, contents map[string]string) (connections map[string]asteroid.Connection, list *atomic.Value) {
	t.Helper()
	list = &atomic.Value{}
	return canned(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/files"):
			_, _ = io.WriteString(w, list.Load().(string))
		case strings.HasSuffix(r.URL.Path, "/activities"):
			_, _ = io.WriteString(w, "[]")
		case strings.HasSuffix(r.URL.Path, "/download"):
			w.Header().Set("Location", "http://"+r.Host+"/"+strings.Split(r.URL.Path, "/")[6])
			w.WriteHeader(http.StatusSeeOther)
		default:
			_, _ = io.WriteString(w, contents[r.URL.Path[1:]])
		}
	}), list
}

func fileJSON(id, directory, where, name string, size int) string {
	text, _ := json.Marshal(map[string]any{"id": id, "directory": directory, "filePath": where, "fileName": name, "fileSize": size})
	return string(text)
}

func inDownloads(files ...string) string {
	return `{"directories":{"downloads":[` + strings.Join(files, ",") + `]}}`
}
