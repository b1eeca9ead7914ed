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
// agent may be at work: its holder would make others wait that it waits for itself.
func (r *AgentRun) confirmPermit(ctx workflow.Context, limiter string) {
	p := &r.permits
	i := slices.IndexFunc(p.limits, func(l asteroid.Limit) bool { return r.limiterOf(l) == limiter })
	switch {
	case i < 0:
		return // the request that is under way tells it
	case i > p.next && p.stage == permitsAwaited:
		releasePermit(ctx, limiter, p.token)
		return
	}
	info, limit := workflow.GetInfo(ctx), p.limits[i]
	workflow.SignalExternalWorkflow(ctx, limiter, "", asteroid.AcquirePermitSignal, asteroid.PermitRequest{
		Token: p.token, WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID, FirstRunID: info.FirstRunID,
		FairnessKey: limit.FairnessKey, Max: max(limit.Max, 1), RequestedAt: p.since,
	})
}
