package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

// WatchExecutions lists the executions that a connection sees every few seconds and signals the
// workflows whose executions have changed, with an [asteroid.ExecutionEventSignal]: workflows of
// its own namespace whose executions ExecuteAgent started with Signal. It is the only activity of
// the workflow asteroid.Watch, which ExecuteAgent starts.
//
// It runs for up to Options.WatchRound and occupies one activity slot. Its state is in its
// heartbeat, recorded after each round that signalled, so the next attempt, on another worker,
// continues from there and signals what has changed meanwhile. A worker that stops hands the state
// over at once. The heartbeat also tells when the last whole scan was; see
// [Activities.AwaitExecution].
//
// With up to some thousand executions a scan begins every 2 seconds while executions change, and
// every 8 seconds while none does. With more, scans are spaced so that they make at most 13 list
// requests a second. An execution that is no longer listed is read on its own. Where the service
// limits the rate, a scan waits and goes on, and the time between two scans is as long as a scan.
//
// A signal arrives at least once. An attempt that ends before it can record or hand over what it
// has signalled, because its process is killed, the server does not answer or another watch takes
// over from it while it signals, leaves at most 16 signals to be repeated. RunAgent ignores a
// repeated one, unless the agent waits for a person: then it reads the execution once more.
//
// After a failure it waits as long as Retry-After says, or longer with each failure. A minute
// without a whole scan ends the attempt, so that another worker can try. It gives up a signal to a
// closed workflow, and repeats one to a workflow that it cannot reach.
//
// Errors: asteroid.InvalidInput for an unknown connection; asteroid.Unavailable, retryable, without
// a whole scan, or when another attempt has replaced this one. When it is cancelled it returns its
// state.
func (a *Activities) WatchExecutions(ctx context.Context, in asteroid.WatchExecutionsInput) (*asteroid.WatchExecutionsResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	service := a.service(ctx)
	if service == nil {
		return nil, asteroid.NewInvalidInput("connection", errNoService.Error())
	}
	stopping, end := a.watching.context(), a.watching.begin()
	defer end()
	t := &watchAttempt{a: a, service: service, info: activity.GetInfo(ctx), began: a.now(), virtualTime: a.virtualTime(ctx)}
	packed, scannedAt := t.before(ctx, in)
	w := watch.New(c, t.info.Namespace, a.now, packed,
		func(ctx context.Context, workflowID string, event asteroid.ExecutionEvent) error {
			// Without a run id: another run may be the current one after a reset or
			// continue-as-new.
			return service.SignalWorkflow(ctx, workflowID, "", asteroid.ExecutionEventSignal, event)
		})
	w.Trust(a.watchTrust(ctx, c.Name))
	announceWatch(ctx, c.Name)
	defer showRound(ctx, c.Name, watch.Round{}) // another worker may go on
	showRound(ctx, c.Name, watch.Round{ScannedAt: scannedAt})
	runCtx, stop, release := t.context(ctx, stopping)
	defer release()
	result, err := w.Run(runCtx, a.pace, watch.Host{
		Beat: t.beat, ServerTime: t.serverTime, ScannedAt: scannedAt, Stop: stop,
		Scanned:   func(round watch.Round) { a.reportRound(ctx, c.Name, round) },
		Signalled: func(err error) { a.reportSignal(ctx, c.Name, err) },
	})
	if err != nil {
		return nil, endError(ctx, err)
	}
	returned := &asteroid.WatchExecutionsResult{Known: result.Known, ScannedAt: result.ScannedAt, Idle: result.Idle}
	select {
	case <-stop:
		return t.complete(ctx, returned)
	default:
		return returned, nil
	}
}

// watchAttempt is one attempt of asteroid.WatchExecutions.
type watchAttempt struct {
	a       *Activities
	service sdkclient.Client
	info    activity.Info
	began   time.Time

	virtualTime bool
}

