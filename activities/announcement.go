package activities

import (
	"context"
	"errors"
	"sync"
	"time"
)

// announcements are the latest announcements of a worker, which concurrent activities share.
type announcements struct {
	mu     sync.Mutex
	latest map[announcementKey]*announcement
}

type announcementKey struct{ connection, namespace string }

// announcement is one request that a watch run. Activities that need it while it is in progress or
// fresh share its outcome.
type announcement struct {
	done       chan struct{}
	err        error
	freshUntil time.Time // set before done is closed
}

// join returns the announcement that is in progress or fresh. If there is none it returns a new
// one, which the caller has to make: mine is then true.
func (s *announcements) join(key announcementKey, now func() time.Time) (current *announcement, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if latest := s.latest[key]; latest != nil {
		select {
		case <-latest.done:
			if now().Before(latest.freshUntil) {
				return latest, false
			}
		default:
			return latest, false
		}
	}
	current = &announcement{done: make(chan struct{}), err: errors.New("the announcement was interrupted")}
	if s.latest == nil {
		s.latest = map[announcementKey]*announcement{}
	}
	s.latest[key] = current
	return current, true
}

// wait returns the outcome of the announcement, even if ctx has ended, or why ctx ended before
// there was one.
func (a *announcement) wait(ctx context.Context) error {
	select {
	case <-a.done:
		return a.err
	default:
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
