package main

import (
	"context"
	"net/http"
	"sync/atomic"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"

	"github.com/temporal-asteroid/asteroid"
)

// counts are what a worker has done so far.
type counts struct {
	Reads    int64 `json:"reads"`    // GET requests to the API
	Attempts int64 `json:"attempts"` // of activities
	Executed int64 `json:"executed"` // agents whose execution id is known
	UnderWay int64 `json:"underWay"` // activities at this moment: each holds a slot
}

// counter counts requests where they leave the worker, and activities where they enter it.
type counter struct {
	interceptor.WorkerInterceptorBase
	reads, attempts, executed, underWay atomic.Int64
}

func (c *counter) now() counts {
	return counts{c.reads.Load(), c.attempts.Load(), c.executed.Load(), c.underWay.Load()}
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (c *counter) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	counted := &countedActivity{counter: c}
	counted.Next = next
	return counted
}

type countedActivity struct {
	interceptor.ActivityInboundInterceptorBase
	counter *counter
}

func (a *countedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	a.counter.attempts.Add(1)
	a.counter.underWay.Add(1)
	defer a.counter.underWay.Add(-1)
	out, err := a.Next.ExecuteActivity(ctx, in)
	if err == nil && activity.GetInfo(ctx).ActivityType.Name == asteroid.ExecuteAgentName {
		a.counter.executed.Add(1)
	}
	return out, err
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func countedTransport(c *counter) http.RoundTripper {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 100 // with thousands of runs, fewer would leave the machine without ports
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			c.reads.Add(1)
		}
		return transport.RoundTrip(r)
	})
}
