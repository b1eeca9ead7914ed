package activities_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// writeFile puts a file below dir and returns its reference.
func writeFile(t *testing.T, dir, name, content string) asteroid.FileRef {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return asteroid.FileRef{URI: "file://" + path}
}

func TestFilesArriveAsTheyAreInBothDialects(t *testing.T) {
	t.Parallel()
	for _, dialect := range []asteroid.Dialect{asteroid.DialectAgents, asteroid.DialectWorkflows} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			api, dir := testsuite.NewAPI(t), t.TempDir()
			connections := connect(api)
			connection := connections[asteroid.DefaultConnection]
			connection.Dialect = dialect
			env := newEnv(t, worker.Options{Connections: one(connection), FileRoots: []string{dir}})
			content := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
			staged, err := run[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
				writeFile(t, dir, "big", content),
				writeFile(t, dir, "empty.txt", ""),
				{URI: "data:text/csv;base64,YSxiCjEsMgo=", Name: "inline.csv"},
			}})
			require.NoError(t, err)
			executed, err := run[asteroid.ExecuteAgentResult](env, asteroid.ExecuteAgentName, asteroid.ExecuteAgentInput{
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
				digest := sha256.Sum256([]byte(want.content))
				require.Equal(t, want.name, got.Files[i].Name)
				require.Equal(t, hex.EncodeToString(digest[:]), got.Files[i].SHA256)
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

func TestNamesArriveUniqueAndHarmless(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	var in asteroid.StageFilesInput
	for _, name := range []string{"a.csv", "A.CSV", "a.csv", "../../etc/passwd", `c:\temp\x.txt`, "Schadensmeldung für März.pdf", "\"; x=\"\r\nEvil: 1", "...", strings.Repeat("n", 400) + ".csv"} {
		in.Files = append(in.Files, asteroid.FileRef{URI: "data:,x", Name: name})
	}
	staged, err := run[asteroid.StageFilesResult](env, asteroid.StageFilesName, in)
	require.NoError(t, err)
	names := make([]string, len(staged.Files))
	for i, f := range staged.Files {
		names[i] = f.Name
	}
	require.Equal(t, []string{"a.csv", "A-2.CSV", "a-3.csv", "passwd", "x.txt", "Schadensmeldung f_r M_rz.pdf", "__ x____Evil_ 1", "file",
		strings.Repeat("n", 196) + ".csv"}, names)
}

func TestAReferenceThatCannotBeOpenedIsToldBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	writeFile(t, outside, "secret.txt", "secret")
	require.NoError(t, os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(root, "link.txt")))
	require.NoError(t, os.Symlink(outside, filepath.Join(root, "linked")))
	require.NoError(t, os.Mkdir(filepath.Join(root, "folder"), 0o700))
	api := testsuite.NewAPI(t)
	for uri, says := range map[string]string{
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
		t.Run(says, func(t *testing.T) {
			env := newEnv(t, worker.Options{Connections: connect(api), FileRoots: []string{root}})
			_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
				{URI: "data:,fine"}, {URI: uri},
			}})
			require.True(t, asteroid.IsInvalidInput(err) || asteroid.IsNotFound(err) && says == "there is no file", "%v", err)
			require.Contains(t, err.Error(), says)
			require.Contains(t, err.Error(), "files[1]")
			require.Less(t, len(err.Error()), 1000)
		})
	}
	require.Empty(t, api.Requests())
}

func TestWithoutFileRootsNoFileIsOpened(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: connect(testsuite.NewAPI(t))})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "file:///etc/hostname"}}})
	require.True(t, asteroid.IsInvalidInput(err))
	require.Contains(t, err.Error(), "FileRoots")
}

func TestAContentTypeCannotBecomeAnotherHeader(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
		{URI: "data:,x", ContentType: "text/plain\r\nX-Evil: 1"},
	}})
	require.True(t, asteroid.IsInvalidInput(err))
	require.Empty(t, api.Requests())
}

func TestARetryGoesOnWithTheFilesThatAreNotYetStaged(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	fresh := asteroid.StagedFile{ID: "11111111-1111-4111-8111-111111111111", Name: "a.txt", Size: 1, ExpiresAt: time.Now().Add(50 * time.Minute)}
	stale := fresh
	stale.ExpiresAt = time.Now().Add(10 * time.Minute)
	env.SetHeartbeatDetails(asteroid.Progress[asteroid.StagedFile]{Done: map[string]asteroid.StagedFile{"0": fresh, "1": stale}})
	staged, err := run[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
		{URI: "data:,a", Name: "a.txt"}, {URI: "data:,b", Name: "b.txt"}, {URI: "data:,c", Name: "c.txt"},
	}})
	require.NoError(t, err)
	require.Equal(t, fresh.ID, staged.Files[0].ID)
	require.NotEqual(t, stale.ID, staged.Files[1].ID)
	require.Equal(t, 2, len(api.Requests())-1, "one request per file that was missing, and whoami")
}

