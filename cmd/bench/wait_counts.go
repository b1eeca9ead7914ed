package main

import (
	"context"
	"net/http"
	"sync/atomic"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"

	"github.com/temporal-asteroid/asteroid"
)

// counts are a worker's totals so far.
type counts struct {
	Reads    int64 `json:"reads"`    // GET requests to the API
	Attempts int64 `json:"attempts"` // activity attempts
	Executed int64 `json:"executed"` // successful executes of an agent
	Running  int64 `json:"running"`  // activities that run now; each holds a slot
}

// requestCounter counts the worker's API requests and activity attempts.
type requestCounter struct {
	interceptor.WorkerInterceptorBase
	reads, attempts, executed, running atomic.Int64
}

func (c *requestCounter) counts() counts {
	return counts{c.reads.Load(), c.attempts.Load(), c.executed.Load(), c.running.Load()}
}

func (c *requestCounter) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	counting := &countingActivity{counter: c}
	counting.Next = next
	return counting
}

type countingActivity struct {
	interceptor.ActivityInboundInterceptorBase
	counter *requestCounter
}

func (a *countingActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	a.counter.attempts.Add(1)
	a.counter.running.Add(1)
	defer a.counter.running.Add(-1)
	out, err := a.Next.ExecuteActivity(ctx, in)
	if err == nil && activity.GetInfo(ctx).ActivityType.Name == asteroid.ExecuteAgentName {
		a.counter.executed.Add(1)
	}
	return out, err
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func countingTransport(c *requestCounter) http.RoundTripper {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 100 // fewer would use up the machine's ports with thousands of runs
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			c.reads.Add(1)
		}
		return transport.RoundTrip(r)
	})
}
