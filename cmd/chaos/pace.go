package main

import (
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// pace makes RunAgent's timeouts, retry intervals and timers as short as the rest of the time scale. Otherwise every
// request that a killed worker had under way would cost two minutes. It is what a user's own interceptor could do.
type pace struct {
	interceptor.WorkerInterceptorBase
}

const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 3 * time.Second
	// timerScale is what a timer's length is divided by. It is less than that of the timeouts: a cancelled run goes on
	// looking for what it may have started longer than a late request takes, and that is to stay so.
	timerScale = 10
)

func (*pace) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &pacedInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type pacedInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *pacedInbound) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&pacedOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}})
}

type pacedOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (o *pacedOutbound) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	options := workflow.GetActivityOptions(ctx)
	options.StartToCloseTimeout = min(options.StartToCloseTimeout, attemptTimeout)
	options.HeartbeatTimeout = min(options.HeartbeatTimeout, attemptTimeout)
	if options.RetryPolicy != nil {
		policy := *options.RetryPolicy
		policy.InitialInterval = min(policy.InitialInterval, firstRetry)
		policy.MaximumInterval = min(policy.MaximumInterval, lastRetry)
		options.RetryPolicy = &policy
	}
	return o.Next.ExecuteActivity(workflow.WithActivityOptions(ctx, options), activityType, args...)
}

func (o *pacedOutbound) NewTimer(ctx workflow.Context, d time.Duration) workflow.Future {
	return o.Next.NewTimer(ctx, d/timerScale)
}

func (o *pacedOutbound) NewTimerWithOptions(ctx workflow.Context, d time.Duration, options workflow.TimerOptions) workflow.Future {
	return o.Next.NewTimerWithOptions(ctx, d/timerScale, options)
}
