package testsuite

import (
	"net/http"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// longestPoll is the longest that a long poll may ask for, and the default.
const longestPoll = 25

// ExecutionSyncGet serves GET /agents/v2/executions/{executionId}/sync. By the wall clock it waits for what it
// is asked to wait for; by any other it answers at once with what is.
func (s *service) ExecutionSyncGet(w http.ResponseWriter, r *http.Request, id string, params api.ExecutionSyncGetParams) {
	if !s.longPoll {
		http.NotFound(w, r)
		return
	}
	seconds := int32(longestPoll)
	if params.TimeoutSeconds != nil {
		seconds = *params.TimeoutSeconds
	}
	if seconds < 1 || seconds > longestPoll {
		invalid("timeoutSeconds", "must be from 1 to %d", longestPoll).write(w, r)
		return
	}
	if refused := unknownQuery(r, params); refused != nil {
		refused.write(w, r)
		return
	}
	timeout := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timeout.Stop()
	for final := s.virtual; ; {
		wait, done := s.look(r, id, final)
		if wait == nil {
			done.write(w, r)
			return
		}
		select {
		case <-wait.changed:
		case <-time.After(wait.next):
		case <-timeout.C:
			final = true
		case <-s.closing:
			final = true
		case <-r.Context().Done():
			return
		}
	}
}

// waiting is what a long poll waits for: a change that somebody makes, or the time of the next one that comes
// by itself. When a queued execution's turn comes is not known, so that it is looked at again soon.
type waiting struct {
	changed <-chan struct{}
	next    time.Duration
}

// look answers a long poll, or says what to wait for if it is not final.
func (s *service) look(r *http.Request, id string, final bool) (*waiting, reply) {
	var wait *waiting
	body := s.locked(func(now time.Time) reply {
		e, refused := s.readable(now, caller(r), id)
		if refused != nil {
			return *refused
		}
		body := api.ExecutionSyncResponse{ExecutionID: e.id, Status: e.status, ExecutionResult: e.visibleResult(now)}
		switch e.status {
		case api.ExecutionStatusCompleted, api.ExecutionStatusFailed, api.ExecutionStatusCancelled:
			return answer(http.StatusOK, body)
		case api.ExecutionStatusQueued, api.ExecutionStatusStarting, api.ExecutionStatusRunning:
			if !final {
				wait = &waiting{changed: e.changed, next: 50 * time.Millisecond}
				if e.wakeup != nil {
					wait.next = e.wakeup.at.Sub(now)
				}
			}
		}
		return answer(http.StatusAccepted, body)
	})
	return wait, body
}
