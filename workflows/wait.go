package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// waitOutcome is how a wait ended.
type waitOutcome struct {
	stopped   stopReason
	missing   []string            // the files, with stoppedFilesMissing
	execution *asteroid.Execution // the terminal one, with notStopped
	err       error               // of the wait itself, with notStopped
}

// stopReason says why a wait ended although the run is not terminal, or does not count.
type stopReason int

const (
	notStopped stopReason = iota
	stoppedCancelled
	stoppedTimedOut
	stoppedUnanswered
	stoppedFilesMissing
)

// awaitTerminal returns the terminal execution, or an error, or both if it cancelled the run.
func (r *AgentRun) awaitTerminal(ctx workflow.Context) (*asteroid.Execution, error) {
	waitCtx, stop := workflow.WithCancel(ctx)
	defer stop()
	outcome := r.wait(waitCtx, stop)
	switch {
	case outcome.stopped == notStopped:
		return outcome.execution, outcome.err
	case outcome.stopped == stoppedUnanswered && r.in.OnHumanTimeout == HumanTimeoutCancel:
		return r.cancelUnanswered(ctx)
	default:
		return r.abort(ctx, outcome)
	}
}

// wait follows the run until it is terminal or something stops the wait. stop cancels ctx.
func (r *AgentRun) wait(ctx workflow.Context, stop workflow.CancelFunc) waitOutcome {
	timedOut := r.startTimeout(ctx, stop)
	uploads := r.startUploadCheck(ctx, stop)
	execution, err := r.follow(ctx)
	if err == nil && execution.Status == asteroid.StatusCompleted && uploads.running {
		// A run that completed quickly may have done so without its files.
		_, err := workflow.AwaitWithTimeout(ctx, uploadCheckGrace, func() bool { return !uploads.running })
		if (err != nil || uploads.running) && len(uploads.missing) == 0 {
			return waitOutcome{execution: execution} // a later deadline or cancellation does not change it
		}
	}
	unanswered := errors.Is(err, errHumanTimeout)
	switch {
	case unanswered && (len(uploads.missing) == 0 || r.in.OnHumanTimeout == HumanTimeoutCancel):
		return waitOutcome{stopped: stoppedUnanswered}
	case len(uploads.missing) > 0:
		return waitOutcome{stopped: stoppedFilesMissing, missing: uploads.missing}
	case err == nil || ctx.Err() == nil:
		return waitOutcome{execution: execution, err: err}
	case timedOut():
		return waitOutcome{stopped: stoppedTimedOut}
	default:
		return waitOutcome{stopped: stoppedCancelled}
	}
}

// startTimeout stops the wait after TimeoutSeconds, and returns whether it has.
func (r *AgentRun) startTimeout(ctx workflow.Context, stop workflow.CancelFunc) func() bool {
	timedOut := false
	if r.in.TimeoutSeconds > 0 {
		left := time.Duration(r.in.TimeoutSeconds)*time.Second - workflow.Now(ctx).Sub(r.started)
		workflow.Go(ctx, func(ctx workflow.Context) {
			if workflow.Sleep(ctx, left) == nil {
				timedOut = true
				stop()
			}
		})
	}
	return func() bool { return timedOut }
}

const (
	uploadCheckTimeout = time.Hour       // from the execute: a run may take long to start
	uploadCheckGrace   = 5 * time.Minute // the time for which the run's result waits for the check
)

// uploadCheck finds out whether the run started with its files.
type uploadCheck struct {
	running bool
	missing []string
}

// startUploadCheck stops the wait if files are missing. It skips an adopted run that another
// workflow may have started, with other files.
func (r *AgentRun) startUploadCheck(ctx workflow.Context, stop workflow.CancelFunc) *uploadCheck {
	check := &uploadCheck{}
	foreign := r.executed.Adopted && r.in.IdempotencyKey != ""
	if len(r.staged) == 0 || r.in.OnMissingFiles == MissingFilesIgnore || foreign {
		return check
	}
	check.running = true
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { check.running = false }()
		ctx = workflow.WithScheduleToCloseTimeout(r.withSummary(ctx, "has its uploads checked"), uploadCheckTimeout)
		checked, err := CheckUploads(ctx, asteroid.CheckUploadsInput{
			Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID, Files: r.staged,
		})
		switch {
		case err != nil && ctx.Err() == nil:
			workflow.GetLogger(ctx).Warn("Could not check the run's uploads", "executionId", r.executed.ExecutionID, "error", err)
		case err == nil && len(checked.Missing) > 0:
			check.missing = checked.Missing
			stop()
		}
	})
	return check
}

