package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// workload runs the intents' workflows, and cancels and reruns them as people would. It retries
// every request to the Temporal server, which may be down.
type workload struct {
	plan        *plan
	concurrency int
	rows        int // of the batch beside the plan's workflows
	temporal    client.Client
	api         *testsuite.API
	agentID     string
	// separateOrganization has the agent separateAgentID.
	separateOrganization, separateAgentID string
	disruptor                             *disruptor
	tally                                 *tally
	findings                              *findings
	limits                                limitRules
	timeline                              *timeline // of the processes
	control                               *control
	saved                                 string   // the directory to which workers save files
	secrets                               []string // that no history may hold
	sayings                               *sayings

	reruns          sync.WaitGroup // goroutines that rerun executions, even after their workflows have closed
	closedWorkflows atomic.Int64
	startedRows     atomic.Int64 // of that batch
}

const (
	// startInterval spreads the starts of the workflows.
	startInterval = 50 * time.Millisecond
	// lateSpacing separates late intents: each sends its second request before the next one's
	// first.
	lateSpacing = 12 * time.Second
	// workflowTaskTimeout is short: a killed worker may hold a task.
	workflowTaskTimeout = 5 * time.Second
	// stallTimeout stops the run when no workflow closes and no row starts for so long. Open
	// workflows then count as stuck.
	stallTimeout = 2 * time.Minute
)

// run runs every intent. It returns the outcomes when all workflows are closed, or when none has
// closed for stallTimeout.
func (w *workload) run(ctx context.Context) []outcome {
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	go w.watch(ctx, abort)

	var mu sync.Mutex
	var outcomes []outcome
	var running sync.WaitGroup
	add := func(own []outcome) {
		mu.Lock()
		defer mu.Unlock()
		outcomes = append(outcomes, own...)
	}
	follow := func(n int, done func()) {
		defer done()
		add(w.tell(ctx, n))
	}
	if w.rows > 0 {
		running.Go(func() { add(w.runRows(ctx)) })
	}
	late, others := w.plan.queues()
	running.Go(func() {
		for i, n := range late {
			if i > 0 {
				program.Sleep(ctx, lateSpacing)
			}
			running.Go(func() { follow(n, func() {}) })
		}
	})
	slots := make(chan struct{}, w.concurrency)
	for _, n := range others {
		slots <- struct{}{} // does not block for long, even if ctx is cancelled
		running.Go(func() { follow(n, func() { <-slots }) })
		program.Sleep(ctx, startInterval)
	}
	running.Wait()
	w.reruns.Wait()
	return outcomes
}

// tell runs the nth workflow of the plan, and whatever else its scenario needs.
func (w *workload) tell(ctx context.Context, n int) []outcome {
	if told := w.plan.scenarios[n]; told != nil {
		return told.run(w.newScene(n), ctx)
	}
	return []outcome{w.runIntent(ctx, w.plan.intents[n])}
}

// watch calls abort when nothing happens for stallTimeout.
func (w *workload) watch(ctx context.Context, abort func()) {
	happened := func() int64 { return w.closedWorkflows.Load() + w.startedRows.Load() }
	last, since := happened(), time.Now()
	for program.Sleep(ctx, time.Second) {
		if now := happened(); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > stallTimeout {
			abort()
		}
	}
}

// runIntent starts an intent's workflow, cancels and reruns it as planned, and returns its outcome.
func (w *workload) runIntent(ctx context.Context, in *intent) outcome {
	o := outcome{intent: in.workflowID, workflowID: in.workflowID, expectFailure: in.fails, cancelPlanned: in.cancelAfter > 0}
	if in.late {
		release := w.injectLateCommit(ctx, in)
		defer release()
	}
	if !w.start(ctx, in) {
		return o
	}
	whileOpen, noteClosed := context.WithCancel(ctx)
	var cancels sync.WaitGroup
	defer cancels.Wait()
	defer noteClosed()
	if in.cancelAfter > 0 {
		cancels.Go(func() {
			if program.Sleep(whileOpen, in.cancelAfter) {
				w.cancel(whileOpen, in)
			}
		})
	}
	if in.rerunAfter > 0 {
		w.reruns.Go(func() {
			if program.Sleep(ctx, in.rerunAfter) {
				w.rerun(in)
			}
		})
	}
	w.awaitClose(ctx, &o)
	if o.state != stateOpen {
		w.closedWorkflows.Add(1)
	}
	return o
}

// injectLateCommit makes the fake API carry out the intent's first request too late. It holds off
// disruptions until the second request is sent or release is called.
func (w *workload) injectLateCommit(ctx context.Context, in *intent) (release func()) {
	w.disruptor.quiet.RLock()
	release = sync.OnceFunc(w.disruptor.quiet.RUnlock)
	sent := w.countRequests(lateExecuteOperation)
	w.api.Inject(lateExecuteOperation, testsuite.CommitLate(tooLateTime), 1)
	go func() {
		defer release()
		for range 300 {
			if !program.Sleep(ctx, 100*time.Millisecond) || w.countRequests(lateExecuteOperation) >= sent+2 {
				return
			}
		}
		w.disruptor.logf("%s sent no second request within 30 seconds", in.workflowID)
	}()
	return release
}

