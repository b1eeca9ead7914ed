package activities_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/clienttest"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// stageForAgent stages files, starts an agent with them and returns the files that it received.
func stageForAgent(
	t *testing.T, api *testsuite.API, options worker.Options, refs ...asteroid.FileRef,
) []testsuite.File {
	t.Helper()
	staged, err := stageFiles(t, options, refs...)
	require.NoError(t, err)
	executed, err := runActivity[asteroid.ExecuteAgentResult](newEnv(t, options), asteroid.ExecuteAgentName,
		asteroid.ExecuteAgentInput{AgentID: api.AgentID("inventory"), TempFiles: staged.Files})
	require.NoError(t, err)
	execution, _ := api.Execution(executed.ExecutionID)
	return execution.Files
}

func TestStageFilesPassesExecutionFilesToAnotherAgent(t *testing.T) {
	t.Parallel()
	big := patternBytes(3 << 20)
	api, clock, id := newCompletedExecution(t, nil, writeDownload("a b%#?.bin", big), writeDownload("empty", nil), testsuite.WriteFile("workspace", "a b%#?.bin", "", []byte("other")))
	options := worker.Options{Connections: connect(api), Now: clock.Now}
	var refs []asteroid.FileRef
	for range 3 {
		refs = append(refs, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "a b%#?.bin")})
	}
	refs = append(refs, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "empty"), Name: "renamed.txt", ContentType: "text/csv"},
		asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "workspace", "a b%#?.bin")})
	before := len(api.Requests())
	files := stageForAgent(t, api, options, refs...)
	for i, want := range []testsuite.File{
		{Name: "a b___.bin", ContentType: "application/x-own", SHA256: sha256Hex(big)}, {Name: "a b___-2.bin", ContentType: "application/x-own", SHA256: sha256Hex(big)},
		{Name: "a b___-3.bin", ContentType: "application/x-own", SHA256: sha256Hex(big)}, {Name: "renamed.txt", ContentType: "text/csv", SHA256: sha256Hex(nil)},
		{Name: "a b___-4.bin", SHA256: sha256Hex([]byte("other"))},
	} {
		require.Equal(t, want.Name, files[i].Name)
		require.Equal(t, want.SHA256, files[i].SHA256)
		if want.ContentType != "" {
			require.Equal(t, want.ContentType, files[i].ContentType)
		}
	}
	listings := 0
	for _, r := range api.Requests()[before:] {
		if r.Operation == "ExecutionFilesGet" {
			listings++
		}
		if r.Operation == "Download" {
			require.Empty(t, r.KeyHeader)
		}
	}
	require.Equal(t, 1, listings, "one listing for all files of an execution")
}

func TestStageFilesResumesDownloadWithFreshLink(t *testing.T) {
	t.Parallel()
	big := patternBytes(3 << 20)
	for name, fails := range map[string]func(api *testsuite.API, clock *clienttest.Clock, nth int) error{
		"expired": func(_ *testsuite.API, clock *clienttest.Clock, nth int) error {
			if nth == 2 {
				clock.Advance(11 * time.Second) // after the link was issued, before it is followed
			}
			return nil
		},
		"refused": func(api *testsuite.API, _ *clienttest.Clock, nth int) error {
			if nth == 2 {
				api.Inject("Download", testsuite.Answer(http.StatusForbidden, ""), 1)
			}
			return nil
		},
		"unreachable": func(_ *testsuite.API, _ *clienttest.Clock, nth int) error {
			if nth == 2 {
				return &net.OpError{Op: "dial", Err: errors.New("refused")}
			}
			return nil
		},
		"no fresh link at once": func(api *testsuite.API, _ *clienttest.Clock, nth int) error {
			if nth == 1 {
				api.Inject("ExecutionFileDownloadRedirect", testsuite.Answer(http.StatusBadGateway, ""), 1)
			}
			if nth == 2 {
				api.Inject("Download", testsuite.Answer(http.StatusForbidden, ""), 1)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, clock, id := newCompletedExecution(t, []testsuite.Option{testsuite.WithLinkLifetime(10 * time.Second)}, writeDownload("big.bin", big))
			seen := &requestLog{}
			connections := connectThrough(api, onDownload(seen, func(nth int) error { return fails(api, clock, nth) }))
			api.Inject("Download", testsuite.ResetMidBody(), 1)
			files := stageForAgent(t, api, worker.Options{Connections: connections, Now: clock.Now},
				asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "big.bin")})
			require.Equal(t, sha256Hex(big), files[0].SHA256)
			links := map[string]bool{}
			for i, header := range seen.all() {
				links[header.Get(":path")] = true
				require.Empty(t, header.Get("X-Asteroid-Agents-Api-Key")+header.Get("X-Api-Key"))
				if i > 0 {
					require.NotEmpty(t, header.Get("Range"), "continued, not started over")
					require.Equal(t, `"`+sha256Hex(big)+`"`, header.Get("If-Range"))
				}
			}
			require.Len(t, seen.all(), 3)
			if name == "expired" {
				require.Len(t, links, 2)
			}
		})
	}
}

