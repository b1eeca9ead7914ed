package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

// concurrentFiles is how many files of one call are transferred at the same time.
const concurrentFiles = 4

// newQuota returns the quota of one call's files. It refuses files that exceed the quota together
// with what an earlier attempt has sent, before anything is sent.
func (a *Activities) newQuota(sources []*files.Source, sent int64) (*files.Quota, error) {
	total := sent
	for _, s := range sources {
		if s != nil {
			total = files.AddSizes(total, s.Size)
		}
	}
	if a.maxUploadBytes >= 0 && total > a.maxUploadBytes {
		return nil, asteroid.NewInvalidInput("files", fmt.Sprintf(
			"have %d bytes together, more than the %d that an execution takes: pass fewer or smaller files "+
				"(if the organization's quota is higher, raise Options.MaxUploadBytes)", total, a.maxUploadBytes))
	}
	return files.NewQuota(a.maxUploadBytes, total), nil
}

// maxFailuresInRow is how many files in a row fail before the others are left to the next attempt.
const maxFailuresInRow = 16

// eachFile calls do for n files, at most limit at a time. A file that fails for now does not stop
// the others, so that each attempt gets further. The error of one of them is returned in the end. A
// final error stops the others, and so do many failures in a row: then the file is not the cause.
func eachFile(ctx context.Context, limit, n int, do func(ctx context.Context, i int) error) error {
	var mu sync.Mutex
	var passing error
	inRow := 0
	err := parallel.Each(ctx, limit, n, func(ctx context.Context, i int) error {
		err := activityError(ctx, do(ctx, i))
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			inRow = 0
			return nil
		}
		inRow++
		if ctx.Err() != nil || !isPassing(err) || inRow >= maxFailuresInRow {
			return err
		}
		passing = cmp.Or(passing, err)
		return nil
	})
	return cmp.Or(err, passing)
}

// isPassing reports whether another attempt, or another listing, may succeed where an error
// occurred.
func isPassing(err error) bool {
	if _, gone := errors.AsType[*goneError](err); gone {
		return true
	}
	failed, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && !failed.NonRetryable()
}

// transfer uploads one file by means of request. Its error distinguishes a file that cannot be read
// from a request that failed.
func (a *Activities) transfer(ctx context.Context, s *files.Source, name string, quota *files.Quota, sent func(n int),
	request func(ctx context.Context, body *files.Upload) error) error {
	outer := ctx
	ctx, stop := files.WithStallTimeout(ctx)
	defer stop()
	body, err := files.OpenUpload(ctx, s, name, quota, func(n int) { files.Alive(ctx); sent(n) })
	if err != nil {
		return referenceError(outer, s.Field, err)
	}
	err = request(ctx, body)
	fileErr := body.FileError() // read before stop, which makes a Read fail
	stop()                      // lets Close return without waiting for a Read
	_ = body.Close()
	switch {
	case fileErr != nil:
		return referenceError(outer, s.Field, fileErr)
	case err == nil && !body.Complete():
		return referenceError(outer, s.Field, files.Unavailable("the service answered before it had received all of the file"))
	}
	return err
}
