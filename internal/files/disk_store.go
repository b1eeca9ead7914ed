package files

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/temporal-asteroid/asteroid"
)

// DiskStore is the worker's disk as a store that SaveFiles writes to. It is write-only: Roots.Find
// reads the disk.
type DiskStore struct{ Roots Roots }

// Stat returns errors.ErrUnsupported.
func (DiskStore) Stat(context.Context, *url.URL) (asteroid.FileInfo, error) {
	return asteroid.FileInfo{}, errors.ErrUnsupported
}

// Open returns errors.ErrUnsupported.
func (DiskStore) Open(context.Context, *url.URL) (io.ReadCloser, error) {
	return nil, errors.ErrUnsupported
}

// Write writes to a temporary file in the same directory and renames it once it is complete and on
// the disk. It removes the temporary files that a killed worker has left of the same file.
func (d DiskStore) Write(_ context.Context, uri *url.URL, content io.Reader, _ asteroid.FileInfo) error {
	root, relative, err := d.Roots.Resolve(uri.String(), "OutputRoots")
	if err != nil {
		return err
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return Unavailable("the output root cannot be opened: %w", err)
	}
	defer func() { _ = dir.Close() }()
	if err := writeBeneath(dir, relative, content); err != nil {
		return diskError(filepath.Join(root, relative), "written", err)
	}
	return nil
}

// writeBeneath writes the content to a path relative to dir, and creates the folders that it lacks.
func writeBeneath(dir *os.Root, relative string, content io.Reader) error {
	folder, name := filepath.Dir(relative), filepath.Base(relative)
	if err := dir.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	removeParts(dir, folder, name)
	part := filepath.Join(folder, partPrefix+name+"-"+rand.Text()[:partRandom])
	file, err := dir.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err == nil {
		err = file.Sync()
	}
	if err = cmp.Or(err, file.Close()); err == nil {
		err = dir.Rename(part, relative)
	}
	if err != nil {
		_ = dir.Remove(part) // another attempt may have removed it
		return err
	}
	// Where the system supports it, a sync of the folder lets the name survive a power cut.
	if opened, err := dir.Open(folder); err == nil {
		_ = opened.Sync()
		_ = opened.Close()
	}
	return nil
}

// A temporary file is named partPrefix, the file's name, a dash, and partRandom random characters.
const (
	partPrefix = ".asteroid-part-"
	partRandom = 16
)

// removeParts removes the temporary files that earlier attempts have left of a file. An attempt
// that has timed out but still runs then fails, as it should.
func removeParts(dir *os.Root, folder, name string) {
	opened, err := dir.Open(folder)
	if err != nil {
		return
	}
	defer func() { _ = opened.Close() }()
	entries, _ := opened.Readdirnames(-1)
	for _, entry := range entries {
		if rest, ok := strings.CutPrefix(entry, partPrefix+name+"-"); ok && len(rest) == partRandom {
			_ = dir.Remove(filepath.Join(folder, entry))
		}
	}
}
