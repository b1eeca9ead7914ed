package workflows

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/intent"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// permitRenewal is the time after which a run that waits for a permit asks again, in case somebody
// has terminated the limiter. The run keeps its place.
const permitRenewal = 10 * time.Minute

// permits are what an agent holds or waits for. All of them have one token.
type permits struct {
	token  string    // empty: the agent takes none, or has given them back
	since  time.Time // when it first asked
	limits []asteroid.Limit
	asked  int // how many of limits
	// granted are the runs of the workflow that permits were granted to, by the limiter's workflow
	// id. A grant may arrive before the activity that has asked for it returns.
	granted map[string]string
	// atWork says that the agent works while it waits. stop ends that wait.
	atWork bool
	stop   workflow.CancelFunc
}

// takePermits waits for a permit of each limit, one after another. All runs take them in one order,
// so that no two wait for each other. Permits that were lost are taken again, in their old place.
func (r *AgentRun) takePermits(ctx workflow.Context) error {
	if !r.agents.workflowWide {
		return asteroid.NewInvalidInput("limits", "need the interceptor of NewInterceptor, which the worker's plugin adds")
	}
	p, began := &r.permits, workflow.Now(ctx)
	if p.token == "" {
		p.token = r.agents.nextPermitToken(ctx, intent.Of(r.request, intent.OfFiles(r.in.Files)).Identity())
		p.since, p.limits = workflow.Now(ctx), r.in.Limits
	}
	p.granted = map[string]string{}
	for i := 0; i == 0 || i < len(p.limits); i++ {
		if err := r.takePermit(ctx, i); err != nil {
			r.measurePermitWait(ctx, began, "gave_up")
			r.releasePermits(ctx)
			return err
		}
	}
	r.measurePermitWait(ctx, began, "granted")
	r.request.Internal.CheckLimits, r.request.Internal.Permits = false, nil
	for _, limit := range p.limits {
		if runID := p.granted[r.limiterOf(limit)]; runID != "" {
			r.request.Internal.Permits = append(r.request.Internal.Permits, asteroid.Permit{Key: limit.Key, RunID: runID})
		}
	}
	r.state.Permit, r.state.PermitBefore, r.state.PermitUnservedQueue = "", 0, ""
	return nil
}

// takePermitsAtWork takes the permits of an agent that a reset's new run has adopted, while it
// works. The limiter still has the permit of the replaced run under the same token, so it grants it
// at once. Otherwise it would give it to somebody else. An error leaves the agent without permits.
func (r *AgentRun) takePermitsAtWork(ctx workflow.Context) {
	ctx, stop := workflow.NewDisconnectedContext(ctx) // a cancelled agent needs its permits to its end
	r.permits.atWork, r.permits.stop = true, stop
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := r.takePermits(ctx); err != nil && ctx.Err() == nil {
			workflow.GetLogger(ctx).Warn("The agent works without a permit, which could not be taken", "error", err)
		}
		r.permits.atWork = false
	})
}

