package activities

import (
	"cmp"
	"context"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/intent"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// stagedReserve is the lifetime that a kept file of an earlier attempt must have left.
const stagedReserve = 20 * time.Minute

// StageFiles streams files to the service, where they wait up to 60 minutes for one execution
// (https://docs.asteroid.ai/api-reference/files/stage-a-file-for-an-execution).
//
// Every reference is resolved before the first byte is sent, so an invalid one costs no upload. Nor
// do files whose total size exceeds Options.MaxUploadBytes. A file that cannot be found or read now
// does not stop the others, and the next attempt continues with it. Each file is a request of its
// own, a few at a time. Memory stays flat whatever the sizes. Names arrive in ASCII, without
// directories, and unique within the call.
//
// An https: file is compared with the checksums that its host states (Repr-Digest, Content-Digest,
// Digest, Content-MD5, those of object stores), and decoded if it arrives with the Content-Encoding
// gzip or deflate, unless it is an archive such as x.tar.gz. Any other encoding is refused.
//
// Heartbeats ([asteroid.Progress] of StagedFile) hold files and bytes; one follows every finished
// file, or several that finish within seconds. A later attempt keeps the files that were finished
// and have 20 minutes left to live. A cancellation ends an upload in mid-body.
//
// An error about a reference names files[i].uri. Errors: asteroid.InvalidInput if a reference is
// malformed, if the worker's options do not allow it, or if the files or their names are too large;
// asteroid.NotFound if there is no such file; asteroid.Unauthorized if the worker may not read it;
// asteroid.Unavailable, retried, if it cannot be read now or changes during the upload; and those
// of the API.
func (a *Activities) StageFiles(ctx context.Context, in asteroid.StageFilesInput) (*asteroid.StageFilesResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	if in.Internal.CheckLimits {
		if err := a.checkLimits(in.Internal.AgentProfileID); err != nil {
			return nil, err
		}
	}
	if in.Files, err = a.expandManifests(ctx, c, in.Files); err != nil {
		return nil, err
	}
	progress, stop := newReporter[asteroid.StagedFile](ctx, upload)
	defer stop()
	names := make([]string, len(in.Files))
	var kept int64 // bytes
	for i := range in.Files {
		if file, ok := progress.finishedFile(indexKey(i)); ok && file.ExpiresAt.After(a.now().Add(stagedReserve)) {
			names[i] = file.Name
			kept = files.AddSizes(kept, file.Size)
		} else {
			progress.forget(indexKey(i))
		}
	}
	sources, unfound := a.findSources(ctx, c, in.Files, func(i int) bool { return names[i] == "" })
	if sources == nil {
		return nil, unfound
	}
	quota, err := a.newQuota(sources, kept)
	if err != nil {
		return nil, err
	}
	for i, s := range sources {
		if s != nil {
			names[i] = s.Name
			progress.expect(s)
		}
	}
	names = uniqueNames(names, sources)
	identities := intent.OfFiles(in.Files)
	if err := bound.Uploads(expectedStaged(sources, names, identities)); err != nil {
		return nil, err
	}
	err = eachFile(ctx, concurrentFiles, len(sources), func(ctx context.Context, i int) error {
		if sources[i] == nil {
			return nil
		}
		file, err := a.stageFile(ctx, c, sources[i], names[i], quota, progress.addBytes)
		if err != nil {
			return err
		}
		progress.finish(indexKey(i), *file)
		return nil
	})
	if err = cmp.Or(err, unfound); err != nil {
		return nil, activityError(ctx, err)
	}
	result := &asteroid.StageFilesResult{Files: progress.inOrder(len(in.Files), indexKey)}
	for i, identity := range identities {
		result.Files[i].Identity = identity
	}
	result.LifetimeSeconds = a.lifetime(result.Files)
	return result, nil
}

// uniqueNames returns the names under which the sources are sent. Files that an earlier attempt has
// sent have no source and keep their names.
func uniqueNames(names []string, sources []*files.Source) []string {
	var order []int // the kept names first
	for _, kept := range []bool{true, false} {
		for i, s := range sources {
			if kept == (s == nil) {
				order = append(order, i)
			}
		}
	}
	wanted := make([]string, len(order))
	for at, i := range order {
		wanted[at] = names[i]
	}
	unique := make([]string, len(order))
	for at, name := range files.UniqueNames(wanted) {
		unique[order[at]] = name
	}
	return unique
}

// expectedStaged returns what StageFiles will return of the files to send, as far as it is known
// before.
func expectedStaged(sources []*files.Source, names, identities []string) []asteroid.StagedFile {
	expected := make([]asteroid.StagedFile, len(sources))
	for i, s := range sources {
		expected[i] = asteroid.StagedFile{ID: uuidLength, Name: names[i], Identity: identities[i], ExpiresAt: time.Now()}
		if s != nil {
			expected[i].ContentType, expected[i].Size = s.ContentType, max(s.Size, 0)
		}
	}
	return expected
}

// uuidLength is as long as the ids of the service.
const uuidLength = "00000000-0000-4000-8000-000000000000"

// lifetime returns the seconds until the first of the files expires, at least 1.
func (a *Activities) lifetime(files []asteroid.StagedFile) int64 {
	left := asteroid.StagedFileLifetime
	for _, file := range files {
		left = min(left, file.ExpiresAt.Sub(a.now()))
	}
	return max(int64(left/time.Second), 1)
}

// stageFile uploads one file and returns its handle.
func (a *Activities) stageFile(ctx context.Context, c *client.Client, s *files.Source, name string, quota *files.Quota,
	moved func(n int)) (*asteroid.StagedFile, error) {
	staged := &asteroid.StagedFile{ContentType: s.ContentType, ExpiresAt: a.now().Add(asteroid.StagedFileLifetime)}
	err := a.transfer(ctx, s, name, quota, moved, func(ctx context.Context, body *files.Upload) (err error) {
		staged.ID, staged.Name, err = c.Stage(ctx, name, body)
		staged.Name, staged.Size = text.Prose(staged.Name, budget.Name), body.BytesRead()
		return err
	})
	return staged, err
}
