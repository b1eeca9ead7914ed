package files

import (
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
)

// heldWrite is a write that waits for its last bytes.
type heldWrite struct {
	content *io.PipeWriter
	done    chan error
}

// holdWrite begins a write and returns once its part is open.
func holdWrite(t *testing.T, store *DiskStore, path, content string) *heldWrite {
	t.Helper()
	reader, writer := io.Pipe()
	held := &heldWrite{writer, make(chan error, 1)}
	go func() { held.done <- store.Write(t.Context(), fileURL(path), reader, asteroid.FileInfo{}) }()
	_, err := io.WriteString(writer, content)
	require.NoError(t, err)
	return held
}

// finish ends the content and returns the error of the write.
func (h *heldWrite) finish() error {
	_ = h.content.Close()
	return <-h.done
}

func fileURL(path string) *url.URL { return &url.URL{Scheme: "file", Path: path} }

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range found {
		names = append(names, entry.Name())
	}
	return names
}

func TestDiskStoreKeepsPartsOfOtherWriters(t *testing.T) {
	for name, writers := range map[string]struct{ first, second *DiskStore }{
		"two activities":           {NewDiskStore(nil, "a", 1), NewDiskStore(nil, "b", 1)},
		"an activity's next":       {NewDiskStore(nil, "a", 2), NewDiskStore(nil, "a", 1)},
		"one attempt":              {NewDiskStore(nil, "a", 1), NewDiskStore(nil, "a", 1)},
		"attempts of two digits":   {NewDiskStore(nil, "a", 10), NewDiskStore(nil, "a", 9)},
		"activities of one prefix": {NewDiskStore(nil, "a", 1), NewDiskStore(nil, "ab", 2)},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			writers.first.roots, writers.second.roots = Roots{root}, Roots{root}
			path := filepath.Join(root, "deep", "x")
			first := holdWrite(t, writers.first, path, "first")
			second := holdWrite(t, writers.second, path, "second")
			require.NoError(t, first.finish())
			require.NoError(t, second.finish())
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, "second", string(content), "the last one to finish")
			require.Equal(t, []string{"x"}, entries(t, filepath.Dir(path)))
		})
	}
}

func TestDiskStoreRemovesAbandonedParts(t *testing.T) {
	root := t.TempDir()
	store := NewDiskStore(Roots{root}, "a", 3)
	keep := []string{".asteroid-party", "own", newPartWriter("a", 3).newPart(), newPartWriter("a", 30).newPart(), newPartWriter("b", 1).newPart()}
	old := []string{newPartWriter("b", 1).newPart(), newPartWriter("a", 4).newPart()}
	for _, name := range append(append([]string{newPartWriter("a", 1).newPart(), newPartWriter("a", 2).newPart()}, keep...), old...) {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte("left"), 0o600))
	}
	for _, name := range old {
		past := time.Now().Add(-2 * partLifetime)
		require.NoError(t, os.Chtimes(filepath.Join(root, name), past, past))
	}
	require.NoError(t, store.Write(t.Context(), fileURL(root+"/x"), strings.NewReader("y"), asteroid.FileInfo{}))
	require.ElementsMatch(t, append(keep, "x"), entries(t, root))
}

func TestDiskStoreRetriesWriteWhosePartIsGone(t *testing.T) {
	for name, remove := range map[string]func(root string) error{
		"part":   func(root string) error { return os.Remove(filepath.Join(root, "deep", entries(t, root+"/deep")[0])) },
		"folder": func(root string) error { return os.RemoveAll(filepath.Join(root, "deep")) },
		"root":   os.RemoveAll,
	} {
		root := t.TempDir()
		write := holdWrite(t, NewDiskStore(Roots{root}, "a", 1), root+"/deep/x", "content")
		require.NoError(t, remove(root))
		require.Equal(t, asteroid.ErrorTypeUnavailable, errorType(write.finish()), name)
	}
}

func TestDiskStoreKeepsErrorOfContentAndLeavesNothing(t *testing.T) {
	root := t.TempDir()
	broken := errors.New("the line is dead")
	content := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))
	err := NewDiskStore(Roots{root}, "a", 1).Write(t.Context(), fileURL(root+"/x"), content, asteroid.FileInfo{})
	require.Equal(t, broken, err)
	require.Empty(t, entries(t, root))
}

// errorType returns the type of an Error, or "" for another error.
func errorType(err error) string {
	if classified, ok := errors.AsType[*Error](err); ok {
		return classified.Type
	}
	return ""
}

