package activities

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
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

var schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// ownSchemes are those that a Store cannot replace.
var ownSchemes = []string{"data", "file", "http", "https", ExecutionScheme}

func checkStores(stores map[string]Store) error {
	for _, scheme := range sortedKeys(stores) {
		switch {
		case !schemePattern.MatchString(scheme):
			return fmt.Errorf("Stores has the scheme %q: write it in lower case, without the colon, such as s3", scheme)
		case slices.Contains(ownSchemes, scheme):
			return fmt.Errorf("Stores has the scheme %q, which is not free", scheme)
		case stores[scheme] == nil:
			return fmt.Errorf("Stores[%q] is nil", scheme)
		}
	}
	return nil
}

// store returns the store of a scheme.
func (a *Activities) store(scheme string) (Store, error) {
	if store, ok := a.stores[scheme]; ok {
		return store, nil
	}
	return nil, fmt.Errorf("the scheme %q is not known: this worker has %s", clip(scheme), strings.Join(a.schemes(), ", "))
}

func (a *Activities) findStored(ctx context.Context, scheme, uri string) (*source, error) {
	store, err := a.store(scheme)
	if err != nil {
		return nil, err
	}
	parsed, err := parseURI(uri)
	if err != nil {
		return nil, err
	}
	info, err := store.Stat(ctx, parsed)
	if err != nil {
		return nil, storeError(bare(parsed), err)
	}
	name := info.Name
	if name == "" && !strings.HasSuffix(parsed.Path, "/") {
		name = path.Base(parsed.Path)
	}
	return &source{
		name: name, contentType: typeOf(info.ContentType, name, nil), size: max(info.Size, unknownSize),
		open: func(ctx context.Context) (io.ReadCloser, error) {
			file, err := store.Open(ctx, parsed)
			if err != nil {
				return nil, storeError(bare(parsed), err)
			}
			return file, nil
		},
	}, nil
}
