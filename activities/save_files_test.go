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

// tree is what lies beneath a directory: contents by path, "dir" for an empty directory.
func tree(t *testing.T, root string) map[string]string {
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

// saving are the attempts to save an execution's files beneath a directory.
func saving(t *testing.T, connections map[string]asteroid.Connection, id, root string, selection asteroid.FileSelection) *retries[asteroid.SaveFilesResult] {
	t.Helper()
	return &retries[asteroid.SaveFilesResult]{
		t: t, name: asteroid.SaveFilesName,
		in:      asteroid.SaveFilesInput{ExecutionID: id, FileSelection: selection, Destination: "file://" + root},
		options: worker.Options{Connections: connections, OutputRoots: []string{root}, SettleInterval: time.Millisecond},
	}
}

func TestFilesAreSavedWithSizeAndChecksum(t *testing.T) {
	t.Parallel()
	big := content(3 << 20)
	api, _, id := finished(t, nil, download("big.bin", big), download("a b%.csv", []byte("x")), download("empty", nil),
		testsuite.WriteFile("shared", "state.json", "application/json", []byte("{}")))
	root := t.TempDir()
	save := saving(t, connect(api), id, root, asteroid.FileSelection{Directories: []string{"downloads", "shared"}})
	save.in = asteroid.SaveFilesInput{ExecutionID: id, Destination: "file://" + root + "/deep/er/", FileSelection: asteroid.FileSelection{Directories: []string{"downloads", "shared"}}}
	saved, err := save.next()
	require.NoError(t, err)
	base := "file://" + root + "/deep/er/" + id
	require.Equal(t, []asteroid.OutputFile{
		{FileRef: asteroid.FileRef{URI: base + "/downloads/a%20b%25.csv", Name: "a b%.csv", ContentType: "application/x-own"}, Directory: "downloads", Size: 1, SHA256: sum([]byte("x"))},
		{FileRef: asteroid.FileRef{URI: base + "/downloads/big.bin", Name: "big.bin", ContentType: "application/x-own"}, Directory: "downloads", Size: 3 << 20, SHA256: sum(big)},
		{FileRef: asteroid.FileRef{URI: base + "/downloads/empty", Name: "empty", ContentType: "application/x-own"}, Directory: "downloads", SHA256: sum(nil)},
		{FileRef: asteroid.FileRef{URI: base + "/shared/state.json", Name: "state.json", ContentType: "application/json"}, Directory: "shared", Size: 2, SHA256: sum([]byte("{}"))},
	}, saved.Files)
	below := "deep/er/" + id
	require.Equal(t, map[string]string{
		below + "/downloads/a b%.csv": "x", below + "/downloads/big.bin": string(big), below + "/downloads/empty": "", below + "/shared/state.json": "{}",
	}, tree(t, root))
	require.Equal(t, 1, count(api, "AgentSharedFilesGet"))

	// What was saved can be staged as it is, and saved again.
	staged, err := stage(t, worker.Options{Connections: newSink(t).connections, FileRoots: []string{root}}, asteroid.References(saved.Files)...)
	require.NoError(t, err)
	require.EqualValues(t, 3<<20, staged.Files[1].Size)
	save.details = nil
	again, err := save.next()
	require.NoError(t, err)
	require.Equal(t, saved, again)
	require.Len(t, tree(t, root), 4)
}

func TestFilesAreSavedToAStore(t *testing.T) {
	t.Parallel()
	api, _, id := finished(t, nil, download("a b.csv", []byte("x,y")))
	for destination, want := range map[string]string{
		"mem://bucket": "mem://bucket/" + id + "/downloads/a%20b.csv", "mem://bucket/": "mem://bucket/" + id + "/downloads/a%20b.csv",
		"mem://bucket/x%20y/z?region=eu": "mem://bucket/x%20y/z/" + id + "/downloads/a%20b.csv?region=eu",
		"mem:///only/path":               "mem:///only/path/" + id + "/downloads/a%20b.csv",
	} {
		store := newMemoryStore()
		env := newEnv(t, worker.Options{Connections: connect(api), Stores: map[string]asteroid.Store{"mem": store}, SettleInterval: time.Millisecond})
		saved, err := run[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: id, Destination: destination})
		require.NoError(t, err)
		require.Equal(t, want, saved.Files[0].URI)
		require.Equal(t, sum([]byte("x,y")), saved.Files[0].SHA256)
		require.Equal(t, map[string]stored{want: {[]byte("x,y"), asteroid.FileInfo{Name: "a b.csv", ContentType: "application/x-own", Size: 3}}}, store.all())
	}
}

