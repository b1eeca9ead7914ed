package activities

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// SaveFiles copies files of an execution to a destination of your own, because the service deletes
// them after a while. It selects and lists them as [Activities.ListFiles] does, and writes each to
// <destination>/<execution id>/<directory>/<name>, so that runs do not overwrite each other's
// files. It makes names safe for a disk and unique, and keeps the agent's folders. The result, if
// it is selected, is <destination>/<execution id>/result.json.
//
// The list of a manifest, see ListFiles, is <destination>/<execution id>/manifest.json.
//
// Files are streamed, a few at a time. The size must equal the listed one, and the checksum must
// equal the one that the service or the link's host gives. A file appears under its name once it is
// complete and verified, or not at all. If a link expires during a download, the activity requests
// another one and continues the file. A file that cannot be saved now does not stop the others. If
// one is gone that was listed, because the agent has replaced it, the files are listed again.
// Heartbeats ([asteroid.Progress] of OutputFile) hold files and
// bytes; a later attempt continues with the files that are not saved yet.
//
// Errors: those of ListFiles; asteroid.InvalidInput also for a destination that the worker does not
// accept, before anything is read; asteroid.Unauthorized where the worker may not write;
// asteroid.Unavailable, retried, when a file cannot be read or written now, or arrives truncated or
// altered. Errors about a file carry the execution id.
func (a *Activities) SaveFiles(ctx context.Context, in asteroid.SaveFilesInput) (*asteroid.SaveFilesResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	store, base, err := a.destinationStore(ctx, in.Destination)
	if err != nil {
		return nil, asteroid.NewInvalidInput("destination", err.Error())
	}
	progress, stop := newReporter[asteroid.OutputFile](ctx, download)
	defer stop()
	for listings := 1; ; listings++ {
		result, err := a.saveListed(ctx, c, store, base, in, progress)
		if gone, ok := errors.AsType[*goneError](err); ok && listings == maxListings {
			return nil, gone.final(ctx)
		} else if !ok {
			return result, err
		}
	}
}

// saveListed lists the selected files and saves those that are not saved yet. Its error is a
// goneError if one of them was listed and does not exist.
func (a *Activities) saveListed(ctx context.Context, c *client.Client, store asteroid.Store, base *url.URL,
	in asteroid.SaveFilesInput, progress *reporter[asteroid.OutputFile]) (*asteroid.SaveFilesResult, error) {
	listed, result, err := a.selectedFiles(ctx, c, in.ExecutionID, in.FileSelection)
	if err != nil {
		return nil, err
	}
	checksums, err := c.SharedChecksums(ctx, in.ExecutionID, listed)
	if err != nil {
		return nil, activityError(ctx, err)
	}
	progress.restart()
	targets := newTargets(base, in.ExecutionID, listed, progress)
	expected := expectedOutputs(listed, targets, progress)
	useManifest := in.Manifest && !fits(expected)
	if useManifest {
		err = checkManifest(listed, expected)
	} else {
		err = bound.Selection(expected)
	}
	if err != nil {
		return nil, err
	}
	err = eachFile(ctx, concurrentFiles, len(listed), func(ctx context.Context, i int) error {
		if targets[i] == nil {
			return nil
		}
		content := &outputContent{c: c, executionID: in.ExecutionID, file: listed[i], checksum: checksums[listed[i].ID], result: result}
		saved, err := content.save(ctx, store, targets[i], progress.addBytes)
		if err != nil {
			return err
		}
		progress.finish(listed[i].ID, *saved)
		return nil
	})
	if err != nil {
		return nil, activityError(ctx, err)
	}
	activity.GetLogger(ctx).Info("Files saved", "executionId", in.ExecutionID, "files", len(listed))
	saved := progress.inOrder(len(listed), func(i int) string { return listed[i].ID })
	if useManifest {
		manifest, err := a.saveManifest(ctx, store, base, in, saved)
		if err != nil {
			return nil, err
		}
		saved = []asteroid.OutputFile{manifest}
	}
	return &asteroid.SaveFilesResult{Files: saved}, nil
}

// newTargets returns the URI for each file that is not saved yet. The others stay nil.
func newTargets(base *url.URL, executionID string, listed []client.File, progress *reporter[asteroid.OutputFile]) []*url.URL {
	root := *base
	root.Path = cmp.Or(root.Path, "/") // JoinPath adds no slash to a bare host, but a saved URI has it
	base = root.JoinPath(executionID, "/")
	paths := files.NewPathSet()
	targets := make([]*url.URL, len(listed))
	target := func(path string) *url.URL {
		at := *base
		at.Path, at.RawPath = base.Path+path, ""
		return &at
	}
	// Files that an earlier attempt has saved keep their paths, even if more files are listed now.
	for i, file := range listed {
		saved, ok := progress.finishedFile(file.ID)
		if savedAt, err := url.Parse(saved.URI); ok && err == nil && saved.Size == file.Size {
			if path, beneath := strings.CutPrefix(savedAt.Path, base.Path); beneath && target(path).String() == saved.URI {
				paths.Reserve(path)
				continue
			}
		}
		progress.forget(file.ID)
		progress.expect(&files.Source{Size: file.Size})
		targets[i] = base
	}
	for i, file := range listed {
		if targets[i] != nil {
			path := files.SafePath(file.RelativePath())
			if file.Directory != "" {
				path = files.SafePath(file.Directory) + "/" + path
			}
			targets[i] = target(paths.Unique(path))
		}
	}
	return targets
}

