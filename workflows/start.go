package workflows

import (
	"cmp"
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/activities"
)

const (
	// maxRefusals bounds how often the service may refuse files that were just staged.
	maxRefusals = 3
	// renewAfter is the age at which staged files are staged again rather than used. What is left of their hour bounds
	// a wait for capacity.
	renewAfter = 50 * time.Minute
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
			return err
		}
		executed, err := r.execute(ctx, waitingSince)
		switch {
		case err == nil:
			r.began(ctx, *executed)
			return nil
		case activities.IsStagedFileExpired(err) && (r.stale(ctx) || refused < maxRefusals):
			refused++
			r.stagedAt = time.Time{}
		case activities.IsAtCapacity(err), !waitingSince.IsZero() && isScheduleToClose(err):
			if waitingSince.IsZero() {
				waitingSince = workflow.Now(ctx)
			}
			pause := nextDelay(err)
			if r.capacityLeft(ctx, waitingSince) <= pause {
				return err
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
	staged, err := StageFiles(ctx, activities.StageFilesInput{Connection: r.in.Connection, Files: r.in.Files})
	if err != nil {
		return err
	}
	r.stagedAt, r.staged, r.request.TempFiles, r.state.Files = began, staged.Files, staged.Files, staged.Files
	return nil
}

func (r *AgentRun) stale(ctx workflow.Context) bool {
	return r.stagedAt.IsZero() || workflow.Now(ctx).Sub(r.stagedAt) >= renewAfter
}

// execute runs one activity. The first refusal for lack of capacity comes back at once, so that the workflow can tell; from
// then on the activity's retries are the queue.
func (r *AgentRun) execute(ctx workflow.Context, waitingSince time.Time) (*activities.ExecuteAgentResult, error) {
	options := workflow.GetActivityOptions(ctx)
	if waitingSince.IsZero() {
		r.to(ctx, PhaseExecuting)
		options.RetryPolicy = &temporal.RetryPolicy{NonRetryableErrorTypes: []string{activities.ErrorTypeAtCapacity}}
	} else {
		r.awaitCapacity(ctx, waitingSince)
		// Never 0, which would mean the default; staging may have taken the rest of the time.
		options.ScheduleToCloseTimeout = max(r.capacityLeft(ctx, waitingSince), time.Second)
		if len(r.in.Files) > 0 {
			left := activities.StagedFileLifetime - workflow.Now(ctx).Sub(r.stagedAt)
			options.ScheduleToCloseTimeout = min(options.ScheduleToCloseTimeout, left)
		}
	}
	executed, err := ExecuteAgent(workflow.WithActivityOptions(ctx, options), r.request)
	// The next one looks first, and knows what this one could not find out.
	r.request.FreshKey = false
	details, told := activities.DetailsOf(err)
	if err != nil && (!told || temporal.IsTimeoutError(err)) {
		details.Doubtful++ // the last attempt could not tell
	}
	r.request.Doubtful = max(r.request.Doubtful, details.Doubtful)
	return executed, err
}

func (r *AgentRun) capacityLeft(ctx workflow.Context, since time.Time) time.Duration {
	whole := time.Duration(cmp.Or(r.in.CapacityTimeoutSeconds, int64(patience/time.Second))) * time.Second
	return whole - workflow.Now(ctx).Sub(since)
}

func (r *AgentRun) began(ctx workflow.Context, executed activities.ExecuteAgentResult) {
	r.request.Doubtful = 0
	executed.DuplicatesCancelled = append(r.executed.DuplicatesCancelled, executed.DuplicatesCancelled...)
	r.executed, r.started = executed, workflow.Now(ctx)
	if executed.MayHaveLateDuplicate {
		r.late = append(r.late, activities.SweepDuplicatesInput{
			Connection: r.in.Connection, AgentID: r.in.AgentID, ExecutionKey: executed.ExecutionKey, Keep: executed.ExecutionID,
		})
	}
	r.state.ExecutionID, r.state.Status, r.state.Reason = executed.ExecutionID, executed.Status, ""
	r.to(ctx, PhaseRunning)
}

// unstarted ends a start that did not succeed. When the workflow was cancelled, the execute under way may have started an
// agent, unless its error says otherwise: the server retries no activity that is to be cancelled, so one whose worker died
// ends in a timeout. What it may have started is looked for, several times because it may show up late, and cancelled.
func (r *AgentRun) unstarted(ctx workflow.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if r.request.Doubtful == 0 || r.in.OnCancel == AbandonExecution || r.request.IdempotencyKey == "" {
		return ctx.Err()
	}
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	r.to(ctx, PhaseCancelling)
	for _, pause := range []time.Duration{0, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute} {
		_ = workflow.Sleep(ctx, pause) // on a context that nobody cancels
		swept, sweepErr := SweepDuplicates(ctx, activities.SweepDuplicatesInput{
			Connection: r.in.Connection, AgentID: r.in.AgentID, ExecutionKey: r.request.IdempotencyKey,
			RunID: workflow.GetInfo(ctx).WorkflowExecution.RunID,
		})
		if sweepErr != nil {
			workflow.GetLogger(ctx).Error("Could not look for what a cancelled execute started", "executionKey", r.request.IdempotencyKey, "error", sweepErr)
		} else if len(swept.Cancelled) > 0 {
			r.state.ExecutionID, r.state.Status = swept.Cancelled[0], activities.StatusCancelled
			return cancelledError(swept.Cancelled[0], nil)
		}
	}
	return temporal.NewCanceledError()
}

// sweepLate looks once more for duplicates of executes that may have been carried out twice.
func (r *AgentRun) sweepLate(ctx workflow.Context) {
	if len(r.late) == 0 {
		return
	}
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	for _, late := range r.late {
		swept, err := SweepDuplicates(ctx, late)
		if err != nil {
			workflow.GetLogger(ctx).Error("Could not look for late duplicates", "executionKey", late.ExecutionKey, "error", err)
			continue
		}
		r.executed.DuplicatesCancelled = append(r.executed.DuplicatesCancelled, swept.Cancelled...)
	}
}

func isScheduleToClose(err error) bool {
	timeout, ok := errors.AsType[*temporal.TimeoutError](err)
	return ok && timeout.TimeoutType() == enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
}

// nextDelay is what the service asked for, or a default.
func nextDelay(err error) time.Duration {
	if said, ok := errors.AsType[*temporal.ApplicationError](err); ok && said.NextRetryDelay() > 0 {
		return said.NextRetryDelay()
	}
	return capacityPause
}
