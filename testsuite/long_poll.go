package testsuite

import (
	"net/http"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// longestPoll is the maximum timeout of a long poll in seconds, and the default.
const longestPoll = 25

// ExecutionSyncGet serves GET /agents/v2/executions/{executionId}/sync. With the wall clock it
// waits until the execution is terminal or needs a person, or until the timeout. With any other
// clock it answers at once.
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
		wait, response := s.answerPoll(r, id, final)
		if wait == nil {
			response.write(w, r)
			return
		}
		select {
		case <-wait.changed:
		case <-time.After(wait.recheckAfter):
		case <-timeout.C:
			final = true
		case <-s.closing:
			final = true
		case <-r.Context().Done():
			return
		}
	}
}

// pollWait is what a long poll waits for: a change of status, or the time at which the execution
// should be read again. A queued execution is read again soon, because the time of its start is
// unknown.
type pollWait struct {
	changed      <-chan struct{}
	recheckAfter time.Duration
}

// answerPoll returns the response of a long poll, or what to wait for unless final.
func (s *service) answerPoll(r *http.Request, id string, final bool) (*pollWait, reply) {
	var wait *pollWait
	body := s.locked(func(now time.Time) reply {
		e, refused := s.readable(now, caller(r), id)
		if refused != nil {
			return *refused
		}
		if s.virtual { // otherwise it waits
			e.countRead(now)
		}
		body := api.ExecutionSyncResponse{ExecutionID: e.id, Status: e.status, ExecutionResult: e.visibleResult(now)}
		switch e.status {
		case api.ExecutionStatusCompleted, api.ExecutionStatusFailed, api.ExecutionStatusCancelled:
			return answer(http.StatusOK, body)
		case api.ExecutionStatusQueued, api.ExecutionStatusStarting, api.ExecutionStatusRunning:
			if !final {
				wait = &pollWait{changed: e.changed, recheckAfter: 50 * time.Millisecond}
				if e.wakeup != nil {
					wait.recheckAfter = e.wakeup.at.Sub(now)
				}
			}
		}
		return answer(http.StatusAccepted, body)
	})
	return wait, body
}
