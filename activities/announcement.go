package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
)

const (
	// announceTimeout bounds how long an activity waits for a check of the watch. Its workflow can
	// poll instead.
	announceTimeout = 5 * time.Second
	// checkTimeout bounds a check: a scan by each of some connections.
	checkTimeout = 2 * time.Minute
	// reliedFor is how long after an activity relied on the watch this worker goes on to check it.
	// It exceeds the default interval of polls, each of which relies on the watch again.
	reliedFor = 15 * time.Minute
)

// errNoService is the error in the SDK's test environments, which have no server.
var errNoService = errors.New("there is no Temporal service on which a watch could run")

// announce returns nil if the watch of the connection's executions lives, which it checks or brings
// about at most once a minute. While activities rely on the watch, the worker goes on to check it.
func (a *Activities) announce(ctx context.Context, c *client.Client) error {
	service := a.service(ctx)
	if service == nil {
		return errNoService
	}
	// The caller's context is not used: other activities share what this one finds.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), announceTimeout, fmt.Errorf("not done within %s", announceTimeout))
	defer cancel()
	scope, err := c.Scope(ctx)
	if err != nil {
		return fmt.Errorf("whose executions the connection sees is not known: %w", err)
	}
	info := activity.GetInfo(ctx)
	by := caller{
		ctx: context.WithoutCancel(ctx), service: service, client: c, activityQueue: info.TaskQueue,
		serverTime: a.attemptTime(ctx), at: a.now(),
	}
	relied := reliedFor
	if info.RetryPolicy != nil {
		relied = max(relied, 3*info.RetryPolicy.InitialInterval/2)
	}
	return a.reliances.on(a, watchID(c.BaseURL, scope), info.Namespace).rely(ctx, by, relied)
}

// caller is an activity that relies on the watch.
type caller struct {
	ctx            context.Context // outlives the activity
	service        sdkclient.Client
	client         *client.Client
	activityQueue  string
	serverTime, at time.Time // one time by the Temporal server's clock and by this worker's
}

// workflowQueue returns the task queue of the caller's workflow. Workers of the activity's own
// queue may run activities only.
func (by *caller) workflowQueue(ctx context.Context) string {
	info := activity.GetInfo(by.ctx)
	if !info.IsWorkflowActivity() {
		return by.activityQueue
	}
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	described, err := by.service.DescribeWorkflowExecution(ctx, info.WorkflowExecution.ID, info.WorkflowExecution.RunID)
	if err != nil {
		return by.activityQueue
	}
	return cmp.Or(described.GetExecutionConfig().GetTaskQueue().GetName(), by.activityQueue)
}

// reliances are the watches that activities of a worker rely on.
type reliances struct {
	mu sync.Mutex
	by map[relianceKey]*reliance
}

type relianceKey struct{ id, namespace string }

func (s *reliances) on(a *Activities, id, namespace string) *reliance {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := relianceKey{id, namespace}
	r := s.by[key]
	if r == nil {
		r = &reliance{a: a, relianceKey: key, latest: map[callerKey]caller{}, rejected: map[watchHost]bool{}}
		if s.by == nil {
			s.by = map[relianceKey]*reliance{}
		}
		s.by[key] = r
	}
	return r
}

// reliance is one watch on which activities rely. They share its checks.
type reliance struct {
	a *Activities
	relianceKey

	mu       sync.Mutex
	latest   map[callerKey]caller
	clock    caller // of all callers, the one with the latest estimate of the server's time
	last     caller
	current  *watchCheck
	until    time.Time // when the guard ends
	guarded  bool
	rejected map[watchHost]bool // where a watch that this worker started made no scan
	warned   bool               // of the trouble that lasts
}

type callerKey struct{ connection, activityQueue string }

// watchCheck is one check of the watch, which activities share while it is in progress or fresh.
type watchCheck struct {
	announces bool // by an activity, not by the guard
	began     time.Time
	done      chan struct{}

	// These are set before done is closed.
	err      error
	absent   bool          // no watch runs, and none is needed unless an activity relies on it
	idle     time.Time     // see watch.Proof.IdleSince
	freshFor time.Duration // since it began
}

