package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// SaveFilesInput is the input of asteroid.SaveFiles.
type SaveFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	FileSelection
	// Destination is the URI beneath which the files are put: file:///srv/results, beneath one of Options.OutputRoots, or
	// that of a place in one of Options.Stores, such as s3://bucket/results. Required.
	Destination string `json:"destination"`
}

// SaveFilesResult is the result of asteroid.SaveFiles.
type SaveFilesResult struct {
	// Files are the copies, in the order of their directories and names.
	Files []OutputFile `json:"files"`
}

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
func (a *Activities) SaveFiles(ctx context.Context, in SaveFilesInput) (*SaveFilesResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return nil, err
	}
	if err := in.FileSelection.Validate(); err != nil {
		return nil, err
	}
	store, base, err := a.sink(in.Destination)
	if err != nil {
		return nil, invalid("destination", err.Error())
	}
	progress, stop := newReporter[OutputFile](ctx)
	defer stop()
	listed, err := a.settled(ctx, c, in.ExecutionID, in.FileSelection)
	if err != nil {
		return nil, err
	}
	checksums, err := c.sharedChecksums(ctx, in.ExecutionID, listed)
	if err != nil {
		return nil, ended(ctx, err)
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
		return nil, ended(ctx, err)
	}
	result := &SaveFilesResult{Files: make([]OutputFile, len(listed))}
	for i, file := range listed {
		result.Files[i], _ = progress.has(file.ID)
	}
	activity.GetLogger(ctx).Info("Files saved", "executionId", in.ExecutionID, "files", len(listed))
	return result, nil
}

// newTargets says where each file goes that is not saved yet; the others stay nil.
func newTargets(base *url.URL, executionID string, listed []api.AgentFile, progress *reporter[OutputFile]) []*url.URL {
	base = base.JoinPath(executionID, "/")
	paths := newOutputPaths()
	targets := make([]*url.URL, len(listed))
	// What an earlier attempt has saved keeps its place, even if more files are listed now.
	for i, file := range listed {
		saved, ok := progress.has(file.ID)
		if at, err := url.Parse(saved.URI); ok && err == nil && saved.Size == file.FileSize {
			if below, here := strings.CutPrefix(at.Path, base.Path); here {
				paths.reserve(below)
				continue
			}
		}
		progress.forget(file.ID)
		progress.expect(&source{size: file.FileSize})
		targets[i] = new(*base)
	}
	for i, file := range listed {
		if targets[i] != nil {
			targets[i].Path, targets[i].RawPath = base.Path+paths.unique(safePath(file.Directory)+"/"+safePath(relativePath(file))), ""
		}
	}
	return targets
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
		return outputDisk{a.outputs}, base, err
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

// saveFile copies one file.
func (a *Activities) saveFile(ctx context.Context, c *connection, executionID string, file api.AgentFile, store Store, target *url.URL, expect digests, moved func(n int)) (*OutputFile, error) {
	field := "execution " + executionID + ", " + file.Directory + "/" + clip(relativePath(file))
	fail := func(err error) error { return transferError(ctx, field, ErrorDetails{ExecutionID: executionID}, err) }
	watched, alive, stop := watchStall(ctx, stallTimeout)
	defer stop()
	body, err := c.output(executionID, file).open(watched)
	if err != nil {
		return nil, fail(err)
	}
	defer func() { _ = body.Close() }()
	// Whoever alters the content can alter the host's checksum too, but not the service's.
	merged := maps.Clone(body.digests)
	maps.Copy(merged, expect)
	content := newCheckedReader(field, &countingReader{body, func(n int) { alive(); moved(n) }}, file.FileSize, merged)
	info := FileInfo{Name: file.FileName, ContentType: typeOf(outputType(file), file.FileName, nil), Size: file.FileSize}
	if err := store.Write(watched, target, content, info); err != nil {
		if content.failed != nil {
			err = content.failed // what the store says of it tells less
		} else if cause := context.Cause(watched); cause != nil {
			err = cause
		}
		return nil, fail(storeError(bare(target), err))
	}
	if content.failed != nil || !content.ended {
		return nil, fail(unreadable("%s: the store ended before the file did", bare(target)))
	}
	return &OutputFile{
		FileRef:   FileRef{URI: target.String(), Name: file.FileName, ContentType: info.ContentType},
		Directory: file.Directory, Size: content.read, SHA256: content.sha256(),
	}, nil
}

// sharedChecksums returns what the service says of the files that outlive the execution, by file id: it publishes checksums of no
// others. One is only taken for the version that this execution wrote.
func (c *connection) sharedChecksums(ctx context.Context, executionID string, listed []api.AgentFile) (map[string]digests, error) {
	shared := inDirectory(listed, "shared")
	if len(shared) == 0 {
		return nil, nil
	}
	agentID := value(shared[0].AgentID)
	if agentID == "" {
		e, err := c.execution(ctx, executionID)
		if err != nil {
			return nil, err
		}
		agentID = e.AgentID
	}
	what := call{operation: "AgentSharedFilesGet", executionID: executionID}
	kept, err := fetch[api.SharedFilesResponse](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.AgentSharedFilesGet(ctx, agentID)
	}, http.StatusOK)
	if failed, ok := errors.AsType[*failure](err); ok && failed.outcome() == outcomeRejected && failed.status != http.StatusTooManyRequests {
		return nil, nil // an older service, or a run whose agent is gone
	}
	if err != nil {
		return nil, err
	}
	checksums := map[string]digests{}
	for _, file := range shared {
		var same []api.SharedFile
		for _, k := range kept.Files {
			if value(k.LastModifiedByExecutionID) == executionID && k.FileName == file.FileName && k.FileSize == file.FileSize {
				same = append(same, k)
			}
		}
		if len(same) == 1 { // of several with this name it cannot be told which it is
			checksums[file.ID] = hexDigest(value(same[0].Checksum))
		}
	}
	return checksums, nil
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
