package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// source is a reference that has been looked at and can be opened.
type source struct {
	field       string // of the input, for errors
	name        string
	contentType string
	size        int64 // unknownSize when that is only known at its end
	open        func(ctx context.Context) (io.ReadCloser, error)
}

const unknownSize = -1

// anyContent is the media type that says nothing.
const anyContent = "application/octet-stream"

func isMediaType(text string) bool {
	media, _, err := mime.ParseMediaType(text)
	return err == nil && strings.Contains(media, "/") && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// refError is trouble with what a reference names, other than that the reference itself is wrong.
type refError struct {
	errorType  string
	retryAfter time.Duration
	error
}

func (e *refError) Unwrap() error { return e.error }

// unreadable is trouble with a disk or a network, which may pass.
func unreadable(format string, args ...any) error {
	return &refError{errorType: ErrorTypeUnavailable, error: fmt.Errorf(format, args...)}
}

// wrong is a reference, or what it leads to, that no retry makes right.
func wrong(format string, args ...any) error {
	return &refError{errorType: ErrorTypeInvalidInput, error: fmt.Errorf(format, args...)}
}

func notThere(format string, args ...any) error {
	return &refError{errorType: ErrorTypeNotFound, error: fmt.Errorf(format, args...)}
}

func notAllowed(format string, args ...any) error {
	return &refError{errorType: ErrorTypeUnauthorized, error: fmt.Errorf(format, args...)}
}

// storeError says what an error of a Store, or of a file system, means.
func storeError(what string, err error) error {
	switch known := (*refError)(nil); {
	case errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return notThere("%s does not exist", what)
	case errors.Is(err, fs.ErrPermission):
		return notAllowed("%s is not open to this worker: %w", what, err)
	case errors.Is(err, fs.ErrInvalid):
		return wrong("%s is refused: %w", what, err)
	default:
		return unreadable("%s: %w", what, err)
	}
}

// parseURI reads a URI that names a place, such as s3://bucket/key.
func parseURI(uri string) (*url.URL, error) {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil: // its text would repeat all of the URI, and where a password begins cannot be told
		return nil, errors.New("it is not a URI: percent-encode what is special in it")
	case parsed.User != nil:
		return nil, errors.New("the URI holds a user name or password, which would stand in history: give the worker access instead")
	case parsed.Opaque != "":
		return nil, fmt.Errorf("it is not a URI like %s://place/name", parsed.Scheme)
	case parsed.Fragment != "", strings.HasSuffix(uri, "#"):
		return nil, fmt.Errorf("%q has a fragment: write # as %%23 where it belongs to the name", bare(parsed))
	case strings.Contains(parsed.Path, "\x00"):
		return nil, fmt.Errorf("%q holds a zero byte", bare(parsed))
	}
	return parsed, nil
}

// bare is an address for an error: a query may hold a signature.
func bare(u *url.URL) string { return clip(u.Scheme + "://" + u.Host + u.EscapedPath()) }

// shown is bare for what may be no address.
func shown(uri string) string {
	before, _, _ := strings.Cut(uri, "?")
	return clip(before)
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

// typeByName returns the content type that the name's ending says, or nothing.
func typeByName(name string) string {
	ending := strings.ToLower(path.Ext(name))
	return cmp.Or(contentTypes[ending], mime.TypeByExtension(ending))
}

// typeOf returns the content type of a file: what it was said to be, unless that says nothing, else what the name's ending
// says, else what the first bytes suggest; head is nil where they are not known.
func typeOf(said, name string, head []byte) string {
	if said != "" && said != anyContent && said != "binary/octet-stream" && isMediaType(said) {
		return said
	}
	if known := typeByName(name); known != "" || head == nil {
		return cmp.Or(known, anyContent)
	}
	return http.DetectContentType(head)
}
