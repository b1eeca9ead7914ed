package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// FileRef names a file without holding it. The activity opens it on the worker and streams it, so that the content
// enters neither history nor, as a whole, memory.
//
// Schemes:
//
//	file:///srv/claims/1042.csv              on the worker's disk, beneath one of Options.FileRoots
//	data:text/csv;base64,YSxiCjEsMgo=        the content itself, for a few kilobytes: it does stand in history
//	https://files.example.com/1042.csv       on the public internet, see HTTPSOptions; a query stands in history
//	asteroid-execution://<execution id>/downloads/report.pdf
//	                                         a file of another run of the same organization, in one of the directories
//	                                         uploads, downloads, workspace, shared and debug
//	s3:, gs:, azblob:, ...                   what Options.Stores adds
//
// What is special in a URI (space, %, #, ?) is percent-encoded in it.
type FileRef struct {
	URI string `json:"uri"`
	// Name is what the agent sees; empty means the URI's own last element. The service gets it in ASCII and unique
	// within the call.
	Name string `json:"name,omitempty"`
	// ContentType is a media type such as text/csv; empty means what the scheme knows (of data:, https: and the like),
	// else what the name's ending or the first bytes suggest.
	ContentType string `json:"contentType,omitempty"`
}

// maxFiles bounds the files of one call: their names and ids have to fit into heartbeats and results.
const maxFiles = 1000

// source is a reference that has been looked at and can be opened.
type source struct {
	field       string // of the input, for errors
	name        string
	contentType string
	size        int64 // unknownSize when that is only known at its end
	open        func(ctx context.Context) (io.ReadCloser, error)
}

const unknownSize = -1

// finder looks at the references of one call.
type finder struct {
	*Activities
	connection *connection
	scheduled  time.Time

	mu       sync.Mutex
	listings map[string]func() ([]api.AgentFile, error) // by execution id
}

// find looks at a reference. Its errors name the field and are those that the activity returns.
func (f *finder) find(ctx context.Context, field string, ref FileRef) (*source, error) {
	scheme, _, ok := strings.Cut(ref.URI, ":")
	if !ok {
		return nil, invalid(field+".uri", fmt.Sprintf("%q has no scheme: write file:///path, https://host/path or data:...", shown(ref.URI)))
	}
	var found *source
	var err error
	switch scheme = strings.ToLower(scheme); scheme {
	case "file":
		found, err = f.roots.find(ref.URI)
	case "data":
		found, err = findData(ref.URI)
	case "https":
		found, err = f.https.find(ctx, ref.URI)
	case ExecutionScheme:
		found, err = f.findOutput(ctx, ref.URI)
	default:
		found, err = f.findStored(ctx, scheme, ref.URI)
	}
	if err != nil {
		return nil, referenceError(ctx, field+".uri", err)
	}
	found.field = field + ".uri"
	found.name = first(ref.Name, found.name, "file")
	found.contentType = first(ref.ContentType, found.contentType)
	// It becomes a header of the upload, where a line break would begin another one.
	if !isMediaType(found.contentType) {
		if ref.ContentType != "" {
			return nil, invalid(field+".contentType", fmt.Sprintf("%q is not a media type such as text/csv", clip(ref.ContentType)))
		}
		found.contentType = anyContent
	}
	return found, nil
}

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

// referenceError is what an activity returns for trouble with a reference: asteroid.Unavailable, NotFound or Unauthorized
// where the trouble is with what it names, asteroid.InvalidInput where the reference itself is wrong.
func referenceError(ctx context.Context, field string, err error) error {
	return transferError(ctx, field, ErrorDetails{Field: field}, err)
}

// transferError is referenceError for a file that no field of the input names.
func transferError(ctx context.Context, what string, details ErrorDetails, err error) error {
	var asked *failure
	if ctx.Err() != nil || errors.As(err, &asked) {
		return ended(ctx, err)
	}
	if final, ok := errors.AsType[*temporal.ApplicationError](err); ok { // with what is around it, it would have another type
		return final
	}
	trouble := &refError{errorType: ErrorTypeInvalidInput}
	errors.As(err, &trouble)
	message, retry := err.Error(), trouble.errorType == ErrorTypeUnavailable
	if !strings.HasPrefix(message, what) {
		message = what + ": " + message
	}
	if retry {
		message += "; it is tried again"
	}
	return temporal.NewApplicationErrorWithOptions(message, trouble.errorType, temporal.ApplicationErrorOptions{
		NonRetryable:   !retry,
		NextRetryDelay: trouble.retryAfter,
		Details:        []any{details},
	})
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

// schemes returns the schemes that this worker's references can have, in alphabetical order.
func (a *Activities) schemes() []string {
	known := []string{"data", ExecutionScheme}
	if len(a.roots) > 0 {
		known = append(known, "file")
	}
	if !a.https.options.Disabled {
		known = append(known, "https")
	}
	for scheme := range a.stores {
		known = append(known, scheme)
	}
	slices.Sort(known)
	return known
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
	return first(contentTypes[ending], mime.TypeByExtension(ending))
}

// typeOf returns the content type of a file: what it was said to be, unless that says nothing, else what the name's ending
// says, else what the first bytes suggest; head is nil where they are not known.
func typeOf(said, name string, head []byte) string {
	if said != "" && said != anyContent && said != "binary/octet-stream" && isMediaType(said) {
		return said
	}
	if known := typeByName(name); known != "" || head == nil {
		return first(known, anyContent)
	}
	return http.DetectContentType(head)
}
