package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
)

// finder looks at the references of one call.
type finder struct {
	*Activities
	connection *connection
	scheduled  time.Time

	mu       sync.Mutex
	listings map[string]func() ([]listedFile, error) // by execution id
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
	found.name = cmp.Or(ref.Name, found.name, "file")
	found.contentType = cmp.Or(ref.ContentType, found.contentType)
	// It becomes a header of the upload, where a line break would begin another one.
	if !isMediaType(found.contentType) {
		if ref.ContentType != "" {
			return nil, invalid(field+".contentType", fmt.Sprintf("%q is not a media type such as text/csv", clip(ref.ContentType)))
		}
		found.contentType = anyContent
	}
	return found, nil
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

// sink returns where a destination leads.
func (a *Activities) sink(destination string) (Store, *url.URL, error) {
	scheme, _, ok := strings.Cut(destination, ":")
	switch scheme = strings.ToLower(scheme); {
	case destination == "":
		return nil, nil, errors.New("is required: name where the files are to be put, such as file:///srv/results")
	case !ok:
		return nil, nil, fmt.Errorf("%q has no scheme: write file:///srv/results, or s3://bucket/results where the worker has a store for s3", shown(destination))
	case scheme == "file":
		if _, _, err := a.outputs.beneath(destination, "OutputRoots"); err != nil {
			return nil, nil, err
		}
		base, err := url.Parse(destination)
		return outputDisk{roots: a.outputs}, base, err
	case slices.Contains(ownSchemes, scheme):
		return nil, nil, fmt.Errorf("%s: is nowhere to put files: write file:///srv/results, or s3://bucket/results where the worker has a store for s3", scheme)
	}
	store, err := a.store(scheme)
	if err != nil {
		return nil, nil, err
	}
	base, err := parseURI(destination)
	return store, base, err
}

// find looks at those of the references that are wanted; the others stay nil.
func (a *Activities) find(ctx context.Context, c *connection, refs []FileRef, wanted func(i int) bool) ([]*source, error) {
	f := &finder{Activities: a, connection: c, scheduled: activity.GetInfo(ctx).ScheduledTime, listings: map[string]func() ([]listedFile, error){}}
	sources := make([]*source, len(refs))
	err := each(ctx, len(refs), func(ctx context.Context, i int) (err error) {
		if wanted(i) {
			sources[i], err = f.find(ctx, fmt.Sprintf("files[%d]", i), refs[i])
		}
		return err
	})
	if err != nil {
		return nil, ended(ctx, err)
	}
	return sources, nil
}
