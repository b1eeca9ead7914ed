package activities_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/worker"
)

// largeExecution is an API with one execution, e-1, that has one download among many workspace
// files. It records the largest heap while it lists them.
type largeExecution struct {
	workspace int
	peak      atomic.Uint64
}

func (l *largeExecution) start(t *testing.T) map[string]asteroid.Connection {
	t.Helper()
	return serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/files"):
			l.list(w)
		case strings.HasSuffix(r.URL.Path, "/download"):
			w.Header().Set("Location", byFileID(r))
			w.WriteHeader(http.StatusSeeOther)
		case strings.HasSuffix(r.URL.Path, "/activities"):
			_, _ = io.WriteString(w, "[]")
		case strings.Contains(r.URL.Path, "/temp-files/"):
			acceptUpload(w, r, "report.pdf")
		default:
			_, _ = io.WriteString(w, "content")
		}
	})
}

func (l *largeExecution) list(w io.Writer) {
	_, _ = fmt.Fprintf(w, `{"directories":{"downloads":[%s],"workspace":[`, fileJSON("d-1", "downloads", "/downloads/report.pdf", "report.pdf", 7))
	padding := strings.Repeat("folder/", 100)
	for i := range l.workspace {
		if i > 0 {
			_, _ = io.WriteString(w, ",")
		}
		name := "file-" + strconv.Itoa(i)
		_, _ = io.WriteString(w, fileJSON("w-"+strconv.Itoa(i), "workspace", "/workspace/"+padding+name, name, 1))
		if i%10_000 == 0 {
			var memory runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&memory)
			l.peak.Store(max(l.peak.Load(), memory.HeapAlloc))
		}
	}
	_, _ = io.WriteString(w, `]}}`)
}

// This test is not parallel: the memory of other tests would count.
func TestOneDownloadIsFoundAmongManyFilesInFlatMemory(t *testing.T) {
	files := 100_000 // about 90 MB of JSON
	if testing.Short() {
		files = 30_000
	}
	large := &largeExecution{workspace: files}
	root := t.TempDir()
	options := worker.Options{Connections: large.start(t), OutputRoots: []string{root}, SettleInterval: time.Millisecond}
	reference := asteroid.FileRef{URI: asteroid.ExecutionFileURI("e-1", "downloads", "report.pdf")}
	for _, row := range []struct {
		name string
		in   any
	}{
		{asteroid.ListFilesName, asteroid.ListFilesInput{ExecutionID: "e-1"}},
		{asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: "e-1", Destination: "file://" + root}},
		{asteroid.StageFilesName, asteroid.StageFilesInput{Files: []asteroid.FileRef{reference}}},
		{asteroid.CheckUploadsName, asteroid.CheckUploadsInput{ExecutionID: "e-1", Files: nil}},
	} {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		large.peak.Store(0)
		env := newEnv(t, options)
		env.SetTestTimeout(time.Minute)
		result, err := env.ExecuteActivity(row.name, row.in)
		require.NoError(t, err, row.name)
		if row.name != asteroid.CheckUploadsName {
			var listed struct{ Files []struct{ Name string } }
			require.NoError(t, result.Get(&listed))
			require.Len(t, listed.Files, 1)
			require.Equal(t, "report.pdf", listed.Files[0].Name)
		}
		require.Less(t, int64(large.peak.Load())-int64(before.HeapAlloc), int64(24<<20), row.name) // other tests allocate, too
	}

	_, err := listFiles(t, options.Connections, "e-1", asteroid.FileSelection{Directories: []string{"workspace"}})
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, fmt.Sprintf("select %d files, more than 1000", files))
}
