package main

import (
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

// timeScaler is a worker interceptor that shortens the timeouts, retry intervals and timers of
// RunAgent to the time scale of the run. Otherwise every request of a killed worker would cost two
// minutes. A user's own interceptor could do the same.
type timeScaler struct {
	interceptor.WorkerInterceptorBase
}

const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 3 * time.Second
	// timerScale divides long timers. It is less than the scale of the timeouts: a cancelled run
	// must look up executions for longer than a late request takes.
	timerScale = 10

	// The watch heartbeats every twelve seconds while nothing changes. Where a worker of its queue
	// is left, that one continues it before another queue takes it over. A round is short, so that
	// most end before their worker is killed, and their history tells of those that were.
	watchHeartbeatTimeout = 15 * time.Second
	watchStale            = 26 * time.Second
	watchRound            = 8 * time.Second
)

// shortenWatch shortens the times of the watch of this process.
func shortenWatch() {
	pace := &watch.DefaultPace
	pace.Term, pace.Blind, pace.Checked, pace.Stale = watchRound, 10*time.Second, time.Second, watchStale
}

func (*timeScaler) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &scaledInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type scaledInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *scaledInbound) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&scaledOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}})
}

type scaledOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (o *scaledOutbound) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	options := workflow.GetActivityOptions(ctx)
	if activityType == asteroid.WatchExecutionsName {
		options.HeartbeatTimeout = min(options.HeartbeatTimeout, watchHeartbeatTimeout) // each attempt lasts for watchRound
	} else {
		options.StartToCloseTimeout = min(options.StartToCloseTimeout, attemptTimeout)
		options.HeartbeatTimeout = min(options.HeartbeatTimeout, attemptTimeout)
	}
	if options.RetryPolicy != nil {
		policy := *options.RetryPolicy
		policy.InitialInterval = min(policy.InitialInterval, firstRetry)
		policy.MaximumInterval = min(policy.MaximumInterval, lastRetry)
		options.RetryPolicy = &policy
	}
	return o.Next.ExecuteActivity(workflow.WithActivityOptions(ctx, options), activityType, args...)
}

func (o *scaledOutbound) NewTimer(ctx workflow.Context, d time.Duration) workflow.Future {
	return o.Next.NewTimer(ctx, scaled(d))
}

func (o *scaledOutbound) NewTimerWithOptions(ctx workflow.Context, d time.Duration, options workflow.TimerOptions) workflow.Future {
	return o.Next.NewTimerWithOptions(ctx, scaled(d), options)
}

// scaled returns the length of a timer. Those of the length of the lookup grace, which the workers
// have in this scale already, are not scaled.
func scaled(d time.Duration) time.Duration { return max(d/timerScale, min(d, lookupGrace+time.Second)) }