func TestADestinationThatIsNotOpenIsToldBeforeAnythingIsRead(t *testing.T) {
	t.Parallel()
	api, _, id := finished(t, nil, download("x", []byte("y")))
	root := t.TempDir()
	before := len(api.Requests())
	for destination, says := range map[string]string{
		"": "is required", "/srv/results": "no scheme", "srv?topsecret": "no scheme", "s3://bucket/x?topsecret": `"s3" is not known`, "https://example.com/?topsecret": "nowhere to put files",
		"http://example.com/": "nowhere to put files", "data:,x": "nowhere to put files", "asteroid-execution://e/downloads": "nowhere to put files",
		"file:///": "OutputRoots", "file:///etc": "OutputRoots", "file://" + root + "/..": "OutputRoots", "file://" + root + "/%2e%2e/x": "OutputRoots",
		"file://" + root + "x": "OutputRoots", "file://host" + root: "must be absolute", "file:" + filepath.Base(root): "must be absolute",
		"file://" + root + "/%zz": "not a URI", "file://" + root + "/%00": "zero byte", "file://" + root + "#x": "fragment", "mem:x": "mem://place",
		"mem://user:topsecret@x/": "user name", "mem://%zz?topsecret": "not a URI",
	} {
		env := newEnv(t, worker.Options{Connections: connect(api), OutputRoots: []string{root}, Stores: map[string]asteroid.Store{"mem": newMemoryStore()}})
		_, err := run[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: id, Destination: destination})
		requireType(t, badInput, err)
		require.ErrorContains(t, err, says, destination)
		require.ErrorContains(t, err, "destination")
		require.NotContains(t, err.Error(), "topsecret")
		details, _ := asteroid.DetailsOf(err)
		require.Equal(t, "destination", details.Field)
	}
	env := newEnv(t, worker.Options{Connections: connect(api), FileRoots: []string{root}})
	_, err := run[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: id, Destination: "file://" + root})
	requireType(t, badInput, err)
	require.ErrorContains(t, err, "this worker has no OutputRoots")
	require.Len(t, api.Requests(), before)
}

func TestDamagedDownloadsNeverAppear(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault testsuite.Fault
		says  string
	}{
		"altered":   {testsuite.AlterBody(), "arrived altered: its sha-256 is"},
		"truncated": {testsuite.TruncateJSON(), "changed"},
		"broken":    {testsuite.ResetMidBody(), ""},
		"refused":   {testsuite.Answer(http.StatusForbidden, ""), "403"},
		"down":      {testsuite.Answer(http.StatusBadGateway, ""), "502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := content(100_000)
			api, _, id := finished(t, nil, download("x", whole))
			root := t.TempDir()
			final := filepath.Join(root, id, "downloads", "x")
			require.NoError(t, os.MkdirAll(filepath.Dir(final), 0o750))
			require.NoError(t, os.WriteFile(final, []byte("of an earlier run"), 0o600))
			api.Inject("Download", row.fault, 1000)
			save := saving(t, connect(api), id, root, asteroid.FileSelection{})
			err := save.err()
			requireType(t, passing, err)
			require.ErrorContains(t, err, row.says)
			require.ErrorContains(t, err, "downloads/x")
			require.NotContains(t, err.Error(), "signature=")
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, id, details.ExecutionID)
			require.Equal(t, map[string]string{id + "/downloads/x": "of an earlier run"}, tree(t, root))

			store := newMemoryStore()
			save.in = asteroid.SaveFilesInput{ExecutionID: id, Destination: "mem://b"}
			save.options.Stores = map[string]asteroid.Store{"mem": store}
			requireType(t, passing, save.err())
			require.Empty(t, store.all())
		})
	}
}

