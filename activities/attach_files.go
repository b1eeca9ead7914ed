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
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

const (
	// attachGrace is how long a file whose upload may have succeeded is looked for before it is sent again.
	attachGrace = 30 * time.Second
	// attachPause is the time between two such looks.
	attachPause = 5 * time.Second
)

// AttachFiles gives files to an execution that is at work
// (https://docs.asteroid.ai/api-reference/files/upload-files-to-execution). References, names and limits are those of StageFiles.
// The files are sent one after the other.
//
// The API has no idempotency key for this. An attempt that follows another one looks at the run's uploads first, for half a minute
// if need be, and does not send a file again that is there under its name and with its size since the activity was scheduled.
// What it does not find by then it sends: a file may arrive twice if the service lists it later than that.
//
// Errors: those of StageFiles; asteroid.InvalidInput also when the run is over; asteroid.NotFound, retryable during the
// first minute.
func (a *Activities) AttachFiles(ctx context.Context, in asteroid.AttachFilesInput) (*asteroid.AttachFilesResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	progress, stop := newReporter[asteroid.AttachedFile](ctx)
	defer stop()
	// Without a heartbeat of it, an earlier attempt may have sent any of them. So the first tells at once that it has not.
	unknown := activity.GetInfo(ctx).Attempt > 1 && !activity.HasHeartbeatDetails(ctx)
	if !unknown {
		progress.beat()
	}
	done := func(i int) bool { _, ok := progress.has(index(i)); return ok }

	// All of them are looked at, since the names depend on each other.
	sources, err := a.find(ctx, c, in.Files, func(int) bool { return true })
	if err != nil {
		return nil, err
	}
	limit, err := a.newQuota(sources, 0)
	if err != nil {
		return nil, err
	}
	wanted := make([]string, len(sources))
	var doubtful []int
	for i, s := range sources {
		wanted[i] = s.Name
		if !done(i) {
			progress.expect(s)
			if unknown || slices.Contains(progress.Sending, index(i)) {
				doubtful = append(doubtful, i)
			}
		}
	}
	names := files.UniqueNames(wanted)
	if err := a.findAttached(ctx, c, in.ExecutionID, sources, names, doubtful, progress); err != nil {
		return nil, err
	}
	for i, s := range sources {
		if done(i) {
			continue
		}
		file, err := a.attach(ctx, c, in.ExecutionID, s, names[i], limit, progress.moved, func() {
			progress.sends([]string{index(i)}, time.Time{})
		})
		if failed, ok := errors.AsType[*client.Error](err); ok && failed.Outcome() != client.OutcomeUnknown {
			progress.sends(nil, time.Time{}) // this one did not arrive for sure
		}
		if err != nil {
			return nil, a.refusedAttachment(ctx, c, in.ExecutionID, err)
		}
		progress.finished(index(i), *file)
	}
	result := &asteroid.AttachFilesResult{Files: make([]asteroid.AttachedFile, len(in.Files))}
	for i := range in.Files {
		result.Files[i], _ = progress.has(index(i))
	}
	return result, nil
}

// attach sends one file, after it has said so.
func (a *Activities) attach(ctx context.Context, c *client.Client, executionID string, s *files.Source, name string, limit *files.Quota, moved func(n int), sends func()) (*asteroid.AttachedFile, error) {
	attached := &asteroid.AttachedFile{Name: name, ContentType: s.ContentType}
	err := a.transfer(ctx, s, name, limit, moved, func(ctx context.Context, body *files.Upload) error {
		sends()
		err := c.Attach(ctx, executionID, name, body)
		attached.Size = body.Size()
		return err
	})
	return attached, err
}

// findAttached looks for files that an earlier attempt may have sent. While one is missing it fails, to be called again, until
// the time for that is over.
func (a *Activities) findAttached(ctx context.Context, c *client.Client, executionID string, sources []*files.Source, names []string, doubtful []int, progress *reporter[asteroid.AttachedFile]) error {
	if len(doubtful) == 0 {
		return nil
	}
	listed, err := c.Files(ctx, executionID)
	if err != nil {
		return a.forgiveEarlyNotFound(ctx, err)
	}
	uploads := client.InDirectory(listed, client.UploadsDirectory)
	since := activity.GetInfo(ctx).ScheduledTime.Add(-client.ClockSkew)
	var missing []string
	for _, i := range doubtful {
		find := func(named func(listed string) bool) int {
			return slices.IndexFunc(uploads, func(u client.File) bool {
				return named(u.Name) && (sources[i].Size < 0 || u.Size == sources[i].Size) && (u.CreatedAt.IsZero() || u.CreatedAt.After(since))
			})
		}
		at := find(func(listed string) bool { return listed == names[i] })
		if at < 0 {
			at = find(func(listed string) bool { return renamed(listed, names[i]) && !slices.Contains(names, listed) })
		}
		if at < 0 {
			missing = append(missing, index(i))
			continue
		}
		progress.finished(index(i), asteroid.AttachedFile{Name: uploads[at].Name, Size: uploads[at].Size, ContentType: sources[i].ContentType, AlreadySent: true})
		uploads = slices.Delete(uploads, at, at+1)
	}
	began := progress.Looking
	if began.IsZero() {
		began = a.now()
	}
	if len(missing) == 0 || a.now().Sub(began) >= attachGrace {
		progress.sends(nil, time.Time{})
		return nil
	}
	progress.sends(missing, began)
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("execution %s does not list %d files that may have been sent; they are looked for again", executionID, len(missing)),
		asteroid.ErrorTypeStillRunning, temporal.ApplicationErrorOptions{
			Category: temporal.ApplicationErrorCategoryBenign, NextRetryDelay: attachPause,
			Details: []any{asteroid.ErrorDetails{ExecutionID: executionID}},
		})
}

// renamed reports whether the service may list a file that was sent as wanted under this name: it may have added a number, to
// tell it from another one.
func renamed(listed, wanted string) bool {
	ending := path.Ext(wanted)
	rest, prefixed := strings.CutPrefix(listed, strings.TrimSuffix(wanted, ending))
	rest, suffixed := strings.CutSuffix(rest, ending)
	return prefixed && suffixed && strings.Trim(rest, "-_ ()0123456789") == ""
}

// refusedAttachment explains a refusal that has nothing to do with the files: the service's own text does not.
func (a *Activities) refusedAttachment(ctx context.Context, c *client.Client, executionID string, err error) error {
	failed, ok := errors.AsType[*client.Error](err)
	if !ok || failed.Status != http.StatusBadRequest {
		return a.forgiveEarlyNotFound(ctx, err)
	}
	if e, readErr := c.Execution(ctx, executionID); readErr == nil && e.Status.Terminal() {
		failed.Message += fmt.Sprintf("; the execution is %s and takes no more files", e.Status)
	}
	return activityError(ctx, failed)
}
