package workflows_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// signalCounter counts the signals that workflows send.
type signalCounter struct {
	interceptor.WorkerInterceptorBase
	sent atomic.Int64
}

type inboundCounter struct {
	interceptor.WorkflowInboundInterceptorBase
	counter *signalCounter
}

type outboundCounter struct {
	interceptor.WorkflowOutboundInterceptorBase
	counter *signalCounter
}

func (c *signalCounter) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &inboundCounter{interceptor.WorkflowInboundInterceptorBase{Next: next}, c}
}

func (i *inboundCounter) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&outboundCounter{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}, i.counter})
}

func (o *outboundCounter) SignalExternalWorkflow(ctx workflow.Context, id, run, name string, arg any) workflow.Future {
	o.counter.sent.Add(1)
	return o.Next.SignalExternalWorkflow(ctx, id, run, name, arg)
}

// The test environment has no history, so the test counts what leads to events.
func TestBatchSegmentKeepsItsHistoryShortHoweverSlowItsRows(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		takes    time.Duration
		parallel int
	}{
		"quick rows":       {time.Second, 20},
		"rows of a minute": {time.Minute, 20},
		"rows of an hour":  {time.Hour, 1},
		"rows of a day":    {24 * time.Hour, 40},
		"all at once":      {time.Hour, 300},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBatchBench(t, 300)
			b.segmentRows = 300
			counter, timers := &signalCounter{}, 0
			b.SetWorkerOptions(sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{counter}, DeadlockDetectionTimeout: patience})
			b.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
			b.run = func(ctx workflow.Context, of *workflows.RowOfBatch, _ workflows.RunAgentInput) (asteroid.RowResult, error) {
				spread := time.Duration(of.Number*37%100) * row.takes / 100 // they end one by one
				return asteroid.RowResult{}, workflow.Sleep(ctx, row.takes/2+spread)
			}
			result, err := b.runBatch(t, batchInput(row.parallel))
			require.NoError(t, err)
			require.Equal(t, 300, result.Counts.Succeeded)
			const task = 3 // events of a workflow task
			events := 300*(3+2*task) + (timers-300)*(2+task) + int(counter.sent.Load())*(2+task) + (1+len(b.parts))*(3+task)
			require.LessOrEqual(t, events, 4200, "%d timers, %d signals, %d parts", timers-300, counter.sent.Load(), len(b.parts))
		})
	}
}