func TestADownloadIsContinuedWithAFreshLink(t *testing.T) {
	t.Parallel()
	whole := content(3 << 20)
	api, clock, id := finished(t, []testsuite.Option{testsuite.WithLinkLifetime(10 * time.Second)}, download("x", whole))
	seen := &headerLog{}
	api.Inject("Download", testsuite.ResetMidBody(), 1)
	root := t.TempDir()
	saved, err := saving(t, connectThrough(api, downloads(seen, func(nth int) error {
		if nth == 2 {
			clock.pass(11 * time.Second)
		}
		return nil
	})), id, root, asteroid.FileSelection{}).next()
	require.NoError(t, err)
	require.Equal(t, sum(whole), saved.Files[0].SHA256)
	require.Equal(t, map[string]string{id + "/downloads/x": string(whole)}, tree(t, root))
	require.Len(t, seen.all(), 3)
	require.NotEmpty(t, seen.all()[2].Get("Range"))
}

func TestALaterAttemptSavesOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	api, _, id := finished(t, nil, download("a", []byte("a")), download("b", []byte("b")), download("c", []byte("c")))
	root := t.TempDir()
	var failing atomic.Bool
	failing.Store(true)
	seen := &headerLog{}
	save := saving(t, connectThrough(api, func(r *http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/signed/") {
			seen.add(r)
			if failing.Load() && strings.HasSuffix(r.URL.Path, "/c") {
				return errors.New("no way")
			}
		}
		return nil
	}), id, root, asteroid.FileSelection{})
	requireType(t, passing, save.err())
	require.Len(t, tree(t, root), 2)
	failing.Store(false)
	before := len(seen.all())
	saved, err := save.next()
	require.NoError(t, err)
	require.Len(t, seen.all(), before+1)
	require.Len(t, saved.Files, 3)
	for i, name := range []string{"a", "b", "c"} {
		require.Equal(t, sum([]byte(name)), saved.Files[i].SHA256)
	}
	require.Equal(t, map[string]string{id + "/downloads/a": "a", id + "/downloads/b": "b", id + "/downloads/c": "c"}, tree(t, root))
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

func inDownloads(files ...string) string {
	return `{"directories":{"downloads":[` + strings.Join(files, ",") + `]}}`
}

func TestAFileThatIsListedLaterDoesNotTakeTheNameOfOneThatIsSaved(t *testing.T) {
	t.Parallel()
	connections, listed := disk(t, map[string]string{"1": "one", "2": "two", "3": "three!"})
	first := fileJSON("1", "downloads", "/downloads/X", "X", 3)
	listed.Store(inDownloads(first))
	root := t.TempDir()
	save := saving(t, connections, "e-1", root, asteroid.FileSelection{})
	saved, err := save.next()
	require.NoError(t, err)
	require.Equal(t, "file://"+root+"/e-1/downloads/X", saved.Files[0].URI)

	// This attempt goes on from the heartbeat of the one before.
	listed.Store(inDownloads(first, fileJSON("2", "downloads", "/downloads//X", "X", 3), fileJSON("3", "downloads", "/downloads/x", "x", 6)))
	saved, err = save.next()
	require.NoError(t, err)
	require.Len(t, saved.Files, 3)
	require.Equal(t, map[string]string{"e-1/downloads/X": "one", "e-1/downloads/X-2": "two", "e-1/downloads/x-3": "three!"}, tree(t, root))

	// One that has changed since it was saved is saved again.
	connections2, listed2 := disk(t, map[string]string{"1": "one, longer"})
	listed2.Store(inDownloads(fileJSON("1", "downloads", "/downloads/X", "X", 11)))
	save.options.Connections = connections2
	saved, err = save.next()
	require.NoError(t, err)
	require.EqualValues(t, 11, saved.Files[0].Size)
	require.Equal(t, "one, longer", tree(t, root)["e-1/downloads/X"])

	// So is one that was saved elsewhere.
	elsewhere := t.TempDir()
	save.in = asteroid.SaveFilesInput{ExecutionID: "e-1", Destination: "file://" + elsewhere}
	save.options.OutputRoots = []string{elsewhere}
	_, err = save.next()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"e-1/downloads/X": "one, longer"}, tree(t, elsewhere))
}

