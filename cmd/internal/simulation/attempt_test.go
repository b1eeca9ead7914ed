package simulation

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/activities"
)

const namespace = "default"

// plans are what is drawn for the attempts of one actor's activities, in their order. Attempts
// beyond them go well.
type plans struct {
	attempts []attemptPlan

	mu   sync.Mutex
	used int
}

func (p *plans) next() attemptPlan {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used++
	if p.used > len(p.attempts) {
		return attemptPlan{}
	}
	return p.attempts[p.used-1]
}

// attempt is one attempt of an activity, on a worker.
type attempt struct {
	*scheduledActivity
	server   *server
	process  *process
	plan     attemptPlan
	number   int32
	started  time.Time
	reported chan report   // takes the one report that reaches the server
	beats    chan struct{} // holds a value after a heartbeat

	mu        sync.Mutex
	end       context.CancelFunc
	dead      bool                    // the worker's process has died: nothing has an effect any more
	abandoned bool                    // the server does not wait for it any more
	exchanges int                     // requests so far
	events    int                     // points so far at which the worker can die
	beaten    int                     // heartbeats so far
	unsent    converter.EncodedValues // the last heartbeat, if it is throttled
}

type report struct {
	value converter.EncodedValue
	err   error
}

// newAttempt starts the activity's next attempt.
func (s *server) newAttempt(p *scheduledActivity, plan attemptPlan) *attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	process := s.processes[plan.Worker%len(s.processes)]
	a := &attempt{
		scheduledActivity: p, server: s, process: process, plan: plan, number: p.number, started: time.Now(),
		reported: make(chan report, 1), beats: make(chan struct{}, 1),
	}
	p.current = a
	process.attempts = append(process.attempts, a)
	return a
}

// run runs the activity's code.
func (a *attempt) run() {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(discard)
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(1000 * time.Hour)
	env.SetWorkerOptions(sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{&attemptInterceptor{attempt: a}, activities.NewInterceptor()}})
	a.process.activities.Register(env)
	if details := a.heartbeatDetails(); details != nil {
		env.SetHeartbeatDetails(details)
	}
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { a.beat(details) })
	a.server.trace("%s/%s %s#%d begins", a.workflow.runID, a.id, a.name, a.number)
	value, err := env.ExecuteActivity(a.name, a.input)
	a.server.trace("%s/%s %s#%d ends: %v", a.workflow.runID, a.id, a.name, a.number, err)
	a.mu.Lock()
	lost, unsent := a.dead || a.abandoned || a.plan.LoseResult, a.unsent
	a.mu.Unlock()
	if lost {
		return
	}
	if unsent != nil {
		a.deliver(unsent) // as a worker does before it reports a failure
	}
	a.reported <- report{value, err}
}

// heartbeatDetails returns what earlier attempts have left, if anything.
func (a *attempt) heartbeatDetails() (details json.RawMessage) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	if a.details == nil || a.details.Get(&details) != nil {
		return nil
	}
	return details
}

var discard = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

// beat takes a heartbeat to the server. Of an attempt that may die, only the planned number is sent
// at once: the worker throttles them.
func (a *attempt) beat(details converter.EncodedValues) {
	a.mu.Lock()
	lost := a.dead || a.abandoned
	throttled := (a.plan.DieAt > 0 || a.plan.LoseResult) && a.beaten >= a.plan.Heartbeats
	a.unsent = nil
	if throttled {
		a.unsent = details
	}
	a.beaten++
	a.mu.Unlock()
	if !lost && !throttled {
		a.deliver(details)
	}
}

// deliver stores a heartbeat. The server answers whether the activity is to be cancelled.
func (a *attempt) deliver(details converter.EncodedValues) {
	a.mu.Lock()
	end := a.end
	a.mu.Unlock()
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	if a.workflow.over.Err() != nil || a.scheduledActivity.number != a.number {
		return
	}
	a.details = details
	if a.cancelRequested && end != nil {
		end()
	}
	select {
	case a.beats <- struct{}{}:
	default:
	}
}

// abandon makes the server forget the attempt. Its code may still run.
func (a *attempt) abandon() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.abandoned = true
}

// die ends the attempt's process at one of the points where it can be seen, if that is planned.
func (a *attempt) die() {
	a.mu.Lock()
	a.events++
	dies := a.events == a.plan.DieAt
	a.mu.Unlock()
	if dies {
		a.server.kill(a.process)
	}
}

func (a *attempt) isDead() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dead
}

// nextExchange returns the plan of the attempt's next request.
func (a *attempt) nextExchange() exchangePlan {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.exchanges++
	if a.exchanges > len(a.plan.Exchanges) {
		return exchangePlan{}
	}
	return a.plan.Exchanges[a.exchanges-1]
}

// attemptInterceptor gives an activity the context and the info of its attempt.
type attemptInterceptor struct {
	interceptor.WorkerInterceptorBase
	attempt *attempt
}

func (i *attemptInterceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &attemptInbound{interceptor.ActivityInboundInterceptorBase{Next: next}, i.attempt}
}

type attemptInbound struct {
	interceptor.ActivityInboundInterceptorBase
	attempt *attempt
}

func (i *attemptInbound) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	return i.Next.Init(newAttemptOutbound(i.attempt, outbound, outbound.GetClient))
}

type attemptContext struct{}

func (i *attemptInbound) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	a := i.attempt
	ctx, cancel := context.WithDeadline(context.WithValue(ctx, attemptContext{}, a), a.started.Add(a.options.startToClose))
	defer cancel()
	a.mu.Lock()
	a.end = cancel
	a.mu.Unlock()
	return i.Next.ExecuteActivity(ctx, in)
}

// attemptOutbound answers what an activity asks about itself. Its parameter is the type that
// GetClient of the SDK's interceptors returns, which has no exported name.
type attemptOutbound[Client any] struct {
	interceptor.ActivityOutboundInterceptorBase
	attempt *attempt
}

func newAttemptOutbound[Client any](
	a *attempt, next interceptor.ActivityOutboundInterceptor, _ func(context.Context) Client,
) *attemptOutbound[Client] {
	return &attemptOutbound[Client]{interceptor.ActivityOutboundInterceptorBase{Next: next}, a}
}

func (o *attemptOutbound[Client]) GetClient(context.Context) Client {
	return any(temporalClient{attempt: o.attempt}).(Client)
}

func (o *attemptOutbound[Client]) GetInfo(ctx context.Context) activity.Info {
	info, a := o.Next.GetInfo(ctx), o.attempt
	info.Namespace = namespace
	info.WorkflowExecution = workflow.Execution{ID: a.workflow.workflowID, RunID: a.workflow.runID}
	info.WorkflowType = &workflow.Type{Name: "simulated"}
	info.ActivityID, info.ActivityRunID = a.id, ""
	info.Attempt = a.number
	info.ScheduledTime, info.StartedTime = a.scheduled, a.started
	info.Deadline = a.started.Add(a.options.startToClose)
	info.HeartbeatTimeout = a.options.heartbeat
	return info
}
