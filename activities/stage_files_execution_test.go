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
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestStageFilesPassesExecutionFilesToAnotherAgent(t *testing.T) {
	t.Parallel()
	big := content(3 << 20)
	api, clock, id := finished(t, nil, download("a b%#?.bin", big), download("empty", nil), testsuite.WriteFile("workspace", "a b%#?.bin", "", []byte("other")))
	options := worker.Options{Connections: connect(api), Now: clock.Now}
	var refs []asteroid.FileRef
	for range 3 {
		refs = append(refs, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "a b%#?.bin")})
	}
	refs = append(refs, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "empty"), Name: "renamed.txt", ContentType: "text/csv"},
		asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "workspace", "a b%#?.bin")})
	before := len(api.Requests())
	files, err := handOver(t, api, options, refs...)
	require.NoError(t, err)
	for i, want := range []testsuite.File{
		{Name: "a b___.bin", ContentType: "application/x-own", SHA256: sum(big)}, {Name: "a b___-2.bin", ContentType: "application/x-own", SHA256: sum(big)},
		{Name: "a b___-3.bin", ContentType: "application/x-own", SHA256: sum(big)}, {Name: "renamed.txt", ContentType: "text/csv", SHA256: sum(nil)},
		{Name: "a b___-4.bin", SHA256: sum([]byte("other"))},
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
	big := content(3 << 20)
	for name, fails := range map[string]func(api *testsuite.API, clock *clock, nth int) error{
		"expired": func(_ *testsuite.API, clock *clock, nth int) error {
			if nth == 2 {
				clock.pass(11 * time.Second) // between asking for the link and following it
			}
			return nil
		},
		"refused": func(api *testsuite.API, _ *clock, nth int) error {
			if nth == 2 {
				api.Inject("Download", testsuite.Answer(http.StatusForbidden, ""), 1)
			}
			return nil
		},
		"unreachable": func(_ *testsuite.API, _ *clock, nth int) error {
			if nth == 2 {
				return &net.OpError{Op: "dial", Err: errors.New("refused")}
			}
			return nil
		},
		"no fresh link at once": func(api *testsuite.API, _ *clock, nth int) error {
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
			api, clock, id := finished(t, []testsuite.Option{testsuite.WithLinkLifetime(10 * time.Second)}, download("big.bin", big))
			seen := &headerLog{}
			connections := connectThrough(api, downloads(seen, func(nth int) error { return fails(api, clock, nth) }))
			api.Inject("Download", testsuite.ResetMidBody(), 1)
			files, err := handOver(t, api, worker.Options{Connections: connections, Now: clock.Now},
				asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "big.bin")})
			require.NoError(t, err)
			require.Equal(t, sum(big), files[0].SHA256)
			links := map[string]bool{}
			for i, header := range seen.all() {
				links[header.Get(":path")] = true
				require.Empty(t, header.Get("X-Asteroid-Agents-Api-Key")+header.Get("X-Api-Key"))
				if i > 0 {
					require.NotEmpty(t, header.Get("Range"), "continued, not started over")
					require.Equal(t, `"`+sum(big)+`"`, header.Get("If-Range"))
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
	api, clock, id := finished(t, nil, download("x", []byte("y")))
	api.Inject("Download", testsuite.Answer(http.StatusForbidden, ""), 4)
	_, err := stage(t, worker.Options{Connections: connect(api), Now: clock.Now}, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "x")})
	requireType(t, passing, err)
	require.Equal(t, 4, count(api, "Download"))
	require.Equal(t, 4, count(api, "ExecutionFileDownloadRedirect"))
}

func TestStageFilesRejectsDamagedDownload(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault testsuite.Fault
		says  string
	}{
		"altered":   {testsuite.AlterBody(), "altered"},
		"truncated": {testsuite.TruncateJSON(), "changed"},
		"broken":    {testsuite.ResetMidBody(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, clock, id := finished(t, nil, download("x", content(100_000)))
			api.Inject("Download", row.fault, 1000)
			_, err := stage(t, worker.Options{Connections: connect(api), Now: clock.Now}, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "x")})
			requireType(t, passing, err)
			require.ErrorContains(t, err, row.says)
			require.NotContains(t, err.Error(), "signature=")
			for _, r := range api.Requests() {
				require.False(t, r.Operation == "TempFilesStage" && r.Status == http.StatusOK, "it was staged")
			}
		})
	}
}

func TestStageFilesWaitsForUnlistedExecutionFile(t *testing.T) {
	t.Parallel()
	api, clock, id := finished(t, []testsuite.Option{testsuite.WithFileSyncDelay(time.Minute)}, download("late.txt", []byte("x")))
	options := worker.Options{Connections: connect(api), Now: clock.Now}
	ref := asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "late.txt")}
	_, err := stage(t, options, ref)
	requireType(t, passing, err)
	require.ErrorContains(t, err, "has no file downloads/late.txt yet")
	clock.pass(time.Minute)
	_, err = stage(t, options, ref)
	require.NoError(t, err)
	_, err = stage(t, options, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "never.txt")})
	requireType(t, passing, err)
	clock.pass(2 * time.Minute)
	_, err = stage(t, options, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "never.txt")})
	requireType(t, missing, err)
	require.ErrorContains(t, err, "it has downloads/late.txt")
	_, err = stage(t, options, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "workspace", "late.txt")})
	requireType(t, missing, err)
}

