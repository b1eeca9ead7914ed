package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// findOutput finds a file of an execution in its listing, which one call of an activity reads once.
func (f *finder) findOutput(ctx context.Context, uri string) (*files.Source, error) {
	parsed, err := files.ParseURI(uri)
	if err != nil {
		return nil, err
	}
	executionID, where := parsed.Host, strings.TrimPrefix(parsed.Path, "/")
	directory, name, _ := strings.Cut(where, "/")
	if !text.PlainID(executionID) || directory == "" || name == "" || parsed.RawQuery != "" {
		return nil, fmt.Errorf("%q must be %s://<execution id>/<directory>/<name>", files.WithoutQuery(parsed), asteroid.ExecutionScheme)
	}
	listed, err := f.listing(ctx, executionID)
	if err != nil {
		return nil, f.forgiveEarlyNotFound(ctx, err)
	}
	file := outputNamed(listed, directory, name)
	if file == nil {
		message := fmt.Sprintf("execution %s has no file %s", executionID, text.Clip(where))
		if f.now().Sub(f.scheduled) < uploadsPatience {
			return nil, files.Unavailable("%s yet", message) // files are listed some time after they were written
		}
		return nil, files.NotFound("%s; it has %s", message, names(listed))
	}
	remote := output(f.connection, executionID, *file)
	return &files.Source{
		Name: file.Name, ContentType: files.ContentTypeOf(file.ContentType, file.Name, nil), Size: remote.Size, Open: remote.OpenChecked,
	}, nil
}

func (f *finder) listing(ctx context.Context, executionID string) ([]client.File, error) {
	f.mu.Lock()
	listing, ok := f.listings[executionID]
	if !ok {
		listing = sync.OnceValues(func() ([]client.File, error) { return f.connection.Files(ctx, executionID) })
		f.listings[executionID] = listing
	}
	f.mu.Unlock()
	return listing()
}

// outputNamed returns the file at this path of a directory, else the one with this name in any of its
// folders. Of several it returns the newest.
func outputNamed(files []client.File, directory, name string) *client.File {
	for _, nameOf := range []func(client.File) string{client.File.RelativePath, func(file client.File) string { return file.Name }} {
		var found *client.File
		for i, file := range files {
			if file.Directory == directory && nameOf(file) == name && (found == nil || file.UpdatedAt.After(found.UpdatedAt)) {
				found = &files[i]
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// names lists a few files for an error message.
func names(files []client.File) string {
	const most = 5
	var listed []string
	for _, file := range files {
		listed = append(listed, text.Clip(file.Directory+"/"+file.RelativePath()))
	}
	slices.Sort(listed)
	switch {
	case len(listed) == 0:
		return "no files"
	case len(listed) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(listed[:most], ", "), len(listed)-most)
	default:
		return strings.Join(listed, ", ")
	}
}

// output returns the content of an execution's file. Each link that the service gives for it expires
// after a short time, so it asks for a new one when needed.
func output(c *client.Client, executionID string, file client.File) *files.Remote {
	return &files.Remote{
		Client: c.Links, Renewable: true, Size: max(file.Size, files.UnknownSize),
		Name: "execution " + executionID + ", " + file.Directory + "/" + text.Clip(file.Name),
		Locate: func(ctx context.Context) (string, error) {
			link, err := c.Link(ctx, executionID, file.ID)
			return link, linkError(err)
		},
	}
}

// linkError says whether asking for another link may help.
func linkError(err error) error {
	failed, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	if (failed.Cause != nil || failed.Status >= 500) && failed.RetryAfter == 0 {
		return files.Unavailable("%w", failed)
	}
	return files.Invalid("%w", failed)
}
