package activities

import (
	"context"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

// stagedReserve is how much lifetime a file that an earlier attempt staged must have left to be kept.
const stagedReserve = 20 * time.Minute

// StageFiles streams files to the service, where they wait up to 60 minutes for one execution
// (https://docs.asteroid.ai/api-reference/files/stage-a-file-for-an-execution).
//
// Every reference is looked at before the first byte is sent, so that a wrong one costs nothing, and neither do files that are
// too much together: Options.MaxUploadBytes. Then each file is its own request, a few at a time. Memory stays flat whatever
// the sizes. Names arrive in ASCII, without directories, and unique within the call.
//
// Heartbeats ([Progress] of StagedFile) tell files and bytes; one goes out with every finished file. An attempt that follows a
// failed one keeps the files that were finished and still have 20 minutes to live. Cancellation ends an upload in mid-body.
//
// Errors, which name files[i].uri where they are about a reference: asteroid.InvalidInput where it is wrong, leads where it
// must not, or the files are too much; asteroid.NotFound where there is no such file; asteroid.Unauthorized where the worker may not
// read it; asteroid.Unavailable, retried, where it cannot be read now or changes; and those of the API.
func (a *Activities) StageFiles(ctx context.Context, in asteroid.StageFilesInput) (*asteroid.StageFilesResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	progress, stop := newReporter[asteroid.StagedFile](ctx)
	defer stop()
	names := make([]string, len(in.Files))
	var before int64
	for i := range in.Files {
		if kept, ok := progress.has(index(i)); ok && kept.ExpiresAt.After(a.now().Add(stagedReserve)) {
			names[i] = kept.Name
			before += kept.Size
		} else {
			progress.forget(index(i))
		}
	}
	sources, err := a.find(ctx, c, in.Files, func(i int) bool { return names[i] == "" })
	if err != nil {
		return nil, err
	}
	limit, err := a.newQuota(sources, before)
	if err != nil {
		return nil, err
	}
	for i, s := range sources {
		if s != nil {
			names[i] = s.Name
			progress.expect(s)
		}
	}
	names = files.UniqueNames(names)
	err = each(ctx, len(sources), func(ctx context.Context, i int) error {
		if sources[i] == nil {
			return nil
		}
		file, err := a.stageFile(ctx, c, sources[i], names[i], limit, progress.moved)
		if err != nil {
			return err
		}
		progress.finished(index(i), *file)
		return nil
	})
	if err != nil {
		return nil, activityError(ctx, err)
	}
	result := &asteroid.StageFilesResult{Files: make([]asteroid.StagedFile, len(in.Files))}
	for i := range in.Files {
		result.Files[i], _ = progress.has(index(i))
	}
	result.LifetimeSeconds = a.lifetime(result.Files)
	return result, nil
}

func (a *Activities) lifetime(files []asteroid.StagedFile) int64 {
	left := asteroid.StagedFileLifetime
	for _, file := range files {
		left = min(left, file.ExpiresAt.Sub(a.now()))
	}
	return max(int64(left/time.Second), 1)
}

// stageFile uploads one file and matches the answer to it.
func (a *Activities) stageFile(ctx context.Context, c *client.Client, s *files.Source, name string, limit *files.Quota, moved func(n int)) (*asteroid.StagedFile, error) {
	staged := &asteroid.StagedFile{ContentType: s.ContentType, ExpiresAt: a.now().Add(asteroid.StagedFileLifetime)}
	err := a.transfer(ctx, s, name, limit, moved, func(ctx context.Context, body *files.Upload) (err error) {
		staged.ID, staged.Name, err = c.Stage(ctx, name, body)
		staged.Size = body.Size()
		return err
	})
	if err != nil {
		return nil, err
	}
	return staged, nil
}
