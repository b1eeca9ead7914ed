package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const (
	// listingPatience is how long the service may take to list a file of an execution.
	listingPatience = 2 * time.Minute
	// listingInterval is the time between reads of a list that lacks a file.
	listingInterval = 5 * time.Second
)

// finder finds the files that the references of one activity call name. It reads the listing of
// each execution once.
type finder struct {
	*Activities
	connection *client.Client
	waited     time.Duration // for files that are not listed

	mu       sync.Mutex
	listings map[string]func() ([]client.File, error) // by execution id
}

// findExecutionFile returns the source of a file in an execution's listing, or of its result.
func (f *finder) findExecutionFile(ctx context.Context, uri string) (*files.Source, error) {
	parsed, err := files.ParseURI(uri)
	if err != nil {
		return nil, err
	}
	executionID, filePath := parsed.Host, strings.TrimPrefix(parsed.Path, "/")
	if text.PlainID(executionID) && filePath == asteroid.ExecutionResultPath && parsed.RawQuery == "" {
		return f.findExecutionResult(ctx, executionID)
	}
	directory, name, _ := strings.Cut(filePath, "/")
	if !text.PlainID(executionID) || directory == "" || name == "" || parsed.RawQuery != "" {
		return nil, fmt.Errorf("%q must be %[2]s://<execution id>/<directory>/<name> or %[2]s://<execution id>/%[3]s",
			files.RedactURL(parsed), asteroid.ExecutionScheme, asteroid.ExecutionResultPath)
	}
	listed, err := f.listing(ctx, executionID)
	if err != nil {
		return nil, f.forgiveEarlyNotFound(ctx, err)
	}
	file := fileNamed(listed, directory, name)
	if file == nil {
		message := fmt.Sprintf("execution %s has no file %s", executionID, text.Clip(filePath))
		if f.waited < listingPatience { // the service lists files some time after they were written
			return nil, files.UnavailableFor(listingInterval, "%s yet", message)
		}
		return nil, files.NotFound("%s; it has %s", message, describeFiles(listed))
	}
	remote := remoteFile(f.connection, executionID, *file)
	return &files.Source{
		Name: file.Name, ContentType: files.ContentTypeOf(file.ContentType, file.Name, nil),
		Size: remote.Size, Open: func(ctx context.Context) (io.ReadCloser, error) {
			content, err := remote.OpenChecked(ctx)
			return content, forgiveGone(ctx, err)
		},
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

// fileNamed returns the file at this path of a directory, else the one with this name in any folder
// of the directory. Of several it returns the newest.
func fileNamed(files []client.File, directory, name string) *client.File {
	baseName := func(file client.File) string { return file.Name }
	for _, nameOf := range []func(client.File) string{client.File.RelativePath, baseName} {
		var found *client.File
		for i, file := range files {
			newer := found == nil || file.UpdatedAt.After(found.UpdatedAt)
			if file.Directory == directory && nameOf(file) == name && newer {
				found = &files[i]
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// describeFiles lists a few files for an error message.
func describeFiles(files []client.File) string {
	const most = 5
	var listed []string
	for _, file := range files {
		listed = append(listed, text.Clip(file.Directory+"/"+file.RelativePath()))
	}
	slices.Sort(listed)
	if rest := len(listed) - most; rest > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(listed[:most], ", "), rest)
	}
	return cmp.Or(strings.Join(listed, ", "), "no files")
}

// remoteFile returns the content of an execution's file. The service's download links expire after
// a short time, so it requests another link when needed.
func remoteFile(c *client.Client, executionID string, file client.File) *files.Remote {
	return &files.Remote{
		Client: c.Links, Renewable: true, Size: max(file.Size, files.UnknownSize),
		Name: "execution " + executionID + ", " + file.Directory + "/" + text.Clip(file.Name),
		Locate: func(ctx context.Context) (string, error) {
			link, err := c.Link(ctx, executionID, file.ID)
			return link, linkError(err)
		},
	}
}

// linkError classifies a failed request for a link: it is retryable if another request may succeed.
func linkError(err error) error {
	failed, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	passing := failed.Cause != nil && !errors.Is(failed.Cause, client.ErrTooLarge) || failed.Status >= 500
	if passing && failed.RetryAfter == 0 {
		return files.Unavailable("%w", failed)
	}
	return files.Invalid("%w", failed)
}
