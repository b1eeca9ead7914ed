package simulation

import (
	"cmp"
	"context"
	"errors"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

// agentRun does with the results and errors of activities what workflows.RunAgent does: see
// start.go, recover_start.go, late_sweep.go and wait.go there. It leaves out files, re-executions
// and signals.
type agentRun struct {
	*world
	run       *workflowRun
	cancelled context.Context // ends when the workflow is cancelled, and with the run
	plans     *plans
	request   asteroid.ExecuteAgentInput
	abandon   bool // OnCancel is AbandonExecution

	// scheduledRequest is the input of the execute that is pending since pendingSince.
	scheduledRequest asteroid.ExecuteAgentInput
	pendingSince     time.Time

	executed   asteroid.ExecuteAgentResult
	started    time.Time
	sweeps     []*lateSweep
	superseded []string
}

// The options of workflows/activity_options.go. patience stands for six hours.
const patience = 40 * time.Minute

func executeOptions(scheduleToClose time.Duration) activityOptions {
	return activityOptions{startToClose: 2 * time.Minute, scheduleToClose: scheduleToClose, retry: retry(5*time.Second, time.Minute)}
}

func callOptions(scheduleToClose time.Duration) activityOptions {
	return activityOptions{startToClose: 90 * time.Second, scheduleToClose: scheduleToClose, retry: retry(time.Second, 30*time.Second)}
}

func awaitOptions() activityOptions {
	return activityOptions{startToClose: 2 * time.Minute, scheduleToClose: 100 * time.Hour, retry: retry(time.Second, 10*time.Minute)}
}

func retry(initial, maximum time.Duration) temporal.RetryPolicy {
	return temporal.RetryPolicy{InitialInterval: initial, BackoffCoefficient: 1.5, MaximumInterval: maximum}
}

// result runs the agent to its end.
func (r *agentRun) result() (*asteroid.Execution, error) {
	if err := r.start(); err != nil {
		return nil, err
	}
	execution, err := r.await()
	r.finishSweeps()
	return execution, err
}

// start is AgentRun.start.
func (r *agentRun) start() error {
	deadline := time.Now().Add(patience)
	var waitingSince time.Time
	for {
		scheduled := cmp.Or(r.pendingSince, time.Now()) // a reset dispatches what was pending
		options := executeOptions(max(time.Until(deadline), time.Second))
		if waitingSince.IsZero() {
			options.retry.NonRetryableErrorTypes = []string{asteroid.ErrorTypeAtCapacity}
		}
		options.scheduled, r.scheduledRequest, r.pendingSince = scheduled, r.request, scheduled
		var executed asteroid.ExecuteAgentResult
		err := r.execute(r.cancelled, r.run, asteroid.ExecuteAgentName, r.request, options, r.plans, &executed)
		if r.run.over.Err() == nil {
			r.pendingSince = time.Time{}
		}
		if err == nil {
			r.recordExecution(executed)
			return nil
		}
		if errors.Is(err, errRunOver) {
			return err
		}
		r.recordUnknownOutcome(scheduled, err)
		switch {
		case !time.Now().Before(deadline):
			return r.recoverStart(err)
		case asteroid.IsAtCapacity(err), !waitingSince.IsZero() && outOfRetryTime(err):
			if waitingSince.IsZero() {
				waitingSince = time.Now()
			}
			if r.sleep(r.cancelled, 5*time.Second) != nil {
				return r.recoverStart(temporal.NewCanceledError())
			}
		default:
			return r.recoverStart(err)
		}
	}
}

// sleep waits, or returns an error at the end of the context.
func (r *agentRun) sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func outOfRetryTime(err error) bool {
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return timeout.TimeoutType() == enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
	}
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && !failure.NonRetryable()
}

func (r *agentRun) recordUnknownOutcome(scheduled time.Time, err error) {
	details, ok := asteroid.DetailsOf(err)
	if !ok || temporal.IsTimeoutError(err) {
		details.UnknownOutcomes++
		details.LastUnknown = time.Now()
	}
	if details.UnknownOutcomes == 0 {
		return
	}
	internal := &r.request.Internal
	internal.ExecutionKey = cmp.Or(details.ExecutionKey, internal.ExecutionKey)
	internal.UnknownOutcomes = max(internal.UnknownOutcomes, details.UnknownOutcomes)
	if details.LastUnknown.After(internal.LastUnknown) {
		internal.LastUnknown = details.LastUnknown
	}
	if internal.UnknownSince.IsZero() {
		internal.UnknownSince = scheduled
	}
}

