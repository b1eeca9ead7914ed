package activities

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// findSources returns the sources of those references that are wanted. The others stay nil.
func (a *Activities) findSources(ctx context.Context, c *client.Client, refs []asteroid.FileRef,
	wanted func(i int) bool) ([]*files.Source, error) {
	f := newFinder(a, c, activity.GetInfo(ctx).ScheduledTime)
	sources := make([]*files.Source, len(refs))
	err := parallel.Each(ctx, concurrentFiles, len(refs), func(ctx context.Context, i int) (err error) {
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

// find returns the source of a reference. Its errors name the field, and the activity can fail with
// them.
func (f *finder) find(ctx context.Context, field string, ref asteroid.FileRef) (*files.Source, error) {
	scheme, _, ok := strings.Cut(ref.URI, ":")
	if !ok {
		return nil, asteroid.NewInvalidInput(field+".uri",
			fmt.Sprintf("%q has no scheme: write file:///path, https://host/path or data:...", files.Printable(ref.URI)))
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
		found, err = f.findExecutionFile(ctx, ref.URI)
	default:
		found, err = f.findStored(ctx, scheme, ref.URI)
	}
	if err != nil {
		return nil, referenceError(ctx, field+".uri", err)
	}
	found.Field = field + ".uri"
	found.Name = cmp.Or(ref.Name, found.Name, "file")
	found.ContentType = cmp.Or(ref.ContentType, found.ContentType)
	// The content type becomes a header of the upload. A line break in it would start another
	// header.
	if !files.IsMediaType(found.ContentType) {
		if ref.ContentType != "" {
			return nil, asteroid.NewInvalidInput(field+".contentType",
				fmt.Sprintf("%q is not a media type such as text/csv", text.Clip(ref.ContentType)))
		}
		found.ContentType = files.AnyContent
	}
	return found, nil
}

// schemes returns the URI schemes that this worker accepts in references, in alphabetical order.
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

// store returns the store of a scheme, or an error that lists the schemes of this worker.
func (a *Activities) store(scheme string) (asteroid.Store, error) {
	if store, ok := a.stores[scheme]; ok {
		return store, nil
	}
	return nil, fmt.Errorf("the scheme %q is not known: this worker has %s", text.Clip(scheme), strings.Join(a.schemes(), ", "))
}

// findStored returns the source of a file in a store.
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
