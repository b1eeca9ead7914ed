package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// findSources returns the sources of those references that are wanted. The others stay nil, and so
// do those that cannot be found now: the error is that of one of them. It returns no sources if the
// error is final.
func (a *Activities) findSources(ctx context.Context, c *client.Client, refs []asteroid.FileRef,
	wanted func(i int) bool) ([]*files.Source, error) {
	f := &finder{Activities: a, connection: c, refs: refs, waited: waited(ctx, listingInterval),
		listings: map[string]func() (*listing, error){}}
	sources := make([]*files.Source, len(refs))
	err := eachFile(ctx, concurrentFiles, len(refs), func(ctx context.Context, i int) (err error) {
		if wanted(i) {
			sources[i], err = f.find(ctx, fmt.Sprintf("files[%d]", i), refs[i])
		}
		return err
	})
	if err != nil && !isPassing(err) {
		return nil, activityError(ctx, err)
	}
	return sources, err
}

// find returns the source of a reference. Errors about the reference or its file name the field.
func (f *finder) find(ctx context.Context, field string, ref asteroid.FileRef) (*files.Source, error) {
	scheme, _, ok := strings.Cut(ref.URI, ":")
	if !ok {
		return nil, asteroid.NewInvalidInput(field+".uri",
			fmt.Sprintf("%q has no scheme: write file:///path, https://host/path or data:...", files.RedactURI(ref.URI)))
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
	// The content type becomes a header of the upload, where a line break would start another one.
	if !files.IsMediaType(found.ContentType) {
		if ref.ContentType != "" {
			return nil, asteroid.NewInvalidInput(field+".contentType",
				fmt.Sprintf("%q is not a media type such as text/csv", text.Clip(ref.ContentType)))
		}
		found.ContentType = files.DefaultContentType
	}
	return found, nil
}

// findStored returns the source of a reference to one of the worker's stores.
func (a *Activities) findStored(ctx context.Context, scheme, uri string) (*files.Source, error) {
	store, ok := a.stores[scheme]
	if !ok {
		known := []string{"data", asteroid.ExecutionScheme}
		if len(a.roots) > 0 {
			known = append(known, "file")
		}
		if !a.https.Options.Disabled {
			known = append(known, "https")
		}
		return nil, a.unknownScheme(scheme, known)
	}
	parsed, err := files.ParseURI(uri)
	if err != nil {
		return nil, err
	}
	statCtx, cancel := context.WithTimeoutCause(ctx, files.StallTimeout, fmt.Errorf("no answer within %s", files.StallTimeout))
	defer cancel()
	info, err := store.Stat(statCtx, parsed)
	if err != nil {
		return nil, files.StoreError(files.RedactURL(parsed), err)
	}
	name := info.Name
	if name == "" && !strings.HasSuffix(parsed.Path, "/") {
		name = path.Base(parsed.Path)
	}
	return &files.Source{
		Name: name, ContentType: files.ContentTypeOf(info.ContentType, name, nil), Size: max(info.Size, files.UnknownSize),
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			files.Within(ctx, files.StoreTimeout)
			file, err := store.Open(ctx, parsed)
			if err != nil {
				return nil, files.StoreError(files.RedactURL(parsed), err)
			}
			return files.StoreReader{ReadCloser: file, Ctx: ctx}, nil
		},
	}, nil
}

// destinationStore returns the store that a destination names, and its base URI. The caller puts
// "destination: " before the error.
func (a *Activities) destinationStore(ctx context.Context, destination string) (asteroid.Store, *url.URL, error) {
	const advice = "write file:///srv/results, or s3://bucket/results where the worker has a store for s3"
	scheme, _, ok := strings.Cut(destination, ":")
	switch scheme = strings.ToLower(scheme); {
	case destination == "":
		return nil, nil, errors.New("is required: name the place for the files, such as file:///srv/results")
	case !ok:
		return nil, nil, fmt.Errorf("%q has no scheme: %s", files.RedactURI(destination), advice)
	case scheme == "file":
		if _, _, err := a.outputs.Resolve(destination, "OutputRoots"); err != nil {
			return nil, nil, err
		}
		base, err := url.Parse(destination)
		return files.NewDiskStore(a.outputs, activityKey(ctx), activity.GetInfo(ctx).Attempt), base, err
	case slices.Contains(files.BuiltinSchemes, scheme):
		return nil, nil, fmt.Errorf("SaveFiles cannot write to %s: URIs: %s", scheme, advice)
	}
	store, ok := a.stores[scheme]
	if !ok {
		var known []string
		if len(a.outputs) > 0 {
			known = append(known, "file")
		}
		return nil, nil, a.unknownScheme(scheme, known)
	}
	base, err := files.ParseURI(destination)
	return store, base, err
}

// activityKey identifies an activity among all that write to the same places.
func activityKey(ctx context.Context) string {
	info := activity.GetInfo(ctx)
	return strings.Join([]string{
		info.Namespace, info.WorkflowExecution.ID, info.WorkflowExecution.RunID, info.ActivityID, info.ActivityRunID,
	}, "\x00")
}

// unknownScheme returns an error that lists the schemes that the worker has: the built-in ones that
// the caller takes, and those of its stores.
func (a *Activities) unknownScheme(scheme string, builtin []string) error {
	known := slices.AppendSeq(builtin, maps.Keys(a.stores))
	slices.Sort(known)
	return fmt.Errorf("the scheme %q is not known: this worker has %s", text.Clip(scheme), cmp.Or(strings.Join(known, ", "), "none"))
}