func TestProgressIsToldInHeartbeats(t *testing.T) {
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

func TestOneUploadThatFailsEndsTheOthersAndTellsWhichItWas(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		form, err := r.MultipartReader()
		if err != nil {
			return
		}
		part, err := form.NextPart()
		if err != nil {
			return
		}
		if part.FileName() != "bad.txt" {
			<-r.Context().Done() // held until the client gives up
			return
		}
		http.Error(w, "Invalid file upload request.", http.StatusBadRequest)
	})})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
		{URI: "data:,x", Name: "good.txt"}, {URI: "data:,x", Name: "bad.txt"},
	}})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	require.Contains(t, err.Error(), "bad.txt")
}

func TestAnswersAreMatchedByName(t *testing.T) {
	t.Parallel()
	const own, other = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	for name, row := range map[string]struct {
		answer string
		id     string
	}{
		"tidied name, single answer": {`{"tempFiles":[{"id":"` + own + `","name":"tidied"}]}`, own},
		"among others":               {`{"tempFiles":[{"id":"` + other + `","name":"z"},{"id":"` + own + `","name":"a.txt"}]}`, own},
		"only others":                {`{"tempFiles":[{"id":"` + other + `","name":"z"},{"id":"` + own + `","name":"y"}]}`, ""},
		"nothing":                    {`{"tempFiles":[]}`, ""},
		"no usable id":               {`{"tempFiles":[{"id":"../x","name":"a.txt"}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, row.answer)
			})})
			staged, err := run[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{
				Files: []asteroid.FileRef{{URI: "data:,x", Name: "a.txt"}},
			})
			if row.id == "" {
				require.True(t, asteroid.IsUnavailable(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, row.id, staged.Files[0].ID)
		})
	}
}

func TestTheLengthOfAnUploadIsKnownBeforeItIsSent(t *testing.T) {
	t.Parallel()
	lengths := make(chan int64, 1)
	env := newEnv(t, worker.Options{Connections: canned(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		lengths <- r.ContentLength - n
		_ = json.NewEncoder(w).Encode(map[string]any{"tempFiles": []map[string]string{{"id": "t-1", "name": "a"}}})
	})})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,hello"}}})
	require.NoError(t, err)
	require.Zero(t, <-lengths)
}

func TestTheOrganizationIsAskedForOnceAndAmbiguityIsExplained(t *testing.T) {
	t.Parallel()
	api := testsuite.NewAPI(t)
	env := newEnv(t, worker.Options{Connections: connect(api)})
	for range 2 {
		_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
		require.NoError(t, err)
	}
	asked := 0
	for _, r := range api.Requests() {
		if r.Operation == "WhoamiGet" {
			asked++
		}
	}
	require.Equal(t, 1, asked)

	second := api.AddOrganization("Second")
	spanning := asteroid.Connection{APIKey: asteroid.StaticAPIKey(api.AddAPIKey(api.OrganizationID(), second)), BaseURL: api.BaseURL()}
	env = newEnv(t, worker.Options{Connections: one(spanning)})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	require.Contains(t, err.Error(), api.OrganizationID())
	require.Contains(t, err.Error(), second)

	spanning.OrganizationID = second
	env = newEnv(t, worker.Options{Connections: one(spanning)})
	_, err = env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,x"}}})
	require.NoError(t, err)
}

func TestAnUploadIsCancelledInMidBody(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	gone := make(chan error, 1)
	connections := canned(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		_, err := io.Copy(io.Discard, slowly{r.Body, r.Context()})
		gone <- err
	})
	dir := t.TempDir()
	path := filepath.Join(dir, "big.bin")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, 1<<30))
	ctx, cancel := context.WithCancel(context.Background())
	env := newEnvWith(t, worker.Options{Connections: connections, FileRoots: []string{dir}, MaxUploadBytes: -1}, sdkworker.Options{BackgroundActivityContext: ctx})
	go func() { <-began; cancel() }()
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "file://" + path}}})
	require.Error(t, err)
	require.Error(t, <-gone)
}

// slowly reads a body until its request ends.
type slowly struct {
	io.Reader
	ctx context.Context
}

func (s slowly) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, fmt.Errorf("gone: %w", s.ctx.Err())
	}
	return s.Reader.Read(p[:1])
}
