package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

const (
	// limiterIdle is the time without requests and holders after which a limiter ends.
	limiterIdle = 10 * time.Minute
	// holderCheckInterval is the time between two looks at the holders, while a run waits.
	holderCheckInterval = 15 * time.Second
	// maxLimiterEvents bounds the history of one run of a limiter.
	maxLimiterEvents = 2000
)

// Limiter hands out the permits of one connection and key, see [asteroid.Limit]. The activity
// asteroid.AcquirePermit starts it, and it ends when nobody has held or wanted a permit for ten
// minutes, unless an operator has set the number of permits. Permits go round the fairness keys in
// turn; within one, the longest wait comes first.
//
// It answers the query [StateQuery] with an [asteroid.LimiterState], and takes the updates
// [asteroid.SetLimitUpdate] and [asteroid.FreePermitUpdate].
//
// While a run waits, it looks every 15 seconds for holders that cannot give their permit back: a
// workflow that was terminated or timed out, or a run that a reset has replaced and that does not
// answer. A limiter that somebody terminates forgets its holders. Runs that wait ask again within
// ten minutes (an hour, if they have waited for six), in their order. Do not cancel or reset it:
// use the updates.
func Limiter(ctx workflow.Context, in asteroid.LimiterInput) error {
	queue, err := restoreQueue(in.State, workflow.Now(ctx))
	if err != nil {
		return fmt.Errorf("the state of the limiter of %s cannot be read: %w", in.Key, err)
	}
	l := &limiter{in: in, id: workflow.GetInfo(ctx).WorkflowExecution.ID, queue: queue, active: workflow.Now(ctx)}
	if err := l.register(ctx); err != nil {
		return err
	}
	l.announceCounters(ctx)
	workflow.Go(ctx, l.endWhenIdle)
	workflow.Go(ctx, l.checkHolders)
	for {
		if l.full(ctx) {
			return l.continueAsNew(ctx)
		}
		l.grant(ctx)
		l.show(ctx)
		l.changed = false
		if err := workflow.Await(ctx, func() bool { return l.changed || l.idle || l.full(ctx) }); err != nil {
			return err
		}
		if l.idle {
			// Signals that this task has brought count.
			if l.receiveAll(); l.unused() {
				return nil
			}
			l.idle = false
		}
	}
}

// limiter is a run of the workflow asteroid.Limiter.
type limiter struct {
	in       asteroid.LimiterInput
	id       string
	queue    *permitQueue
	acquired workflow.ReceiveChannel
	released workflow.ReceiveChannel

	changed  bool      // a permit may be granted
	idle     bool      // nobody has held or wanted a permit for a while
	active   time.Time // when somebody last did
	inFlight int       // grants and checks that have not returned
}

// register registers the query, the updates and the receivers of signals.
func (l *limiter) register(ctx workflow.Context) error {
	l.acquired = workflow.GetSignalChannel(ctx, asteroid.AcquirePermitSignal)
	l.released = workflow.GetSignalChannel(ctx, asteroid.ReleasePermitSignal)
	workflow.Go(ctx, func(ctx workflow.Context) {
		receiveEach(ctx, l.acquired, func(request asteroid.PermitRequest) { l.acquire(ctx, request) })
	})
	workflow.Go(ctx, func(ctx workflow.Context) {
		receiveEach(ctx, l.released, func(release asteroid.PermitRelease) { l.release(ctx, release.Token) })
	})
	return errors.Join(
		workflow.SetQueryHandler(ctx, StateQuery, func() (asteroid.LimiterState, error) { return l.queue.state(l.in), nil }),
		workflow.SetQueryHandler(ctx, asteroid.PermitPlaceQuery, func(token string) (asteroid.PermitPlace, error) { return l.queue.place(token), nil }),
		workflow.SetUpdateHandlerWithOptions(ctx, asteroid.SetLimitUpdate, l.setMax, workflow.UpdateHandlerOptions{
			Validator: strictValidator(validateSetLimit), Description: "Sets the number of permits; 0 lets the runs' own limits say again.",
		}),
		workflow.SetUpdateHandlerWithOptions(ctx, asteroid.FreePermitUpdate, l.free, workflow.UpdateHandlerOptions{
			Description: "Takes a permit from its holder, who is not told.",
		}),
	)
}

func (l *limiter) acquire(ctx workflow.Context, request asteroid.PermitRequest) {
	if !l.queue.request(request) {
		workflow.GetLogger(ctx).Warn("Too many runs wait for a permit: a request is not taken", "key", l.in.Key, "waiting", l.queue.waiting())
	}
	l.touch(ctx)
}

func (l *limiter) release(ctx workflow.Context, token string) {
	l.queue.release(token)
	l.touch(ctx)
}

func (l *limiter) touch(ctx workflow.Context) {
	l.changed, l.active = true, workflow.Now(ctx)
}

// grant grants the free permits.
func (l *limiter) grant(ctx workflow.Context) {
	before := l.queue.granted
	told := l.queue.grant(workflow.Now(ctx))
	l.measureGrants(ctx, before)
	for _, request := range told {
		l.tell(ctx, request, true)
	}
}