func TestStageFilesRetriesRefusedLink(t *testing.T) {
	t.Parallel()
	api, clock, id := newCompletedExecution(t, nil, writeDownload("x", []byte("y")))
	api.Inject("Download", testsuite.Answer(http.StatusForbidden, ""), 4)
	_, err := stageFiles(t, worker.Options{Connections: connect(api), Now: clock.Now}, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "x")})
	requireErrorType(t, unavailable, err)
	require.Equal(t, 4, countRequests(api, "Download"))
	require.Equal(t, 4, countRequests(api, "ExecutionFileDownloadRedirect"))
}

func TestStageFilesRejectsDamagedDownload(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault   testsuite.Fault
		message string
	}{
		"altered":   {testsuite.AlterBody(), "altered"},
		"truncated": {testsuite.TruncateJSON(), "changed"},
		"broken":    {testsuite.ResetMidBody(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, clock, id := newCompletedExecution(t, nil, writeDownload("x", patternBytes(100_000)))
			api.Inject("Download", row.fault, 1000)
			_, err := stageFiles(t, worker.Options{Connections: connect(api), Now: clock.Now}, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "x")})
			requireErrorType(t, unavailable, err)
			require.ErrorContains(t, err, row.message)
			require.NotContains(t, err.Error(), "signature=")
			for _, r := range api.Requests() {
				require.False(t, r.Operation == "TempFilesStage" && r.Status == http.StatusOK, "it was staged")
			}
		})
	}
}

func TestStageFilesWaitsForUnlistedExecutionFile(t *testing.T) {
	t.Parallel()
	api, clock, id := newCompletedExecution(t, []testsuite.Option{testsuite.WithFileSyncDelay(time.Minute)}, writeDownload("late.txt", []byte("x")))
	options := worker.Options{Connections: connect(api), Now: clock.Now}
	ref := asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "late.txt")}
	_, err := stageFiles(t, options, ref)
	requireErrorType(t, unavailable, err)
	require.ErrorContains(t, err, "has no file downloads/late.txt yet")
	clock.Advance(time.Minute)
	_, err = stageFiles(t, options, ref)
	require.NoError(t, err)
	_, err = stageFiles(t, options, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "never.txt")})
	requireErrorType(t, unavailable, err)
	for _, never := range []string{asteroid.ExecutionFileURI(id, "downloads", "never.txt"), asteroid.ExecutionFileURI(id, "workspace", "late.txt")} {
		late := &attempts[asteroid.StageFilesResult]{
			t: t, name: asteroid.StageFilesName, in: asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: never}}},
			options: options, startDelay: 2 * time.Minute,
		}
		err = late.nextErr()
		requireErrorType(t, notFound, err)
		require.ErrorContains(t, err, "it has downloads/late.txt")
	}
}

func TestStageFilesReportsUnknownExecution(t *testing.T) {
	t.Parallel()
	uri := asteroid.ExecutionFileURI("11111111-1111-4111-8111-111111111111", "downloads", "x")
	for startDelay, final := range map[time.Duration]bool{0: false, 2 * time.Minute: true} {
		stage := &attempts[asteroid.StageFilesResult]{
			t: t, name: asteroid.StageFilesName, in: asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: uri}}},
			options: worker.Options{Connections: connect(testsuite.NewAPI(t))}, startDelay: startDelay,
		}
		err := stage.nextErr()
		requireErrorType(t, notFound, err)
		require.Equal(t, final, applicationError(t, err).NonRetryable())
	}
}

