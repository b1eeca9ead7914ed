package testsuite

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

func (s *service) full(o *organization) bool { return s.limit > 0 && o.active >= s.limit }

// capacity refuses one more execution if the organization is at its limit, unless it may queue.
func (s *service) capacity(o *organization, onLimit *api.OnCapacityLimit) *reply {
	if !s.full(o) || onLimit != nil && *onLimit == api.Queue {
		return nil
	}
	refused := problem(cmp.Or(s.capacityStatus, http.StatusTooManyRequests),
		fmt.Sprintf("%d of %d concurrent executions are in use. Wait for one to end, or send onCapacityLimit=queue.", o.active, s.limit))
	if refused.status != http.StatusTooManyRequests {
		return &refused
	}
	body := refused.body.(api.APIError)
	body.Type, body.Title = new(limitReached), new("Limit reached")
	body.Capability, body.Used, body.Limit = new("concurrent_executions"), new(o.active), new(s.limit)
	refused.body = body
	return &refused
}

// admit makes a new execution known and starts or queues it.
func (s *service) admit(e *execution, now time.Time) {
	e.seq = len(s.order)
	s.order = append(s.order, e)
	s.executions[e.id] = e
	o := e.agent.organization
	if s.full(o) {
		o.queue = append(o.queue, e)
		e.setStatus(now, api.ExecutionStatusQueued, nil)
	} else {
		e.start(now)
	}
	for _, file := range e.files {
		e.log(now, file)
	}
}

// startQueued starts what waits, oldest first, as far as there is room.
func (s *service) startQueued(o *organization, at time.Time) {
	for len(o.queue) > 0 && !s.full(o) {
		e := o.queue[0]
		o.queue = o.queue[1:]
		e.start(at)
	}
}

func (e *execution) leaveQueue() {
	o := e.agent.organization
	o.queue = slices.DeleteFunc(o.queue, func(queued *execution) bool { return queued == e })
}
