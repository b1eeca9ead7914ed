package files

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/temporal-asteroid/asteroid"
)

// DiskStore is the worker's disk below its OutputRoots, as a store that one attempt of an activity
// uses. Roots.Find reads below the FileRoots.
type DiskStore struct {
	roots  Roots
	writer partWriter

	mu       sync.Mutex
	prepared map[string]func() error // by path of the folder
}

// NewDiskStore returns the store of one attempt of an activity. The text identifies the activity,
// among all that write to the same disk. Attempts count from 1.
func NewDiskStore(roots Roots, activity string, attempt int32) *DiskStore {
	return &DiskStore{roots: roots, writer: newPartWriter(activity, attempt), prepared: map[string]func() error{}}
}

// Stat describes a file beneath the roots.
func (d *DiskStore) Stat(_ context.Context, uri *url.URL) (asteroid.FileInfo, error) {
	file, size, err := d.open(uri)
	if err != nil {
		return asteroid.FileInfo{}, err
	}
	return asteroid.FileInfo{Size: size}, file.Close()
}

// Open opens a file beneath the roots.
func (d *DiskStore) Open(_ context.Context, uri *url.URL) (io.ReadCloser, error) {
	file, _, err := d.open(uri)
	if err != nil {
		return nil, err // a nil *os.File would not be a nil io.ReadCloser
	}
	return file, nil
}

func (d *DiskStore) open(uri *url.URL) (*os.File, int64, error) {
	root, relative, err := d.roots.Resolve(uri.String(), "OutputRoots")
	if err != nil {
		return nil, 0, Invalid("%w", err)
	}
	return openBeneath(root, relative)
}

// Delete removes a file, or a folder that is empty. It implements [asteroid.Deleter].
func (d *DiskStore) Delete(_ context.Context, uri *url.URL) error {
	root, relative, err := d.roots.Resolve(uri.String(), "OutputRoots")
	if err != nil {
		return err
	}
	dir, err := os.OpenRoot(root)
	if err == nil {
		err = dir.Remove(relative)
		_ = dir.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return writeError(filepath.Join(root, relative), err)
}

// Write writes to a temporary file in the same directory and renames it once it is complete. When
// it returns, the file and the folders that lead to it survive a power cut. It does not disturb
// others that write the same file: the last one to finish replaces the file of the others.
func (d *DiskStore) Write(_ context.Context, uri *url.URL, content io.Reader, _ asteroid.FileInfo) error {
	root, relative, err := d.roots.Resolve(uri.String(), "OutputRoots")
	if err != nil {
		return err
	}
	dir, err := os.OpenRoot(root)
	if err == nil {
		err = d.writeBeneath(dir, relative, content)
		_ = dir.Close()
	}
	return writeError(filepath.Join(root, relative), err)
}

// CheckDestination fails if the deepest folder that exists on the way to the URI is no folder, or
// one that the worker may not write to. It implements [asteroid.DestinationChecker].
func (d *DiskStore) CheckDestination(_ context.Context, uri *url.URL) error {
	root, relative, err := d.roots.Resolve(uri.String(), "OutputRoots")
	if err != nil {
		return err
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return writeError(root, err)
	}
	defer func() { _ = dir.Close() }()
	for {
		path := filepath.Join(root, relative)
		switch info, err := dir.Stat(relative); {
		case err == nil && info.IsDir():
			return writeError(path, checkWritable(path))
		case err == nil:
			return Invalid("%s is not a folder", path)
		case !errors.Is(err, fs.ErrNotExist), relative == ".":
			return writeError(path, err)
		}
		if _, err := dir.Lstat(relative); err == nil {
			return Unavailable("%s is a symbolic link to a place that does not exist", path)
		}
		relative = filepath.Dir(relative)
	}
}

// writeBeneath writes the content to a path relative to dir, and creates the folders that it lacks.
func (d *DiskStore) writeBeneath(dir *os.Root, relative string, content io.Reader) error {
	folder := filepath.Dir(relative)
	if err := d.prepare(dir, folder); err != nil {
		return err
	}
	part := filepath.Join(folder, d.writer.newPart())
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
		_ = dir.Remove(part)
		return err
	}
	return syncFolder(dir, folder)
}

// prepare makes a folder durable and removes the abandoned parts in it, once for all files of the
// attempt.
func (d *DiskStore) prepare(dir *os.Root, folder string) error {
	d.mu.Lock()
	once, ok := d.prepared[filepath.Join(dir.Name(), folder)]
	if !ok {
		once = sync.OnceValue(func() error {
			if err := makeFolder(dir, folder); err != nil {
				return err
			}
			d.writer.removeAbandoned(dir, folder)
			return nil
		})
		d.prepared[filepath.Join(dir.Name(), folder)] = once
	}
	d.mu.Unlock()
	return once()
}
