package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// NewInterceptor returns the interceptor that measures what the activities of this module return,
// after they have bounded it themselves. The plugin of package worker adds it. What is still too
// large is reduced, or is a final error: the SDK would retry the activity without end.
//
// It also hands back what a worker that stops has interrupted, so that another worker goes on at
// once and nothing is logged as an error. If the process ends before the server has it, the server
// waits for a timeout.
func NewInterceptor() interceptor.WorkerInterceptor { return &workerInterceptor{} }

type workerInterceptor struct {
	interceptor.WorkerInterceptorBase
}

func (*workerInterceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &activityInterceptor{interceptor.ActivityInboundInterceptorBase{Next: next}, &heartbeatInterceptor{}}
}

type activityInterceptor struct {
	interceptor.ActivityInboundInterceptorBase
	heartbeats *heartbeatInterceptor
}

// Init adds the interceptor of heartbeats.
func (i *activityInterceptor) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	i.heartbeats.Next = outbound
	return i.Next.Init(i.heartbeats)
}

func (i *activityInterceptor) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	result, err := i.Next.ExecuteActivity(ctx, in)
	name := activity.GetInfo(ctx).ActivityType.Name
	switch {
	case !strings.HasPrefix(name, "asteroid."):
		return result, err
	case err == nil:
	case interrupted(ctx) && !errors.Is(err, activity.ErrResultPending):
		return nil, i.heartbeats.handBack(ctx, bound.Error(err))
	default:
		return nil, bound.Error(err)
	}
	if e, ok := result.(*asteroid.Execution); ok && tooLarge(e) {
		bound.OmitResult(e)
	}
	if tooLarge(result) {
		return nil, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("the result of %s has more than %d bytes", name, budget.ActivityResult), asteroid.ErrorTypeResultTooLarge, nil)
	}
	if interrupted(ctx) {
		return handIn(ctx, result)
	}
	return result, nil
}

// tooLarge leaves a tenth for a data converter that encodes less compactly.
func tooLarge(result any) bool { return bound.Size(result)*11/10 > budget.ActivityResult }
