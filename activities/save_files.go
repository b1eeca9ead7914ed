package activities

import (
	"context"
	"io"
	"maps"
	"net/url"
	"strings"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// SaveFiles copies files of an execution to where they stay: the service deletes them some day. They are selected and listed as by
// [Activities.ListFiles], and put at <destination>/<execution id>/<directory>/<name>, so that no run overwrites what another
// has left. Names are made harmless for a disk and unique; folders of the agent's are kept.
//
// Each file is streamed, a few at a time. Its size is compared with the listed one, and its checksum with what the service, or the host of the link,
// gives. A file appears under its name when all of it is there and right, or not at all. A link that expires meanwhile is
// taken anew and the file continued. Heartbeats ([Progress] of OutputFile) tell files and bytes; a later attempt goes on with the files that
// are not saved yet.
//
// Errors: those of ListFiles; asteroid.InvalidInput also for a destination that is not open, which is said before anything is
// read; asteroid.Unauthorized where the worker may not write there; asteroid.Unavailable, retried, when a file cannot be read, arrives truncated or
// altered, or cannot be written now. Those of a file carry the execution id.
func (a *Activities) SaveFiles(ctx context.Context, in asteroid.SaveFilesInput) (*asteroid.SaveFilesResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	store, base, err := a.sink(in.Destination)
	if err != nil {
		return nil, asteroid.NewInvalidInput("destination", err.Error())
	}
	progress, stop := newReporter[asteroid.OutputFile](ctx)
	defer stop()
	listed, err := a.settled(ctx, c, in.ExecutionID, in.FileSelection)
	if err != nil {
		return nil, err
	}
	checksums, err := c.SharedChecksums(ctx, in.ExecutionID, listed)
	if err != nil {
		return nil, activityError(ctx, err)
	}
	targets := newTargets(base, in.ExecutionID, listed, progress)
	err = each(ctx, len(listed), func(ctx context.Context, i int) error {
		if targets[i] == nil {
			return nil
		}
		saved, err := a.saveFile(ctx, c, in.ExecutionID, listed[i], store, targets[i], checksums[listed[i].ID], progress.moved)
		if err != nil {
			return err
		}
		progress.finished(listed[i].ID, *saved)
		return nil
	})
	if err != nil {
		return nil, activityError(ctx, err)
	}
	result := &asteroid.SaveFilesResult{Files: make([]asteroid.OutputFile, len(listed))}
	for i, file := range listed {
		result.Files[i], _ = progress.has(file.ID)
	}
	activity.GetLogger(ctx).Info("Files saved", "executionId", in.ExecutionID, "files", len(listed))
	return result, nil
}

// newTargets says where each file goes that is not saved yet; the others stay nil.
func newTargets(base *url.URL, executionID string, listed []client.File, progress *reporter[asteroid.OutputFile]) []*url.URL {
	base = base.JoinPath(executionID, "/")
	paths := files.NewPaths()
	targets := make([]*url.URL, len(listed))
	// What an earlier attempt has saved keeps its place, even if more files are listed now.
	for i, file := range listed {
		saved, ok := progress.has(file.ID)
		if at, err := url.Parse(saved.URI); ok && err == nil && saved.Size == file.Size {
			if below, here := strings.CutPrefix(at.Path, base.Path); here {
				paths.Reserve(below)
				continue
			}
		}
		progress.forget(file.ID)
		progress.expect(&files.Source{Size: file.Size})
		targets[i] = new(*base)
	}
	for i, file := range listed {
		if targets[i] != nil {
			targets[i].Path, targets[i].RawPath = base.Path+paths.Unique(files.SafePath(file.Directory)+"/"+files.SafePath(file.RelativePath())), ""
		}
	}
	return targets
}

// saveFile copies one file.
func (a *Activities) saveFile(ctx context.Context, c *client.Client, executionID string, file client.File, store asteroid.Store, target *url.URL, checksum string, moved func(n int)) (*asteroid.OutputFile, error) {
	field := "execution " + executionID + ", " + file.Directory + "/" + text.Clip(file.RelativePath())
	fail := func(err error) error {
		return transferError(ctx, field, asteroid.ErrorDetails{ExecutionID: executionID}, err)
	}
	watched, alive, stop := files.WatchStall(ctx, files.StallTimeout)
	defer stop()
	body, err := output(c, executionID, file).Open(watched)
	if err != nil {
		return nil, fail(err)
	}
	defer func() { _ = body.Close() }()
	// Whoever alters the content can alter the host's checksum too, but not the service's.
	merged := maps.Clone(body.Digests)
	maps.Copy(merged, files.HexDigest(checksum))
	content := files.NewCheckedReader(field, &countingReader{body, func(n int) { alive(); moved(n) }}, file.Size, merged)
	info := asteroid.FileInfo{Name: file.Name, ContentType: files.ContentTypeOf(outputType(file), file.Name, nil), Size: file.Size}
	if err := store.Write(watched, target, content, info); err != nil {
		if content.Failed != nil {
			err = content.Failed // what the store says of it tells less
		} else if cause := context.Cause(watched); cause != nil {
			err = cause
		}
		return nil, fail(files.StoreError(files.WithoutQuery(target), err))
	}
	if content.Failed != nil || !content.Ended {
		return nil, fail(files.Unavailable("%s: the store ended before the file did", files.WithoutQuery(target)))
	}
	return &asteroid.OutputFile{
		FileRef:   asteroid.FileRef{URI: target.String(), Name: file.Name, ContentType: info.ContentType},
		Directory: file.Directory, Size: content.BytesRead, SHA256: content.SHA256(),
	}, nil
}

type countingReader struct {
	io.Reader
	count func(n int)
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.count(n)
	return n, err
}
