package activities_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestStageFilesKeepsContentInBothDialects(t *testing.T) {
	t.Parallel()
	for _, dialect := range []asteroid.Dialect{asteroid.DialectAgents, asteroid.DialectWorkflows} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			api, dir := testsuite.NewAPI(t), t.TempDir()
			connections := connect(api)
			connection := connections[asteroid.DefaultConnection]
			connection.Dialect = dialect
			env := newEnv(t, worker.Options{Connections: asDefault(connection), FileRoots: []string{dir}})
			content := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
			staged, err := runActivity[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
				writeFile(t, dir, "big", content),
				writeFile(t, dir, "empty.txt", ""),
				{URI: "data:text/csv;base64,YSxiCjEsMgo=", Name: "inline.csv"},
			}})
			require.NoError(t, err)
			executed, err := runActivity[asteroid.ExecuteAgentResult](env, asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{
				AgentID: api.AgentID("inventory"), TempFiles: staged.Files,
			})
			require.NoError(t, err)

			got, ok := api.Execution(executed.ExecutionID)
			require.True(t, ok)
			for i, want := range []struct{ name, contentType, content string }{
				{"big", "text/plain; charset=utf-8", content},
				{"empty.txt", "text/plain", ""},
				{"inline.csv", "text/csv", "a,b\n1,2\n"},
			} {
				require.Equal(t, want.name, got.Files[i].Name)
				require.Equal(t, sha256Hex([]byte(want.content)), got.Files[i].SHA256)
				require.Equal(t, want.contentType, staged.Files[i].ContentType)
				require.EqualValues(t, len(want.content), staged.Files[i].Size)
			}
			header := map[asteroid.Dialect]string{asteroid.DialectAgents: "X-Asteroid-Agents-Api-Key", asteroid.DialectWorkflows: "X-Api-Key"}
			for _, r := range api.Requests() {
				require.Equal(t, header[dialect], r.KeyHeader)
			}
		})
	}
}

func TestStageFilesMakesNamesUniqueAndSafe(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	var in asteroid.StageFilesInput
	for _, name := range []string{"a.csv", "A.CSV", "a.csv", "../../etc/passwd", `c:\temp\x.txt`, "Schadensmeldung für März.pdf", "\"; x=\"\r\nEvil: 1", "...", strings.Repeat("n", 400) + ".csv"} {
		in.Files = append(in.Files, asteroid.FileRef{URI: "data:,x", Name: name})
	}
	staged, err := runActivity[asteroid.StageFilesResult](env, asteroid.StageFilesName, in)
	require.NoError(t, err)
	names := make([]string, len(staged.Files))
	for i, f := range staged.Files {
		names[i] = f.Name
	}
	require.Equal(t, []string{"a.csv", "A-2.CSV", "a-3.csv", "passwd", "x.txt", "Schadensmeldung f_r M_rz.pdf", "__ x____Evil_ 1", "file",
		strings.Repeat("n", 196) + ".csv"}, names)
}

func TestStageFilesRejectsUnreadableReferenceBeforeSending(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	writeFile(t, outside, "secret.txt", "secret")
	require.NoError(t, os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(root, "link.txt")))
	require.NoError(t, os.Symlink(outside, filepath.Join(root, "linked")))
	require.NoError(t, os.Mkdir(filepath.Join(root, "folder"), 0o700))
	api := testsuite.NewAPI(t)
	for uri, message := range map[string]string{
		"claims.csv":                                "has no scheme",
		"ftp://host/x":                              `"ftp" is not known`,
		"file://" + root + "/none.csv":              "there is no file",
		"file://" + root + "/folder":                "not a regular file",
		"file://" + root + "/link.txt":              "link.txt",
		"file://" + root + "/linked/secret.txt":     "linked/secret.txt",
		"file://" + root + "/../secret.txt":         "beneath none",
		"file://" + outside + "/secret.txt":         "beneath none",
		"file://" + root + "/%2e%2e/%2e%2e/etc/pwd": "beneath none",
		"file://elsewhere/x.csv":                    "must be absolute",
		"file:x.csv":                                "must be absolute",
		"data:text/plain":                           "needs a comma",
		"data:;base64,%%%":                          "percent-encoded",
		"data:;base64,!!!":                          "not base64",
		"data:te\x01xt,hello":                       "media type",
		"data:," + strings.Repeat("x", 1<<20+1):     "more than 1048576",
	} {
		t.Run(message, func(t *testing.T) {
			env := newEnv(t, worker.Options{Connections: connect(api), FileRoots: []string{root}})
			_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
				{URI: "data:,fine"}, {URI: uri},
			}})
			require.True(t, asteroid.IsInvalidInput(err) || asteroid.IsNotFound(err) && message == "there is no file", "%v", err)
			require.Contains(t, err.Error(), message)
			require.Contains(t, err.Error(), "files[1]")
			require.Less(t, len(err.Error()), 1000)
		})
	}
	require.Empty(t, api.Requests())
}

func TestStageFilesOpensNoFileWithoutFileRoots(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: connect(testsuite.NewAPI(t))})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "file:///etc/hostname"}}})
	require.True(t, asteroid.IsInvalidInput(err))
	require.Contains(t, err.Error(), "FileRoots")
}