func TestWriteErrorClassifiesErrors(t *testing.T) {
	for err, want := range map[error]string{
		syscall.EACCES: asteroid.ErrorTypeUnauthorized, syscall.EPERM: asteroid.ErrorTypeUnauthorized, syscall.EROFS: asteroid.ErrorTypeUnauthorized,

		syscall.ENAMETOOLONG: asteroid.ErrorTypeInvalidInput, syscall.ELOOP: asteroid.ErrorTypeInvalidInput, syscall.ENOTDIR: asteroid.ErrorTypeInvalidInput,
		syscall.EISDIR: asteroid.ErrorTypeInvalidInput, syscall.EEXIST: asteroid.ErrorTypeInvalidInput, syscall.ENOTEMPTY: asteroid.ErrorTypeInvalidInput,
		syscall.EINVAL: asteroid.ErrorTypeInvalidInput, syscall.EILSEQ: asteroid.ErrorTypeInvalidInput, syscall.EFBIG: asteroid.ErrorTypeInvalidInput,
		syscall.EMLINK: asteroid.ErrorTypeInvalidInput, syscall.EXDEV: asteroid.ErrorTypeInvalidInput, syscall.ENOSYS: asteroid.ErrorTypeInvalidInput,
		syscall.ENOTSUP: asteroid.ErrorTypeInvalidInput, errors.New("path escapes from parent"): asteroid.ErrorTypeInvalidInput,

		syscall.ENOENT: asteroid.ErrorTypeUnavailable, syscall.ENOSPC: asteroid.ErrorTypeUnavailable, syscall.EDQUOT: asteroid.ErrorTypeUnavailable,
		syscall.EIO: asteroid.ErrorTypeUnavailable, syscall.ESTALE: asteroid.ErrorTypeUnavailable, syscall.EBUSY: asteroid.ErrorTypeUnavailable,
		syscall.EMFILE: asteroid.ErrorTypeUnavailable, syscall.ENFILE: asteroid.ErrorTypeUnavailable, syscall.ENOMEM: asteroid.ErrorTypeUnavailable,
		syscall.EINTR: asteroid.ErrorTypeUnavailable, syscall.EAGAIN: asteroid.ErrorTypeUnavailable, syscall.ETIMEDOUT: asteroid.ErrorTypeUnavailable,
		syscall.ENODEV: asteroid.ErrorTypeUnavailable, syscall.ENXIO: asteroid.ErrorTypeUnavailable, syscall.ENOTCONN: asteroid.ErrorTypeUnavailable,
	} {
		for _, failed := range []error{&os.PathError{Op: "open", Path: "x", Err: err}, &os.LinkError{Op: "rename", Old: "x", New: "y", Err: err}} {
			classified := writeError("/srv/x", failed)
			require.Equal(t, want, errorType(classified), "%v", err)
			require.ErrorContains(t, classified, "/srv/x cannot be written")
		}
	}
}

func TestDiskStoreReadsAndDeletesBeneathItsRoots(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	require.NoError(t, errors.Join(
		os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600),
		os.Symlink(outside, filepath.Join(root, "out")),
		os.MkdirAll(filepath.Join(root, "folder", "empty"), 0o700),
	))
	store := NewDiskStore(Roots{root}, "a", 1)
	file := fileURL(root + "/folder/a b.csv")
	require.NoError(t, store.Write(t.Context(), file, strings.NewReader("1,2"), asteroid.FileInfo{}))
	info, err := store.Stat(t.Context(), file)
	require.NoError(t, err)
	require.Equal(t, asteroid.FileInfo{Size: 3}, info)
	opened, err := store.Open(t.Context(), file)
	require.NoError(t, err)
	content, err := io.ReadAll(opened)
	require.NoError(t, errors.Join(err, opened.Close()))
	require.Equal(t, "1,2", string(content))

	for _, escape := range []string{root + "/out/secret", outside + "/secret", root + "/../secret"} {
		_, err := store.Open(t.Context(), fileURL(escape))
		require.Error(t, err)
		require.Error(t, store.Delete(t.Context(), fileURL(escape)))
	}
	require.FileExists(t, filepath.Join(outside, "secret"))

	require.Error(t, store.Delete(t.Context(), fileURL(root+"/folder")), "it is not empty")
	for range 2 { // what does not exist is no error
		for _, path := range []string{"/folder/a b.csv", "/folder/empty", "/folder"} {
			require.NoError(t, store.Delete(t.Context(), fileURL(root+path)))
		}
	}
	require.Equal(t, []string{"out"}, entries(t, root))
	_, err = store.Stat(t.Context(), file)
	var failed *Error
	require.ErrorAs(t, err, &failed)
	require.Equal(t, asteroid.ErrorTypeNotFound, failed.Type)
}