// takePermit asks for the permit of one limit until it is granted. The first request of an agent
// finds out which limits apply.
func (r *AgentRun) takePermit(ctx workflow.Context, index int) error {
	for {
		asked, err := r.acquirePermit(ctx, index)
		if err != nil || asked.Limiter == "" { // empty: there is nothing to wait for
			return err
		}
		if !r.permits.atWork {
			r.state.Permit, r.state.PermitBefore = text.Line(r.permits.limits[index].Key, budget.Name), asked.Before
			r.state.PermitUnservedQueue = text.Line(asked.UnservedQueue, budget.Name)
			r.enterPhase(ctx, PhaseWaitingForPermit)
		}
		if awaitAtMost(ctx, permitRenewal, func() bool { return r.permits.granted[asked.Limiter] != "" }) || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// nextPermitToken returns the token of the next agent with a request. A reset does not change it,
// even if the agents ask in another order.
func (a *agents) nextPermitToken(ctx workflow.Context, request string) string {
	if a.permitTokens == nil {
		a.permitTokens = map[string]int{}
	}
	a.permitTokens[request]++
	return permitTokenPrefix(ctx) + request + "|" + strconv.Itoa(a.permitTokens[request])
}

func permitTokenPrefix(ctx workflow.Context) string {
	info := workflow.GetInfo(ctx)
	return info.WorkflowExecution.ID + "|" + originalRunID(info) + "|"
}

func (r *AgentRun) acquirePermit(ctx workflow.Context, index int) (*asteroid.AcquirePermitResult, error) {
	p := &r.permits
	in := asteroid.AcquirePermitInput{
		Connection: r.in.Connection, AgentProfileID: r.in.AgentProfileID, Limits: p.limits, Take: index,
		Token: p.token, FirstRunID: workflow.GetInfo(ctx).FirstRunID, RequestedAt: p.since,
	}
	asked, err := runActivity[asteroid.AcquirePermitResult](r.withSummary(ctx, "asks for a permit"), asteroid.AcquirePermitName, in, permitDefaults(), "")
	if err == nil {
		p.limits, p.asked = asked.Limits, min(max(p.asked, index+1), len(asked.Limits))
	}
	return asked, err
}

// permitDefaults are patient: a limiter may be full for hours.
func permitDefaults() workflow.ActivityOptions {
	options := callDefaults(30 * time.Second)
	options.ScheduleToCloseTimeout = 0
	return options
}

func (r *AgentRun) limiterOf(limit asteroid.Limit) string {
	return asteroid.LimiterWorkflowID(r.in.Connection, limit.Key)
}

// releasePermits gives the agent's permits back, and ends the wait for those that it lacks.
func (r *AgentRun) releasePermits(ctx workflow.Context) {
	p := r.permits
	if p.stop != nil {
		p.stop()
	}
	if p.token == "" {
		return
	}
	r.permits = permits{}
	for _, limit := range p.limits[:p.asked] {
		p.granted[r.limiterOf(limit)] = "" // or it may be granted yet
	}
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	var released []workflow.Future
	for _, limiter := range workflow.DeterministicKeys(p.granted) {
		released = append(released, releasePermit(ctx, limiter, p.token))
	}
	for _, future := range released {
		err := future.Get(ctx, nil)
		if _, ended := errors.AsType[*temporal.UnknownExternalWorkflowExecutionError](err); err != nil && !ended {
			workflow.GetLogger(ctx).Warn("A permit could not be given back: the limiter finds that out when the workflow has closed", "error", err)
		}
	}
}

func releasePermit(ctx workflow.Context, limiter, token string) workflow.Future {
	return workflow.SignalExternalWorkflow(ctx, limiter, "", asteroid.ReleasePermitSignal, asteroid.PermitRelease{Token: token})
}

// receivePermits receives what limiters tell, until the workflow closes. A permit that no agent
// wants any more goes back at once. One that no agent has asked for yet does not: a run that a
// reset has replaced took it, and its agent may be at work. This run asks for it under the same
// token, or does not answer, so that the limiter frees it.
func (a *agents) receivePermits(ctx workflow.Context) {
	events := workflow.GetSignalChannel(ctx, asteroid.PermitSignal)
	for {
		var event asteroid.PermitEvent
		events.Receive(ctx, &event)
		i := slices.IndexFunc(a.runs, func(r *AgentRun) bool { return event.Token != "" && r.permits.token == event.Token })
		switch {
		case event.Limiter == "", i < 0 && a.mayAskFor(ctx, event.Token):
		case i < 0:
			releasePermit(ctx, event.Limiter, event.Token)
		case event.Granted:
			a.runs[i].permits.granted[event.Limiter] = event.RunID
		default:
			a.runs[i].confirmPermit(ctx, event.Limiter)
		}
	}
}

// mayAskFor reports whether a token is one that this run of the workflow has not come to yet.
func (a *agents) mayAskFor(ctx workflow.Context, token string) bool {
	rest, own := strings.CutPrefix(token, permitTokenPrefix(ctx))
	request, number, whole := strings.Cut(rest, "|")
	n, err := strconv.Atoi(number)
	return own && whole && err == nil && n > a.permitTokens[request]
}

// confirmPermit tells a limiter that asks that this run of the workflow holds a permit, or wants
// it. It asks for the permit again, under the same token.
func (r *AgentRun) confirmPermit(ctx workflow.Context, limiter string) {
	i := slices.IndexFunc(r.permits.limits, func(l asteroid.Limit) bool { return r.limiterOf(l) == limiter })
	if i < 0 {
		return // the request that is under way tells it
	}
	info, limit := workflow.GetInfo(ctx), r.permits.limits[i]
	workflow.SignalExternalWorkflow(ctx, limiter, "", asteroid.AcquirePermitSignal, asteroid.PermitRequest{
		Token: r.permits.token, WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID, FirstRunID: info.FirstRunID,
		FairnessKey: limit.FairnessKey, Max: max(limit.Max, 1), RequestedAt: r.permits.since,
	})
}

// releaseAllPermits gives back the permits of agents that the workflow has started and not
// followed, when its function has returned.
func (a *agents) releaseAllPermits(ctx workflow.Context) {
	for _, r := range a.runs {
		r.releasePermits(ctx)
	}
}