// expectedOutputs returns what SaveFiles will return, as far as it is known before it copies.
func expectedOutputs(listed []client.File, targets []*url.URL, progress *reporter[asteroid.OutputFile]) []asteroid.OutputFile {
	expected := progress.inOrder(len(listed), func(i int) string { return listed[i].ID })
	for i, file := range listed {
		if targets[i] != nil {
			expected[i] = asteroid.OutputFile{
				FileRef:   asteroid.FileRef{URI: targets[i].String(), Name: outputName(file), ContentType: outputType(file)},
				Directory: file.Directory, Size: file.Size, SHA256: strings.Repeat("0", hex.EncodedLen(sha256.Size)),
			}
		}
	}
	return expected
}

func outputName(file client.File) string { return text.Prose(file.Name, budget.Name) }

func outputType(file client.File) string {
	return files.ContentTypeOf(mediaType(file), file.Name, nil)
}

// outputContent is the content of a file to save.
type outputContent struct {
	c           *client.Client
	executionID string
	file        client.File
	checksum    string      // the service's SHA-256, if it has one
	result      *resultFile // the execution's result, if that is selected
}

// open returns the content, and the digests that are stated for it.
func (o *outputContent) open(ctx context.Context) (io.ReadCloser, files.Digests, error) {
	if o.file.ID == resultFileID {
		content, err := o.result.open(ctx)
		return content, files.SHA256Digest(o.result.sha256), err
	}
	body, err := remoteFile(o.c, o.executionID, o.file).Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	// The service's checksum wins: a host that alters the content can alter its own checksum too.
	digests := maps.Clone(body.Digests)
	maps.Copy(digests, files.SHA256Digest(o.checksum))
	return body, digests, nil
}

// save copies the file and verifies it.
func (o *outputContent) save(ctx context.Context, store asteroid.Store, target *url.URL, moved func(n int)) (*asteroid.OutputFile, error) {
	file := o.file
	what := "execution " + o.executionID + ", " + text.Clip(path.Join(file.Directory, file.RelativePath()))
	fail := func(err error) error {
		return transferError(ctx, what, asteroid.ErrorDetails{ExecutionID: o.executionID}, err)
	}
	transferCtx, stop := files.WithStallTimeout(ctx)
	defer stop()
	body, digests, err := o.open(transferCtx)
	if isGone(err) {
		return nil, &goneError{what, o.executionID, err}
	} else if err != nil {
		return nil, fail(err)
	}
	defer func() { _ = body.Close() }()
	content := files.NewCheckedReader(what, &countingReader{files.WriteReader{Reader: body, Ctx: transferCtx}, moved}, file.Size, digests)
	info := asteroid.FileInfo{Name: outputName(file), ContentType: outputType(file), Size: file.Size}
	if err := store.Write(transferCtx, target, content, info); err != nil {
		if isGone(content.Failed) {
			return nil, &goneError{what, o.executionID, content.Failed}
		} else if content.Failed != nil {
			err = content.Failed // the store's own error only wraps it
		} else if cause := context.Cause(transferCtx); cause != nil {
			err = cause
		}
		return nil, fail(files.StoreError(files.RedactURL(target), err))
	}
	if content.Failed != nil || !content.Ended {
		return nil, fail(files.Unavailable("%s: the store returned before it had read the whole file", files.RedactURL(target)))
	}
	return &asteroid.OutputFile{
		FileRef:   asteroid.FileRef{URI: target.String(), Name: info.Name, ContentType: info.ContentType},
		Directory: file.Directory, Size: content.BytesRead, SHA256: content.SHA256(),
	}, nil
}

// maxListings is how often one attempt lists the files anew because one of them is gone.
const maxListings = 3

// goneError is the error of a file that was listed and does not exist. The agent has replaced it,
// or the service still lists what it has deleted. It hides its cause, which would be final.
type goneError struct {
	what, executionID string
	error
}

// final returns the activity's error once the attempt has no listing left.
func (e *goneError) final(ctx context.Context) error {
	return transferError(ctx, e.what, asteroid.ErrorDetails{ExecutionID: e.executionID}, forgiveGone(ctx, e.error))
}

// forgiveGone makes the error of a file that is gone retryable while the service may still list
// what it has deleted. The next attempt lists the files anew.
func forgiveGone(ctx context.Context, err error) error {
	early := waited(ctx, listingInterval) < listingPatience || activity.GetInfo(ctx).Attempt < maxListings
	if isGone(err) && early {
		return files.UnavailableFor(listingInterval, "it was listed, but is gone: %s", err) // unwrapped, it would be final
	}
	return err
}

// isGone reports whether the service, or the host of a link, says that a file does not exist.
func isGone(err error) bool {
	if failed, ok := errors.AsType[*client.Error](err); ok {
		return failed.Status == http.StatusNotFound || failed.Status == http.StatusGone
	}
	failed, ok := errors.AsType[*files.Error](err)
	return ok && failed.Type == asteroid.ErrorTypeNotFound
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
