package asteroid

import (
	"context"
	"io"
	"net/url"
)

// Store is a place where files lie, such as an object store, under URI schemes of its own ([Options].Stores): StageFiles and
// AttachFiles read from it, SaveFiles writes to it. Its methods are called concurrently.
//
// The URI comes from a workflow, so a Store decides what may be reached: it must not let the URI choose an endpoint or
// credentials. An error that is fs.ErrNotExist fails the activity with asteroid.NotFound, fs.ErrPermission with
// asteroid.Unauthorized, fs.ErrInvalid with asteroid.InvalidInput; any other is asteroid.Unavailable and retried. Error texts
// stand in history.
type Store interface {
	// Stat says what lies under the URI, without reading all of it.
	Stat(ctx context.Context, uri *url.URL) (FileInfo, error)
	// Open reads it from its beginning. What was opened is no longer read when ctx ends.
	Open(ctx context.Context, uri *url.URL) (io.ReadCloser, error)
	// Write stores content under the URI and replaces what lies there. It reads to the end of content: all of it appears at
	// once, or, where reading fails or ctx ends, nothing.
	Write(ctx context.Context, uri *url.URL, content io.Reader, info FileInfo) error
}

// FileInfo describes a file in a [Store].
type FileInfo struct {
	// Name is how the agent is to see the file; empty means the last element of the URI's path.
	Name string
	// ContentType is a media type; empty means that the store does not know.
	ContentType string
	// Size is in bytes, or negative when it is only known at the end.
	Size int64
}
