package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

const (
	// permitRenewal is the time after which a workflow that waits for a permit asks again, in case
	// somebody has terminated the limiter. The wait keeps its place. After quickRenewals it is
	// slowPermitRenewal, so that a wait of weeks has a short history.
	permitRenewal     = 10 * time.Minute
	quickRenewals     = 36
	slowPermitRenewal = time.Hour
)

// permitWaiters are the agents of a workflow that wait for a permit of one limiter, in the order in
// which they came. Only the first of them asks again. When it finds a new limiter, all of them do.
type permitWaiters struct {
	waiting  []*AgentRun
	askedAt  time.Time // the latest request of any of them
	renewals int       // since one of them ended its wait
	began    time.Time // when the limiter began, as far as it has told
}

// awaitPermit waits for a permit that the agent has just asked for. It returns false when the agent
// has to ask again.
func (r *AgentRun) awaitPermit(ctx workflow.Context, asked *asteroid.AcquirePermitResult) bool {
	w, now := r.agents.permitWaitersOf(asked.Limiter), workflow.Now(ctx)
	w.askedAt = now
	if asked.LimiterBegan.After(w.began) {
		w.began = asked.LimiterBegan
	}
	if !slices.Contains(w.waiting, r) {
		w.waiting = append(w.waiting, r)
	}
	granted := func() bool { return r.permits.granted[asked.Limiter] != "" }
	forgotten := func() bool { return w.began.After(now) }
	for !granted() && !forgotten() && ctx.Err() == nil {
		if w.waiting[0] != r {
			_ = workflow.Await(ctx, func() bool { return granted() || forgotten() || w.waiting[0] == r })
			continue
		}
		before, left := w.askedAt, w.renewal().Sub(workflow.Now(ctx))
		if left > 0 {
			awaitAtMost(ctx, left, func() bool { return granted() || forgotten() })
		}
		if !granted() && !forgotten() && ctx.Err() == nil && w.askedAt.Equal(before) {
			w.renewals++
			return false
		}
	}
	return granted()
}

// leave ends the wait of an agent.
func (w *permitWaiters) leave(r *AgentRun) {
	w.waiting = slices.DeleteFunc(w.waiting, func(other *AgentRun) bool { return other == r })
	w.renewals = 0
}

// endPermitWaits ends the wait of an agent, whichever limiter it waits for.
func (a *agents) endPermitWaits(r *AgentRun) {
	for _, limiter := range workflow.DeterministicKeys(a.permitWaiters) {
		if w := a.permitWaiters[limiter]; slices.Contains(w.waiting, r) {
			w.leave(r)
		}
	}
}

// renewal returns when the first agent asks again.
func (w *permitWaiters) renewal() time.Time {
	if w.renewals >= quickRenewals {
		return w.askedAt.Add(slowPermitRenewal)
	}
	return w.askedAt.Add(permitRenewal)
}

func (a *agents) permitWaitersOf(limiter string) *permitWaiters {
	w := a.permitWaiters[limiter]
	if w == nil {
		if a.permitWaiters == nil {
			a.permitWaiters = map[string]*permitWaiters{}
		}
		w = &permitWaiters{}
		a.permitWaiters[limiter] = w
	}
	return w
}
