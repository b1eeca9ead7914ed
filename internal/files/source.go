package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Source is a file that a reference names. Open reads its content.
type Source struct {
	Field       string // the input field of the reference, for errors
	Name        string
	ContentType string
	Size        int64 // in bytes; UnknownSize if only the end of the content shows it
	Open        func(ctx context.Context) (io.ReadCloser, error)
}

// UnknownSize is the Size of a file whose length is not known before it has been read.
const UnknownSize = -1

// AddSizes returns the sum of sizes that are not negative, as far as an int64 goes. An unknown size
// counts as 0.
func AddSizes(total, size int64) int64 {
	if size = max(size, 0); size > math.MaxInt64-total {
		return math.MaxInt64
	}
	return total + size
}

// DefaultContentType is the media type of a file about whose content nothing is known.
const DefaultContentType = "application/octet-stream"

// maxMediaType is longer than any registered type with its parameters.
const maxMediaType = 200

// IsMediaType reports whether the value is a media type that can stand in a header.
func IsMediaType(value string) bool {
	media, _, err := mime.ParseMediaType(value)
	return err == nil && len(value) <= maxMediaType && strings.Contains(media, "/") && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}

// Error is an error about a file. Its Type decides how the activity fails. An unclassified error
// means that the reference is invalid, unless it comes from the API, from ctx or from Temporal.
type Error struct {
	Type       string        // one of the asteroid.ErrorType constants
	RetryAfter time.Duration // the host's request to wait; 0 if there is none
	error
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.error }

// Unavailable returns an Error about a temporary failure of a disk or network. The activity
// retries.
func Unavailable(format string, args ...any) error {
	return &Error{Type: asteroid.ErrorTypeUnavailable, error: fmt.Errorf(format, args...)}
}

// UnavailableFor is Unavailable with the time after which the activity tries again.
func UnavailableFor(retryAfter time.Duration, format string, args ...any) error {
	return &Error{Type: asteroid.ErrorTypeUnavailable, RetryAfter: retryAfter, error: fmt.Errorf(format, args...)}
}

// Invalid returns an Error about a reference, or the file that it names, that no retry corrects.
func Invalid(format string, args ...any) error {
	return &Error{Type: asteroid.ErrorTypeInvalidInput, error: fmt.Errorf(format, args...)}
}

// NotFound returns an Error about a file that does not exist.
func NotFound(format string, args ...any) error {
	return &Error{Type: asteroid.ErrorTypeNotFound, error: fmt.Errorf(format, args...)}
}

// Unauthorized returns an Error about a file that the worker may not access.
func Unauthorized(format string, args ...any) error {
	return &Error{Type: asteroid.ErrorTypeUnauthorized, error: fmt.Errorf(format, args...)}
}

// StoreError classifies an error of a Store or a file system as [asteroid.Store] documents. The
// text begins with the name of the file.
func StoreError(name string, err error) error {
	switch classified := (*Error)(nil); {
	case errors.As(err, &classified):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return NotFound("%s does not exist", name)
	case errors.Is(err, fs.ErrPermission):
		return Unauthorized("%s is not accessible to this worker: %w", name, err)
	case errors.Is(err, fs.ErrInvalid):
		return Invalid("%s is refused: %w", name, err)
	default:
		return Unavailable("%s cannot be accessed: %w", name, err)
	}
}

// ParseURI parses a URI of the form scheme://host/path. It refuses a user name, a fragment and a
// zero byte. Its errors quote neither a password nor a query.
func ParseURI(uri string) (*url.URL, error) {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil: // err would quote the whole URI, and a password in it cannot be located
		return nil, errors.New("this is not a URI: percent-encode its special characters")
	case parsed.User != nil:
		return nil, errors.New("the URI has a user name or password, which would enter history: configure credentials in the worker instead")
	case parsed.Opaque != "":
		return nil, fmt.Errorf("the URI must have the form %s://host/path", parsed.Scheme)
	case parsed.Fragment != "", strings.HasSuffix(uri, "#"):
		return nil, fmt.Errorf("%q has a fragment: write # as %%23 where it is part of the name", RedactURL(parsed))
	case strings.Contains(parsed.Path, "\x00"):
		return nil, fmt.Errorf("%q contains a zero byte", RedactURL(parsed))
	}
	return parsed, nil
}

// RedactURL returns a URL for an error text, without user and query: a query may hold a signature.
func RedactURL(u *url.URL) string { return text.Clip(u.Scheme + "://" + u.Host + u.EscapedPath()) }

// RedactURI returns the start of a possibly malformed URI for an error text: at most 80 bytes,
// without its query, and without what stands before an @, which may be a password.
func RedactURI(uri string) string {
	uri, _, _ = strings.Cut(uri, "?")
	if scheme, rest, ok := strings.Cut(uri, "//"); ok {
		uri = scheme + "//" + rest[strings.LastIndex(rest, "@")+1:]
	}
	return text.Clip(uri)
}

// contentTypes takes precedence over package mime, which adds the types that the machine lists. So
// these types are the same on every machine.
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

// contentTypeByName returns the content type of the name's ending, or "".
func contentTypeByName(name string) string {
	ending := strings.ToLower(path.Ext(name))
	return cmp.Or(contentTypes[ending], mime.TypeByExtension(ending))
}

// ContentTypeOf returns the content type of a file: the declared one unless it is invalid or
// generic, else that of the name's ending, else that of the first bytes. A nil head means that
// these are unknown.
func ContentTypeOf(declared, name string, head []byte) string {
	if declared != "" && declared != DefaultContentType && declared != "binary/octet-stream" && IsMediaType(declared) {
		return declared
	}
	if byName := contentTypeByName(name); byName != "" || head == nil {
		return cmp.Or(byName, DefaultContentType)
	}
	return http.DetectContentType(head)
}
