package activities_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

// readTree returns the contents of the files below a directory by path, with "symlink" for a
// symbolic link.
func readTree(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		below, _ := filepath.Rel(root, path)
		if entry.Type()&fs.ModeSymlink != 0 {
			found[below] = "symlink"
			return nil
		}
		content, err := os.ReadFile(path)
		found[below] = string(content)
		return err
	}))
	return found
}

// newSaveFiles returns the attempts to save an execution's files below a directory.
func newSaveFiles(
	t *testing.T, connections map[string]asteroid.Connection, id, root string, selection asteroid.FileSelection,
) *attempts[asteroid.SaveFilesResult] {
	t.Helper()
	return &attempts[asteroid.SaveFilesResult]{
		t: t, name: asteroid.SaveFilesName,
		in:      asteroid.SaveFilesInput{ExecutionID: id, FileSelection: selection, Destination: "file://" + root},
		options: worker.Options{Connections: connections, OutputRoots: []string{root}, SettleInterval: time.Millisecond},
	}
}

func TestSaveFilesReturnsSizeAndChecksum(t *testing.T) {
	t.Parallel()
	big := patternBytes(3 << 20)
	api, _, id := newCompletedExecution(t, nil, writeDownload("big.bin", big), writeDownload("a b%.csv", []byte("x")), writeDownload("empty", nil),
		testsuite.WriteFile("shared", "state.json", "application/json", []byte("{}")))
	root := t.TempDir()
	save := newSaveFiles(t, connect(api), id, root, asteroid.FileSelection{Directories: []string{"downloads", "shared"}})
	save.in = asteroid.SaveFilesInput{ExecutionID: id, Destination: "file://" + root + "/deep/er/", FileSelection: asteroid.FileSelection{Directories: []string{"downloads", "shared"}}}
	saved, err := save.next()
	require.NoError(t, err)
	base := "file://" + root + "/deep/er/" + id
	require.Equal(t, []asteroid.OutputFile{
		{FileRef: asteroid.FileRef{URI: base + "/downloads/a%20b%25.csv", Name: "a b%.csv", ContentType: "application/x-own"}, Directory: "downloads", Size: 1, SHA256: sha256Hex([]byte("x"))},
		{FileRef: asteroid.FileRef{URI: base + "/downloads/big.bin", Name: "big.bin", ContentType: "application/x-own"}, Directory: "downloads", Size: 3 << 20, SHA256: sha256Hex(big)},
		{FileRef: asteroid.FileRef{URI: base + "/downloads/empty", Name: "empty", ContentType: "application/x-own"}, Directory: "downloads", SHA256: sha256Hex(nil)},
		{FileRef: asteroid.FileRef{URI: base + "/shared/state.json", Name: "state.json", ContentType: "application/json"}, Directory: "shared", Size: 2, SHA256: sha256Hex([]byte("{}"))},
	}, saved.Files)
	below := "deep/er/" + id
	require.Equal(t, map[string]string{
		below + "/downloads/a b%.csv": "x", below + "/downloads/big.bin": string(big), below + "/downloads/empty": "", below + "/shared/state.json": "{}",
	}, readTree(t, root))
	require.Equal(t, 1, countRequests(api, "AgentSharedFilesGet"))

	// Saved files can be staged by their references, and saved again.
	staged, err := stageFiles(t, worker.Options{Connections: newUploadServer(t).connections, FileRoots: []string{root}}, asteroid.References(saved.Files)...)
	require.NoError(t, err)
	require.EqualValues(t, 3<<20, staged.Files[1].Size)
	save.details = nil
	again, err := save.next()
	require.NoError(t, err)
	require.Equal(t, saved, again)
	require.Len(t, readTree(t, root), 4)
}

func TestSaveFilesWritesToStore(t *testing.T) {
	t.Parallel()
	api, _, id := newCompletedExecution(t, nil, writeDownload("a b.csv", []byte("x,y")))
	for destination, want := range map[string]string{
		"mem://bucket": "mem://bucket/" + id + "/downloads/a%20b.csv", "mem://bucket/": "mem://bucket/" + id + "/downloads/a%20b.csv",
		"mem://bucket/x%20y/z?region=eu": "mem://bucket/x%20y/z/" + id + "/downloads/a%20b.csv?region=eu",
		"mem:///only/path":               "mem:///only/path/" + id + "/downloads/a%20b.csv",
	} {
		store := newMemoryStore()
		env := newEnv(t, worker.Options{Connections: connect(api), Stores: map[string]asteroid.Store{"mem": store}, SettleInterval: time.Millisecond})
		saved, err := runActivity[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: id, Destination: destination})
		require.NoError(t, err)
		require.Equal(t, want, saved.Files[0].URI)
		require.Equal(t, sha256Hex([]byte("x,y")), saved.Files[0].SHA256)
		require.Equal(t, map[string]stored{want: {[]byte("x,y"), asteroid.FileInfo{Name: "a b.csv", ContentType: "application/x-own", Size: 3}}}, store.all())
	}
}