// tell signals the workflow of a request, whichever run of it is the current one. A workflow that
// has closed loses its permit.
func (l *limiter) tell(ctx workflow.Context, request asteroid.PermitRequest, granted bool) {
	event := asteroid.PermitEvent{Token: request.Token, Limiter: l.id, RunID: request.RunID, Granted: granted}
	told := workflow.SignalExternalWorkflow(ctx, request.WorkflowID, "", asteroid.PermitSignal, event)
	l.inFlight++
	workflow.Go(ctx, func(ctx workflow.Context) {
		err := told.Get(ctx, nil)
		l.inFlight--
		if err != nil && ctx.Err() == nil {
			workflow.GetLogger(ctx).Debug("A holder of a permit cannot be signalled", "workflowId", request.WorkflowID, "error", err)
			l.release(ctx, request.Token)
		}
	})
}

// endWhenIdle ends the limiter when nobody has used it for a while. It sets one timer at a time,
// whatever the number of requests.
func (l *limiter) endWhenIdle(ctx workflow.Context) {
	for workflow.Await(ctx, func() bool { return !l.queue.maxSet }) == nil {
		left := l.active.Add(limiterIdle).Sub(workflow.Now(ctx))
		if left <= 0 && !l.unused() {
			left = limiterIdle
		}
		if left <= 0 {
			l.idle = true
			left = limiterIdle
		}
		if workflow.Sleep(ctx, left) != nil {
			return
		}
	}
}

func (l *limiter) unused() bool {
	return !l.queue.maxSet && l.queue.waiting() == 0 && len(l.queue.holders) == 0 && l.inFlight == 0
}

// checkHolders frees the permits of dead holders while a run waits.
func (l *limiter) checkHolders(ctx workflow.Context) {
	for {
		if workflow.Await(ctx, func() bool { return l.queue.waiting() > 0 }) != nil || workflow.Sleep(ctx, holderCheckInterval) != nil {
			return
		}
		var old []asteroid.PermitRequest
		for _, h := range l.queue.holders {
			if workflow.Now(ctx).Sub(h.since) >= holderCheckInterval {
				old = append(old, h.PermitRequest)
			}
		}
		if l.queue.waiting() > 0 && len(old) > 0 && !l.full(ctx) {
			l.inFlight++
			l.check(ctx, old)
			l.inFlight--
			l.changed = true
		}
	}
}

func (l *limiter) check(ctx workflow.Context, holders []asteroid.PermitRequest) {
	checked, err := runActivity[asteroid.CheckPermitHoldersResult](ctx, asteroid.CheckPermitHoldersName,
		asteroid.CheckPermitHoldersInput{Holders: holders}, holderCheckDefaults(), "Look for holders that cannot give their permit back")
	if err != nil {
		workflow.GetLogger(ctx).Warn("The holders of permits cannot be checked", "key", l.in.Key, "error", err)
		return
	}
	for _, token := range checked.Gone {
		l.measureFreed(ctx, token, freedGone)
		l.release(ctx, token)
	}
	for _, token := range checked.Replaced {
		if i := l.queue.holderOf(token); i >= 0 && l.queue.holders[i].asked {
			l.measureFreed(ctx, token, freedReplaced)
			l.release(ctx, token) // it has not answered since the look before
		} else {
			l.ask(ctx, token)
		}
	}
	for _, token := range checked.ReplacedBusy {
		if i := l.queue.holderOf(token); i >= 0 && !l.queue.holders[i].asked {
			l.ask(ctx, token) // once, since a run that makes no progress may be busy for days
		}
	}
}

// ask asks a workflow whether its current run holds the permit. It answers by a request or by a
// release.
func (l *limiter) ask(ctx workflow.Context, token string) {
	if i := l.queue.holderOf(token); i >= 0 {
		l.queue.holders[i].asked = true
		l.tell(ctx, l.queue.holders[i].PermitRequest, false)
	}
}

func holderCheckDefaults() workflow.ActivityOptions {
	options := callDefaults(time.Minute)
	options.ScheduleToCloseTimeout = 5 * time.Minute
	return options
}

// full reports whether the history is long enough to continue in a new run.
func (l *limiter) full(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() >= maxLimiterEvents
}

// continueAsNew hands the queue to a new run once no grant is under way. It grants nothing
// meanwhile, else it would never come to an end.
func (l *limiter) continueAsNew(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return l.inFlight == 0 && workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	l.receiveAll()
	var err error
	if l.in.State, err = l.queue.save(); err != nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, asteroid.LimiterWorkflowName, l.in)
}

// receiveAll takes the signals that have arrived.
func (l *limiter) receiveAll() {
	takeAll(l.acquired, func(request asteroid.PermitRequest) { l.queue.request(request) })
	takeAll(l.released, func(release asteroid.PermitRelease) { l.queue.release(release.Token) })
}

func (l *limiter) setMax(ctx workflow.Context, in Input[asteroid.SetLimitInput]) (asteroid.LimiterState, error) {
	l.queue.setMax(in.Value.Max)
	l.touch(ctx)
	return l.queue.state(l.in), nil
}

func validateSetLimit(in asteroid.SetLimitInput) error {
	return asteroid.ValidateLimits("limit", []asteroid.Limit{{Key: "key", Max: in.Max}})
}

func (l *limiter) free(ctx workflow.Context, in Input[asteroid.FreePermitInput]) (asteroid.LimiterState, error) {
	if in.err != nil {
		return asteroid.LimiterState{}, in.err
	}
	l.measureFreed(ctx, in.Value.Token, freedOperator)
	if !l.queue.release(in.Value.Token) {
		return asteroid.LimiterState{}, temporal.NewNonRetryableApplicationError("no run with this token holds a permit or waits for one", asteroid.ErrorTypeNotFound, nil)
	}
	l.touch(ctx)
	return l.queue.state(l.in), nil
}
