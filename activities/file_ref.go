package activities

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"go.temporal.io/sdk/temporal"
)

// FileRef names a file without holding it. The activity opens it on the worker and streams it, so that the content
// enters neither history nor, as a whole, memory.
//
// Schemes:
//
//	file:///srv/claims/1042.csv              on the worker's disk, beneath one of Options.FileRoots
//	data:text/csv;base64,YSxiCjEsMgo=        the content itself, for a few kilobytes: it does stand in history
type FileRef struct {
	URI string `json:"uri"`
	// Name is what the agent sees; empty means the URI's own last element. The service gets it in ASCII and unique
	// within the call.
	Name string `json:"name,omitempty"`
	// ContentType is a media type such as text/csv; empty means that of a data: URI, else the one that the name's ending
	// or the first bytes suggest.
	ContentType string `json:"contentType,omitempty"`
}

// maxInline bounds a data: reference, decoded. Temporal refuses payloads of more than 2 MiB anyway.
const maxInline = 1 << 20

// source is a reference that has been looked at and can be opened.
type source struct {
	name        string
	contentType string
	size        int64
	open        func() (io.ReadCloser, error)
}

// opener opens references by scheme.
type opener struct{ roots []string }

func newOpener(roots []string) (opener, error) {
	cleaned := make([]string, len(roots))
	for i, root := range roots {
		if !filepath.IsAbs(root) {
			return opener{}, fmt.Errorf("FileRoots[%d] %q is not an absolute path", i, root)
		}
		info, err := os.Stat(root)
		if err != nil {
			return opener{}, fmt.Errorf("FileRoots[%d]: %w", i, err)
		}
		if !info.IsDir() {
			return opener{}, fmt.Errorf("FileRoots[%d] %q is not a directory", i, root)
		}
		cleaned[i] = filepath.Clean(root)
	}
	return opener{roots: cleaned}, nil
}

// find looks at a reference. Its errors name the field: asteroid.InvalidInput where the reference is wrong, else
// asteroid.Unavailable, since a disk that does not answer now may do so later.
func (o opener) find(field string, ref FileRef) (*source, error) {
	scheme, _, ok := strings.Cut(ref.URI, ":")
	if !ok {
		return nil, invalid(field+".uri", fmt.Sprintf("%q has no scheme: write file:///path or data:...", clip(ref.URI)))
	}
	var found *source
	var err error
	switch strings.ToLower(scheme) {
	case "file":
		found, err = o.findFile(ref.URI)
	case "data":
		found, err = findData(ref.URI)
	default:
		err = fmt.Errorf("the scheme %q is not known: use file: or data:", clip(scheme))
	}
	if trouble := (*ioError)(nil); errors.As(err, &trouble) {
		return nil, temporal.NewApplicationErrorWithOptions(field+".uri: "+err.Error()+"; it is tried again", ErrorTypeUnavailable,
			temporal.ApplicationErrorOptions{Details: []any{ErrorDetails{Field: field + ".uri"}}})
	}
	if err != nil {
		return nil, invalid(field+".uri", err.Error())
	}
	found.name = first(ref.Name, found.name, "file")
	found.contentType = first(ref.ContentType, found.contentType)
	// It becomes a header of the upload, where a line break would begin another one.
	if media, _, err := mime.ParseMediaType(found.contentType); err != nil || !strings.Contains(media, "/") || strings.ContainsAny(found.contentType, "\r\n") {
		return nil, invalid(field+".contentType", fmt.Sprintf("%q is not a media type such as text/csv", clip(found.contentType)))
	}
	return found, nil
}

// ioError is trouble with the disk, which may pass.
type ioError struct{ error }

func (o opener) findFile(uri string) (*source, error) {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a URI: write a path with spaces or %% percent-encoded", clip(uri))
	case parsed.Host != "" && parsed.Host != "localhost", parsed.Opaque != "", parsed.Path == "":
		return nil, fmt.Errorf("%q must be absolute: file:///path/to/file", clip(uri))
	case parsed.RawQuery != "", parsed.Fragment != "", strings.HasSuffix(uri, "#"), strings.HasSuffix(uri, "?"):
		return nil, fmt.Errorf("%q has a query or fragment: write # as %%23 and ? as %%3F where they belong to the name", clip(uri))
	case len(o.roots) == 0:
		return nil, errors.New("this worker opens no file: references: give it FileRoots")
	}
	name := filepath.Clean(filepath.FromSlash(parsed.Path))
	for _, root := range o.roots {
		below, err := filepath.Rel(root, name)
		if err != nil || !filepath.IsLocal(below) {
			continue
		}
		return findBeneath(root, below)
	}
	return nil, fmt.Errorf("%s lies beneath none of this worker's FileRoots", clip(name))
}