func TestSaveFilesRejectsDestinationBeforeReading(t *testing.T) {
	t.Parallel()
	api, _, id := newCompletedExecution(t, nil, writeDownload("x", []byte("y")))
	root := t.TempDir()
	before := len(api.Requests())
	for destination, message := range map[string]string{
		"": "is required", "/srv/results": "no scheme", "srv?topsecret": "no scheme", "s3://bucket/x?topsecret": `"s3" is not known: this worker has file, mem`, "https://example.com/?topsecret": "cannot write to",
		"http://example.com/": "cannot write to", "data:,x": "cannot write to", "asteroid-execution://e/downloads": "cannot write to",
		"file:///": "OutputRoots", "file:///etc": "OutputRoots", "file://" + root + "/..": "OutputRoots", "file://" + root + "/%2e%2e/x": "OutputRoots",
		"file://" + root + "x": "OutputRoots", "file://host" + root: "must be absolute", "file:" + filepath.Base(root): "must be absolute",
		"file://" + root + "/%zz": "not a URI", "file://" + root + "/%00": "zero byte", "file://" + root + "#x": "fragment", "mem:x": "mem://host/path",
		"mem://user:topsecret@x/": "user name", "mem://%zz?topsecret": "not a URI",
	} {
		env := newEnv(t, worker.Options{Connections: connect(api), OutputRoots: []string{root}, Stores: map[string]asteroid.Store{"mem": newMemoryStore()}})
		_, err := runActivity[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: id, Destination: destination})
		requireErrorType(t, invalidInput, err)
		require.ErrorContains(t, err, message, destination)
		require.ErrorContains(t, err, "destination")
		require.NotContains(t, err.Error(), "topsecret")
		details, _ := asteroid.DetailsOf(err)
		require.Equal(t, "destination", details.Field)
	}
	env := newEnv(t, worker.Options{Connections: connect(api), FileRoots: []string{root}})
	_, err := runActivity[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: id, Destination: "file://" + root})
	requireErrorType(t, invalidInput, err)
	require.ErrorContains(t, err, "this worker has no OutputRoots")
	require.Len(t, api.Requests(), before)
}

func TestSaveFilesRetrySavesOnlyMissingFiles(t *testing.T) {
	t.Parallel()
	api, _, id := newCompletedExecution(t, nil, writeDownload("a", []byte("a")), writeDownload("b", []byte("b")), writeDownload("c", []byte("c")))
	root := t.TempDir()
	var failing atomic.Bool
	failing.Store(true)
	seen := &requestLog{}
	save := newSaveFiles(t, connectThrough(api, func(r *http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/signed/") {
			seen.add(r)
			if failing.Load() && strings.HasSuffix(r.URL.Path, "/c") {
				return errors.New("no way")
			}
		}
		return nil
	}), id, root, asteroid.FileSelection{})
	requireErrorType(t, unavailable, save.nextErr())
	require.Len(t, readTree(t, root), 2)
	failing.Store(false)
	before := len(seen.all())
	saved, err := save.next()
	require.NoError(t, err)
	require.Len(t, seen.all(), before+1)
	require.Len(t, saved.Files, 3)
	for i, name := range []string{"a", "b", "c"} {
		require.Equal(t, sha256Hex([]byte(name)), saved.Files[i].SHA256)
	}
	require.Equal(t, map[string]string{id + "/downloads/a": "a", id + "/downloads/b": "b", id + "/downloads/c": "c"}, readTree(t, root))
}

