package workflows

import (
	"cmp"
	"errors"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

const (
	// maxRefusals bounds how often the service may refuse files that were just staged.
	maxRefusals = 3
	// renewBefore is how long before their end staged files are staged again rather than used. What is left of their hour
	// bounds a wait for capacity.
	renewBefore = 10 * time.Minute
	// capacityPause is the time before the second execute after a refusal for lack of capacity. The retry policy makes it
	// longer from then on.
	capacityPause = 5 * time.Second
)

// start stages the files and executes the agent, as often as capacity and the files' lifetime ask for.
func (r *AgentRun) start(ctx workflow.Context) error {
	refused := 0
	var waitingSince time.Time // when there was no capacity first
	for {
		if err := r.stage(ctx); err != nil {
			return r.unstarted(ctx, err)
		}
		fresh := !r.stale(ctx)
		executed, err := r.execute(ctx, waitingSince)
		switch {
		case err == nil:
			r.began(ctx, *executed)
			return nil
		case asteroid.IsStagedFileExpired(err) && (fresh && r.stale(ctx) || refused < maxRefusals): // waiting is no refusal
			refused++
			r.expiresAt = time.Time{}
		case asteroid.IsAtCapacity(err), !waitingSince.IsZero() && outOfTime(err):
			if waitingSince.IsZero() {
				waitingSince = workflow.Now(ctx)
			}
			pause := nextDelay(err)
			if r.capacityLeft(ctx, waitingSince) <= pause {
				return r.unstarted(ctx, err)
			}
			r.awaitCapacity(ctx, waitingSince)
			if err := workflow.Sleep(ctx, pause); err != nil {
				return r.unstarted(ctx, err)
			}
		default:
			return r.unstarted(ctx, err)
		}
	}
}

// awaitCapacity shows since when there has been none, whatever was done meanwhile.
func (r *AgentRun) awaitCapacity(ctx workflow.Context, since time.Time) {
	r.state.Phase, r.state.Since = PhaseWaitingForCapacity, since
	r.agents.show(ctx)
}

// stage stages the files where none are staged, or they are near their end.
func (r *AgentRun) stage(ctx workflow.Context) error {
	if len(r.in.Files) == 0 || !r.stale(ctx) {
		return nil
	}
	r.to(ctx, PhaseStaging)
	began := workflow.Now(ctx)
	staged, err := StageFiles(ctx, asteroid.StageFilesInput{Connection: r.in.Connection, Files: r.in.Files})
	if err != nil {
		return err
	}
	r.expiresAt = began.Add(asteroid.StagedFileLifetime)
	if left := staged.LifetimeSeconds; left > 0 {
		r.expiresAt = workflow.Now(ctx).Add(time.Duration(left) * time.Second)
	}
	r.staged, r.request.TempFiles, r.state.Files = staged.Files, staged.Files, staged.Files
	return nil
}

func (r *AgentRun) stale(ctx workflow.Context) bool {
	return r.expiresAt.IsZero() || r.expiresAt.Sub(workflow.Now(ctx)) <= renewBefore
}

// execute runs one activity. The first refusal for lack of capacity comes back at once, so that the workflow can tell; from
// then on the activity's retries are the queue.
func (r *AgentRun) execute(ctx workflow.Context, waitingSince time.Time) (*asteroid.ExecuteAgentResult, error) {
	options := workflow.GetActivityOptions(ctx)
	if waitingSince.IsZero() {
		r.to(ctx, PhaseExecuting)
		options.RetryPolicy = &temporal.RetryPolicy{NonRetryableErrorTypes: []string{asteroid.ErrorTypeAtCapacity}}
	} else {
		r.awaitCapacity(ctx, waitingSince)
		// Never 0, which would mean the default; staging may have taken the rest of the time.
		options.ScheduleToCloseTimeout = max(r.capacityLeft(ctx, waitingSince), time.Second)
		if len(r.in.Files) > 0 {
			left := r.expiresAt.Sub(workflow.Now(ctx))
			if left <= 0 { // which the server would refuse, again and again
				return nil, newError(asteroid.ErrorTypeStagedFileExpired, "staging the files took longer than the service keeps them", "", nil)
			}
			options.ScheduleToCloseTimeout = min(options.ScheduleToCloseTimeout, left)
		}
	}
	scheduled := workflow.Now(ctx)
	executed, err := ExecuteAgent(workflow.WithActivityOptions(ctx, options), r.request)
	if err != nil {
		r.doubt(scheduled, err)
	}
	return executed, err
}

// doubt takes over what an execute that failed could not find out. The next one then looks first.
func (r *AgentRun) doubt(scheduled time.Time, err error) {
	details, told := asteroid.DetailsOf(err)
	if !told || temporal.IsTimeoutError(err) {
		details.UnknownOutcomes++ // the last attempt could not tell
	}
	if details.UnknownOutcomes == 0 {
		return
	}
	r.request.Internal.FreshKey = false
	r.request.Internal.UnknownOutcomes = max(r.request.Internal.UnknownOutcomes, details.UnknownOutcomes)
	if r.request.Internal.UnknownSince.IsZero() {
		r.request.Internal.UnknownSince = scheduled
	}
	// Without the interceptor the key was the activity's own.
	r.request.IdempotencyKey = cmp.Or(r.request.IdempotencyKey, details.ExecutionKey)
}

func (r *AgentRun) capacityLeft(ctx workflow.Context, since time.Time) time.Duration {
	whole := time.Duration(cmp.Or(r.in.CapacityTimeoutSeconds, int64(patience/time.Second))) * time.Second
	return whole - workflow.Now(ctx).Sub(since)
}

func (r *AgentRun) began(ctx workflow.Context, executed asteroid.ExecuteAgentResult) {
	r.request.Internal.UnknownOutcomes, r.request.Internal.UnknownSince = 0, time.Time{}
	executed.DuplicatesCancelled = append(r.executed.DuplicatesCancelled, executed.DuplicatesCancelled...)
	r.executed, r.started = executed, workflow.Now(ctx)
	if executed.MayHaveLateDuplicate {
		r.late = append(r.late, asteroid.SweepDuplicatesInput{
			Connection: r.in.Connection, AgentID: r.in.AgentID, ExecutionKey: executed.ExecutionKey, Keep: executed.ExecutionID,
		})
	}
	status := executed.Status
	switch status.Class() {
	case asteroid.ClassNeedsHuman, asteroid.ClassPaused:
		status = asteroid.StatusStarting // adopted: what it wants is not known, so that the first look has to tell
	default:
	}
	r.hinted, r.expected, r.relooks, r.fruitless = false, "", 0, 0
	r.changedAt, r.answered = time.Time{}, false
	s := r.state
	*s = AgentState{
		AgentID: s.AgentID, AgentName: s.AgentName, Started: s.Started, Files: s.Files, requested: s.requested,
		ExecutionID: executed.ExecutionID, Status: status, FailedExecutions: r.failed,
	}
	s.seen(status, r.started)
	r.to(ctx, PhaseRunning)
}

const (
	// doubtPatience bounds the last look of a start that failed while an agent may be at work, cancelDoubtPatience that of one
	// that was cancelled.
	doubtPatience       = 15 * time.Minute
	cancelDoubtPatience = 3 * time.Minute
)

// unstarted ends a start that did not succeed, with err or with the workflow's cancellation. An execute of unknown outcome may
// have started an agent nevertheless, which must be neither lost nor left alone: it is looked for, and where it is found the start
// has succeeded after all. When the workflow was cancelled, what comes next then cancels it. (The server retries no
// activity that is to be cancelled, so one whose worker died ends in a timeout.)
func (r *AgentRun) unstarted(ctx workflow.Context, err error) error {
	cancelled := ctx.Err() != nil
	if cancelled {
		err = temporal.NewCanceledError()
	}
	if r.request.Internal.UnknownOutcomes == 0 || r.request.IdempotencyKey == "" || cancelled && r.in.OnCancel == AbandonExecution {
		return err
	}
	look, patience := r.request, doubtPatience
	look.AdoptOnly, look.TempFiles = true, nil
	lookCtx := ctx
	if cancelled {
		var done workflow.CancelFunc
		lookCtx, done = workflow.NewDisconnectedContext(ctx)
		defer done()
		patience = cancelDoubtPatience
		r.to(lookCtx, PhaseCancelling)
	}
	options := workflow.GetActivityOptions(lookCtx)
	options.ScheduleToCloseTimeout, options.Summary = patience, "Look for an execution of agent "+r.in.AgentID
	found, lookErr := ExecuteAgent(workflow.WithActivityOptions(lookCtx, options), look)
	switch {
	case lookErr == nil:
		r.began(lookCtx, *found)
		return nil
	case !cancelled && ctx.Err() != nil:
		return r.unstarted(ctx, err)
	case !asteroid.IsNotFound(lookErr):
		workflow.GetLogger(ctx).Error("Could not look for what an execute of unknown outcome may have started",
			"executionKey", r.request.IdempotencyKey, "error", lookErr)
	}
	if cancelled {
		err = temporal.NewCanceledError(asteroid.ErrorDetails{ExecutionKey: r.request.IdempotencyKey, UnknownOutcomes: r.request.Internal.UnknownOutcomes})
	}
	return err
}

const (
	// sweepPatience bounds the last look for duplicates: it must not keep a result back for long.
	sweepPatience = 5 * time.Minute
	// A cancelled start has not kept the grace period, so its duplicates are looked for during lateWindow after it.
	lateWindow = 150 * time.Second
	latePause  = 30 * time.Second
)

// sweepLate looks once more for duplicates of executes that may have been carried out twice.
func (r *AgentRun) sweepLate(ctx workflow.Context) {
	if len(r.late) == 0 {
		return
	}
	until := workflow.Now(ctx)
	if ctx.Err() != nil {
		until = r.started.Add(lateWindow)
	}
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	for _, late := range r.late {
		for {
			swept, err := SweepDuplicates(workflow.WithScheduleToCloseTimeout(ctx, sweepPatience), late)
			if err != nil {
				workflow.GetLogger(ctx).Error("Could not look for late duplicates", "executionKey", late.ExecutionKey, "error", err)
			} else {
				r.executed.DuplicatesCancelled = append(r.executed.DuplicatesCancelled, swept.Cancelled...)
			}
			left := until.Sub(workflow.Now(ctx))
			if left <= 0 {
				break
			}
			_ = workflow.Sleep(ctx, min(left, latePause)) // on a context that nobody cancels
		}
	}
}

// outOfTime reports whether an activity ended because its time was up or its next attempt would have come too late: attempts
// are unlimited, so an error that is retried comes back for no other reason.
func outOfTime(err error) bool {
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return timeout.TimeoutType() == enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
	}
	failed, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && !failed.NonRetryable()
}

// nextDelay is what the service asked for, or a default.
func nextDelay(err error) time.Duration {
	if said, ok := errors.AsType[*temporal.ApplicationError](err); ok && said.NextRetryDelay() > 0 {
		return said.NextRetryDelay()
	}
	return capacityPause
}
