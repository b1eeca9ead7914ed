package workflows

import (
	"slices"
	"strconv"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// permitToken returns the token of an agent's permits: that of the nth agent with a request. A
// reset does not change it, even if the agents start in another order.
func permitToken(info *workflow.Info, request string, n int) string {
	return permitTokenPrefix(info) + request + "|" + strconv.Itoa(n)
}

func permitTokenPrefix(info *workflow.Info) string {
	return info.WorkflowExecution.ID + "|" + originalRunID(info) + "|"
}

// receivePermits receives what limiters tell, until the workflow closes. A permit that no agent
// wants any more goes back at once.
func (a *agents) receivePermits(ctx workflow.Context) {
	events := workflow.GetSignalChannel(ctx, asteroid.PermitSignal)
	for {
		var event asteroid.PermitEvent
		events.Receive(ctx, &event)
		i := slices.IndexFunc(a.runs, func(r *AgentRun) bool { return event.Token != "" && r.permits.token == event.Token })
		switch {
		case event.Limiter == "":
		case i >= 0:
			a.runs[i].receivePermit(ctx, event)
		case !a.mayStart(ctx, event.Token):
			releasePermit(ctx, event.Limiter, event.Token)
		}
	}
}

// mayStart reports whether a token is that of an agent that this run of the workflow has not come
// to yet. A run that a reset has replaced took the permit, and its agent may be at work. This run
// does not answer until it has started the agent. If that takes long, the limiter frees the permit.
func (a *agents) mayStart(ctx workflow.Context, token string) bool {
	rest, own := strings.CutPrefix(token, permitTokenPrefix(workflow.GetInfo(ctx)))
	request, number, whole := strings.Cut(rest, "|")
	n, err := strconv.Atoi(number)
	return own && whole && err == nil && n > a.ordinals[request]
}

// receivePermit receives what a limiter tells about the agent's permit. If the agent has not asked
// for it, a run that a reset has replaced did, and the agent may be at work.
func (r *AgentRun) receivePermit(ctx workflow.Context, event asteroid.PermitEvent) {
	p := &r.permits
	switch {
	case p.stage == permitsOver:
		releasePermit(ctx, event.Limiter, event.Token)
	case event.Granted && event.RunID == workflow.GetInfo(ctx).WorkflowExecution.RunID && r.outOfTurn(event.Limiter):
		r.returnPermit(ctx, event.Limiter)
	case event.Granted && p.granted != nil:
		p.granted[event.Limiter] = event.RunID
	case event.Granted: // to the replaced run
	case p.stage == permitsUnasked:
		r.reclaimPermits(routingOptions(workflow.WithActivityOptions(ctx, r.options)))
	default:
		r.confirmPermit(ctx, event.Limiter)
	}
}

// confirmPermit tells a limiter that asks that this run of the workflow holds a permit, or wants
// it. It asks for the permit again, under the same token. A permit out of turn goes back unless the
// agent may be at work.
func (r *AgentRun) confirmPermit(ctx workflow.Context, limiter string) {
	p := &r.permits
	i := r.limitOf(limiter)
	switch {
	case i < 0, p.stage == permitsAwaited && p.asked == 0:
		return // the request that is under way tells it
	case r.outOfTurn(limiter):
		r.returnPermit(ctx, limiter)
		return
	}
	info, limit := workflow.GetInfo(ctx), p.limits[i]
	workflow.SignalExternalWorkflow(ctx, limiter, "", asteroid.AcquirePermitSignal, asteroid.PermitRequest{
		Token: p.token, WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID, FirstRunID: info.FirstRunID,
		FairnessKey: limit.FairnessKey, Max: max(limit.Max, 1), RequestedAt: p.since,
	})
}

// limitOf returns the index of the limit that a limiter serves, or -1.
func (r *AgentRun) limitOf(limiter string) int {
	return slices.IndexFunc(r.permits.limits, func(l asteroid.Limit) bool { return r.limiterOf(l) == limiter })
}

// outOfTurn reports whether the agent waits for another permit before that of this limiter. If it
// kept this one meanwhile, two runs might wait for each other.
func (r *AgentRun) outOfTurn(limiter string) bool {
	p := &r.permits // before the first answer, their limits are in no order
	return p.stage == permitsAwaited && p.asked > 0 && r.limitOf(limiter) > p.next
}

// returnPermit gives back a permit that the agent asks for again when its turn comes.
func (r *AgentRun) returnPermit(ctx workflow.Context, limiter string) {
	r.permits.returning = append(r.permits.returning, releasePermit(ctx, limiter, r.permits.token))
}
