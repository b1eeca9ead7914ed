package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// findOutput finds a file of an execution in its listing, which one call of an activity reads once.
func (f *finder) findOutput(ctx context.Context, uri string) (*source, error) {
	parsed, err := parseURI(uri)
	if err != nil {
		return nil, err
	}
	executionID, where := parsed.Host, strings.TrimPrefix(parsed.Path, "/")
	directory, name, _ := strings.Cut(where, "/")
	if !plainID(executionID) || directory == "" || name == "" || parsed.RawQuery != "" {
		return nil, fmt.Errorf("%q must be %s://<execution id>/<directory>/<name>", bare(parsed), ExecutionScheme)
	}
	listed, err := f.listing(ctx, executionID)
	if err != nil {
		return nil, f.forgiveEarlyNotFound(ctx, err)
	}
	file := outputNamed(listed, directory, name)
	if file == nil {
		message := fmt.Sprintf("execution %s has no file %s", executionID, clip(where))
		if f.now().Sub(f.scheduled) < uploadsPatience {
			return nil, unreadable("%s yet", message) // files are listed some time after they were written
		}
		return nil, notThere("%s; it has %s", message, names(listed))
	}
	remote := output(f.connection, executionID, *file)
	return &source{
		name: file.Name, contentType: typeOf(file.ContentType, file.Name, nil), size: remote.size, open: remote.openChecked,
	}, nil
}

func (f *finder) listing(ctx context.Context, executionID string) ([]listedFile, error) {
	f.mu.Lock()
	listing, ok := f.listings[executionID]
	if !ok {
		listing = sync.OnceValues(func() ([]listedFile, error) { return f.connection.files(ctx, executionID) })
		f.listings[executionID] = listing
	}
	f.mu.Unlock()
	return listing()
}

// outputNamed returns the file at this path of a directory, else the one with this name in any of its
// folders. Of several it returns the newest.
func outputNamed(files []listedFile, directory, name string) *listedFile {
	for _, nameOf := range []func(listedFile) string{listedFile.relativePath, func(file listedFile) string { return file.Name }} {
		var found *listedFile
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
func names(files []listedFile) string {
	const most = 5
	var listed []string
	for _, file := range files {
		listed = append(listed, clip(file.Directory+"/"+file.relativePath()))
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
func output(c *connection, executionID string, file listedFile) *remote {
	return &remote{
		client: c.links, renewable: true, size: max(file.Size, unknownSize),
		name: "execution " + executionID + ", " + file.Directory + "/" + clip(file.Name),
		locate: func(ctx context.Context) (string, error) {
			link, err := c.link(ctx, executionID, file.ID)
			return link, linkError(err)
		},
	}
}

// linkError says whether asking for another link may help.
func linkError(err error) error {
	failed, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	if (failed.cause != nil || failed.status >= 500) && failed.retryAfter == 0 {
		return unreadable("%w", failed)
	}
	return wrong("%w", failed)
}
