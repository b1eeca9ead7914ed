package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// wait returns the execution once it is over, or an error; where the run was cancelled on the way, both.
func (r *AgentRun) wait(ctx workflow.Context) (*asteroid.Execution, error) {
	waitCtx, stopWaiting := workflow.WithCancel(ctx)
	defer stopWaiting()
	timedOut := false
	if r.in.TimeoutSeconds > 0 {
		left := time.Duration(r.in.TimeoutSeconds)*time.Second - workflow.Now(ctx).Sub(r.started)
		workflow.Go(waitCtx, func(timerCtx workflow.Context) {
			if workflow.Sleep(timerCtx, left) == nil {
				timedOut = true
				stopWaiting()
			}
		})
	}
	var missing []string
	checking := r.checksUploads()
	if checking {
		workflow.Go(waitCtx, func(checkCtx workflow.Context) {
			defer func() { checking = false }()
			checkCtx = workflow.WithScheduleToCloseTimeout(checkCtx, checkPatience)
			checked, err := CheckUploads(checkCtx, asteroid.CheckUploadsInput{
				Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID, Files: r.staged,
			})
			if err != nil && checkCtx.Err() == nil {
				workflow.GetLogger(checkCtx).Warn("Could not look at the run's uploads", "executionId", r.executed.ExecutionID, "error", err)
			}
			if err == nil && len(checked.Missing) > 0 {
				missing = checked.Missing
				stopWaiting()
			}
		})
	}
	execution, err := r.follow(waitCtx)
	if err == nil && execution.Status == asteroid.StatusCompleted && checking {
		// One that completed quickly may have done so without its files.
		if workflow.Await(waitCtx, func() bool { return !checking }) != nil && len(missing) == 0 {
			return execution, nil // it is over, whatever the deadline or a cancellation says
		}
	}
	unanswered := errors.Is(err, errHumanTimeout)
	switch {
	case unanswered && r.in.OnHumanTimeout == HumanTimeoutCancel:
		return r.cancelUnanswered(ctx)
	case unanswered, err != nil && waitCtx.Err() != nil, len(missing) > 0:
		return r.abort(ctx, timedOut, unanswered, missing)
	default:
		return execution, err
	}
}

// cancelUnanswered ends a run that nobody has answered, as a person would.
func (r *AgentRun) cancelUnanswered(ctx workflow.Context) (*asteroid.Execution, error) {
	cancelCtx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	r.to(cancelCtx, PhaseCancelling)
	execution, err := r.cancel(cancelCtx)
	if err == nil && ctx.Err() != nil && execution.Status != asteroid.StatusCompleted {
		err = cancelledError(r.executed.ExecutionID, execution) // the workflow was cancelled meanwhile
	}
	return execution, err
}

// checksUploads says whether the run's uploads are looked at: not those of a run that somebody else may have started, with
// files of its own.
func (r *AgentRun) checksUploads() bool {
	return len(r.staged) > 0 && r.in.OnMissingFiles != MissingFilesIgnore && !(r.executed.Adopted && r.in.IdempotencyKey != "")
}

// abort ends the agent's run, or leaves it: the workflow was cancelled, the deadline has passed, or the run has no files. It
// works on a context of its own, since the workflow's may refuse every further activity.
func (r *AgentRun) abort(ctx workflow.Context, timedOut, unanswered bool, missing []string) (*asteroid.Execution, error) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	var execution *asteroid.Execution
	if r.in.OnCancel != AbandonExecution || len(missing) > 0 {
		r.to(ctx, PhaseCancelling)
		var err error
		if execution, err = r.cancel(ctx); err != nil {
			workflow.GetLogger(ctx).Error("The agent's run could not be cancelled", "executionId", r.executed.ExecutionID, "error", err)
		} else if execution.Status == asteroid.StatusCompleted && len(missing) == 0 {
			return execution, nil // it was faster
		}
	}
	id := r.executed.ExecutionID
	switch {
	case len(missing) > 0:
		return execution, newError(asteroid.ErrorTypeStagedFileExpired, fmt.Sprintf(
			"execution %s began without %s, although they had been staged for it%s", id, strings.Join(missing, ", "), aftermath(execution)), id, execution)
	case unanswered:
		return execution, newError(asteroid.ErrorTypeExecutionTimedOut, fmt.Sprintf(
			"nobody has answered execution %s for %d seconds%s", id, r.in.HumanTimeoutSeconds, aftermath(execution)), id, execution)
	case timedOut:
		return execution, newError(asteroid.ErrorTypeExecutionTimedOut, fmt.Sprintf(
			"execution %s was not over after %d seconds%s", id, r.in.TimeoutSeconds, aftermath(execution)), id, execution)
	default:
		return execution, cancelledError(id, execution)
	}
}

