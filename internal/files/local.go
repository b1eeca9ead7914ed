package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Roots are the directories on the worker's disk that file: URIs may lead into.
type Roots []string

// NewRoots checks that the directories are absolute paths and exist. The option names them in
// errors. On Windows it accepts none.
func NewRoots(option string, directories []string) (Roots, error) {
	if err := checkSystem(runtime.GOOS, option, directories); err != nil {
		return nil, err
	}
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

// checkSystem refuses roots on a system whose paths have another form than those of file: URIs.
func checkSystem(system, option string, directories []string) error {
	if system == "windows" && len(directories) > 0 {
		return fmt.Errorf("%s: file: references and destinations do not work on Windows: use a Store, or run the worker on another system", option)
	}
	return nil
}

// Resolve returns the root that a file: URI lies beneath, and the path relative to it. The option
// names the roots in errors.
func (r Roots) Resolve(uri, option string) (root, relative string, err error) {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("%q is not a URI: write a path with spaces or %% percent-encoded", RedactURI(uri))
	case parsed.User != nil:
		return "", "", errors.New("a file: URI has no user: file:///path/to/file")
	case parsed.Host != "" && parsed.Host != "localhost", parsed.Opaque != "", parsed.Path == "":
		return "", "", fmt.Errorf("%q must be absolute: file:///path/to/file", RedactURI(uri))
	case parsed.RawQuery != "", parsed.Fragment != "", strings.HasSuffix(uri, "#"), strings.HasSuffix(uri, "?"):
		return "", "", fmt.Errorf("%q has a query or fragment: write # as %%23 and ? as %%3F where they are part of the name", RedactURI(uri))
	case strings.Contains(parsed.Path, "\x00"):
		return "", "", fmt.Errorf("%q contains a zero byte", RedactURI(uri))
	case len(r) == 0:
		return "", "", fmt.Errorf("this worker has no %s, so it accepts no file: URI here", option)
	}
	name := filepath.Clean(filepath.FromSlash(parsed.Path))
	for _, root := range r {
		if relative, err := filepath.Rel(root, name); err == nil && filepath.IsLocal(relative) {
			return root, relative, nil
		}
	}
	return "", "", fmt.Errorf("%s lies beneath none of this worker's %s", text.Clip(name), option)
}

// Find returns the source of a file: URI. It reads through os.Root, so a symbolic link never leads
// out of the root, even if it is created meanwhile. It closes the file again: thousands of
// references must not keep thousands of files open.
func (r Roots) Find(uri string) (*Source, error) {
	root, relative, err := r.Resolve(uri, "FileRoots")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(root, relative)
	file, size, err := openBeneath(root, relative)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	contentType := contentTypeByName(relative)
	if contentType == "" {
		head := make([]byte, 512)
		n, err := io.ReadFull(file, head)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, Unavailable("%s cannot be read: %w", path, err)
		}
		contentType = ContentTypeOf("", relative, head[:n])
	}
	return &Source{Name: filepath.Base(relative), ContentType: contentType, Size: size, Open: func(context.Context) (io.ReadCloser, error) {
		file, current, err := openBeneath(root, relative)
		if err != nil {
			return nil, err // a nil *os.File would not be a nil io.ReadCloser
		}
		if current != size {
			_ = file.Close()
			return nil, Unavailable("%s changed from %d to %d bytes while it was being sent", path, size, current)
		}
		return file, nil
	}}, nil
}

// openBeneath opens a regular file and returns its size. It refuses everything else.
func openBeneath(root, relative string) (*os.File, int64, error) {
	path := filepath.Join(root, relative)
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, 0, Unavailable("the file root cannot be opened: %w", err)
	}
	defer func() { _ = dir.Close() }()
	// Stat comes before the opening, because opening a device can have effects, and after it,
	// because the file may have been replaced. O_NONBLOCK keeps a named pipe from waiting for a
	// writer.
	info, err := dir.Stat(relative)
	var file *os.File
	if err == nil && info.Mode().IsRegular() {
		if file, err = dir.OpenFile(relative, os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
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
		return nil, 0, Invalid("%s is not a regular file", path)
	}
	return nil, 0, readError(path, err)
}