// context returns the context of a run, and a channel that is closed when the worker stops. The
// SDK ends the activity's own context then, which would interrupt the hand-over.
func (t *watchAttempt) context(ctx, stopping context.Context) (runCtx context.Context, stop <-chan struct{}, release func()) {
	runCtx, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stopped, workerStops := make(chan struct{}), activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-runCtx.Done():
		case <-stopping.Done():
			close(stopped)
		case <-workerStops:
			close(stopped)
		case <-ctx.Done():
			select {
			case <-workerStops:
				close(stopped)
			default:
				end(context.Cause(ctx))
			}
		}
	}()
	return runCtx, stopped, func() { end(nil) }
}

// serverTime returns the time by the Temporal server's clock.
func (t *watchAttempt) serverTime() time.Time {
	if t.virtualTime {
		return t.a.now()
	}
	return t.info.StartedTime.Add(t.a.now().Sub(t.began))
}

// before returns what the attempt continues from: the heartbeat of the attempt before, else the
// input. The client's converter may not read a heartbeat, since encodeBeat does not use it.
func (t *watchAttempt) before(ctx context.Context, in asteroid.WatchExecutionsInput) (packed []byte, scannedAt time.Time) {
	scannedAt = in.ScannedAt
	if scannedAt.IsZero() {
		scannedAt = t.serverTime()
	}
	if !activity.HasHeartbeatDetails(ctx) {
		return in.Known, scannedAt
	}
	var proof watch.Proof
	if activity.GetHeartbeatDetails(ctx, &packed, &proof) == nil && !proof.ScannedAt.IsZero() {
		return packed, proof.ScannedAt
	}
	state, err := readWatch(ctx, t.service, t.info.WorkflowExecution.ID)
	if err == nil && state.beaten && state.runID == t.info.WorkflowExecution.RunID {
		return state.known, state.provenAt
	}
	return in.Known, scannedAt
}

// beat records a heartbeat without the SDK, which would hold it back for most of the heartbeat
// timeout: a killed worker should lose nothing that it has signalled.
func (t *watchAttempt) beat(ctx context.Context, packed []byte, proof watch.Proof) error {
	details, err := encodeBeat(packed, proof)
	if err != nil {
		return err
	}
	response, err := t.a.heartbeat(ctx, t.service, &workflowservice.RecordActivityTaskHeartbeatRequest{
		Namespace: t.info.Namespace, TaskToken: t.info.TaskToken, Details: details,
	})
	_, replaced := errors.AsType[*serviceerror.NotFound](err)
	switch {
	case replaced:
		return err
	case err != nil:
		return &watch.TransientError{Cause: err}
	case response.GetCancelRequested():
		return temporal.NewCanceledError()
	case response.GetActivityPaused(), response.GetActivityReset():
		return errors.New("the activity is paused or reset")
	}
	return nil
}

// recordsHeartbeat is the type of recordHeartbeat, which tests replace.
type recordsHeartbeat func(
	context.Context, sdkclient.Client, *workflowservice.RecordActivityTaskHeartbeatRequest,
) (*workflowservice.RecordActivityTaskHeartbeatResponse, error)

func recordHeartbeat(
	ctx context.Context, service sdkclient.Client, beat *workflowservice.RecordActivityTaskHeartbeatRequest,
) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	return service.WorkflowService().RecordActivityTaskHeartbeat(ctx, beat)
}

// endError returns the error of an attempt that another one follows. It is benign: what it means is
// logged where it happens.
func endError(ctx context.Context, err error) error {
	if temporal.IsCanceledError(context.Cause(ctx)) {
		return context.Cause(ctx)
	}
	return temporal.NewApplicationErrorWithOptions(err.Error()+"; another attempt continues", asteroid.ErrorTypeUnavailable,
		temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
}

// complete completes the activity of a worker that stops. The SDK may not any more: without
// WorkerStopTimeout the process can end first.
func (t *watchAttempt) complete(ctx context.Context, result *asteroid.WatchExecutionsResult) (*asteroid.WatchExecutionsResult, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), serverTimeout)
	defer cancel()
	if err := t.service.CompleteActivity(ctx, t.info.TaskToken, result, nil); err != nil {
		return nil, endError(ctx, fmt.Errorf("the worker stops: %w", err))
	}
	return nil, activity.ErrResultPending
}
