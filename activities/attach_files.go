package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

const (
	// attachGrace is how long a file of unknown outcome is looked up before it is sent again.
	attachGrace = 30 * time.Second
	// attachLookupInterval is the time between two such lookups.
	attachLookupInterval = 5 * time.Second
)

// AttachFiles uploads files to an execution that is not terminal
// (https://docs.asteroid.ai/api-reference/files/upload-files-to-execution). References, names and
// limits are those of StageFiles. The files are sent one after the other. A file that fails for now
// does not stop the others.
//
// The API has no idempotency key for this. A later attempt therefore looks up the files whose
// upload outcome is unknown in the execution's uploads, for up to 30 seconds. It does not send a
// file again that is listed under its name and with its size since the activity was scheduled. It
// sends the others, so a file arrives twice if the service lists it later than that.
//
// Errors: those of StageFiles; asteroid.InvalidInput also when the execution is terminal;
// asteroid.NotFound, retryable during the first minute.
func (a *Activities) AttachFiles(ctx context.Context, in asteroid.AttachFilesInput) (*asteroid.AttachFilesResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	if in.Files, err = a.expandManifests(ctx, c, in.Files); err != nil {
		return nil, err
	}
	progress, stop := newReporter[asteroid.AttachedFile](ctx, upload)
	defer stop()
	// An earlier attempt whose progress is unknown may have sent any of the files. The first
	// attempt therefore heartbeats at once, before it sends one.
	if progress.unknown {
		progress.recordSending(indexKeys(0, len(in.Files)), time.Time{})
	} else {
		progress.heartbeat()
	}
	// References of finished files are resolved too, because the names depend on each other.
	sources, err := a.findSources(ctx, c, in.Files, func(int) bool { return true })
	if err != nil {
		return nil, err
	}
	quota, err := a.newQuota(sources, 0)
	if err != nil {
		return nil, err
	}
	e := &attachAttempt{Activities: a, c: c, executionID: in.ExecutionID, sources: sources, quota: quota, progress: progress}
	unknown := e.expectFiles()
	if err := bound.Uploads(e.expectedAttached()); err != nil {
		return nil, err
	}
	if err := e.lookUp(ctx, unknown); err != nil {
		return nil, err
	}
	if err := eachFile(ctx, 1, len(sources), e.attach); err != nil {
		return nil, err
	}
	return &asteroid.AttachFilesResult{Files: progress.inOrder(len(in.Files), indexKey)}, nil
}

// attachAttempt is one attempt of asteroid.AttachFiles.
type attachAttempt struct {
	*Activities
	c           *client.Client
	executionID string
	sources     []*files.Source
	names       []string // of the uploads
	quota       *files.Quota
	announced   int      // the files before this index are finished, or recorded as being sent
	unknown     []string // keys of files that failed in this attempt and may have arrived
	progress    *reporter[asteroid.AttachedFile]
}

// indexKeys returns the keys of the files from index first to before end.
func indexKeys(first, end int) []string {
	var keys []string
	for i := first; i < end; i++ {
		keys = append(keys, indexKey(i))
	}
	return keys
}

// expectFiles names the files and counts those that are not finished. It returns the indexes of
// files whose upload outcome is unknown.
func (e *attachAttempt) expectFiles() (unknown []int) {
	names := make([]string, len(e.sources))
	for i, s := range e.sources {
		names[i] = s.Name
		if _, finished := e.progress.finishedFile(indexKey(i)); finished {
			continue
		}
		e.progress.expect(s)
		if slices.Contains(e.progress.Sending, indexKey(i)) {
			unknown = append(unknown, i)
		}
	}
	e.names = files.UniqueNames(names)
	return unknown
}

// expectedAttached returns what AttachFiles will return, as far as it is known before.
func (e *attachAttempt) expectedAttached() []asteroid.AttachedFile {
	expected := make([]asteroid.AttachedFile, len(e.sources))
	for i, s := range e.sources {
		expected[i] = asteroid.AttachedFile{Name: e.names[i], Size: max(s.Size, 0), ContentType: s.ContentType}
	}
	return expected
}

// attach sends one file, unless it is finished. It records beforehand that it sends it.
func (e *attachAttempt) attach(ctx context.Context, i int) error {
	s, name, key := e.sources[i], e.names[i], indexKey(i)
	if _, finished := e.progress.finishedFile(key); finished {
		return nil
	}
	file := asteroid.AttachedFile{Name: name, ContentType: s.ContentType}
	err := e.transfer(ctx, s, name, e.quota, e.progress.addBytes, func(ctx context.Context, body *files.Upload) error {
		if i >= e.announced {
			e.announce(i)
		}
		err := e.c.Attach(ctx, e.executionID, name, body)
		if failed, ok := errors.AsType[*client.Error](err); err != nil && (!ok || failed.Outcome() == client.OutcomeUnknown) {
			e.unknown = append(e.unknown, key)
		}
		file.Size = body.BytesRead()
		return err
	})
	if err != nil {
		e.progress.recordSending(e.unknown, time.Time{})
		e.announced = i + 1 // what followed is recorded no more
		return e.uploadFailed(ctx, err)
	}
	e.progress.finish(key, file)
	return nil
}

