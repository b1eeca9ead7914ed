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
	maxFileRefusals      = 3                // of files that were just staged
	restageBefore        = 10 * time.Minute // their expiry; the time until then bounds a wait for capacity
	defaultCapacityDelay = 5 * time.Second  // after the first refusal; the retry policy makes the others longer
)

// start takes the agent's permits, stages the files and executes the agent. Only the activities
// know the limits of the worker, and whether a reset has taken the permits.
func (r *AgentRun) start(ctx workflow.Context) error {
	missing := len(r.in.Limits) > 0 && r.permits.stage != permitsHeld
	for {
		if missing {
			// Those that hold the permits may need a turn.
			r.endTurn()
			err := r.takePermits(ctx)
			r.resumeTurn(ctx)
			if err != nil {
				return r.recoverStart(ctx, err)
			}
		}
		r.waitingSince = time.Time{}
		err := r.repeatStart(ctx)
		r.measureCapacityWait(ctx, err)
		if missing = asteroid.IsPermitLost(err); missing {
			continue
		}
		if asteroid.IsPermitRequired(err) {
			missing = r.permits.stage != permitsHeld // else they were reclaimed meanwhile
			continue
		}
		if err == nil && r.executed.PermitRequired && r.permits.since.IsZero() {
			r.reclaimPermits(ctx)
		}
		return err
	}
}

func (r *AgentRun) repeatStart(ctx workflow.Context) error {
	refusals := 0
	deadline := workflow.Now(ctx).Add(max(defaultTimeout, r.capacityTimeout()))
	for {
		if err := r.stage(ctx, deadline); err != nil {
			return r.recoverStart(ctx, err)
		}
		fresh := !r.filesStale(ctx)
		executed, err := r.execute(ctx, deadline)
		switch {
		case err == nil:
			r.recordExecution(ctx, *executed)
			return nil
		case !workflow.Now(ctx).Before(deadline):
			return r.recoverStart(ctx, r.startTimedOut(err))
		case asteroid.IsStagedFileExpired(err) && (fresh && r.filesStale(ctx) || refusals < maxFileRefusals):
			refusals++ // files that expired in a wait for capacity are staged again however often
			r.expiresAt = time.Time{}
		case asteroid.IsAtCapacity(err), !r.waitingSince.IsZero() && outOfRetryTime(err):
			if r.waitingSince.IsZero() {
				r.waitingSince = workflow.Now(ctx)
			}
			if err := r.awaitCapacity(ctx, err); err != nil {
				return r.recoverStart(ctx, err)
			}
		default:
			return r.recoverStart(ctx, err)
		}
	}
}

// startTimedOut returns the error of a start that has come to its deadline. That the files expired
// meanwhile is not why it failed.
func (r *AgentRun) startTimedOut(err error) error {
	if !asteroid.IsStagedFileExpired(err) {
		return err
	}
	return temporal.NewNonRetryableApplicationError(
		"the agent could not be started in time: the service did not answer, and the staged files expired again and again",
		asteroid.ErrorTypeUnavailable, err, asteroid.ErrorDetails{
			ExecutionKey: r.executionKey(), UnknownOutcomes: r.request.Internal.UnknownOutcomes, LastUnknown: r.request.Internal.LastUnknown,
		})
}

// timeUntil returns the time until a deadline as a timeout. It is never 0, which means the default.
func timeUntil(ctx workflow.Context, deadline time.Time) time.Duration {
	return max(deadline.Sub(workflow.Now(ctx)), time.Second)
}

// stage stages the files, unless they are staged and not stale.
func (r *AgentRun) stage(ctx workflow.Context, deadline time.Time) error {
	if len(r.in.Files) == 0 || !r.filesStale(ctx) {
		return nil
	}
	r.enterPhase(ctx, PhaseStaging)
	stagingSince := workflow.Now(ctx)
	stageCtx := workflow.WithScheduleToCloseTimeout(r.withSummary(ctx, "gets "+fileLabels(r.in.Files)), timeUntil(ctx, deadline))
	staged, err := StageFiles(stageCtx, asteroid.StageFilesInput{
		Connection: r.in.Connection, Files: r.in.Files,
		Internal: asteroid.StageFilesInternal{CheckLimits: r.request.Internal.CheckLimits, AgentProfileID: r.checkedProfile()},
	})
	if err != nil {
		return err
	}
	r.expiresAt = stagingSince.Add(asteroid.StagedFileLifetime)
	if left := staged.LifetimeSeconds; left > 0 {
		r.expiresAt = workflow.Now(ctx).Add(time.Duration(left) * time.Second)
	}
	r.staged, r.request.TempFiles, r.state.Files = staged.Files, staged.Files, staged.Files
	return nil
}

// checkedProfile returns the profile whose limits are to be checked; empty if none are.
func (r *AgentRun) checkedProfile() string {
	if !r.request.Internal.CheckLimits {
		return ""
	}
	return r.in.AgentProfileID
}

