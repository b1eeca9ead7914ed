package activities

import (
	"context"
	"fmt"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/files"
)

// newQuota refuses files that are too much for the quota together with what an earlier attempt has sent, before anything is sent.
func (a *Activities) newQuota(sources []*files.Source, sent int64) (*files.Quota, error) {
	total := sent
	for _, s := range sources {
		if s != nil {
			total += max(s.Size, 0)
		}
	}
	if a.maxUpload >= 0 && total > a.maxUpload {
		return nil, asteroid.NewInvalidInput("files", fmt.Sprintf("have %d bytes together, more than the %d that an execution takes: give it fewer, or smaller ones "+
			"(a worker whose organization has more raises Options.MaxUploadBytes)", total, a.maxUpload))
	}
	return files.NewQuota(a.maxUpload, total), nil
}

// transfer sends one file by means of a request, and tells trouble with the file from trouble with the service.
func (a *Activities) transfer(ctx context.Context, s *files.Source, name string, limit *files.Quota, sent func(n int),
	request func(ctx context.Context, body *files.Upload) error) error {
	outer := ctx
	ctx, alive, stop := files.WatchStall(ctx, files.StallTimeout)
	defer stop()
	body, err := files.OpenUpload(ctx, s, name, limit, func(n int) { alive(); sent(n) })
	if err != nil {
		return referenceError(outer, s.Field, err)
	}
	err = request(ctx, body)
	trouble := body.FileError() // before stop, which makes trouble of its own
	stop()                      // so that Close need not wait for a Read
	_ = body.Close()
	switch {
	case trouble != nil:
		return referenceError(outer, s.Field, trouble)
	case err == nil && !body.Complete():
		return referenceError(outer, s.Field, files.Unavailable("the service answered before it had all of the file"))
	}
	return err
}
