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

// start stages the files and executes the agent, until there is capacity and the files are taken.
func (r *AgentRun) start(ctx workflow.Context) error {
	refusals := 0
	var waitingSince time.Time // of the first refusal for lack of capacity
	for {
		if err := r.stage(ctx); err != nil {
			return r.recoverStart(ctx, err)
		}
		fresh := !r.filesStale(ctx)
		executed, err := r.execute(ctx, waitingSince)
		switch {
		case err == nil:
			r.recordExecution(ctx, *executed)
			return nil
		case asteroid.IsStagedFileExpired(err) && (fresh && r.filesStale(ctx) || refusals < maxFileRefusals):
			refusals++ // files that expired in a wait for capacity are staged again however often
			r.expiresAt = time.Time{}
		case asteroid.IsAtCapacity(err), !waitingSince.IsZero() && outOfRetryTime(err):
			if waitingSince.IsZero() {
				waitingSince = workflow.Now(ctx)
			}
			if err := r.awaitCapacity(ctx, waitingSince, err); err != nil {
				return r.recoverStart(ctx, err)
			}
		default:
			return r.recoverStart(ctx, err)
		}
	}
}

// stage stages the files, unless they are staged and not stale.
func (r *AgentRun) stage(ctx workflow.Context) error {
	if len(r.in.Files) == 0 || !r.filesStale(ctx) {
		return nil
	}
	r.enterPhase(ctx, PhaseStaging)
	stagingSince := workflow.Now(ctx)
	staged, err := StageFiles(ctx, asteroid.StageFilesInput{Connection: r.in.Connection, Files: r.in.Files})
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

func (r *AgentRun) filesStale(ctx workflow.Context) bool {
	return r.expiresAt.IsZero() || r.expiresAt.Sub(workflow.Now(ctx)) <= restageBefore
}

// execute runs one ExecuteAgent activity.
func (r *AgentRun) execute(ctx workflow.Context, waitingSince time.Time) (*asteroid.ExecuteAgentResult, error) {
	options := workflow.GetActivityOptions(ctx)
	if waitingSince.IsZero() {
		// The first refusal for lack of capacity is not retried, so that the details can show it.
		// Later the activity's retries are the queue.
		r.enterPhase(ctx, PhaseExecuting)
		options.RetryPolicy = &temporal.RetryPolicy{NonRetryableErrorTypes: []string{asteroid.ErrorTypeAtCapacity}}
	} else {
		r.showWaitingForCapacity(ctx, waitingSince)
		// Never 0, which means the default: staging may have taken the rest of the time.
		options.ScheduleToCloseTimeout = max(r.capacityTimeLeft(ctx, waitingSince), time.Second)
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
		r.recordUnknownOutcome(scheduled, err)
	}
	return executed, err
}

// showWaitingForCapacity shows since when the service has had no capacity.
func (r *AgentRun) showWaitingForCapacity(ctx workflow.Context, since time.Time) {
	r.state.Phase, r.state.Since = PhaseWaitingForCapacity, since
	r.show(ctx)
}

// awaitCapacity waits before the next execute, or returns the refusal if no time is left for it.
func (r *AgentRun) awaitCapacity(ctx workflow.Context, since time.Time, refusal error) error {
	delay := capacityDelay(refusal)
	if r.capacityTimeLeft(ctx, since) <= delay {
		return refusal
	}
	r.showWaitingForCapacity(ctx, since)
	return workflow.Sleep(ctx, delay)
}

func (r *AgentRun) capacityTimeLeft(ctx workflow.Context, since time.Time) time.Duration {
	timeout := time.Duration(cmp.Or(r.in.CapacityTimeoutSeconds, int64(defaultTimeout/time.Second))) * time.Second
	return timeout - workflow.Now(ctx).Sub(since)
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
	r.request.Internal.UnknownOutcomes, r.request.Internal.UnknownSince = 0, time.Time{}
	executed.DuplicatesCancelled = append(r.executed.DuplicatesCancelled, executed.DuplicatesCancelled...)
	r.executed, r.started = executed, workflow.Now(ctx)
	if executed.MayHaveLateDuplicate {
		r.pendingSweeps = append(r.pendingSweeps, asteroid.SweepDuplicatesInput{
			Connection: r.in.Connection, AgentID: r.in.AgentID, ExecutionKey: executed.ExecutionKey, Keep: executed.ExecutionID,
		})
	}
	status := executed.Status
	if class := status.Class(); class == asteroid.ClassNeedsHuman || class == asteroid.ClassPaused {
		status = asteroid.StatusStarting // adopted: the first read has to show the question
	}
	r.rereads = rereads{last: r.rereads.last}
	r.changedAt, r.afterQuestion = time.Time{}, false
	s := r.state
	*s = AgentState{
		AgentID: s.AgentID, AgentName: s.AgentName, Started: s.Started, Files: s.Files, requested: s.requested,
		ExecutionID: executed.ExecutionID, Status: status, FailedExecutions: r.failedExecutions,
	}
	s.addStatus(status, r.started)
	r.enterPhase(ctx, PhaseRunning)
}
