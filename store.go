package asteroid

import (
	"context"
	"io"
	"net/url"
)

// Store is a place for files, such as an object store. A worker has stores by URI scheme (the
// option Stores): StageFiles and AttachFiles read from them, SaveFiles writes to them. The methods
// are called concurrently. A call ends with its ctx, which ends when the activity does, and earlier
// when the store is silent: when Stat takes two minutes, when Open or a Read takes 15 minutes, and
// when Write leaves 15 minutes between two reads of content. What Write does after it has read all
// of content may take as long as the activity.
//
// The URI comes from a workflow, so a Store must decide what may be reached: it must not let the
// URI choose an endpoint or credentials. The URI has no user name, password or fragment.
//
// The kind of an error decides how the activity fails: fs.ErrNotExist is asteroid.NotFound,
// fs.ErrPermission is asteroid.Unauthorized, fs.ErrInvalid is asteroid.InvalidInput, and any other
// is asteroid.Unavailable, which is retried. Error texts enter history.
type Store interface {
	// Stat describes the file under the URI, without reading all of it.
	Stat(ctx context.Context, uri *url.URL) (FileInfo, error)
	// Open returns the file's content from its beginning. The content is not read any more once ctx
	// has ended.
	Open(ctx context.Context, uri *url.URL) (io.ReadCloser, error)
	// Write stores content under the URI and replaces what was there. It reads content to its end.
	// The file appears complete, or not at all when reading fails or ctx ends.
	Write(ctx context.Context, uri *url.URL, content io.Reader, info FileInfo) error
}

// DestinationChecker is what a [Store] may implement too, so that asteroid.CheckDestination refuses
// a destination before the agent works. Without it, only the form of a destination is checked.
type DestinationChecker interface {
	// CheckDestination fails if Write cannot store files below the URI: the place does not exist,
	// or the worker may not write there. It checks what costs little and stores no file. The kinds
	// of its errors are those of [Store].
	CheckDestination(ctx context.Context, uri *url.URL) error
}

// Deleter is what a [Store] may implement too, so that a batch removes the parts of its results. A
// Store without it keeps them.
type Deleter interface {
	// Delete removes the file under the URI. A file that does not exist is no error. The kinds of
	// its errors are those of [Store].
	Delete(ctx context.Context, uri *url.URL) error
}

// FileInfo describes a file in a [Store].
type FileInfo struct {
	// Name is the name that the agent sees; empty means the last element of the URI's path.
	Name string
	// ContentType is a media type; empty means that the store does not know it.
	ContentType string
	// Size is in bytes; negative means that it is not known in advance.
	Size int64
}
