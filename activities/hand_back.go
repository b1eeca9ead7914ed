package activities

import (
	"context"
	"errors"
	"sync"

	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
)

// interrupted reports whether a worker that stops has ended the activity's context.
func interrupted(ctx context.Context) bool {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return errors.Is(ctx.Err(), context.Canceled) && !temporal.IsCanceledError(context.Cause(ctx))
	default:
		return false
	}
}

// handBack fails an interrupted activity, so that another worker goes on at once, and returns what
// the activity has to return. The SDK would log the failure as an error, and lose the newest
// heartbeat, which it cannot send any more.
func (h *heartbeatInterceptor) handBack(ctx context.Context, err error) error {
	err = withoutAlarm(err)
	service := temporalClient(ctx)
	if service == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), serverTimeout)
	defer cancel()
	info := activity.GetInfo(ctx)
	if details := h.newest(); details != nil {
		if service.RecordActivityHeartbeatWithOptions(ctx, heartbeatOptions(info, details)) != nil {
			return err
		}
	}
	if service.CompleteActivity(ctx, info.TaskToken, nil, err) != nil {
		return err
	}
	return activity.ErrResultPending
}

// handIn completes an interrupted activity that has a result, and returns what the activity has to
// return. The SDK would encode the result with a context that has ended, which may fail.
func handIn(ctx context.Context, result any) (any, error) {
	service := temporalClient(ctx)
	if service == nil {
		return result, nil
	}
	token := activity.GetInfo(ctx).TaskToken
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), serverTimeout)
	defer cancel()
	if service.CompleteActivity(ctx, token, result, nil) != nil {
		return result, nil // the SDK tries again
	}
	return nil, activity.ErrResultPending
}

// withoutAlarm returns a retryable error as a benign one, which the SDK neither logs at level ERROR
// nor counts.
func withoutAlarm(err error) error {
	failed, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return temporal.NewApplicationErrorWithOptions(err.Error(), asteroid.ErrorTypeUnavailable,
			temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
	}
	if failed.NonRetryable() {
		return err
	}
	options := temporal.ApplicationErrorOptions{
		Category: temporal.ApplicationErrorCategoryBenign, NextRetryDelay: failed.NextRetryDelay(), Cause: failed.Unwrap(),
	}
	if details, ok := asteroid.DetailsOf(failed); ok {
		options.Details = []any{details}
	}
	return temporal.NewApplicationErrorWithOptions(failed.Message(), failed.Type(), options)
}

// heartbeatInterceptor remembers the newest heartbeat of an activity. The SDK cannot send one whose
// context has ended.
type heartbeatInterceptor struct {
	interceptor.ActivityOutboundInterceptorBase
	mu      sync.Mutex
	details []any
}

// RecordHeartbeat implements [interceptor.ActivityOutboundInterceptor].
func (h *heartbeatInterceptor) RecordHeartbeat(ctx context.Context, details ...any) {
	h.mu.Lock()
	h.details = details
	h.mu.Unlock()
	if !interrupted(ctx) {
		h.Next.RecordHeartbeat(ctx, details...)
	}
}

func (h *heartbeatInterceptor) newest() []any {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.details
}

// heartbeatOptions returns the options of a heartbeat that the SDK does not hold back.
func heartbeatOptions(info activity.Info, details []any) sdkclient.RecordActivityHeartbeatOptions {
	options := sdkclient.RecordActivityHeartbeatOptions{
		TaskToken: info.TaskToken, Namespace: info.Namespace, ActivityType: info.ActivityType.Name, TaskQueue: info.TaskQueue,
		WorkflowID: info.WorkflowExecution.ID, Details: details,
	}
	if info.WorkflowType != nil {
		options.WorkflowType = info.WorkflowType.Name
	}
	return options
}
