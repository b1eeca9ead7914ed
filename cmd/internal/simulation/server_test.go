package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	common "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	workflow "go.temporal.io/api/workflow/v1"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// server is the part of a Temporal server that matters to activities: their attempts, and what a
// worker can ask about a workflow.
type server struct {
	*world
	mu   sync.Mutex // guards all runs
	runs map[string]*workflowRun
}

// workflowRun is one run of a workflow. A reset ends it and begins another one.
type workflowRun struct {
	workflowID, runID, firstRunID, originalRunID string
	began                                        time.Time
	reset                                        time.Time // when a reset created the run; zero for the first
	replacedBy                                   string    // the run that a reset created
	activities                                   int       // that were scheduled
	pending                                      []*scheduledActivity
	over                                         context.Context // ends with the run
	end                                          context.CancelFunc
}

// startRun begins a run, which replaces another one if that is not nil.
func (s *server) startRun(workflowID string, replaced *workflowRun) *workflowRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &workflowRun{workflowID: workflowID, runID: fmt.Sprintf("%s-run-%d", workflowID, len(s.runs)+1), began: time.Now()}
	r.firstRunID, r.originalRunID = r.runID, r.runID
	r.over, r.end = context.WithCancel(context.Background())
	if replaced != nil {
		r.firstRunID, r.originalRunID, r.reset = replaced.firstRunID, replaced.originalRunID, r.began
		replaced.replacedBy = r.runID
		replaced.end()
	}
	s.runs[r.runID] = r
	return r
}

// describe answers DescribeWorkflowExecution.
func (s *server) describe(workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[runID]
	if r == nil || r.workflowID != workflowID {
		return nil, errors.New("not found")
	}
	response := &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{
			Execution: &common.WorkflowExecution{WorkflowId: workflowID, RunId: runID},
			StartTime: timestamppb.New(r.began), Status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING,
		},
		WorkflowExtendedInfo: &workflow.WorkflowExecutionExtendedInfo{ResetRunId: r.replacedBy},
	}
	if r.replacedBy != "" {
		response.WorkflowExecutionInfo.Status = enums.WORKFLOW_EXECUTION_STATUS_TERMINATED
	}
	if !r.reset.IsZero() {
		response.WorkflowExtendedInfo.LastResetTime = timestamppb.New(r.reset)
	}
	for _, p := range r.pending {
		info := &workflow.PendingActivityInfo{ActivityId: p.id, ScheduledTime: timestamppb.New(p.attemptScheduled), Attempt: p.number}
		if !p.lastCompleted.IsZero() {
			info.LastAttemptCompleteTime = timestamppb.New(p.lastCompleted)
		}
		response.PendingActivities = append(response.PendingActivities, info)
	}
	return response, nil
}

// activityOptions are those with which a workflow schedules an activity.
type activityOptions struct {
	startToClose, scheduleToClose, heartbeat time.Duration
	retry                                    temporal.RetryPolicy
	// scheduled is when a run scheduled the activity that a reset has replaced. Zero: it is new.
	scheduled time.Time
}

// scheduledActivity is an activity that has not ended. The server's lock guards it.
type scheduledActivity struct {
	workflow *workflowRun
	id, name string
	input    any
	options  activityOptions

	scheduled        time.Time // by the workflow: a reset of the activity keeps it
	attemptScheduled time.Time
	number           int32 // of the attempt
	details          converter.EncodedValues
	resetDetails     bool // a reset wants the next attempt to have none
	lastCompleted    time.Time
	cancelRequested  bool
	current          *attempt
	changed          chan struct{} // wakes the loop of execute
}

// errRunOver is the error of an activity whose workflow run a reset has replaced. No workflow sees
// it.
var errRunOver = errors.New("the workflow run is over")

// execute runs an activity as the server does, attempt after attempt, and stores its result. If ctx
// ends, it requests the activity's cancellation and waits, as with WaitForCancellation.
func (s *server) execute(ctx context.Context, run *workflowRun, name string, input any, options activityOptions, plans *plans, result any) error {
	s.mu.Lock()
	now := time.Now()
	run.activities++
	p := &scheduledActivity{
		workflow: run, id: fmt.Sprint(run.activities), name: name, input: input, options: options,
		scheduled: cmp.Or(options.scheduled, now), attemptScheduled: now, number: 1, changed: make(chan struct{}, 1),
	}
	run.pending = append(run.pending, p)
	s.mu.Unlock()
	defer s.remove(p)
	value, err := s.drive(ctx, p, plans)
	if run.over.Err() != nil {
		return errRunOver
	}
	if err != nil || result == nil {
		return err
	}
	return value.Get(result)
}

func (s *server) remove(p *scheduledActivity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := p.workflow.pending[:0]
	for _, other := range p.workflow.pending {
		if other != p {
			kept = append(kept, other)
		}
	}
	p.workflow.pending = kept
}

// drive runs attempts until one of them decides how the activity ends.
func (s *server) drive(ctx context.Context, p *scheduledActivity, plans *plans) (converter.EncodedValue, error) {
	deadline := p.scheduled.Add(p.options.scheduleToClose)
	var last error
	for {
		plan := plans.next()
		if !s.awaitDispatch(ctx, p, time.Duration(plan.StartDelay), deadline) {
			switch {
			case p.workflow.over.Err() != nil:
				return nil, errRunOver
			case ctx.Err() != nil:
				return nil, temporal.NewCanceledError()
			}
			return nil, temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, last)
		}
		value, err := s.runAttempt(ctx, p, plan, deadline)
		if err == nil || p.workflow.over.Err() != nil {
			return value, err
		}
		last = err
		s.mu.Lock()
		delay, again := p.retryDelay(err)
		next := time.Now().Add(delay)
		if !again || next.After(deadline) {
			s.mu.Unlock()
			return nil, err
		}
		p.number++
		p.attemptScheduled, p.current = next, nil
		if p.resetDetails {
			p.details, p.resetDetails = nil, false
		}
		s.mu.Unlock()
	}
}