func aftermath(execution *asteroid.Execution) string {
	if execution == nil {
		return "; it may still be running"
	}
	return "; it is now " + string(execution.Status)
}

const (
	// checkPatience bounds the look at a run's uploads, for which its result may have to wait.
	checkPatience = 5 * time.Minute
	// cancelPatience bounds how long a cancelled workflow waits for the agent's run to be over.
	cancelPatience = 10 * time.Minute
	// cancelRepeat is after how long a run that goes on is cancelled again: the service may refuse or forget.
	cancelRepeat = time.Minute
)

// cancel asks for the run to be cancelled until it is over, whichever way it ends.
func (r *AgentRun) cancel(ctx workflow.Context) (*asteroid.Execution, error) {
	deadline := workflow.Now(ctx).Add(cancelPatience)
	ctx = workflow.WithScheduleToCloseTimeout(ctx, cancelRepeat)
	for {
		_, err := SetExecutionStatus(ctx, asteroid.SetExecutionStatusInput{
			Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID, Status: asteroid.StatusCancelled,
		})
		if err == nil {
			var execution *asteroid.Execution
			execution, err = AwaitExecution(ctx, asteroid.AwaitExecutionInput{Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID})
			if err == nil {
				return execution, nil
			}
		}
		if !workflow.Now(ctx).Before(deadline) {
			return nil, err
		}
		_ = workflow.Sleep(ctx, capacityPause) // on a context that nobody cancels
	}
}

// verdict decides whether a run that is over is an error.
func (r *AgentRun) verdict(e *asteroid.Execution) error {
	if e.Status == asteroid.StatusCompleted {
		return nil
	}
	errorType, said := asteroid.ErrorTypeExecutionFailed, "failed"
	switch {
	case e.Status == asteroid.StatusCancelled && e.Reason == asteroid.ReasonUserRequested:
		errorType, said = asteroid.ErrorTypeExecutionCancelled, "was cancelled"
	case e.Status == asteroid.StatusCancelled && e.Reason == "":
		said = "was cancelled, for a reason that the service does not tell"
	case e.Status == asteroid.StatusCancelled:
		said = "was ended by the service"
	}
	message := fmt.Sprintf("execution %s of agent %s %s", e.ExecutionID, e.AgentID, said)
	if e.Reason != "" {
		message += ": " + e.Reason
	}
	return newError(errorType, message, e.ExecutionID, e)
}

// again decides whether a run that ended with an error is followed by another one.
func (r *AgentRun) again(e *asteroid.Execution, err error) bool {
	switch {
	case asteroid.IsExecutionFailed(err):
		p := r.in.Reexecution
		return p != nil && len(r.failed)+1 < p.MaximumExecutions && slices.Contains(p.reasons(), e.Reason)
	case asteroid.IsStagedFileExpired(err):
		return r.in.OnMissingFiles == MissingFilesReexecute && len(r.failed)+1 < maxRefusals
	default:
		return false
	}
}

// pause is the time before the next execution, after so many that failed.
func (p *Reexecution) pause(failed int) time.Duration {
	if p == nil {
		return 0 // files are missing, and waiting would not bring them
	}
	const most = 10 * time.Minute
	pause := time.Duration(cmp.Or(p.InitialIntervalSeconds, 30)) * time.Second
	for range failed - 1 {
		pause = min(2*pause, most)
	}
	return min(pause, most)
}

// reasons are those that the service makes, and that have nothing to do with the agent's work.
func (p *Reexecution) reasons() []string {
	if len(p.Reasons) > 0 {
		return p.Reasons
	}
	return []string{"worker_lost", "no_warm_environment", "no_activity"}
}