// findBeneath looks at a file through os.Root: a symbolic link cannot lead out of the root, whoever put it there and
// whenever. The file is closed again, so that thousands of references do not hold thousands of open files.
func findBeneath(root, below string) (*source, error) {
	file, size, err := openBeneath(root, below)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	contentType, err := detect(below, file)
	if err != nil {
		return nil, &ioError{fmt.Errorf("%s cannot be read: %w", filepath.Join(root, below), err)}
	}
	return &source{name: filepath.Base(below), contentType: contentType, size: size, open: func() (io.ReadCloser, error) {
		file, now, err := openBeneath(root, below)
		if err == nil && now != size {
			_ = file.Close()
			return nil, &ioError{fmt.Errorf("%s changed from %d to %d bytes while it was being staged", filepath.Join(root, below), size, now)}
		}
		return file, err
	}}, nil
}

func openBeneath(root, below string) (*os.File, int64, error) {
	path := filepath.Join(root, below)
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, 0, &ioError{fmt.Errorf("the file root cannot be opened: %w", err)}
	}
	defer func() { _ = dir.Close() }()
	// Looked at before it is opened: opening a named pipe would wait for somebody to write to it.
	info, err := dir.Stat(below)
	if err == nil && !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a regular file", path)
	}
	var file *os.File
	if err == nil {
		file, err = dir.Open(below)
	}
	var system syscall.Errno
	switch {
	case err == nil:
		return file, info.Size(), nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, fmt.Errorf("there is no file %s on this worker: is the path on a disk that every worker sees?", path)
	case errors.Is(err, fs.ErrPermission), !errors.As(err, &system): // what is no system error is a way out of the root
		return nil, 0, fmt.Errorf("%s cannot be opened: %w", path, err)
	default:
		return nil, 0, &ioError{fmt.Errorf("%s cannot be opened: %w", path, err)}
	}
}

// findData reads a data: URI (RFC 2397).
func findData(uri string) (*source, error) {
	head, content, found := strings.Cut(uri[len("data:"):], ",")
	if !found {
		return nil, errors.New("a data: URI needs a comma before its content: data:text/plain,hello")
	}
	mediaType, isBase64 := strings.CutSuffix(head, ";base64")
	decoded, err := url.PathUnescape(content)
	if err != nil {
		return nil, errors.New("the content of the data: URI is not percent-encoded text")
	}
	if isBase64 {
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(decoded, "="))
		if err != nil {
			return nil, errors.New("the content of the data: URI is not base64")
		}
		decoded = string(raw)
	}
	if len(decoded) > maxInline {
		return nil, fmt.Errorf("the data: URI holds %d bytes, more than %d: put them into a file and refer to that", len(decoded), maxInline)
	}
	if mediaType == "" || strings.HasPrefix(mediaType, ";") {
		mediaType = "text/plain" + first(mediaType, ";charset=US-ASCII")
	}
	return &source{contentType: mediaType, size: int64(len(decoded)), open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(decoded)), nil
	}}, nil
}

// contentTypes adds to what package mime knows everywhere; its further knowledge differs from machine to machine.
var contentTypes = map[string]string{
	".csv":  "text/csv",
	".doc":  "application/msword",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".md":   "text/markdown",
	".tsv":  "text/tab-separated-values",
	".txt":  "text/plain",
	".xls":  "application/vnd.ms-excel",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".zip":  "application/zip",
}

// detect returns the content type that the name's ending says, else the one that the first bytes suggest.
func detect(name string, file io.ReadSeeker) (string, error) {
	ending := strings.ToLower(path.Ext(name))
	if known := first(contentTypes[ending], mime.TypeByExtension(ending)); known != "" {
		return known, nil
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	_, err = file.Seek(0, io.SeekStart)
	return http.DetectContentType(head[:n]), err
}