// announce records that file i is being sent. With it go small files that follow: a heartbeat
// before each of them would take longer than its upload. If the worker dies, the next attempt looks
// all of them up.
func (e *attachAttempt) announce(i int) {
	const most = 1 << 20 // bytes, together
	bytes, end := e.sources[i].Size, i+1
	for limit := i + max(1, i/4); end < min(limit, len(e.sources)) && bytes >= 0; end++ {
		size := e.sources[end].Size
		if bytes = files.AddSizes(bytes, size); size < 0 || bytes > most {
			break
		}
	}
	sending := slices.Clone(e.unknown)
	for _, key := range indexKeys(i, end) {
		if _, finished := e.progress.finishedFile(key); !finished {
			sending = append(sending, key)
		}
	}
	e.announced = end
	e.progress.recordSending(sending, time.Time{})
}

// lookUp looks up files that an earlier attempt may have sent, and records those that are listed.
// While one is missing it fails with asteroid.StillRunning, until attachGrace is over.
func (e *attachAttempt) lookUp(ctx context.Context, unknown []int) error {
	if len(unknown) == 0 {
		return nil
	}
	uploads, err := e.c.Files(ctx, e.executionID, client.UploadsDirectory)
	if err != nil {
		return e.forgiveEarlyNotFound(ctx, err)
	}
	scheduled := activity.GetInfo(ctx).ScheduledTime.Add(-client.ClockSkew)
	uploads = slices.DeleteFunc(uploads, func(u client.File) bool {
		return !u.CreatedAt.IsZero() && !u.CreatedAt.After(scheduled)
	})
	var missing []string
	for _, i := range unknown {
		at := e.indexOfUpload(uploads, i)
		if at < 0 {
			missing = append(missing, indexKey(i))
			continue
		}
		e.progress.finish(indexKey(i), asteroid.AttachedFile{
			Name: text.Prose(uploads[at].Name, budget.Name), Size: uploads[at].Size, ContentType: e.sources[i].ContentType, AlreadySent: true,
		})
		uploads = slices.Delete(uploads, at, at+1)
	}
	began := e.progress.Looking
	if began.IsZero() {
		began = e.attemptTime(ctx)
	}
	if len(missing) == 0 || e.attemptTime(ctx).Sub(began) >= attachGrace {
		e.progress.recordSending(nil, time.Time{})
		return nil
	}
	e.progress.recordSending(missing, began)
	return stillRunning(fmt.Sprintf("execution %s does not list %d files that may have been sent; they are looked up again",
		e.executionID, len(missing)), attachLookupInterval, asteroid.ErrorDetails{ExecutionID: e.executionID})
}

// indexOfUpload returns the index of the upload that may be file i, or -1. An upload with the
// file's exact name goes first.
func (e *attachAttempt) indexOfUpload(uploads []client.File, i int) int {
	find := func(named func(listed string) bool) int {
		return slices.IndexFunc(uploads, func(u client.File) bool {
			return named(u.Name) && (e.sources[i].Size < 0 || u.Size == e.sources[i].Size)
		})
	}
	at := find(func(listed string) bool { return listed == e.names[i] })
	if at < 0 {
		at = find(func(listed string) bool { return renamed(listed, e.names[i]) && !slices.Contains(e.names, listed) })
	}
	return at
}

// renamed reports whether listed may be the name under which the service keeps a file sent as sent:
// the service may add a number to make a name unique.
func renamed(listed, sent string) bool {
	extension := path.Ext(sent)
	rest, prefixed := strings.CutPrefix(listed, strings.TrimSuffix(sent, extension))
	rest, suffixed := strings.CutSuffix(rest, extension)
	return prefixed && suffixed && strings.Trim(rest, "-_ ()0123456789") == ""
}

// uploadFailed returns the error of a failed upload. A terminal execution is named as the cause,
// because the service's text does not say so.
func (e *attachAttempt) uploadFailed(ctx context.Context, err error) error {
	failed, ok := errors.AsType[*client.Error](err)
	if !ok || failed.Status != http.StatusBadRequest {
		return e.forgiveEarlyNotFound(ctx, err)
	}
	if now, readErr := e.c.Execution(ctx, e.executionID); readErr == nil && now.Terminal() {
		failed.Message += fmt.Sprintf("; the execution is %s and takes no more files", now.Status)
	}
	return activityError(ctx, failed)
}