func TestStageFilesRejectsFileURIWithFragmentOrQuery(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ref := writeFile(t, dir, "report", "x")
	writeFile(t, dir, "report#1.csv", "y")
	env := newEnv(t, worker.Options{FileRoots: []string{dir}, Connections: expectNoRequest(t)})
	for _, suffix := range []string{"#1.csv", "?v=2", "#", "?"} {
		_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: ref.URI + suffix}}})
		require.True(t, asteroid.IsInvalidInput(err), "%v", err)
		require.Contains(t, err.Error(), "%23")
	}
}

func TestStageFilesAcceptsValidDataURIs(t *testing.T) {
	t.Parallel()
	for uri, contentType := range map[string]string{
		"data:,x":                         "text/plain;charset=US-ASCII",
		"data:;charset=utf-8,h%C3%A9":     "text/plain;charset=utf-8",
		"data:;base64,YQ":                 "text/plain;charset=US-ASCII",
		"data:text/csv;base64,YSxiCg==":   "text/csv",
		"DATA:application/json,%7B%7D":    "application/json",
		"data:text/plain;x=y;base64,YQ==": "text/plain;x=y",
	} {
		env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
			acceptUpload(w, r, "a")
		})})
		staged, err := runActivity[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: uri}}})
		require.NoError(t, err, uri)
		require.Equal(t, contentType, staged.Files[0].ContentType)
	}
}

func TestStageFilesRejectsContentTypeWithLineBreak(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
		{URI: "data:,x", ContentType: "text/plain\r\nX-Evil: 1"},
	}})
	require.True(t, asteroid.IsInvalidInput(err))
	require.Empty(t, api.Requests())
}

func TestStageFilesRetryStagesOnlyMissingFiles(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	fresh := asteroid.StagedFile{ID: "11111111-1111-4111-8111-111111111111", Name: "a.txt", Size: 1, ExpiresAt: time.Now().Add(50 * time.Minute)}
	stale := fresh
	stale.ExpiresAt = time.Now().Add(10 * time.Minute)
	env.SetHeartbeatDetails(asteroid.Progress[asteroid.StagedFile]{Done: map[string]asteroid.StagedFile{"0": fresh, "1": stale}})
	staged, err := runActivity[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
		{URI: "data:,a", Name: "a.txt"}, {URI: "data:,b", Name: "b.txt"}, {URI: "data:,c", Name: "c.txt"},
	}})
	require.NoError(t, err)
	require.Equal(t, fresh.ID, staged.Files[0].ID)
	require.NotEqual(t, stale.ID, staged.Files[1].ID)
	require.Equal(t, 2, len(api.Requests())-1, "one request per file that was missing, and whoami")
}

func TestStageFilesHeartbeatsProgress(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	var mu sync.Mutex
	var last asteroid.Progress[asteroid.StagedFile]
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		mu.Lock()
		defer mu.Unlock()
		_ = details.Get(&last)
	})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,hello"}}})
	require.NoError(t, err)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 1, last.Files)
	require.Equal(t, 1, last.TotalFiles)
	require.EqualValues(t, 5, last.TotalBytes)
	require.Len(t, last.Done, 1)
}

func TestStageFilesHeartbeatsKeptFiles(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		acceptUpload(w, r, "a")
	})})
	kept := asteroid.StagedFile{ID: "k", Name: "c.txt", ExpiresAt: time.Now().Add(time.Hour)}
	env.SetHeartbeatDetails(asteroid.Progress[asteroid.StagedFile]{Done: map[string]asteroid.StagedFile{"2": kept}})
	beats := make(chan asteroid.Progress[asteroid.StagedFile], 10)
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var beat asteroid.Progress[asteroid.StagedFile]
		_ = details.Get(&beat)
		beats <- beat
	})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
		{URI: "data:,a"}, {URI: "data:,b"}, {URI: "data:,c", Name: "c.txt"},
	}})
	require.NoError(t, err)
	beat := <-beats
	require.Contains(t, beat.Done, "2")
	require.Equal(t, 2, beat.TotalFiles)
}

func TestStageFilesLooksUpOrganizationOnce(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	for range 2 {
		_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
		require.NoError(t, err)
	}
	require.Equal(t, 1, countRequests(api, "WhoamiGet"))

	second := api.AddOrganization("Second")
	spanning := asteroid.Connection{APIKey: asteroid.StaticAPIKey(api.AddAPIKey(api.OrganizationID(), second)), BaseURL: api.BaseURL()}
	env = newEnv(t, worker.Options{Connections: asDefault(spanning)})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	require.Contains(t, err.Error(), api.OrganizationID())
	require.Contains(t, err.Error(), second)

	spanning.OrganizationID = second
	env = newEnv(t, worker.Options{Connections: asDefault(spanning)})
	_, err = env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
	require.NoError(t, err)
}

func TestStageFilesReadsOrganizationFromContextOfOlderService(t *testing.T) {
	t.Parallel()
	connections := serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/whoami"):
			http.NotFound(w, r)
		case strings.HasSuffix(r.URL.Path, "/context"):
			_, _ = io.WriteString(w, `{"userId":"u","email":"e","organizations":[{"id":"org-7","name":"Seven"}]}`)
		case strings.HasSuffix(r.URL.Path, "/temp-files/org-7"):
			acceptUpload(w, r, "a")
		default:
			t.Errorf("unexpected %s", r.URL.Path)
		}
	})
	c := connections[asteroid.DefaultConnection]
	c.OrganizationID = ""
	_, err := newEnv(t, worker.Options{Connections: asDefault(c)}).ExecuteActivity(asteroid.StageFilesName,
		asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
	require.NoError(t, err)
}
