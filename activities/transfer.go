package activities

import (
	"context"
	"fmt"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
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

// transfer uploads one file by means of request. Its error distinguishes a file that cannot be read
// from a request that failed.
func (a *Activities) transfer(ctx context.Context, s *files.Source, name string, quota *files.Quota, sent func(n int),
	request func(ctx context.Context, body *files.Upload) error) error {
	outer := ctx
	ctx, alive, stop := files.WithStallTimeout(ctx, files.StallTimeout)
	defer stop()
	body, err := files.OpenUpload(ctx, s, name, quota, func(n int) { alive(); sent(n) })
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
