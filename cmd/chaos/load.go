package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// load is what the user wants: the workflows, and what people do to them. Whatever it asks of the Temporal server it repeats
// until it is told, as that may be away.
type load struct {
	plan        *plan
	concurrency int
	temporal    client.Client
	api         *testsuite.API
	agentID     string
	trouble     *trouble

	console sync.WaitGroup // people who look at executions whether their workflows are over or not
	closed  atomic.Int64
}

const (
	// startPause keeps a hundred workflows from beginning in the same moment.
	startPause = 50 * time.Millisecond
	// lateSpacing lets a late intent send its second request before the next one sends its first.
	lateSpacing = 12 * time.Second
	// patience is how long nothing may close before what is open counts as stuck.
	patience = 2 * time.Minute
)

// run starts every intent and returns what became of it, when all workflows are closed or none has been for too long.
func (l *load) run(ctx context.Context) []outcome {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	go l.watch(ctx, giveUp)

	var mu sync.Mutex
	var outcomes []outcome
	var running sync.WaitGroup
	follow := func(in *intent, done func()) {
		defer done()
		o := l.carryOut(ctx, in)
		mu.Lock()
		defer mu.Unlock()
		outcomes = append(outcomes, o)
	}
	late, others := l.plan.queues()
	running.Go(func() {
		for i, in := range late {
			if i > 0 {
				sleep(ctx, lateSpacing)
			}
			running.Go(func() { follow(in, func() {}) })
		}
	})
	places := make(chan struct{}, l.concurrency)
	for _, in := range others {
		places <- struct{}{} // which is freed soon even if the context has ended
		running.Go(func() { follow(in, func() { <-places }) })
		sleep(ctx, startPause)
	}
	running.Wait()
	l.console.Wait()
	return outcomes
}

// watch gives up when nothing has closed for too long.
func (l *load) watch(ctx context.Context, giveUp func()) {
	last, since := l.closed.Load(), time.Now()
	for sleep(ctx, time.Second) {
		if now := l.closed.Load(); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > patience {
			giveUp()
		}
	}
}

// carryOut starts an intent's workflow, does to it what is planned, and returns how it ended.
func (l *load) carryOut(ctx context.Context, in *intent) outcome {
	o := outcome{workflowID: in.workflowID, meantToFail: in.fails, cancelAsked: in.cancelAfter > 0}
	if in.late {
		quiet := l.hush(ctx, in)
		defer quiet()
	}
	if !l.start(ctx, in) {
		return o
	}
	ended, end := context.WithCancel(ctx)
	var people sync.WaitGroup
	defer people.Wait()
	defer end()
	if in.cancelAfter > 0 {
		people.Go(func() {
			if sleep(ended, in.cancelAfter) {
				l.cancel(ended, in)
			}
		})
	}
	if in.rerunAfter > 0 {
		l.console.Go(func() {
			if sleep(ctx, in.rerunAfter) {
				l.rerun(in)
			}
		})
	}
	l.await(ctx, in, &o)
	if o.state != stateOpen {
		l.closed.Add(1)
	}
	return o
}

// hush prepares a request that is carried out too late, and keeps calm until the second one is out.
func (l *load) hush(ctx context.Context, in *intent) (end func()) {
	l.trouble.calm.RLock()
	end = sync.OnceFunc(l.trouble.calm.RUnlock)
	sent := l.lateRequests()
	l.api.Inject(lateExecuteOperation, testsuite.CommitLate(tooLateTime), 1)
	go func() {
		defer end()
		for range 300 {
			if !sleep(ctx, 100*time.Millisecond) || l.lateRequests() >= sent+2 {
				return
			}
		}
		l.trouble.tell("%s sent no second request within 30 seconds", in.workflowID)
	}()
	return end
}

func (l *load) lateRequests() int {
	n := 0
	for _, r := range l.api.Requests() {
		if r.Operation == lateExecuteOperation {
			n++
		}
	}
	return n
}

func (l *load) start(ctx context.Context, in *intent) bool {
	return persist(ctx, func(ctx context.Context) error {
		_, err := l.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID:        in.workflowID,
			TaskQueue: taskQueue,
			// A start whose answer was lost must not be made again once that workflow is closed.
			WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			WorkflowTaskTimeout:   5 * time.Second,
		}, workflows.RunAgentName, in.input(l.agentID))
		return err
	})
}

func (l *load) cancel(ctx context.Context, in *intent) {
	persist(ctx, func(ctx context.Context) error {
		err := l.temporal.CancelWorkflow(ctx, in.workflowID, "")
		if _, over := errors.AsType[*serviceerror.NotFound](err); over {
			return nil
		}
		return err
	})
}

// rerun presses the console's button for an execution of the intent, if it has one by now.
func (l *load) rerun(in *intent) {
	l.trouble.capacity.Lock()
	defer l.trouble.capacity.Unlock()
	for _, e := range l.api.Executions() {
		if e.Metadata[asteroid.MetadataWorkflowID] == in.workflowID {
			l.api.RerunExecution(e.ID)
			return
		}
	}
}

// await waits until the workflow is closed and notes how.
func (l *load) await(ctx context.Context, in *intent, o *outcome) {
	persist(ctx, func(ctx context.Context) error {
		var result workflows.RunAgentResult
		err := l.temporal.GetWorkflow(ctx, in.workflowID, "").Get(ctx, &result)
		ended, isEnd := errors.AsType[*temporal.WorkflowExecutionError](err)
		switch {
		case err == nil:
			o.state, o.executionID = stateCompleted, result.ExecutionID
			o.adopted, o.duplicatesCancelled = result.Adopted, len(result.DuplicatesCancelled)
		case isEnd:
			if o.state = stateFailed; temporal.IsCanceledError(ended.Unwrap()) {
				o.state = stateCancelled
			}
			o.failed(ended)
		default:
			return err
		}
		return nil
	})
	if o.state != stateCancelled {
		return
	}
	persist(ctx, func(ctx context.Context) error {
		described, err := l.temporal.DescribeWorkflowExecution(ctx, in.workflowID, "")
		if err == nil {
			o.closedAt = described.GetWorkflowExecutionInfo().GetCloseTime().AsTime()
		}
		return err
	})
}

// failed notes why a workflow did not complete.
func (o *outcome) failed(err *temporal.WorkflowExecutionError) {
	o.message = err.Unwrap().Error()
	if said, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		o.errorType = said.Type()
	}
	if details, ok := asteroid.DetailsOf(err); ok {
		o.executionID, o.reason = details.ExecutionID, details.Reason
	}
}

// persist repeats a call until it succeeds; false if the context ends first.
func persist(ctx context.Context, call func(context.Context) error) bool {
	for {
		bounded, done := context.WithTimeout(ctx, 20*time.Second)
		err := call(bounded)
		done()
		if err == nil {
			return true
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return false
		}
	}
}

// settled waits until what is still to come has come: late requests, and the ends of all executions. It gives up after
// half a minute, and what then goes on is counted as stuck.
func (l *load) settled(ctx context.Context) []testsuite.Execution {
	sleep(ctx, lateTime+listDelay+listJitter)
	for deadline := time.Now().Add(30 * time.Second); ; {
		ledger := l.api.Executions()
		going := 0
		for _, e := range ledger {
			if !terminal(e.Status) {
				going++
			}
		}
		if going == 0 || time.Now().After(deadline) || !sleep(ctx, 200*time.Millisecond) {
			return ledger
		}
	}
}

func (l *load) progress() string {
	return fmt.Sprintf("%d of %d closed, %d workers killed", l.closed.Load(), len(l.plan.intents), l.trouble.kills.Load())
}
