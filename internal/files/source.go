package files

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

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// source is a reference that has been looked at and can be opened.
type Source struct {
	Field       string // of the input, for errors
	Name        string
	ContentType string
	Size        int64 // unknownSize when that is only known at its end
	Open        func(ctx context.Context) (io.ReadCloser, error)
}

const UnknownSize = -1

// anyContent is the media type that says nothing.
const AnyContent = "application/octet-stream"

func IsMediaType(text string) bool {
	media, _, err := mime.ParseMediaType(text)
	return err == nil && strings.Contains(media, "/") && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// refError is trouble with what a reference names, other than that the reference itself is wrong.
type Error struct {
	Type       string
	RetryAfter time.Duration
	error
}

func (e *Error) Unwrap() error { return e.error }

// unreadable is trouble with a disk or a network, which may pass.
func Unavailable(format string, args ...any) error {
	return &Error{Type: asteroid.ErrorTypeUnavailable, error: fmt.Errorf(format, args...)}
}

// wrong is a reference, or what it leads to, that no retry makes right.
func Invalid(format string, args ...any) error {
	return &Error{Type: asteroid.ErrorTypeInvalidInput, error: fmt.Errorf(format, args...)}
}

func NotFound(format string, args ...any) error {
	return &Error{Type: asteroid.ErrorTypeNotFound, error: fmt.Errorf(format, args...)}
}

func Unauthorized(format string, args ...any) error {
	return &Error{Type: asteroid.ErrorTypeUnauthorized, error: fmt.Errorf(format, args...)}
}

// storeError says what an error of a Store, or of a file system, means.
func StoreError(what string, err error) error {
	switch known := (*Error)(nil); {
	case errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return NotFound("%s does not exist", what)
	case errors.Is(err, fs.ErrPermission):
		return Unauthorized("%s is not open to this worker: %w", what, err)
	case errors.Is(err, fs.ErrInvalid):
		return Invalid("%s is refused: %w", what, err)
	default:
		return Unavailable("%s: %w", what, err)
	}
}

// parseURI reads a URI that names a place, such as s3://bucket/key.
func ParseURI(uri string) (*url.URL, error) {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil: // its text would repeat all of the URI, and where a password begins cannot be told
		return nil, errors.New("it is not a URI: percent-encode what is special in it")
	case parsed.User != nil:
		return nil, errors.New("the URI holds a user name or password, which would stand in history: give the worker access instead")
	case parsed.Opaque != "":
		return nil, fmt.Errorf("it is not a URI like %s://place/name", parsed.Scheme)
	case parsed.Fragment != "", strings.HasSuffix(uri, "#"):
		return nil, fmt.Errorf("%q has a fragment: write # as %%23 where it belongs to the name", WithoutQuery(parsed))
	case strings.Contains(parsed.Path, "\x00"):
		return nil, fmt.Errorf("%q holds a zero byte", WithoutQuery(parsed))
	}
	return parsed, nil
}

// bare is an address for an error: a query may hold a signature.
func WithoutQuery(u *url.URL) string { return text.Clip(u.Scheme + "://" + u.Host + u.EscapedPath()) }

// shown is bare for what may be no address.
func Printable(uri string) string {
	before, _, _ := strings.Cut(uri, "?")
	return text.Clip(before)
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
func contentTypeByName(name string) string {
	ending := strings.ToLower(path.Ext(name))
	return cmp.Or(contentTypes[ending], mime.TypeByExtension(ending))
}

// typeOf returns the content type of a file: what it was said to be, unless that says nothing, else what the name's ending
// says, else what the first bytes suggest; head is nil where they are not known.
func ContentTypeOf(said, name string, head []byte) string {
	if said != "" && said != AnyContent && said != "binary/octet-stream" && IsMediaType(said) {
		return said
	}
	if known := contentTypeByName(name); known != "" || head == nil {
		return cmp.Or(known, AnyContent)
	}
	return http.DetectContentType(head)
}
