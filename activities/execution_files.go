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
	refs       []asteroid.FileRef
	waited     time.Duration // for files that are not listed

	mu       sync.Mutex
	listings map[string]func() (*listing, error) // by execution id
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
	file, ok := listed.find(filePath)
	if !ok {
		message := fmt.Sprintf("execution %s has no file %s", executionID, text.Clip(filePath))
		if f.waited < listingPatience { // the service lists files some time after they were written
			return nil, files.UnavailableFor(listingInterval, "%s yet", message)
		}
		return nil, files.NotFound("%s; it has %s", message, listed.describe())
	}
	remote := remoteFile(f.connection, executionID, file)
	return &files.Source{
		Name: file.Name, ContentType: files.ContentTypeOf(file.ContentType, file.Name, nil),
		Size: remote.Size, Open: func(ctx context.Context) (io.ReadCloser, error) {
			content, err := remote.OpenChecked(ctx)
			return content, forgiveGone(ctx, err)
		},
	}, nil
}

// listing lists an execution's files, once for all references.
func (f *finder) listing(ctx context.Context, executionID string) (*listing, error) {
	f.mu.Lock()
	list, ok := f.listings[executionID]
	if !ok {
		list = sync.OnceValues(func() (*listing, error) {
			listed := &listing{wanted: wantedPaths(f.refs, executionID), byPath: map[string]client.File{}, byName: map[string]client.File{}}
			return listed, f.connection.EachFile(ctx, executionID, listed.add)
		})
		f.listings[executionID] = list
	}
	f.mu.Unlock()
	return list()
}

// listing holds those of an execution's files that references name. The execution may have a
// hundred thousand others.
type listing struct {
	wanted         map[string]bool        // <directory>/<name or path>
	byPath, byName map[string]client.File // of several the newest, by their keys in wanted
	count          int
	first          []string // the alphabetically first few
}

// wantedPaths returns the paths of the references to an execution's files.
func wantedPaths(refs []asteroid.FileRef, executionID string) map[string]bool {
	wanted := map[string]bool{}
	for _, ref := range refs {
		if parsed, err := files.ParseURI(ref.URI); err == nil && parsed.Host == executionID {
			wanted[strings.TrimPrefix(parsed.Path, "/")] = true
		}
	}
	return wanted
}

func (l *listing) add(file client.File) {
	keep := func(files map[string]client.File, key string) {
		if before, ok := files[key]; l.wanted[key] && (!ok || file.UpdatedAt.After(before.UpdatedAt)) {
			files[key] = file
		}
	}
	path := file.Directory + "/" + file.RelativePath()
	keep(l.byPath, path)
	keep(l.byName, file.Directory+"/"+file.Name)
	const most = 5
	l.count++
	if described := text.Clip(path); len(l.first) < most || described < l.first[most-1] {
		l.first = append(l.first, described)
		slices.Sort(l.first)
		l.first = l.first[:min(len(l.first), most)]
	}
}

// find returns the file at this path, else the one with this name in any folder of the directory.
func (l *listing) find(path string) (client.File, bool) {
	if file, ok := l.byPath[path]; ok {
		return file, true
	}
	file, ok := l.byName[path]
	return file, ok
}

// describe names a few files for an error message.
func (l *listing) describe() string {
	described := cmp.Or(strings.Join(l.first, ", "), "no files")
	if rest := l.count - len(l.first); rest > 0 {
		return fmt.Sprintf("%s and %d more", described, rest)
	}
	return described
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