func TestSaveFilesRetryWritesNothingAgain(t *testing.T) {
	t.Parallel()
	api, _, id := newCompletedExecution(t, nil, writeDownload("ä b%.csv", []byte("a")))
	for _, destination := range []string{"mem://b", "mem://b/", "mem://b?region=eu", "mem:///", "mem://b/x%20y%2Fz", "mem://b//x/", "MEM://b/%C3%A4"} {
		store := newMemoryStore()
		var writes atomic.Int64
		store.fail = func(op string, _ *url.URL) error {
			if op == "write" {
				writes.Add(1)
			}
			return nil
		}
		save := &attempts[asteroid.SaveFilesResult]{
			t: t, name: asteroid.SaveFilesName, in: asteroid.SaveFilesInput{ExecutionID: id, Destination: destination},
			options: worker.Options{Connections: connect(api), Stores: map[string]asteroid.Store{"mem": store}, SettleInterval: time.Millisecond},
		}
		first, err := save.next()
		require.NoError(t, err)
		second, err := save.next()
		require.NoError(t, err)
		require.Equal(t, first, second)
		require.EqualValues(t, 1, writes.Load(), destination)
	}
}

func TestSaveFilesKeepsNamesWhenFilesAreListedLater(t *testing.T) {
	t.Parallel()
	first := fileJSON("1", "downloads", "/downloads/X", "X", 3)
	files := &executionFiles{
		listing: listDownloads(first),
		serve:   serveContents(map[string]string{"1": "one", "2": "two", "3": "three!"}),
	}
	root := t.TempDir()
	save := newSaveFiles(t, files.start(t), "e-1", root, asteroid.FileSelection{})
	saved, err := save.next()
	require.NoError(t, err)
	require.Equal(t, "file://"+root+"/e-1/downloads/X", saved.Files[0].URI)

	// The next attempt continues from the heartbeat of the first.
	files.listing = listDownloads(first,
		fileJSON("2", "downloads", "/downloads//X", "X", 3), fileJSON("3", "downloads", "/downloads/x", "x", 6))
	saved, err = save.next()
	require.NoError(t, err)
	require.Len(t, saved.Files, 3)
	require.Equal(t, map[string]string{"e-1/downloads/X": "one", "e-1/downloads/X-2": "two", "e-1/downloads/x-3": "three!"}, readTree(t, root))

	// A file that has changed since it was saved is saved again.
	files.listing = listDownloads(fileJSON("1", "downloads", "/downloads/X", "X", 11))
	files.serve = serveContents(map[string]string{"1": "one, longer"})
	saved, err = save.next()
	require.NoError(t, err)
	require.EqualValues(t, 11, saved.Files[0].Size)
	require.Equal(t, "one, longer", readTree(t, root)["e-1/downloads/X"])

	// A file that was saved to another destination is saved again.
	elsewhere := t.TempDir()
	save.in = asteroid.SaveFilesInput{ExecutionID: "e-1", Destination: "file://" + elsewhere}
	save.options.OutputRoots = []string{elsewhere}
	_, err = save.next()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"e-1/downloads/X": "one, longer"}, readTree(t, elsewhere))
}

func TestSaveFilesMapsStoreErrorsToErrorTypes(t *testing.T) {
	t.Parallel()
	api, _, id := newCompletedExecution(t, nil, writeDownload("x", []byte("y")))
	for err, errorType := range map[error]string{
		fs.ErrNotExist: notFound, fs.ErrPermission: unauthorized, fs.ErrInvalid: invalidInput, errors.New("full"): unavailable,
	} {
		store := newMemoryStore()
		store.fail = func(string, *url.URL) error { return fmt.Errorf("blob: %w", err) }
		env := newEnv(t, worker.Options{Connections: connect(api), Stores: map[string]asteroid.Store{"mem": store}, SettleInterval: time.Millisecond})
		_, err := runActivity[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: id, Destination: "mem://b?topsecret"})
		requireErrorType(t, errorType, err)
		require.NotContains(t, err.Error(), "topsecret")
	}
}

// lazyStore does not read the content to its end.
type lazyStore struct{ *memoryStore }

func (lazyStore) Write(_ context.Context, _ *url.URL, content io.Reader, info asteroid.FileInfo) error {
	_, err := io.CopyN(io.Discard, content, info.Size)
	return err
}

func TestSaveFilesRejectsStoreThatStopsReading(t *testing.T) {
	t.Parallel()
	api, _, id := newCompletedExecution(t, nil, writeDownload("x", []byte("y")))
	env := newEnv(t, worker.Options{Connections: connect(api), Stores: map[string]asteroid.Store{"mem": lazyStore{newMemoryStore()}}, SettleInterval: time.Millisecond})
	_, err := runActivity[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: id, Destination: "mem://b"})
	requireErrorType(t, unavailable, err)
	require.ErrorContains(t, err, "before it had read the whole file")
}