// countRequests returns how many requests of the operations the fake API has received.
func (w *workload) countRequests(operations ...string) (n int) {
	for _, r := range w.api.Requests() {
		if slices.Contains(operations, r.Operation) {
			n++
		}
	}
	return n
}

func (w *workload) start(ctx context.Context, in *intent) bool {
	return retry(ctx, func(ctx context.Context) error {
		_, err := w.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID:        in.workflowID,
			TaskQueue: taskQueue,
			// The retry of a start whose response was lost must not start a second run of a closed
			// workflow.
			WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			WorkflowTaskTimeout:   workflowTaskTimeout,
		}, workflows.RunAgentName, in.input(w.agentID))
		return err
	})
}

func (w *workload) cancel(ctx context.Context, in *intent) {
	retry(ctx, func(ctx context.Context) error {
		err := w.temporal.CancelWorkflow(ctx, in.workflowID, "")
		if err == nil {
			w.tally.fire(kindWorkflowCancelled)
		}
		if _, closed := errors.AsType[*serviceerror.NotFound](err); closed {
			return nil
		}
		return err
	})
}

// rerun reruns an execution of the intent, if one exists, as a person does in the console.
func (w *workload) rerun(in *intent) {
	w.disruptor.capacityMu.Lock()
	defer w.disruptor.capacityMu.Unlock()
	for _, e := range w.api.Executions() {
		if e.Metadata[asteroid.MetadataWorkflowID] == in.workflowID {
			w.api.RerunExecution(e.ID)
			w.tally.fire(kindRerun)
			return
		}
	}
}

// awaitClose waits until the workflow asteroid.RunAgent is closed and records the outcome.
func (w *workload) awaitClose(ctx context.Context, o *outcome) {
	w.awaitCloseOf(ctx, o, func(get func(any) error) (*workflows.RunAgentResult, error) {
		var result workflows.RunAgentResult
		return &result, get(&result)
	})
}

// awaitCloseOf waits until a workflow is closed and records the outcome of one intent. decode gets
// the workflow's result, and returns the run of that intent.
func (w *workload) awaitCloseOf(ctx context.Context, o *outcome, decode func(get func(any) error) (*workflows.RunAgentResult, error)) {
	retry(ctx, func(ctx context.Context) error {
		get := func(result any) error { return w.temporal.GetWorkflow(ctx, o.workflowID, "").Get(ctx, result) }
		result, err := decode(get)
		failure, failed := errors.AsType[*temporal.WorkflowExecutionError](err)
		switch {
		case err == nil:
			o.state, o.executionID, o.adopted = stateCompleted, result.ExecutionID, result.Adopted
			o.resultIntent = w.intentOf(result)
		case failed:
			o.state = stateFailed
			if _, terminated := errors.AsType[*temporal.TerminatedError](failure); terminated {
				o.state = stateTerminated
			} else if temporal.IsCanceledError(failure.Unwrap()) {
				o.state = stateCancelled
			}
			o.recordError(failure)
		default:
			return err
		}
		return nil
	})
	if o.state != stateCancelled {
		return
	}
	retry(ctx, func(ctx context.Context) error {
		described, err := w.temporal.DescribeWorkflowExecution(ctx, o.workflowID, "")
		if err == nil {
			o.closedAt = described.GetWorkflowExecutionInfo().GetCloseTime().AsTime()
		}
		return err
	})
}

// recordError records why a workflow did not complete.
func (o *outcome) recordError(err *temporal.WorkflowExecutionError) {
	o.message = err.Unwrap().Error()
	if cause, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		o.errorType = cause.Type()
	}
	if details, ok := asteroid.DetailsOf(err); ok {
		o.executionID, o.reason = details.ExecutionID, details.Reason
	}
}

// retry repeats a request until it succeeds. It returns false if ctx is cancelled first.
func retry(ctx context.Context, request func(context.Context) error) bool {
	for {
		attempt, done := context.WithTimeout(ctx, 20*time.Second)
		err := request(attempt)
		done()
		if err == nil {
			return true
		}
		if !program.Sleep(ctx, 200*time.Millisecond) {
			return false
		}
	}
}

// awaitLedger returns the ledger when late requests are carried out and all executions are
// terminal. After half a minute it returns the ledger as it is: the audit counts the rest as stuck.
func (w *workload) awaitLedger(ctx context.Context) []testsuite.Execution {
	program.Sleep(ctx, lateTime+listDelay+listJitter)
	for deadline := time.Now().Add(30 * time.Second); ; {
		ledger := w.api.Executions()
		active := 0
		for _, e := range ledger {
			if !terminal(e.Status) && e.Inputs[inputIntent] != strangerIntent {
				active++
			}
		}
		if active == 0 || time.Now().After(deadline) || !program.Sleep(ctx, 200*time.Millisecond) {
			return ledger
		}
	}
}

func (w *workload) progress() string {
	progress := fmt.Sprintf("%d of %d closed, %d workers killed", w.closedWorkflows.Load(), len(w.plan.intents)+one(w.rows > 0), w.disruptor.kills.Load())
	if w.rows > 0 {
		progress += fmt.Sprintf(", %d of %d rows started", w.startedRows.Load(), w.rows)
	}
	return progress
}
