package activities_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

func TestStageFilesUploadsFourAtATime(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int32
	var four sync.WaitGroup // the first four requests wait for each other
	four.Add(4)
	var arrived atomic.Int32
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		if arrived.Add(1) <= 4 {
			four.Done()
			four.Wait()
		}
		_, _ = io.Copy(io.Discard, r.Body)
		now.Add(-1)
		acceptUpload(w, r, "a")
	})})
	var in asteroid.StageFilesInput
	for i := range 12 {
		in.Files = append(in.Files, asteroid.FileRef{URI: "data:,x", Name: fmt.Sprint(i)})
	}
	_, err := env.ExecuteActivity(asteroid.StageFilesName, in)
	require.NoError(t, err)
	require.EqualValues(t, 4, most.Load())
}

func TestStageFilesFailedUploadCancelsOthersAndIsNamed(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		form, err := r.MultipartReader()
		if err != nil {
			return
		}
		part, err := form.NextPart()
		if err != nil {
			return
		}
		if part.FileName() != "bad.txt" {
			<-r.Context().Done() // no response until the client cancels
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

func TestStageFilesMatchesResponseByName(t *testing.T) {
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
			env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, row.answer)
			})})
			staged, err := runActivity[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{
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

func TestStageFilesSendsContentLength(t *testing.T) {
	t.Parallel()
	lengths := make(chan int64, 1)
	env := newEnv(t, worker.Options{Connections: serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		lengths <- r.ContentLength - n
		acceptUpload(w, r, "a")
	})})
	_, err := env.ExecuteActivity(asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{{URI: "data:,hello"}}})
	require.NoError(t, err)
	require.Zero(t, <-lengths)
}

func TestStageFilesRejectsResponseBeforeWholeBody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ref := writeFile(t, dir, "big.bin", string(patternBytes(32<<20)))
	_, err := stageFiles(t, worker.Options{FileRoots: []string{dir}, Connections: serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"tempFiles":[{"id":"t-1","name":"big.bin"}]}`))
	})}, ref)
	requireErrorType(t, unavailable, err)
}

func TestStageFilesCancelsUploadMidBody(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	gone := make(chan error, 1)
	connections := serveAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		_, err := io.Copy(io.Discard, slowReader{r.Body, r.Context()})
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

// slowReader reads single bytes until the request is cancelled.
type slowReader struct {
	io.Reader
	ctx context.Context
}

func (s slowReader) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, fmt.Errorf("gone: %w", s.ctx.Err())
	}
	return s.Reader.Read(p[:1])
}

func TestStageFilesCountsUnknownSizesForQuota(t *testing.T) {
	t.Parallel()
	uploads := newUploadServer(t)
	base, https := serveHTTPS(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(patternBytes(600))
	})
	refs := []asteroid.FileRef{{URI: base + "/a"}, {URI: base + "/b"}}
	_, err := stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: https, MaxUploadBytes: 1199}, refs...)
	requireErrorType(t, invalidInput, err)
	require.Less(t, len(uploads.complete()), 2)
	_, err = stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: https, MaxUploadBytes: 1199}, asteroid.FileRef{URI: "data:," + strings.Repeat("x", 600)}, refs[0])
	requireErrorType(t, invalidInput, err)
	_, err = stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: https, MaxUploadBytes: 1200}, refs...)
	require.NoError(t, err)
	_, err = stageFiles(t, worker.Options{Connections: uploads.connections, HTTPS: https, MaxUploadBytes: -1}, refs...)
	require.NoError(t, err)
}

func TestUploadsRefuseNamesTooLongForHistory(t *testing.T) {
	t.Parallel()
	references := make([]asteroid.FileRef, 1000)
	for i := range references {
		references[i] = asteroid.FileRef{URI: "data:,x", Name: strings.Repeat("n", 190), ContentType: "text/x-" + strings.Repeat("y", 180)}
	}
	for name, in := range map[string]any{
		asteroid.StageFilesName:  asteroid.StageFilesInput{Files: references},
		asteroid.AttachFilesName: asteroid.AttachFilesInput{ExecutionID: "e-1", Files: references},
	} {
		_, err := newEnv(t, worker.Options{Connections: expectNoRequest(t)}).ExecuteActivity(name, in)
		requireErrorType(t, invalidInput, err)
		require.ErrorContains(t, err, "are 1000 files whose names and addresses have")
	}
}

func TestStageFilesQuotaCountsHugeAnnouncedSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"4611686018427387904", "6148914691236517206", "9223372036854775807"} { // 2^62, 2^64/3+1, 2^63-1
		base, https := serveHTTPS(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-511/"+size)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(patternBytes(512))
		})
		for _, n := range []int{2, 3, 4} {
			refs := slices.Repeat([]asteroid.FileRef{{URI: base + "/a"}}, n)
			_, err := stageFiles(t, worker.Options{Connections: expectNoRequest(t), HTTPS: https, MaxUploadBytes: 1 << 20}, refs...)
			requireErrorType(t, invalidInput, err)
			require.ErrorContains(t, err, "more than the 1048576")
		}
	}
}

func TestStageFilesCountsStagedFilesForQuota(t *testing.T) {
	t.Parallel()
	env := newEnv(t, worker.Options{Connections: newUploadServer(t).connections, MaxUploadBytes: 1000})
	kept := asteroid.StagedFile{ID: "k", Name: "a", Size: 600, ExpiresAt: time.Now().Add(time.Hour)}
	env.SetHeartbeatDetails(asteroid.Progress[asteroid.StagedFile]{Done: map[string]asteroid.StagedFile{"0": kept}})
	_, err := runActivity[asteroid.StageFilesResult](env, asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{
		{URI: "data:,a"}, {URI: "data:," + strings.Repeat("x", 401)},
	}})
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "have 1001 bytes together")
}

func TestStageFilesAcceptsAThousandFiles(t *testing.T) {
	t.Parallel()
	uploads := newUploadServer(t)
	refs := make([]asteroid.FileRef, 1000)
	for i := range refs {
		refs[i] = asteroid.FileRef{URI: "data:,x", Name: "same.txt"}
	}
	staged, err := stageFiles(t, worker.Options{Connections: uploads.connections}, refs...)
	require.NoError(t, err)
	names := map[string]bool{}
	for _, file := range staged.Files {
		names[file.Name] = true
	}
	require.Len(t, names, 1000)
}
