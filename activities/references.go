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

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// finder looks at the references of one call.
type finder struct {
	*Activities
	connection *client.Client
	scheduled  time.Time

	mu       sync.Mutex
	listings map[string]func() ([]client.File, error) // by execution id
}

// find looks at a reference. Its errors name the field and are those that the activity returns.
func (f *finder) find(ctx context.Context, field string, ref asteroid.FileRef) (*files.Source, error) {
	scheme, _, ok := strings.Cut(ref.URI, ":")
	if !ok {
		return nil, asteroid.NewInvalidInput(field+".uri", fmt.Sprintf("%q has no scheme: write file:///path, https://host/path or data:...", files.Printable(ref.URI)))
	}
	var found *files.Source
	var err error
	switch scheme = strings.ToLower(scheme); scheme {
	case "file":
		found, err = f.roots.Find(ref.URI)
	case "data":
		found, err = files.FindData(ref.URI)
	case "https":
		found, err = f.https.Find(ctx, ref.URI)
	case asteroid.ExecutionScheme:
		found, err = f.findOutput(ctx, ref.URI)
	default:
		found, err = f.findStored(ctx, scheme, ref.URI)
	}
	if err != nil {
		return nil, referenceError(ctx, field+".uri", err)
	}
	found.Field = field + ".uri"
	found.Name = cmp.Or(ref.Name, found.Name, "file")
	found.ContentType = cmp.Or(ref.ContentType, found.ContentType)
	// It becomes a header of the upload, where a line break would begin another one.
	if !files.IsMediaType(found.ContentType) {
		if ref.ContentType != "" {
			return nil, asteroid.NewInvalidInput(field+".contentType", fmt.Sprintf("%q is not a media type such as text/csv", text.Clip(ref.ContentType)))
		}
		found.ContentType = files.AnyContent
	}
	return found, nil
}

// schemes returns the schemes that this worker's references can have, in alphabetical order.
func (a *Activities) schemes() []string {
	known := []string{"data", asteroid.ExecutionScheme}
	if len(a.roots) > 0 {
		known = append(known, "file")
	}
	if !a.https.Options.Disabled {
		known = append(known, "https")
	}
	for scheme := range a.stores {
		known = append(known, scheme)
	}
	slices.Sort(known)
	return known
}

// store returns the store of a scheme.
func (a *Activities) store(scheme string) (asteroid.Store, error) {
	if store, ok := a.stores[scheme]; ok {
		return store, nil
	}
	return nil, fmt.Errorf("the scheme %q is not known: this worker has %s", text.Clip(scheme), strings.Join(a.schemes(), ", "))
}

func (a *Activities) findStored(ctx context.Context, scheme, uri string) (*files.Source, error) {
	store, err := a.store(scheme)
	if err != nil {
		return nil, err
	}
	parsed, err := files.ParseURI(uri)
	if err != nil {
		return nil, err
	}
	info, err := store.Stat(ctx, parsed)
	if err != nil {
		return nil, files.StoreError(files.WithoutQuery(parsed), err)
	}
	name := info.Name
	if name == "" && !strings.HasSuffix(parsed.Path, "/") {
		name = path.Base(parsed.Path)
	}
	return &files.Source{
		Name: name, ContentType: files.ContentTypeOf(info.ContentType, name, nil), Size: max(info.Size, files.UnknownSize),
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			file, err := store.Open(ctx, parsed)
			if err != nil {
				return nil, files.StoreError(files.WithoutQuery(parsed), err)
			}
			return file, nil
		},
	}, nil
}

// sink returns where a destination leads.
func (a *Activities) sink(destination string) (asteroid.Store, *url.URL, error) {
	scheme, _, ok := strings.Cut(destination, ":")
	switch scheme = strings.ToLower(scheme); {
	case destination == "":
		return nil, nil, errors.New("is required: name where the files are to be put, such as file:///srv/results")
	case !ok:
		return nil, nil, fmt.Errorf("%q has no scheme: write file:///srv/results, or s3://bucket/results where the worker has a store for s3", files.Printable(destination))
	case scheme == "file":
		if _, _, err := a.outputs.Beneath(destination, "OutputRoots"); err != nil {
			return nil, nil, err
		}
		base, err := url.Parse(destination)
		return files.Disk{Roots: a.outputs}, base, err
	case slices.Contains(files.OwnSchemes, scheme):
		return nil, nil, fmt.Errorf("%s: is nowhere to put files: write file:///srv/results, or s3://bucket/results where the worker has a store for s3", scheme)
	}
	store, err := a.store(scheme)
	if err != nil {
		return nil, nil, err
	}
	base, err := files.ParseURI(destination)
	return store, base, err
}

// find looks at those of the references that are wanted; the others stay nil.
func (a *Activities) find(ctx context.Context, c *client.Client, refs []asteroid.FileRef, wanted func(i int) bool) ([]*files.Source, error) {
	f := &finder{Activities: a, connection: c, scheduled: activity.GetInfo(ctx).ScheduledTime, listings: map[string]func() ([]client.File, error){}}
	sources := make([]*files.Source, len(refs))
	err := each(ctx, len(refs), func(ctx context.Context, i int) (err error) {
		if wanted(i) {
			sources[i], err = f.find(ctx, fmt.Sprintf("files[%d]", i), refs[i])
		}
		return err
	})
	if err != nil {
		return nil, activityError(ctx, err)
	}
	return sources, nil
}
