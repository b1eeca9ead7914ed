package testsuite

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

func (s *service) atLimit(o *organization) bool { return s.limit > 0 && o.active >= s.limit }

// refuseAtCapacity returns the refusal of one more execution if the organization is at its limit
// and the request does not ask to queue.
func (s *service) refuseAtCapacity(o *organization, onLimit *api.OnCapacityLimit) *reply {
	if !s.atLimit(o) || onLimit != nil && *onLimit == api.Queue {
		return nil
	}
	s.futile++
	refused := problem(cmp.Or(s.capacityStatus, http.StatusTooManyRequests),
		fmt.Sprintf("%d of %d concurrent executions are in use. Wait until one finishes, or send onCapacityLimit=queue.", o.active, s.limit))
	if refused.status != http.StatusTooManyRequests {
		return &refused
	}
	body := refused.body.(api.APIError)
	body.Type, body.Title = new(limitReached), new("Limit reached")
	body.Capability, body.Used, body.Limit = new("concurrent_executions"), new(o.active), new(s.limit)
	refused.body = body
	return &refused
}

// admit registers a new execution and starts or queues it.
func (s *service) admit(e *execution, now time.Time) {
	e.seq = len(s.executionOrder)
	s.executionOrder = append(s.executionOrder, e)
	s.executions[e.id] = e
	o := e.agent.organization
	if s.atLimit(o) {
		o.queue = append(o.queue, e)
		e.setStatus(now, api.ExecutionStatusQueued, nil)
	} else {
		e.start(now)
	}
	for _, file := range e.files {
		e.addActivity(now, file)
	}
}

// startQueued starts queued executions, oldest first, until the limit is reached.
func (s *service) startQueued(o *organization, at time.Time) {
	for len(o.queue) > 0 && !s.atLimit(o) {
		e := o.queue[0]
		o.queue = o.queue[1:]
		e.start(at)
	}
}

func (e *execution) leaveQueue() {
	o := e.agent.organization
	o.queue = slices.DeleteFunc(o.queue, func(queued *execution) bool { return queued == e })
}
