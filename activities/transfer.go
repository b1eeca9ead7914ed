package activities

import (
	"context"
	"fmt"
)

// newQuota refuses files that are too much for the quota together with what an earlier attempt has sent, before anything is sent.
func (a *Activities) newQuota(sources []*source, sent int64) (*quota, error) {
	total := sent
	for _, s := range sources {
		if s != nil {
			total += max(s.size, 0)
		}
	}
	if a.maxUpload >= 0 && total > a.maxUpload {
		return nil, invalid("files", fmt.Sprintf("have %d bytes together, more than the %d that an execution takes: give it fewer, or smaller ones "+
			"(a worker whose organization has more raises Options.MaxUploadBytes)", total, a.maxUpload))
	}
	return newQuota(a.maxUpload, total), nil
}

// transfer sends one file by means of a request, and tells trouble with the file from trouble with the service.
func (a *Activities) transfer(ctx context.Context, s *source, name string, limit *quota, sent func(n int),
	request func(ctx context.Context, body *upload) error) error {
	outer := ctx
	ctx, alive, stop := watchStall(ctx, stallTimeout)
	defer stop()
	body, err := openUpload(ctx, s, name, limit, func(n int) { alive(); sent(n) })
	if err != nil {
		return referenceError(outer, s.field, err)
	}
	err = request(ctx, body)
	trouble := body.trouble() // before stop, which makes trouble of its own
	stop()                    // so that Close need not wait for a Read
	_ = body.Close()
	switch {
	case trouble != nil:
		return referenceError(outer, s.field, trouble)
	case err == nil && !body.whole():
		return referenceError(outer, s.field, unreadable("the service answered before it had all of the file"))
	}
	return err
}