func (r *agentRun) recoverStart(err error) error {
	cancelled := r.cancelled.Err() != nil
	if cancelled {
		err = temporal.NewCanceledError()
	}
	if r.request.Internal.UnknownOutcomes == 0 || cancelled && r.abandon {
		return err
	}
	timeout, ctx := 15*time.Minute, r.cancelled
	if cancelled {
		timeout, ctx = 3*time.Minute, r.run.over
	}
	lookup := r.request
	lookup.AdoptOnly = true
	var executed asteroid.ExecuteAgentResult
	lookupErr := r.execute(ctx, r.run, asteroid.ExecuteAgentName, lookup, executeOptions(timeout), r.plans, &executed)
	switch {
	case lookupErr == nil:
		r.recordExecution(executed)
		return nil
	case errors.Is(lookupErr, errRunOver):
		return lookupErr
	case !cancelled && r.cancelled.Err() != nil:
		return r.recoverStart(err)
	}
	if !asteroid.IsNotFound(lookupErr) {
		return errors.Join(errLeftUnknown, err)
	}
	return err
}

// errLeftUnknown marks a start that ended without knowing whether an agent runs, because the lookup
// failed all the time. RunAgent's error then has the execution key.
var errLeftUnknown = errors.New("it is not known whether an agent runs")

func (r *agentRun) recordExecution(executed asteroid.ExecuteAgentResult) {
	internal := &r.request.Internal
	internal.UnknownOutcomes, internal.UnknownSince, internal.LastUnknown = 0, time.Time{}, time.Time{}
	internal.ExecutionKey = executed.ExecutionKey
	r.executed, r.started = executed, time.Now()
	if executed.MayHaveLateDuplicate {
		r.sweepLater()
	}
	if !r.abandon {
		r.superseded = append(r.superseded, executed.Superseded...)
	}
}

// lateSweep is workflows.lateSweep.
type lateSweep struct {
	in   asteroid.SweepDuplicatesInput
	stop context.CancelFunc
	done chan struct{}
}

func (r *agentRun) sweepLater() {
	ctx, stop := context.WithCancel(r.run.over)
	sweep := &lateSweep{
		in:   asteroid.SweepDuplicatesInput{AgentID: r.request.AgentID, ExecutionKey: r.executed.ExecutionKey, Keep: r.executed.ExecutionID},
		stop: stop, done: make(chan struct{}),
	}
	r.sweeps = append(r.sweeps, sweep)
	after := time.Duration(r.executed.SweepAfterSeconds) * time.Second
	r.background.Go(func() {
		defer close(sweep.done)
		if r.sleep(ctx, after) == nil {
			r.sweep(sweep)
		}
	})
}

func (r *agentRun) sweep(sweep *lateSweep) {
	_ = r.execute(r.run.over, r.run, asteroid.SweepDuplicatesName, sweep.in, callOptions(5*time.Minute), r.plans, nil)
}

func (r *agentRun) finishSweeps() {
	until := time.Now()
	if r.cancelled.Err() != nil {
		until = r.started.Add(lookupGrace + 30*time.Second)
	}
	for _, sweep := range r.sweeps {
		if r.run.over.Err() != nil {
			return
		}
		sweep.stop()
		<-sweep.done
		for {
			r.sweep(sweep)
			left := time.Until(until)
			if left <= 0 || r.sleep(r.run.over, min(left, 30*time.Second)) != nil {
				break
			}
		}
	}
}

// await waits for the end of the execution, and cancels it if the workflow is cancelled.
func (r *agentRun) await() (*asteroid.Execution, error) {
	in := asteroid.AwaitExecutionInput{ExecutionID: r.executed.ExecutionID}
	var execution asteroid.Execution
	err := r.execute(r.cancelled, r.run, asteroid.AwaitExecutionName, in, awaitOptions(), r.plans, &execution)
	if r.cancelled.Err() == nil || err == nil || errors.Is(err, errRunOver) {
		return &execution, err
	}
	if r.abandon {
		return nil, temporal.NewCanceledError()
	}
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline) && r.run.over.Err() == nil; {
		status := asteroid.SetExecutionStatusInput{ExecutionID: r.executed.ExecutionID, Status: asteroid.StatusCancelled}
		if r.execute(r.run.over, r.run, asteroid.SetExecutionStatusName, status, callOptions(time.Minute), r.plans, nil) == nil {
			options := awaitOptions()
			options.scheduleToClose = time.Minute
			if r.execute(r.run.over, r.run, asteroid.AwaitExecutionName, in, options, r.plans, &execution) == nil {
				return &execution, temporal.NewCanceledError()
			}
		}
		_ = r.sleep(r.run.over, 5*time.Second)
	}
	return nil, temporal.NewCanceledError()
}
