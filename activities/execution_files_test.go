package activities_test

import (
	"encoding/json"
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

func TestOneAgentsFilesGoToAnother(t *testing.T) {
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

// downloads is a transport that numbers the requests to link hosts, from 1 on.
func downloads(seen *headerLog, before func(nth int) error) hook {
	return func(r *http.Request) error {
		if !strings.HasPrefix(r.URL.Path, "/signed/") {
			return nil
		}
		return before(seen.add(r))
	}
}

func TestALinkThatExpiresInMidBodyIsTakenAnewAndTheFileContinued(t *testing.T) {
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

func TestALinkThatStaysClosedIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	api, clock, id := finished(t, nil, download("x", []byte("y")))
	api.Inject("Download", testsuite.Answer(http.StatusForbidden, ""), 4)
	_, err := stage(t, worker.Options{Connections: connect(api), Now: clock.Now}, asteroid.FileRef{URI: asteroid.ExecutionFileURI(id, "downloads", "x")})
	requireType(t, passing, err)
	require.Equal(t, 4, count(api, "Download"))
	require.Equal(t, 4, count(api, "ExecutionFileDownloadRedirect"))
}

func TestDamagedDownloadsAreNotHandedOver(t *testing.T) {
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

func TestAFileThatIsNotListedYetIsWaitedFor(t *testing.T) {
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

func TestAnUnknownExecutionHasNoFiles(t *testing.T) {
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

func fileJSON(id, directory, where, name string, size int) string {
	text, _ := json.Marshal(map[string]any{"id": id, "directory": directory, "filePath": where, "fileName": name, "fileSize": size})
	return string(text)
}

func TestLinksThatAnybodyCouldReadAreNotFollowed(t *testing.T) {
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

func TestTheKeyDoesNotFollowALinksOwnRedirects(t *testing.T) {
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

func TestAFileInAFolderDoesNotHideOneThatIsNot(t *testing.T) {
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
