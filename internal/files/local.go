package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// roots are directories on the worker's disk that references may lead into.
type Roots []string

func NewRoots(option string, directories []string) (Roots, error) {
	cleaned := make(Roots, len(directories))
	for i, root := range directories {
		if !filepath.IsAbs(root) {
			return nil, fmt.Errorf("%s[%d] %q is not an absolute path", option, i, root)
		}
		info, err := os.Stat(root)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", option, i, err)
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("%s[%d] %q is not a directory", option, i, root)
		}
		cleaned[i] = filepath.Clean(root)
	}
	return cleaned, nil
}

// beneath returns the root that a file: URI lies beneath, and the rest of the path. The option is for the error.
func (r Roots) Beneath(uri, option string) (root, below string, err error) {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("%q is not a URI: write a path with spaces or %% percent-encoded", Printable(uri))
	case parsed.User != nil:
		return "", "", errors.New("a file: URI has no user: file:///path/to/file")
	case parsed.Host != "" && parsed.Host != "localhost", parsed.Opaque != "", parsed.Path == "":
		return "", "", fmt.Errorf("%q must be absolute: file:///path/to/file", Printable(uri))
	case parsed.RawQuery != "", parsed.Fragment != "", strings.HasSuffix(uri, "#"), strings.HasSuffix(uri, "?"):
		return "", "", fmt.Errorf("%q has a query or fragment: write # as %%23 and ? as %%3F where they belong to the name", Printable(uri))
	case strings.Contains(parsed.Path, "\x00"):
		return "", "", fmt.Errorf("%q holds a zero byte", Printable(uri))
	case len(r) == 0:
		return "", "", fmt.Errorf("this worker has no %s, so it takes no file: URI here", option)
	}
	name := filepath.Clean(filepath.FromSlash(parsed.Path))
	for _, root := range r {
		if below, err := filepath.Rel(root, name); err == nil && filepath.IsLocal(below) {
			return root, below, nil
		}
	}
	return "", "", fmt.Errorf("%s lies beneath none of this worker's %s", text.Clip(name), option)
}

// find looks at a file through os.Root: a symbolic link cannot lead out of the root, whoever put it there and
// whenever. The file is closed again, so that thousands of references do not hold thousands of open files.
func (r Roots) Find(uri string) (*Source, error) {
	root, below, err := r.Beneath(uri, "FileRoots")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(root, below)
	file, size, err := openBeneath(root, below)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	contentType := contentTypeByName(below)
	if contentType == "" {
		head := make([]byte, 512)
		n, err := io.ReadFull(file, head)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, Unavailable("%s cannot be read: %w", path, err)
		}
		contentType = ContentTypeOf("", below, head[:n])
	}
	return &Source{Name: filepath.Base(below), ContentType: contentType, Size: size, Open: func(context.Context) (io.ReadCloser, error) {
		file, now, err := openBeneath(root, below)
		if err == nil && now != size {
			_ = file.Close()
			return nil, Unavailable("%s changed from %d to %d bytes while it was being sent", path, size, now)
		}
		if err != nil {
			return nil, err // not file: a nil *os.File is no nil io.ReadCloser
		}
		return file, nil
	}}, nil
}

// openBeneath opens a regular file and nothing else.
func openBeneath(root, below string) (*os.File, int64, error) {
	path := filepath.Join(root, below)
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, 0, Unavailable("the file root cannot be opened: %w", err)
	}
	defer func() { _ = dir.Close() }()
	// Looked at before it is opened, since opening a device can do something, and after, since it may have been replaced.
	// Opening a named pipe would wait for somebody to write to it, but for O_NONBLOCK.
	info, err := dir.Stat(below)
	var file *os.File
	if err == nil && info.Mode().IsRegular() {
		if file, err = dir.OpenFile(below, os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
			info, err = file.Stat()
		}
	}
	if err == nil && info.Mode().IsRegular() {
		return file, info.Size(), nil
	}
	if file != nil {
		_ = file.Close()
	}
	if err == nil {
		return nil, 0, fmt.Errorf("%s is not a regular file", path)
	}
	return nil, 0, diskError(path, "opened", err)
}

// diskError says what an error of the file system means.
func diskError(path, done string, err error) error {
	var system syscall.Errno
	switch known := (*Error)(nil); {
	case errors.As(err, &known): // of what was to be written
		return err
	case errors.Is(err, fs.ErrNotExist):
		return NotFound("there is no file %s on this worker: is the path on a disk that every worker sees?", path)
	case errors.Is(err, fs.ErrPermission):
		return Unauthorized("%s cannot be %s: %w", path, done, err)
	case !errors.As(err, &system), // a way out of the root
		errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR),
		errors.Is(err, syscall.EEXIST), errors.Is(err, syscall.ENOTEMPTY): // a directory in the way
		return Invalid("%s cannot be %s: %w", path, done, err)
	default:
		return Unavailable("%s cannot be %s: %w", path, done, err)
	}
}