func TestHostileNamesStayBeneathTheDestination(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"../../../escape", "..", ".", "/", "", "/etc/passwd", `..\..\escape`, `C:\windows\x`, "a/../../../b", "a\x00b", "a\nb", "a\x7fb", "\u202egnp.exe",
		"x", "X", "x", "x/y", "x/y/z", "X/y", "folder/x", "folder", "~root", "-rf", "con:stream", strings.Repeat("n", 5000), strings.Repeat("d/", 300) + "x",
		".asteroid-part-x-AAAAAAAAAAAAAAAA", ".ASTEROID-PART-x-AAAAAAAAAAAAAAAA", strings.Repeat("é", 400) + ".txt", "a." + strings.Repeat("e", 400), ". .", "...",
	}
	contents := map[string]string{}
	var files []string
	for i, name := range hostile {
		id := fmt.Sprint(i)
		contents[id] = "content " + id
		files = append(files, fileJSON(id, "downloads", "/downloads/"+name, name, len(contents[id])))
	}
	connections, listed := disk(t, contents)
	listed.Store(`{"directories":{"downloads":[` + strings.Join(files, ",") + `],"../../up":[` + fileJSON("up", "../../up", "/../../up/x", "x", 2) +
		`],"..":[` + fileJSON("up", "..", "/../x", "../x", 2) + `]}}`)
	contents["up"] = "up"
	parent := t.TempDir()
	root := filepath.Join(parent, "root")
	require.NoError(t, os.Mkdir(root, 0o700))
	saved, err := saving(t, connections, "e-1", root, asteroid.FileSelection{Directories: []string{"downloads", ".."}}).next()
	require.NoError(t, err)
	require.Len(t, saved.Files, len(hostile)+1)

	found := tree(t, parent)
	require.Len(t, found, len(hostile)+1, "one file each")
	lower := map[string]bool{}
	var refs []asteroid.FileRef
	for path := range found {
		require.True(t, strings.HasPrefix(path, "root/e-1/"), path)
		require.NotRegexp(t, `[\x00-\x1f\x7f\\:]|(?i)/\.asteroid-part-`, path)
		lower[strings.ToLower(path)] = true
	}
	require.Len(t, lower, len(found), "unique where letter case does not count")
	for _, file := range saved.Files {
		refs = append(refs, file.FileRef)
	}
	staged, err := stage(t, worker.Options{Connections: newSink(t).connections, FileRoots: []string{root}}, refs...)
	require.NoError(t, err)
	for i, file := range staged.Files {
		require.Equal(t, saved.Files[i].Size, file.Size)
	}
}

