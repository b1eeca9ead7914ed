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

// outputDisk is the worker's disk as SaveFiles writes to it.
type Disk struct{ Roots Roots }

func (Disk) Stat(context.Context, *url.URL) (asteroid.FileInfo, error) {
	return asteroid.FileInfo{}, errors.ErrUnsupported
}

func (Disk) Open(context.Context, *url.URL) (io.ReadCloser, error) {
	return nil, errors.ErrUnsupported
}

// Write writes to a temporary file in the same directory, which gets its name once it is complete and on the disk. What a
// killed worker leaves of one is removed by the next to write the same file.
func (d Disk) Write(_ context.Context, uri *url.URL, content io.Reader, _ asteroid.FileInfo) (err error) {
	root, below, err := d.Roots.Beneath(uri.String(), "OutputRoots")
	if err != nil {
		return err
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return Unavailable("the output root cannot be opened: %w", err)
	}
	defer func() { _ = dir.Close() }()
	if err := writeBeneath(dir, below, content); err != nil {
		return diskError(filepath.Join(root, below), "written", err)
	}
	return nil
}

func writeBeneath(dir *os.Root, below string, content io.Reader) error {
	folder, name := filepath.Dir(below), filepath.Base(below)
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
		err = dir.Rename(part, below)
	}
	if err != nil {
		_ = dir.Remove(part) // it may have been removed
		return err
	}
	if opened, err := dir.Open(folder); err == nil { // so that the name survives a power cut, where systems offer that
		_ = opened.Sync()
		_ = opened.Close()
	}
	return nil
}

const (
	partPrefix = ".asteroid-part-"
	partRandom = 16
)

// removeParts removes the parts of a file that attempts before this one have left. One of an attempt that does not know yet
// that it has been given up fails then, as it should.
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