// awaitDispatch waits until a worker takes the attempt. It returns false if the activity ends
// before.
func (s *server) awaitDispatch(ctx context.Context, p *scheduledActivity, startDelay time.Duration, deadline time.Time) bool {
	for {
		s.mu.Lock()
		due := p.attemptScheduled.Add(max(startDelay, 2*time.Millisecond))
		s.mu.Unlock()
		timer := time.NewTimer(min(time.Until(due), time.Until(deadline)))
		select {
		case <-p.workflow.over.Done():
			return false
		case <-ctx.Done(): // an activity without a running attempt is cancelled at once
			return false
		case <-p.changed: // reset, so it is due at once
			timer.Stop()
			continue
		case <-timer.C:
		}
		return time.Now().Before(deadline)
	}
}

// runAttempt runs one attempt, and returns its result or what the server takes for it.
func (s *server) runAttempt(ctx context.Context, p *scheduledActivity, plan attemptPlan, deadline time.Time) (converter.EncodedValue, error) {
	a := s.newAttempt(p, plan)
	s.background.Go(a.run)
	timeout, timeoutType := p.options.startToClose, enums.TIMEOUT_TYPE_START_TO_CLOSE
	if left := time.Until(deadline); left < timeout {
		timeout, timeoutType = left, enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	beat := newHeartbeatTimer(p.options.heartbeat)
	defer beat.stop()
	cancelled := ctx.Done()
	for {
		select {
		case <-p.workflow.over.Done():
			return nil, errRunOver
		case <-cancelled:
			s.mu.Lock()
			p.cancelRequested = true // the worker learns of it by a heartbeat
			s.mu.Unlock()
			cancelled = nil
		case <-p.changed:
		case <-a.beats:
			beat.restart()
		case <-beat.expired():
			a.abandon()
			return nil, temporal.NewTimeoutError(enums.TIMEOUT_TYPE_HEARTBEAT, nil)
		case <-timer.C:
			a.abandon()
			return nil, temporal.NewTimeoutError(timeoutType, nil)
		case reported := <-a.reported:
			s.mu.Lock()
			stale := p.number != a.number // reset meanwhile: the server does not know the attempt any more
			if !stale && reported.err != nil {
				p.lastCompleted = time.Now()
			}
			s.mu.Unlock()
			if !stale {
				return reported.value, reported.err
			}
		}
	}
}

// retryDelay returns when the next attempt follows a failed one, and whether one does.
func (p *scheduledActivity) retryDelay(err error) (time.Duration, bool) {
	if p.cancelRequested {
		return 0, false
	}
	policy := p.options.retry
	delay := policy.InitialInterval
	for range p.number - 1 {
		delay = min(time.Duration(float64(delay)*policy.BackoffCoefficient), policy.MaximumInterval)
	}
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		if failed.NonRetryable() {
			return 0, false
		}
		for _, final := range policy.NonRetryableErrorTypes {
			if failed.Type() == final {
				return 0, false
			}
		}
		if failed.NextRetryDelay() > 0 {
			delay = failed.NextRetryDelay()
		}
		return delay, true
	}
	timeout, ok := errors.AsType[*temporal.TimeoutError](err)
	return delay, ok && timeout.TimeoutType() != enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
}

// resetActivities resets the pending activities of a run, as an operator does. One that waits for
// its next attempt is dispatched at once. A running attempt goes on, but unless it is the first,
// the server takes nothing from it any more.
func (s *server) resetActivities(run *workflowRun, heartbeats bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range run.pending {
		p.number = 1
		if p.current != nil {
			p.resetDetails = p.resetDetails || heartbeats
		} else {
			p.attemptScheduled = time.Now()
			if heartbeats {
				p.details = nil
			}
		}
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
}

// temporalClient is the client that an activity gets.
type temporalClient struct {
	client.Client
	*attempt
}

// WorkflowService returns nil: nothing uses it.
func (temporalClient) WorkflowService() workflowservice.WorkflowServiceClient { return nil }

func (c temporalClient) DescribeWorkflowExecution(_ context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if c.plan.NoDescribe {
		return nil, errors.New("the server does not answer")
	}
	return c.server.describe(workflowID, runID)
}

func (c temporalClient) RecordActivityHeartbeatWithOptions(_ context.Context, options client.RecordActivityHeartbeatOptions) error {
	details, err := converter.GetDefaultDataConverter().ToPayloads(options.Details...)
	if err == nil {
		c.beat(client.NewValues(details))
	}
	return err
}

// heartbeatTimer expires when no heartbeat has come for the timeout. Without a timeout it never
// does.
type heartbeatTimer struct {
	timeout time.Duration
	timer   *time.Timer
}

func newHeartbeatTimer(timeout time.Duration) *heartbeatTimer {
	if timeout <= 0 {
		return &heartbeatTimer{}
	}
	return &heartbeatTimer{timeout, time.NewTimer(timeout)}
}

func (h *heartbeatTimer) expired() <-chan time.Time {
	if h.timer == nil {
		return nil
	}
	return h.timer.C
}

func (h *heartbeatTimer) restart() {
	if h.timer != nil {
		h.timer.Reset(h.timeout)
	}
}

func (h *heartbeatTimer) stop() {
	if h.timer != nil {
		h.timer.Stop()
	}
}