func TestAnOutputRootIsNotLeft(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		prepare   func(root, outside string) error
		errorType string
	}{
		"destination": {func(root, outside string) error { return os.Symlink(outside, filepath.Join(root, "here")) }, badInput},
		"execution": {func(root, outside string) error {
			return errors.Join(os.Mkdir(filepath.Join(root, "here"), 0o700), os.Symlink(outside, filepath.Join(root, "here", "e-1")))
		}, badInput},
		"directory": {func(root, _ string) error {
			return errors.Join(os.MkdirAll(filepath.Join(root, "here", "e-1"), 0o700), os.Symlink("../../../outside", filepath.Join(root, "here", "e-1", "downloads")))
		}, badInput},
		"a file in the way": {func(root, _ string) error { return os.WriteFile(filepath.Join(root, "here"), nil, 0o600) }, badInput},
		"a directory in the way": {func(root, _ string) error {
			return os.MkdirAll(filepath.Join(root, "here", "e-1", "downloads", "x", "y"), 0o700)
		}, badInput},
		"the file itself": {func(root, outside string) error {
			return errors.Join(os.MkdirAll(filepath.Join(root, "here", "e-1", "downloads"), 0o700),
				os.Symlink(filepath.Join(outside, "secret"), filepath.Join(root, "here", "e-1", "downloads", "x")))
		}, ""}, // replaced, not followed
		"a root that is gone": {func(root, _ string) error { return os.Remove(root) }, passing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			root, outside := filepath.Join(parent, "root"), filepath.Join(parent, "outside")
			require.NoError(t, errors.Join(os.Mkdir(root, 0o700), os.Mkdir(outside, 0o700)))
			writeFile(t, outside, "secret", "untouched")
			connections, listed := disk(t, map[string]string{"1": "one"})
			listed.Store(inDownloads(fileJSON("1", "downloads", "/downloads/x", "x", 3)))
			acts := worker.Options{Connections: connections, OutputRoots: []string{root}, SettleInterval: time.Millisecond}
			env := newEnv(t, acts)
			require.NoError(t, row.prepare(root, outside))
			_, err := run[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: "e-1", Destination: "file://" + root + "/here"})
			if row.errorType == "" {
				require.NoError(t, err)
				require.Equal(t, "one", tree(t, root)["here/e-1/downloads/x"])
			} else {
				requireType(t, row.errorType, err)
			}
			require.Equal(t, map[string]string{"secret": "untouched"}, tree(t, outside))
			if name != "a root that is gone" {
				for path := range tree(t, root) {
					require.NotContains(t, path, ".asteroid-part-", "a leftover")
				}
			}
		})
	}
}

func TestAPartThatAKilledWorkerLeftIsRemoved(t *testing.T) {
	t.Parallel()
	api, _, id := finished(t, nil, download("x", []byte("y")))
	root := t.TempDir()
	dir := filepath.Join(root, id, "downloads")
	require.NoError(t, os.MkdirAll(dir, 0o750))
	for _, left := range []string{".asteroid-part-x-ABCDEFGHIJKLMNOP", ".asteroid-part-x-more-ABCDEFGHIJKLMNOP", ".asteroid-part-other-ABCDEFGHIJKLMNOP", "own"} {
		writeFile(t, dir, left, "left")
	}
	_, err := saving(t, connect(api), id, root, asteroid.FileSelection{}).next()
	require.NoError(t, err)
	below := id + "/downloads/"
	require.Equal(t, map[string]string{ // those of other files may be at work
		below + "x": "y", below + "own": "left", below + ".asteroid-part-x-more-ABCDEFGHIJKLMNOP": "left", below + ".asteroid-part-other-ABCDEFGHIJKLMNOP": "left",
	}, tree(t, root))
}

func TestErrorsOfAStoreThatIsWrittenToBecomeErrorTypes(t *testing.T) {
	t.Parallel()
	api, _, id := finished(t, nil, download("x", []byte("y")))
	for err, errorType := range map[error]string{
		fs.ErrNotExist: missing, fs.ErrPermission: closed, fs.ErrInvalid: badInput, errors.New("full"): passing,
	} {
		store := newMemoryStore()
		store.fail = func(string, *url.URL) error { return fmt.Errorf("blob: %w", err) }
		env := newEnv(t, worker.Options{Connections: connect(api), Stores: map[string]asteroid.Store{"mem": store}, SettleInterval: time.Millisecond})
		_, err := run[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: id, Destination: "mem://b?topsecret"})
		requireType(t, errorType, err)
		require.NotContains(t, err.Error(), "topsecret")
	}
}

func TestAFileThatCannotBeWrittenIsUnauthorized(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	api, _, id := finished(t, nil, download("x", []byte("y")))
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o500))
	requireType(t, closed, saving(t, connect(api), id, root, asteroid.FileSelection{}).err())
}

// lazyStore does not read what it is given to its end.
type lazyStore struct{ *memoryStore }

func (lazyStore) Write(_ context.Context, _ *url.URL, content io.Reader, info asteroid.FileInfo) error {
	_, err := io.CopyN(io.Discard, content, info.Size)
	return err
}