const (
	cancelTimeout        = 10 * time.Minute
	cancelAttemptTimeout = time.Minute     // the service may refuse or forget a cancellation
	cancelInterval       = 5 * time.Second // between two attempts
)

// abort cancels the agent's run, or leaves it running, after a wait was stopped. Its context is
// disconnected, since the workflow's may be cancelled. A run that completed meanwhile is no error.
func (r *AgentRun) abort(ctx workflow.Context, outcome waitOutcome) (*asteroid.Execution, error) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	var execution *asteroid.Execution
	id, filesMissing := r.executed.ExecutionID, outcome.stopped == stoppedFilesMissing
	if r.in.OnCancel != AbandonExecution || filesMissing {
		r.enterPhase(ctx, PhaseCancelling)
		var err error
		if execution, err = r.cancel(ctx); err != nil {
			workflow.GetLogger(ctx).Error("Could not cancel the agent's run", "executionId", id, "error", err)
		} else if execution.Status == asteroid.StatusCompleted && !filesMissing {
			return execution, nil
		}
	}
	errorType, message := asteroid.ErrorTypeExecutionTimedOut, ""
	switch outcome.stopped {
	case stoppedFilesMissing:
		errorType = asteroid.ErrorTypeStagedFileExpired
		message = fmt.Sprintf("execution %s started without %s, although they had been staged for it", id, strings.Join(outcome.missing, ", "))
	case stoppedUnanswered:
		message = fmt.Sprintf("nobody answered execution %s for %d seconds", id, r.in.HumanTimeoutSeconds)
	case stoppedTimedOut:
		message = fmt.Sprintf("execution %s was not finished after %d seconds", id, r.in.TimeoutSeconds)
	default:
		return execution, cancelledError(id, execution)
	}
	if execution == nil {
		return nil, newError(errorType, message+"; it may still be running", id, nil)
	}
	return execution, newError(errorType, message+"; it is now "+string(execution.Status), id, execution)
}

// cancelUnanswered cancels a run that nobody has answered, as a person would.
func (r *AgentRun) cancelUnanswered(ctx workflow.Context) (*asteroid.Execution, error) {
	cancelCtx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	r.enterPhase(cancelCtx, PhaseCancelling)
	execution, err := r.cancel(cancelCtx)
	if err == nil && ctx.Err() != nil && execution.Status != asteroid.StatusCompleted {
		err = cancelledError(r.executed.ExecutionID, execution) // the workflow was cancelled meanwhile
	}
	return execution, err
}

// cancel requests the run's cancellation until it is terminal. The run may have completed first.
func (r *AgentRun) cancel(ctx workflow.Context) (*asteroid.Execution, error) {
	deadline := workflow.Now(ctx).Add(cancelTimeout)
	ctx = workflow.WithScheduleToCloseTimeout(ctx, cancelAttemptTimeout)
	id := r.executed.ExecutionID
	for {
		r.cancelRequested = true
		_, err := r.setStatus(ctx, id, asteroid.StatusCancelled, "")
		if err == nil {
			var execution *asteroid.Execution
			execution, err = AwaitExecution(r.withSummary(ctx, "is being cancelled"), asteroid.AwaitExecutionInput{Connection: r.in.Connection, ExecutionID: id})
			if err == nil {
				return execution, nil
			}
		}
		if !workflow.Now(ctx).Before(deadline) {
			return nil, err
		}
		_ = workflow.Sleep(ctx, cancelInterval) // nothing cancels this context
	}
}

// terminalError returns the error that a terminal run is, or nil if it completed.
func (r *AgentRun) terminalError(e *asteroid.Execution) error {
	if e.Status == asteroid.StatusCompleted {
		return nil
	}
	errorType, outcome := asteroid.ErrorTypeExecutionFailed, "failed"
	switch {
	case e.Status.Class() == asteroid.ClassUnknown:
		errorType = asteroid.ErrorTypeUnknownStatus
		outcome = fmt.Sprintf("ended as %q, a status that this version of the library does not know: update the library", e.Status)
	case e.Status == asteroid.StatusCancelled && (e.Reason == asteroid.ReasonUserRequested || e.Reason == "" && r.cancelRequested):
		errorType, outcome = asteroid.ErrorTypeExecutionCancelled, "was cancelled"
	case e.Status == asteroid.StatusCancelled && e.Reason == "":
		outcome = "was cancelled, and the service gives no reason"
	case e.Status == asteroid.StatusCancelled:
		outcome = "was cancelled by the service"
	}
	message := fmt.Sprintf("execution %s of agent %s %s", e.ExecutionID, e.AgentID, outcome)
	if e.Reason != "" {
		message += ": " + e.Reason
	}
	return newError(errorType, message, e.ExecutionID, e)
}
