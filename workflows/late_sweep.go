package workflows

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

const (
	sweepTimeout = 5 * time.Minute // a sweep must not delay a result for long
	// A cancelled start did not wait out its grace period, so the run sweeps until a sweepInterval
	// after that would have ended. A grace period of hours does not delay a cancellation for hours.
	maxCancelledGrace = 2 * time.Minute
	sweepInterval     = 30 * time.Second
)

// lateSweep cancels duplicates of an execution that the service listed late. It runs when the grace
// period after the start is over, so that two agents do not work for hours, and at the end of the
// run.
type lateSweep struct {
	in      asteroid.SweepDuplicatesInput
	grace   time.Duration
	stop    workflow.CancelFunc // ends the wait for the end of the grace period
	running bool
}

// sweepLater plans the sweep after an execute that may have started two agents.
func (r *AgentRun) sweepLater(ctx workflow.Context, executed asteroid.ExecuteAgentResult) {
	sweep := r.addSweep(executed)
	ctx, sweep.stop = workflow.NewDisconnectedContext(ctx) // the run outlives the context of its start
	workflow.Go(ctx, func(ctx workflow.Context) {
		if workflow.Sleep(ctx, sweep.grace) == nil {
			r.sweepForSurvivor(ctx, sweep)
		}
	})
}

// addSweep keeps a sweep of the executions that share the key of this one, for the end of the run.
func (r *AgentRun) addSweep(executed asteroid.ExecuteAgentResult) *lateSweep {
	sweep := &lateSweep{grace: time.Duration(executed.SweepAfterSeconds) * time.Second, stop: func() {}, in: asteroid.SweepDuplicatesInput{
		Connection: r.in.Connection, AgentID: r.in.AgentID, ExecutionKey: executed.ExecutionKey, Keep: executed.ExecutionID,
	}}
	r.sweeps = append(r.sweeps, sweep)
	return sweep
}

// sweepForSurvivor is sweep while the run goes on. If another workflow with the same IdempotencyKey
// has cancelled the execution, it keeps what that one has kept.
func (r *AgentRun) sweepForSurvivor(ctx workflow.Context, sweep *lateSweep) {
	r.sweep(ctx, sweep, r.in.IdempotencyKey != "" && !r.cancelRequested)
}

func (r *AgentRun) sweep(ctx workflow.Context, sweep *lateSweep, anySurvivor bool) {
	sweep.running = true
	defer func() { sweep.running = false }()
	ctx = workflow.WithScheduleToCloseTimeout(r.withSummary(ctx, "has late duplicates swept"), sweepTimeout)
	in := sweep.in
	in.Internal.AnySurvivor = anySurvivor
	swept, err := SweepDuplicates(ctx, in)
	if err != nil {
		workflow.GetLogger(ctx).Error("Could not sweep late duplicates", "executionKey", sweep.in.ExecutionKey, "error", err)
		return
	}
	r.executed.DuplicatesCancelled = append(r.executed.DuplicatesCancelled, swept.Cancelled...)
	if sweep.in.Keep == r.executed.ExecutionID {
		r.survivor, r.conflict = swept.Kept, swept.Conflict
	}
	sweep.in.Keep = cmp.Or(swept.Kept, sweep.in.Keep)
}

// followSurvivor begins to track the execution of another workflow with the same IdempotencyKey
// that the sweeps have kept, after this one was cancelled. It reports whether there is one. Of
// another request's execution it returns an asteroid.InvalidInput.
func (r *AgentRun) followSurvivor(ctx workflow.Context, e *asteroid.Execution) (followed bool, err error) {
	if e.Status != asteroid.StatusCancelled || r.cancelRequested || ctx.Err() != nil {
		return false, nil //nolint:nilerr // the cancellation of the workflow is told by others
	}
	if len(r.sweeps) == 0 && r.executed.Adopted && r.in.IdempotencyKey != "" {
		r.addSweep(r.executed) // whoever started the execution may have swept it
	}
	for _, sweep := range r.sweeps {
		_ = workflow.Await(ctx, func() bool { return !sweep.running })
		if r.survivor == "" || r.survivor == e.ExecutionID { // the other workflow may have swept first
			r.sweepForSurvivor(ctx, sweep)
		}
	}
	survivor := r.survivor
	switch {
	case survivor == "" || survivor == e.ExecutionID:
		return false, nil
	case len(r.conflict) > 0:
		return false, newError(asteroid.ErrorTypeInvalidInput, fmt.Sprintf(
			"idempotencyKey: was used for execution %s with a different request (%s), so execution %s was cancelled: give a new request a new key",
			survivor, strings.Join(r.conflict, ", "), e.ExecutionID), e.ExecutionID, e)
	}
	r.survivor = ""
	r.agents.executions = append(r.agents.executions, survivor)
	r.recordExecution(ctx, asteroid.ExecuteAgentResult{
		ExecutionID: survivor, Status: asteroid.StatusStarting, ExecutionKey: r.executed.ExecutionKey, Adopted: true,
	})
	return true, nil
}

// finishSweeps sweeps at the end of the run: once, or repeatedly until the grace period after the
// start is over if the workflow was cancelled.
func (r *AgentRun) finishSweeps(ctx workflow.Context) {
	cancelled := ctx.Err() != nil
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	for _, sweep := range r.sweeps {
		_ = workflow.Await(ctx, func() bool { return !sweep.running }) // nothing cancels this context
		sweep.stop()
		until := workflow.Now(ctx)
		if cancelled {
			until = r.started.Add(min(sweep.grace, maxCancelledGrace) + sweepInterval)
		}
		for {
			r.sweep(ctx, sweep, false)
			left := until.Sub(workflow.Now(ctx))
			if left <= 0 {
				break
			}
			_ = workflow.Sleep(ctx, min(left, sweepInterval))
		}
	}
}
