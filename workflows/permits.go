package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// maxPermitRequests and maxPermitReleases bound what the agents of one workflow ask of limiters at
// once. They do not wait for a turn then, and the server admits 2,000 pending activities and as
// many signals. One more sticks the workflow for good.
const (
	maxPermitRequests = 200
	maxPermitReleases = 200
)

// permitStage is how far an agent is with its permits.
type permitStage int

const (
	permitsUnasked permitStage = iota
	// permitsAwaited: the agent waits for them before it starts.
	permitsAwaited
	// permitsReclaimed: they are taken while the agent works, or may work.
	permitsReclaimed
	permitsHeld
	permitsOver // they have gone back
)

// permits are what an agent holds or waits for. All of them have one token.
type permits struct {
	stage  permitStage
	token  string    // of the agent; a reset does not change it
	since  time.Time // when the agent first asked; zero: it has not, or the permits have gone back
	limits []asteroid.Limit
	asked  int // how many of limits
	next   int // the limit whose permit it waits for
	// granted are the runs of the workflow that permits were granted to, by the limiter's workflow
	// id. A grant may arrive before the activity that has asked for it returns.
	granted   map[string]string
	returning []workflow.Future   // permits out of turn, on their way back
	stop      workflow.CancelFunc // ends reclaiming
}

// takePermits waits for a permit of each limit, one after another. All runs take them in one order,
// so that no two wait for each other. Permits that were lost are taken again, in their old place.
// The agent is not at work.
func (r *AgentRun) takePermits(ctx workflow.Context) error {
	if !r.agents.workflowWide {
		return asteroid.NewInvalidInput("limits", "need the interceptor of NewInterceptor, which the worker's plugin adds")
	}
	p := &r.permits
	if p.stage == permitsReclaimed {
		p.stage = permitsAwaited
		for _, limiter := range workflow.DeterministicKeys(p.granted) {
			if p.granted[limiter] == workflow.GetInfo(ctx).WorkflowExecution.RunID && r.outOfTurn(limiter) {
				delete(p.granted, limiter)
				r.returnPermit(ctx, limiter)
			}
		}
		r.enterPhase(ctx, PhaseWaitingForPermit)
		if err := workflow.Await(ctx, func() bool { return p.stage != permitsAwaited }); err != nil || p.stage == permitsHeld {
			return err
		}
	}
	p.stage = permitsAwaited
	r.state.Phase, r.state.Since, r.state.Permit = PhaseWaitingForPermit, workflow.Now(ctx), ""
	r.show(ctx) // a limiter may take no request for hours
	return r.takeEach(ctx)
}

// reclaimPermits takes the permits of an agent that works, or may work: the run of the workflow
// that a reset has replaced took them. The limiter still has them under the same token, so it
// grants them at once. Otherwise it would give them to somebody else. An error leaves the agent
// without permits.
func (r *AgentRun) reclaimPermits(ctx workflow.Context) {
	ctx, stop := workflow.NewDisconnectedContext(ctx) // a cancelled agent needs its permits to its end
	r.permits.stage, r.permits.stop, r.permits.since = permitsReclaimed, stop, workflow.Now(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := r.takeEach(ctx); err != nil && !temporal.IsCanceledError(err) {
			workflow.GetLogger(ctx).Warn("The agent works without a permit, which could not be taken", "error", err)
		}
	})
}

func (r *AgentRun) takeEach(ctx workflow.Context) error {
	p, began := &r.permits, workflow.Now(ctx)
	if p.limits == nil {
		p.limits = r.in.Limits
	}
	if p.since.IsZero() {
		p.since = began
	}
	p.granted = map[string]string{}
	for p.next = 0; p.next == 0 || p.next < len(p.limits); p.next++ {
		if err := r.takePermit(ctx, p.next); err != nil {
			r.measurePermitWait(ctx, began, "gave_up")
			r.releasePermits(ctx)
			return err
		}
	}
	r.measurePermitWait(ctx, began, "granted")
	p.stage = permitsHeld
	r.request.Internal.CheckLimits, r.request.Internal.Permits = false, nil
	for _, limit := range p.limits {
		if runID := p.granted[r.limiterOf(limit)]; runID != "" {
			r.request.Internal.Permits = append(r.request.Internal.Permits, asteroid.Permit{Key: limit.Key, RunID: runID})
		}
	}
	r.state.Permit, r.state.PermitBefore, r.state.PermitUnservedQueue = "", 0, ""
	return nil
}

// takePermit asks for the permit of one limit until it is granted. The first request of an agent
// finds out which limits apply.
func (r *AgentRun) takePermit(ctx workflow.Context, index int) error {
	for {
		asked, err := r.acquirePermit(ctx, index)
		if err != nil {
			r.agents.endPermitWaits(r)
		}
		if err != nil || asked.Limiter == "" { // empty: there is nothing to wait for
			return err
		}
		if r.permits.stage == permitsAwaited {
			r.state.Permit, r.state.PermitBefore = text.Line(r.permits.limits[index].Key, budget.Name), asked.Before
			r.state.PermitUnservedQueue = text.Line(asked.UnservedQueue, budget.Name)
			r.enterPhase(ctx, PhaseWaitingForPermit)
		}
		if r.awaitPermit(ctx, asked) || ctx.Err() != nil {
			r.agents.permitWaitersOf(asked.Limiter).leave(r)
			return ctx.Err()
		}
	}
}

func (r *AgentRun) acquirePermit(ctx workflow.Context, index int) (*asteroid.AcquirePermitResult, error) {
	p := &r.permits
	if index == 0 && len(r.request.Internal.Permits) == 0 { // others may wait for one that holds a permit
		if err := r.agents.permitRequests.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		defer r.agents.permitRequests.Release(1)
	}
	for _, returned := range p.returning {
		_ = returned.Get(ctx, nil) // else the release may overtake the request
	}
	p.returning = nil
	in := asteroid.AcquirePermitInput{
		Connection: r.in.Connection, AgentProfileID: r.in.AgentProfileID, Limits: p.limits, Repeated: p.asked > 0, Take: index,
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
	r.permits = permits{token: p.token, stage: permitsOver}
	if p.since.IsZero() {
		return
	}
	if p.granted == nil {
		p.granted = map[string]string{}
	}
	for _, limit := range p.limits[:p.asked] {
		p.granted[r.limiterOf(limit)] = "" // or it may be granted yet
	}
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	places := int64(len(p.granted))
	_ = r.agents.permitReleases.Acquire(ctx, places) // nothing cancels this context
	defer r.agents.permitReleases.Release(places)
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

// releaseAllPermits gives back the permits of agents that the workflow has started and not
// followed, when its function has returned.
func (a *agents) releaseAllPermits(ctx workflow.Context) {
	for _, r := range a.runs {
		r.releasePermits(ctx)
	}
}
