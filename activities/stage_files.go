package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// StagedFileLifetime is how long the service keeps a staged file that no execution took (fundamentals/files).
const StagedFileLifetime = 60 * time.Minute

// StageFilesInput is the input of asteroid.StageFiles.
type StageFilesInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// Files are at least one.
	Files []FileRef `json:"files"`
}

// StageFilesResult is the result of asteroid.StageFiles.
type StageFilesResult struct {
	// Files are in the order of the input.
	Files []StagedFile `json:"files"`
	// LifetimeSeconds is how long the first of them to expire still lives: a duration, as the worker's clock may not be the
	// workflow's.
	LifetimeSeconds int64 `json:"lifetimeSeconds,omitempty"`
}

// StagedFile is a file that waits at the service for one execution. Pass it on unchanged.
type StagedFile struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Size is in bytes.
	Size        int64  `json:"size"`
	ContentType string `json:"contentType"`
	// ExpiresAt is when the service deletes the file unless an execution has taken it, by the worker's clock and on the
	// safe side: counted from before the upload.
	ExpiresAt time.Time `json:"expiresAt"`
}

const (
	// uploadsAtOnce is how many files of one call are on the wire together.
	uploadsAtOnce = 4
	// stallTimeout ends an upload of which nothing moves, neither a byte out nor the answer in.
	stallTimeout = 2 * time.Minute
	// stagedReserve is how much lifetime a file that an earlier attempt staged must have left to be kept.
	stagedReserve = 20 * time.Minute
)

// StageProgress is the heartbeat of asteroid.StageFiles: what the web UI shows of a pending activity, and where the
// next attempt goes on.
type StageProgress struct {
	// Staged holds finished files by their index in the input, those of earlier attempts too.
	Staged map[int]StagedFile `json:"staged,omitempty"`
	// Files and Bytes count what this attempt has sent, of what it has to send.
	Files      int   `json:"files"`
	TotalFiles int   `json:"totalFiles"`
	Bytes      int64 `json:"bytes"`
	TotalBytes int64 `json:"totalBytes"`
}

// StageFiles streams files to the service, where they wait up to 60 minutes for one execution
// (https://docs.asteroid.ai/api-reference/files/stage-a-file-for-an-execution).
//
// Every reference is looked at before the first byte is sent, so that a wrong one costs nothing. Then each file is its own
// request, a few at a time. Memory stays flat whatever the sizes. Names arrive in ASCII, without directories, and
// unique within the call. Heartbeats tell files and bytes; an attempt that follows a failed one keeps the files that
// were finished and still have 20 minutes to live.
//
// Errors: asteroid.InvalidInput for a reference that is wrong, asteroid.Unavailable for one that cannot be read now (both
// name files[i].uri), and those of the API.
func (a *Activities) StageFiles(ctx context.Context, in StageFilesInput) (*StageFilesResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if len(in.Files) == 0 {
		return nil, invalid("files", "name at least one file")
	}
	sources := make([]*source, len(in.Files))
	for i, ref := range in.Files {
		if sources[i], err = a.opener.find(fmt.Sprintf("files[%d]", i), ref); err != nil {
			return nil, err
		}
	}
	names := uniqueNames(sources)
	kept := resumableFiles(ctx, a.now().Add(stagedReserve))
	progress := newStageReport(ctx, sources, kept)

	stop := progress.start()
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	places := make(chan struct{}, uploadsAtOnce)
	result := &StageFilesResult{Files: make([]StagedFile, len(sources))}
	for i, s := range sources {
		if file, ok := kept[i]; ok {
			result.Files[i] = file
			continue
		}
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			file, err := a.stageFile(ctx, c, s, names[i], progress)
			if err != nil {
				cancel(err)
				return
			}
			result.Files[i] = *file
			progress.finished(i, *file)
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, ended(ctx, err)
	}
	result.LifetimeSeconds = a.lifetime(result.Files)
	return result, nil
}