// rely returns nil if the watch lives.
func (r *reliance) rely(ctx context.Context, by caller, relied time.Duration) error {
	r.mu.Lock()
	r.last, r.latest[callerKey{by.client.Name, by.activityQueue}] = by, by
	if r.clock.service == nil || by.serverTime.After(r.clock.serverTimeAt(by.at)) {
		r.clock = by
	}
	if until := by.at.Add(relied); until.After(r.until) {
		r.until = until
	}
	if !r.guarded {
		r.guarded = true
		go r.guard(r.a.watching.context())
	}
	r.mu.Unlock()
	for {
		current := r.join(true)
		if !current.wait(ctx) {
			return context.Cause(ctx)
		}
		if current.announces || r.answers(current) {
			return current.err
		}
	}
}

// wait waits until the check is done. It returns false when ctx ends first.
func (c *watchCheck) wait(ctx context.Context) bool {
	select {
	case <-c.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// serverTimeAt returns the time by the server's clock at a time by this worker's.
func (by *caller) serverTimeAt(at time.Time) time.Time { return by.serverTime.Add(at.Sub(by.at)) }

func (r *reliance) serverTime() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock.serverTimeAt(r.a.now())
}

func (r *reliance) newest() caller {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *reliance) callers() []caller {
	r.mu.Lock()
	defer r.mu.Unlock()
	order := func(a, b caller) int { return b.at.Compare(a.at) }
	return slices.SortedFunc(maps.Values(r.latest), order)
}

// join returns the check that is in progress or fresh, else a new one.
func (r *reliance) join(announces bool) *watchCheck {
	r.mu.Lock()
	current := r.current
	r.mu.Unlock()
	if current != nil {
		select {
		case <-current.done:
			fresh := r.a.now().Before(current.began.Add(current.freshFor))
			if fresh && (!announces || current.announces && !r.endsSoon(current.idle) || r.answers(current)) {
				return current
			}
		default:
			return current
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != current {
		return r.current // another has begun one meanwhile
	}
	r.current = &watchCheck{announces: announces, done: make(chan struct{}), began: r.a.now()}
	go r.run(r.current)
	return r.current
}

// answers reports whether the result of a guard's check is that of an activity's.
func (r *reliance) answers(c *watchCheck) bool {
	return c.err != nil || !c.absent && !r.endsSoon(c.idle)
}

// run makes the check. Activities wait for it, so it ends even after a panic.
func (r *reliance) run(c *watchCheck) {
	defer close(c.done)
	defer func() {
		if reason := recover(); reason != nil {
			c.err = fmt.Errorf("panic: %v", reason)
		}
	}()
	ctx, cancel := context.WithTimeout(r.newest().ctx, checkTimeout)
	defer cancel()
	c.freshFor = r.a.pace.Checked
	switch c.err = r.check(ctx, c); {
	case errors.Is(c.err, errNoWatch):
		c.freshFor = 3 * r.a.pace.Unchecked
	case c.err != nil:
		c.freshFor = r.a.pace.Unchecked
	}
	c.freshFor = max(c.freshFor, time.Second)
	r.log(c)
}

// log logs trouble once while it lasts, with what to do.
func (r *reliance) log(c *watchCheck) {
	r.mu.Lock()
	defer r.mu.Unlock()
	logger := activity.GetLogger(r.last.ctx)
	switch {
	case c.err != nil && !r.warned:
		r.warned = true
		logger.Warn("No watch tells of changes to executions, so workflows poll every 30 seconds. "+
			"Its API key must be allowed to list executions, its workers to describe, signal and start workflows",
			"watch", r.id, "error", c.err)
	case c.err == nil && r.warned:
		r.warned = false
		logger.Info("A watch tells of changes to executions again", "watch", r.id)
	}
}

// guard checks the watch until no activity relies on it any more, or until ctx ends. Polls are so
// rare that none might notice in time that it is dead.
func (r *reliance) guard(ctx context.Context) {
	for {
		if current := r.join(false); current.wait(ctx) {
			parallel.Sleep(ctx, current.began.Add(current.freshFor).Sub(r.a.now()))
		}
		r.mu.Lock()
		r.guarded = ctx.Err() == nil && r.a.now().Before(r.until)
		guarded := r.guarded
		r.mu.Unlock()
		if !guarded {
			return
		}
	}
}