func TestAStoreThatDoesNotReadToTheEndHasNotSavedTheFile(t *testing.T) {
	t.Parallel()
	api, _, id := finished(t, nil, download("x", []byte("y")))
	env := newEnv(t, worker.Options{Connections: connect(api), Stores: map[string]asteroid.Store{"mem": lazyStore{newMemoryStore()}}, SettleInterval: time.Millisecond})
	_, err := run[asteroid.SaveFilesResult](env, asteroid.SaveFilesName, asteroid.SaveFilesInput{ExecutionID: id, Destination: "mem://b"})
	requireType(t, passing, err)
	require.ErrorContains(t, err, "before it had read the whole file")
}

func TestSharedFilesAreComparedWithTheServicesChecksum(t *testing.T) {
	t.Parallel()
	const right = "content"
	shared := func(sha, by, name string, size int) string {
		return fmt.Sprintf(`{"id":"s","agentId":"a","filePath":"/shared/x","fileName":%q,"fileSize":%d,"version":1,"checksum":%q,"lastModifiedByExecutionId":%q,
			"createdAt":"2026-01-02T03:04:05Z","updatedAt":"2026-01-02T03:04:05Z","downloadUrl":"x"}`, name, size, sha, by)
	}
	other := sum([]byte("other"))
	for name, row := range map[string]struct {
		shared     string
		status     int
		reprDigest string
		fails      bool
	}{
		"right":                       {shared(sum([]byte(right)), "e-1", "x", 7), 200, "", false},
		"wrong":                       {shared(other, "e-1", "x", 7), 200, "", true},
		"in capitals":                 {shared(strings.ToUpper(other), "e-1", "x", 7), 200, "", true},
		"of another run":              {shared(other, "e-2", "x", 7), 200, "", false},
		"of another file":             {shared(other, "e-1", "y", 7), 200, "", false},
		"of another size":             {shared(other, "e-1", "x", 8), 200, "", false},
		"no checksum":                 {shared("", "e-1", "x", 7), 200, "", false},
		"two of the name":             {shared(other, "e-1", "x", 7) + "," + shared(sum([]byte(right)), "e-1", "x", 7), 200, "", false},
		"unknown to an older service": {"", 404, "", false},
		"not now":                     {"", 503, "", true},
		"the host says it is right":   {shared(other, "e-1", "x", 7), 200, "sha-256=:7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M=:", true},
		"the host says it is wrong":   {"", 200, "sha-256=:" + strings.Repeat("A", 43) + "=:", true},
		"the host knows another sum":  {"", 200, "unknown=:AAAA:", false},
		"the host's sum is no sum":    {"", 200, "sha-256=:AAAA:", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			connections := listing(t, `{"directories":{"shared":[`+fileJSON("f", "shared", "/shared/x", "x", 7)+`]}}`,
				func(r *http.Request) string { return "http://" + r.Host + "/content" }, nil)
			c := connections[asteroid.DefaultConnection]
			answered := canned(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/shared-files"):
					w.WriteHeader(row.status)
					_, _ = fmt.Fprintf(w, `{"totalSize":7,"files":[%s]}`, row.shared)
				case r.URL.Path == "/content":
					if row.reprDigest != "" {
						w.Header().Set("Repr-Digest", row.reprDigest)
					}
					_, _ = io.WriteString(w, right)
				default:
					_, _ = io.WriteString(w, executionJSON("completed"))
				}
			})[asteroid.DefaultConnection]
			c.Transport = hook(func(r *http.Request) error {
				if r.URL.Path == "/content" || strings.HasSuffix(r.URL.Path, "/shared-files") || strings.HasSuffix(r.URL.Path, "/e-1") {
					r.URL.Host = strings.TrimPrefix(answered.BaseURL, "http://")
				}
				return nil
			})
			save := saving(t, one(c), "e-1", root, asteroid.FileSelection{Directories: []string{"shared"}})
			saved, err := save.next()
			if row.fails {
				requireType(t, passing, err)
				require.Empty(t, tree(t, root))
				return
			}
			require.NoError(t, err)
			require.Equal(t, sum([]byte(right)), saved.Files[0].SHA256)
		})
	}
}