func (r *AgentRun) filesStale(ctx workflow.Context) bool {
	return r.expiresAt.IsZero() || r.expiresAt.Sub(workflow.Now(ctx)) <= restageBefore
}

// execute runs one ExecuteAgent activity.
func (r *AgentRun) execute(ctx workflow.Context, deadline time.Time) (*asteroid.ExecuteAgentResult, error) {
	options := workflow.GetActivityOptions(ctx)
	options.ScheduleToCloseTimeout = timeUntil(ctx, deadline)
	if r.waitingSince.IsZero() {
		// The first refusal for lack of capacity is not retried, so that the details can show it.
		// Later the activity's retries are the queue.
		r.enterPhase(ctx, PhaseExecuting)
		options.RetryPolicy = &temporal.RetryPolicy{NonRetryableErrorTypes: []string{asteroid.ErrorTypeAtCapacity}}
	} else {
		r.showWaitingForCapacity(ctx)
		options.ScheduleToCloseTimeout = min(options.ScheduleToCloseTimeout, timeUntil(ctx, r.waitingSince.Add(r.capacityTimeout())))
		if len(r.in.Files) > 0 {
			left := r.expiresAt.Sub(workflow.Now(ctx))
			if left <= 0 { // the service would refuse the files each time
				return nil, newError(asteroid.ErrorTypeStagedFileExpired, "staging the files took longer than the service keeps them", "", nil)
			}
			options.ScheduleToCloseTimeout = min(options.ScheduleToCloseTimeout, left)
		}
	}
	scheduled := workflow.Now(ctx)
	executed, err := ExecuteAgent(workflow.WithActivityOptions(ctx, options), r.request)
	if err != nil {
		r.recordUnknownOutcome(ctx, scheduled, err)
	}
	return executed, err
}

// showWaitingForCapacity shows since when the service has had no capacity.
func (r *AgentRun) showWaitingForCapacity(ctx workflow.Context) {
	r.state.Phase, r.state.Since = PhaseWaitingForCapacity, r.waitingSince
	r.show(ctx)
}

// awaitCapacity waits before the next execute, or returns the refusal if no time is left for it.
func (r *AgentRun) awaitCapacity(ctx workflow.Context, refusal error) error {
	delay := capacityDelay(refusal)
	if r.capacityTimeout()-workflow.Now(ctx).Sub(r.waitingSince) <= delay {
		return refusal
	}
	r.showWaitingForCapacity(ctx)
	return workflow.Sleep(ctx, delay)
}

func (r *AgentRun) capacityTimeout() time.Duration {
	return time.Duration(cmp.Or(r.in.CapacityTimeoutSeconds, int64(defaultTimeout/time.Second))) * time.Second
}

// capacityDelay returns the delay that the service asked for, or a default.
func capacityDelay(err error) time.Duration {
	if refusal, ok := errors.AsType[*temporal.ApplicationError](err); ok && refusal.NextRetryDelay() > 0 {
		return refusal.NextRetryDelay()
	}
	return defaultCapacityDelay
}

// outOfRetryTime reports whether an activity had no time left for its next attempt. Attempts are
// unlimited, so a retryable error leaves an activity for no other reason.
func outOfRetryTime(err error) bool {
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return timeout.TimeoutType() == enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
	}
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && !failure.NonRetryable()
}

// recordExecution begins to track the execution that an execute returned.
func (r *AgentRun) recordExecution(ctx workflow.Context, executed asteroid.ExecuteAgentResult) {
	internal := &r.request.Internal
	internal.UnknownOutcomes, internal.UnknownSince, internal.LastUnknown = 0, time.Time{}, time.Time{}
	internal.ExecutionKey = executed.ExecutionKey
	executed.DuplicatesCancelled = append(r.executed.DuplicatesCancelled, executed.DuplicatesCancelled...)
	executed.Superseded = append(r.executed.Superseded, executed.Superseded...)
	r.executed, r.started = executed, workflow.Now(ctx)
	if executed.MayHaveLateDuplicate {
		r.sweepLater(ctx, executed)
	}
	if r.in.OnCancel != AbandonExecution {
		r.agents.supersede(r.in.Connection, executed)
	}
	status := executed.Status
	if class := status.Class(); class == asteroid.ClassNeedsHuman || class == asteroid.ClassPaused || class == asteroid.ClassUnknown {
		status = asteroid.StatusStarting // adopted: the first read has to show the question, or whether it has ended
	}
	r.rereads = rereads{last: r.rereads.last}
	r.changedAt, r.afterQuestion, r.lateDetails, r.cancelRequested = time.Time{}, false, 0, false
	s := r.state
	*s = AgentState{
		AgentID: s.AgentID, AgentName: s.AgentName, Connection: s.Connection, Started: s.Started, Files: s.Files, requested: s.requested, workflow: s.workflow,
		Warnings:    s.Warnings,
		ExecutionID: executed.ExecutionID, Status: status, FailedExecutions: r.failedExecutions,
	}
	s.addStatus(status, r.started)
	r.enterPhase(ctx, PhaseRunning)
}