func (a *Activities) lifetime(files []StagedFile) int64 {
	left := StagedFileLifetime
	for _, file := range files {
		left = min(left, file.ExpiresAt.Sub(a.now()))
	}
	return max(int64(left/time.Second), 1)
}

// resumableFiles returns what an earlier attempt staged and that lives beyond the given time.
func resumableFiles(ctx context.Context, beyond time.Time) map[int]StagedFile {
	var before StageProgress
	if !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &before) != nil {
		return nil
	}
	for i, file := range before.Staged {
		if file.ExpiresAt.Before(beyond) {
			delete(before.Staged, i)
		}
	}
	return before.Staged
}

// stageFile uploads one file and matches the answer to it.
func (a *Activities) stageFile(ctx context.Context, c *connection, s *source, name string, progress *stageReport) (*StagedFile, error) {
	file, err := s.open()
	if err != nil {
		return nil, &failure{call: call{operation: c.Dialect.stageOperation(), subject: name}, connection: c.name, message: err.Error(), cause: err}
	}
	defer func() { _ = file.Close() }()
	form, err := newUploadForm(name, s, file)
	if err != nil {
		return nil, err
	}
	ctx, alive, stop := watchStall(ctx, stallTimeout)
	defer stop()
	body := &countingReader{Reader: form.body, count: func(n int) { alive(); progress.sent(n) }}
	expires := a.now().Add(StagedFileLifetime)
	what := call{operation: c.Dialect.stageOperation(), subject: name, timeout: -1}
	staged, err := fetch[api.TempFilesResponse](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.stage(ctx, form.contentType, body, func(_ context.Context, r *http.Request) error {
			r.ContentLength = form.length
			return nil
		})
	}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	for _, t := range staged.TempFiles {
		// The service may tidy a name, but one request holds one file: a single answer is it under any name.
		if (t.Name == name || len(staged.TempFiles) == 1) && plainID(t.ID) {
			return &StagedFile{ID: t.ID, Name: t.Name, Size: s.size, ContentType: s.contentType, ExpiresAt: expires}, nil
		}
	}
	return nil, &failure{call: what, connection: c.name, message: fmt.Sprintf("the answer names %d files, and not the one that was sent", len(staged.TempFiles))}
}

// uploadForm is a multipart form with one file whose length is known before it is sent.
type uploadForm struct {
	body        io.Reader
	contentType string
	length      int64
}

// newUploadForm puts the form's head and tail around the file, which is read as it is sent.
func newUploadForm(name string, s *source, file io.Reader) (*uploadForm, error) {
	var frame strings.Builder
	form := multipart.NewWriter(&frame)
	header := textproto.MIMEHeader{}
	// Neither needs escaping: names are made by uniqueNames, content types are checked when a reference is opened.
	header.Set("Content-Disposition", `form-data; name="files"; filename="`+name+`"`)
	header.Set("Content-Type", s.contentType)
	if _, err := form.CreatePart(header); err != nil {
		return nil, err
	}
	headLength := frame.Len()
	if err := form.Close(); err != nil {
		return nil, err
	}
	head, tail := frame.String()[:headLength], frame.String()[headLength:]
	return &uploadForm{
		// A file that grows meanwhile must not run past the length that was announced; one that shrinks fails the request.
		body:        io.MultiReader(strings.NewReader(head), io.LimitReader(file, s.size), strings.NewReader(tail)),
		contentType: form.FormDataContentType(),
		length:      int64(len(head)) + s.size + int64(len(tail)),
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

var errStalled = errors.New("nothing moved for " + stallTimeout.String())

// watchStall returns a context that ends when alive has not been called for so long.
func watchStall(ctx context.Context, limit time.Duration) (watched context.Context, alive, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(limit, func() { cancel(errStalled) })
	return watched, func() { timer.Reset(limit) }, func() { timer.Stop(); cancel(nil) }
}