func TestStageFilesReportsUnknownExecution(t *testing.T) {
	t.Parallel()
	api, clock := testsuite.NewAPI(t), newClock()
	options := worker.Options{Connections: connect(api), Now: clock.Now}
	for _, final := range []bool{false, true} {
		_, err := stage(t, options, asteroid.FileRef{URI: asteroid.ExecutionFileURI("11111111-1111-4111-8111-111111111111", "downloads", "x")})
		requireType(t, missing, err)
		var application *temporal.ApplicationError
		require.ErrorAs(t, err, &application)
		require.Equal(t, final, application.NonRetryable())
		clock.pass(2 * time.Minute)
	}
}

func TestStageFilesRejectsUnsafeDownloadLinks(t *testing.T) {
	t.Parallel()
	for link, says := range map[string]string{
		"http://example.com/x?topsecret": "no https", "ftp://example.com/x?topsecret": "no https", "https://%zz?topsecret": "no address",
		"http://10.0.0.1/x?topsecret": "no https", "file:///etc/passwd?topsecret": "no https",
	} {
		connections := listing(t, `{"directories":{"downloads":[`+fileJSON("f", "downloads", "/downloads/x", "x", 1)+`]}}`,
			func(*http.Request) string { return link }, func(http.ResponseWriter, *http.Request) { t.Error("it was followed") })
		_, err := stage(t, worker.Options{Connections: connections}, asteroid.FileRef{URI: "asteroid-execution://e-1/downloads/x"})
		requireType(t, passing, err)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "topsecret")
	}
}

func TestStageFilesSendsNoAPIKeyToRedirectsOfLink(t *testing.T) {
	t.Parallel()
	connections := listing(t, `{"directories":{"downloads":[`+fileJSON("f", "downloads", "/downloads/x", "x", 1)+`]}}`,
		func(r *http.Request) string { return "http://" + r.Host + "/first?topsecret" },
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/first" {
				http.Redirect(w, r, "/second", http.StatusFound)
				return
			}
			if r.Header.Get("Referer") != "" {
				t.Error("the next host was told the signature")
			}
			_, _ = io.WriteString(w, "x")
		})
	_, err := stage(t, worker.Options{Connections: connections}, asteroid.FileRef{URI: "asteroid-execution://e-1/downloads/x"})
	require.NoError(t, err)
}

func TestStageFilesDistinguishesExecutionFilesByPath(t *testing.T) {
	t.Parallel()
	file := func(id, where, updated string) string {
		return strings.Replace(fileJSON(id, "downloads", where, "x.txt", 3), "}", `,"updatedAt":"`+updated+`"}`, 1)
	}
	connections := listing(t, `{"directories":{"downloads":[`+file("old", "/downloads/deep/x.txt", "2026-01-01T00:00:00Z")+`,`+
		file("top", "/downloads/x.txt", "2026-01-02T00:00:00Z")+`,`+file("new", "downloads/other/x.txt", "2026-01-03T00:00:00Z")+`]}}`,
		func(r *http.Request) string { return "http://" + r.Host + "/" + strings.Split(r.URL.Path, "/")[6] },
		func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path[1:]) })
	store := newMemoryStore()
	env := newEnv(t, worker.Options{Connections: connections, Stores: map[string]asteroid.Store{"mem": store}, SettleInterval: time.Millisecond})
	listed, err := run[asteroid.ListFilesResult](env, asteroid.ListFilesName, asteroid.ListFilesInput{ExecutionID: "e-1"})
	require.NoError(t, err)
	require.Equal(t, []string{"asteroid-execution://e-1/downloads/deep/x.txt", "asteroid-execution://e-1/downloads/other/x.txt", "asteroid-execution://e-1/downloads/x.txt"},
		[]string{listed.Files[0].URI, listed.Files[1].URI, listed.Files[2].URI})

	sink := newSink(t)
	both := connections[asteroid.DefaultConnection]
	uploads := sink.connections[asteroid.DefaultConnection]
	both.Transport = hook(func(r *http.Request) error {
		if strings.Contains(r.URL.Path, "/temp-files/") {
			r.URL.Host = strings.TrimPrefix(uploads.BaseURL, "http://")
		}
		return nil
	})
	refs := asteroid.References(listed.Files)
	for i := range refs {
		refs[i].Name = fmt.Sprint(i)
	}
	_, err = stage(t, worker.Options{Connections: one(both)}, refs...)
	require.NoError(t, err)
	got := map[string]string{}
	for _, file := range sink.files() {
		got[file.name] = string(file.content)
	}
	require.Equal(t, map[string]string{"0": "old", "1": "new", "2": "top"}, got)
}
