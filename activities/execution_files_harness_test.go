package activities_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// newCompletedExecution returns a fake API on a clock of its own and the id of an execution that
// has completed after these steps.
func newCompletedExecution(
	t *testing.T, options []testsuite.Option, steps ...testsuite.Step,
) (api *testsuite.API, clock *clienttest.Clock, id string) {
	t.Helper()
	api, clock, workerOptions := newAPI(t, options...)
	id = executeSteps(t, api, workerOptions, append(steps, testsuite.Complete("success", "Done.", nil))...)
	clock.Advance(2 * time.Second)
	execution, _ := api.Execution(id)
	require.Equal(t, "completed", execution.Status)
	return api, clock, id
}

// writeDownload returns the step in which an agent writes a file to downloads.
func writeDownload(name string, content []byte) testsuite.Step {
	return testsuite.WriteFile("downloads", name, "application/x-own", content)
}

// onDownload returns a transport that records the requests to download links and calls before with
// their number, from 1 on.
func onDownload(seen *requestLog, before func(nth int) error) requestHook {
	return func(r *http.Request) error {
		if !strings.HasPrefix(r.URL.Path, "/signed/") {
			return nil
		}
		return before(seen.add(r))
	}
}

// executionFiles is an API with one execution, e-1, and its files.
type executionFiles struct {
	listing string                       // the JSON of its files
	link    func(r *http.Request) string // the download link of a file; nil: byFileID
	serve   http.HandlerFunc             // the requests to the links
}

// start serves the API and returns a default connection to it.
func (f *executionFiles) start(t *testing.T) map[string]asteroid.Connection {
	t.Helper()
	return serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/files"):
			_, _ = io.WriteString(w, f.listing)
		case strings.HasSuffix(r.URL.Path, "/download"):
			link := f.link
			if link == nil {
				link = byFileID
			}
			w.Header().Set("Location", link(r))
			w.WriteHeader(http.StatusSeeOther)
		case strings.HasSuffix(r.URL.Path, "/activities"):
			_, _ = io.WriteString(w, "[]")
		case strings.Contains(r.URL.Path, "/temp-files/"):
			acceptUpload(w, r, "a")
		default:
			if r.Header.Get("X-Asteroid-Agents-Api-Key") != "" {
				t.Errorf("%s came with the API key", r.URL)
			}
			f.serve(w, r)
		}
	})
}

// byFileID returns a link whose path is the file's id.
func byFileID(r *http.Request) string {
	return "http://" + r.Host + "/" + strings.Split(r.URL.Path, "/")[6]
}

// serveContents returns a handler for links by file id.
func serveContents(contents map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, contents[r.URL.Path[1:]]) }
}

// fileJSON returns a file as the API lists it.
func fileJSON(id, directory, path, name string, size int) string {
	text, _ := json.Marshal(map[string]any{
		"id": id, "directory": directory, "filePath": path, "fileName": name, "fileSize": size,
	})
	return string(text)
}

// listDownloads returns the listing of an execution with these files in downloads.
func listDownloads(files ...string) string {
	return `{"directories":{"downloads":[` + strings.Join(files, ",") + `]}}`
}