func TestStageFilesRejectsUnsafeDownloadLinks(t *testing.T) {
	t.Parallel()
	for link, message := range map[string]string{
		"http://example.com/x?topsecret": "no https", "ftp://example.com/x?topsecret": "no https", "https://%zz?topsecret": "no address",
		"http://10.0.0.1/x?topsecret": "no https", "file:///etc/passwd?topsecret": "no https",
	} {
		connections := (&executionFiles{
			listing: listDownloads(fileJSON("f", "downloads", "/downloads/x", "x", 1)),
			link:    func(*http.Request) string { return link },
			serve:   func(http.ResponseWriter, *http.Request) { t.Error("the link was followed") },
		}).start(t)
		_, err := stageFiles(t, worker.Options{Connections: connections}, asteroid.FileRef{URI: "asteroid-execution://e-1/downloads/x"})
		requireErrorType(t, unavailable, err)
		require.ErrorContains(t, err, message)
		require.NotContains(t, err.Error(), "topsecret")
	}
}

func TestStageFilesSendsNoAPIKeyToRedirectsOfLink(t *testing.T) {
	t.Parallel()
	connections := (&executionFiles{
		listing: listDownloads(fileJSON("f", "downloads", "/downloads/x", "x", 1)),
		link:    func(r *http.Request) string { return "http://" + r.Host + "/first?topsecret" },
		serve: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/first" {
				http.Redirect(w, r, "/second", http.StatusFound)
				return
			}
			if r.Header.Get("Referer") != "" {
				t.Error("the redirect carries the signature in its Referer")
			}
			_, _ = io.WriteString(w, "x")
		},
	}).start(t)
	_, err := stageFiles(t, worker.Options{Connections: connections}, asteroid.FileRef{URI: "asteroid-execution://e-1/downloads/x"})
	require.NoError(t, err)
}

func TestStageFilesDistinguishesExecutionFilesByPath(t *testing.T) {
	t.Parallel()
	file := func(id, path, updated string) string {
		return strings.Replace(fileJSON(id, "downloads", path, "x.txt", 3), "}", `,"updatedAt":"`+updated+`"}`, 1)
	}
	connections := (&executionFiles{
		listing: listDownloads(file("old", "/downloads/deep/x.txt", "2026-01-01T00:00:00Z"),
			file("top", "/downloads/x.txt", "2026-01-02T00:00:00Z"),
			file("new", "downloads/other/x.txt", "2026-01-03T00:00:00Z")),
		serve: serveContents(map[string]string{"old": "old", "top": "top", "new": "new"}),
	}).start(t)
	store := newMemoryStore()
	env := newEnv(t, worker.Options{Connections: connections, Stores: map[string]asteroid.Store{"mem": store}, SettleInterval: time.Millisecond})
	listed, err := runActivity[asteroid.ListFilesResult](env, asteroid.ListFilesName, asteroid.ListFilesInput{ExecutionID: "e-1"})
	require.NoError(t, err)
	require.Equal(t, []string{
		"asteroid-execution://e-1/downloads/deep/x.txt", "asteroid-execution://e-1/downloads/other/x.txt",
		"asteroid-execution://e-1/downloads/x.txt",
	}, []string{listed.Files[0].URI, listed.Files[1].URI, listed.Files[2].URI})

	uploads := newUploadServer(t)
	both := connections[asteroid.DefaultConnection]
	uploadURL := uploads.connections[asteroid.DefaultConnection].BaseURL
	both.Transport = requestHook(func(r *http.Request) error {
		if strings.Contains(r.URL.Path, "/temp-files/") {
			r.URL.Host = strings.TrimPrefix(uploadURL, "http://")
		}
		return nil
	})
	refs := asteroid.References(listed.Files)
	for i := range refs {
		refs[i].Name = fmt.Sprint(i)
	}
	_, err = stageFiles(t, worker.Options{Connections: asDefault(both)}, refs...)
	require.NoError(t, err)
	got := map[string]string{}
	for _, file := range uploads.complete() {
		got[file.name] = string(file.content)
	}
	require.Equal(t, map[string]string{"0": "old", "1": "new", "2": "top"}, got)
}
