package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/parallel"
	"github.com/temporal-asteroid/asteroid/internal/watch"
)

const (
	// serverTimeout bounds a request to the Temporal server, takeOverTimeout a scan before a
	// take-over.
	serverTimeout   = 5 * time.Second
	takeOverTimeout = 30 * time.Second
	// revivalPatience is how long a check waits for a watch that this worker's own queues run: it
	// may have started together with the worker.
	revivalPatience = 4 * time.Second
	revivalInterval = 500 * time.Millisecond
)

// watchID returns the workflow id of the watch over what a key sees at an address. It is the same
// for all connections and workers that see the same executions.
func watchID(baseURL, scope string) string {
	sum := sha256.Sum256([]byte(baseURL + "\n" + scope))
	return asteroid.WatchWorkflowName + "/" + hex.EncodeToString(sum[:8])
}

// errNoWatch is the error of a check that found no living watch and could start none.
var errNoWatch = errors.New("no watch lives")

// check makes sure that the watch lives: it starts one if there is none, and takes over one that
// has made no whole scan for a while. A guard does not start one that has ended by itself.
func (r *reliance) check(ctx context.Context, c *watchCheck) error {
	by := r.newest()
	metrics.WatchTakeover.Announce(metricsOf(by.ctx), by.client.Name)
	state, err := r.describe(ctx)
	if err == nil && r.dead(state) {
		state, err = r.awaitRevival(ctx, state)
	}
	if err != nil {
		return err
	}
	endedByItself := state.runID == "" || state.status == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	switch {
	case r.dead(state):
		return r.takeOver(ctx, state)
	case state.running():
		r.accept()
		c.idle = state.idle
		c.freshFor = min(r.a.pace.Checked, state.provenAt.Add(r.a.pace.Stale).Sub(r.serverTime()))
		if c.announces && r.endsSoon(state.idle) {
			return r.start(ctx, state)
		}
		return nil
	case endedByItself && !c.announces:
		c.absent = true
		return nil
	default:
		return r.start(ctx, state)
	}
}

// awaitRevival waits for a dead watch that runs on the queues of this worker: it may have found no
// worker before this one started.
func (r *reliance) awaitRevival(ctx context.Context, state *watchState) (*watchState, error) {
	hosts := r.hosts(ctx)
	for waited := time.Duration(0); r.dead(state) && slices.ContainsFunc(hosts, state.runsOn) && waited < revivalPatience; waited += revivalInterval {
		if !parallel.Sleep(ctx, revivalInterval) {
			return nil, context.Cause(ctx)
		}
		var err error
		if state, err = r.describe(ctx); err != nil {
			return nil, err
		}
	}
	return state, nil
}

func (r *reliance) describe(ctx context.Context) (*watchState, error) {
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	state, err := readWatch(ctx, r.newest().service, r.id)
	if err != nil {
		return nil, fmt.Errorf("the state of the watch cannot be read (DescribeWorkflowExecution of %s): %w", r.id, err)
	}
	return state, nil
}

// dead reports whether a running watch has made no whole scan for a while.
func (r *reliance) dead(state *watchState) bool {
	return state.running() && r.serverTime().Sub(state.provenAt) >= r.a.pace.Stale
}

// endsSoon reports whether an idle watch may end before the next check. A signal prevents that: a
// watch that is about to end cannot end before it has handled a signal.
func (r *reliance) endsSoon(idleSince time.Time) bool {
	return !idleSince.IsZero() && r.serverTime().Sub(idleSince) >= r.a.pace.Idle-2*r.a.pace.Checked
}

// hosts returns where this worker can have a watch run: on the queues of the workflows that rely on
// it, else on those of its activities. The first may be of workers without this library's
// workflows, the second of workers that run activities only.
func (r *reliance) hosts(ctx context.Context) (hosts []watchHost) {
	for _, by := range r.callers() {
		hosts = append(hosts, watchHost{by.client.Name, by.workflowQueue(ctx), by.activityQueue})
	}
	for _, host := range hosts {
		if host.workflowQueue != host.activityQueue {
			hosts = append(hosts, watchHost{host.connection, host.activityQueue, host.activityQueue})
		}
	}
	return hosts
}

// reject remembers the hosts of a watch that is dead or has failed, so that this worker does not
// start one there again, and returns the others.
func (r *reliance) reject(state *watchState, hosts []watchHost) []watchHost {
	failed := r.dead(state) || state.status == enums.WORKFLOW_EXECUTION_STATUS_FAILED
	r.mu.Lock()
	defer r.mu.Unlock()
	if failed {
		for _, host := range hosts {
			if state.runsOn(host) {
				r.rejected[host] = true
			}
		}
	}
	return slices.DeleteFunc(hosts, func(host watchHost) bool { return r.rejected[host] })
}

// accept forgets rejected hosts, because a watch lives.
func (r *reliance) accept() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.rejected)
}

// takeOver replaces a dead watch by one on a host of this worker, once a scan from here was whole.
// The scan takes a while, so it reads the watch again: one that lives after all stays, and the
// successor continues from the newest heartbeat. It ends the dead one by its run id: its workflow
// id may be another worker's successor by then.
func (r *reliance) takeOver(ctx context.Context, state *watchState) error {
	silent := r.serverTime().Sub(state.provenAt).Round(time.Second)
	err := fmt.Errorf("%w: the one on task queue %s made no whole scan for %s", errNoWatch, state.host.workflowQueue, silent)
	state.readKnown(ctx, r.newest().service, r.id)
	for _, host := range r.reject(state, r.hosts(ctx)) {
		if probeErr := r.probe(ctx, host, state.known); probeErr != nil {
			err = fmt.Errorf("%w; connection %q cannot take over: %w", err, host.connection, probeErr)
			continue
		}
		state, describeErr := r.describe(ctx)
		if describeErr != nil || state.running() && !r.dead(state) {
			return describeErr
		}
		by := r.newest()
		state.readKnown(ctx, by.service, r.id)
		reason := fmt.Sprintf("no whole scan for %s; a worker of task queue %s takes over", silent, host.activityQueue)
		endErr := by.service.TerminateWorkflow(ctx, r.id, state.runID, reason)
		if _, ended := errors.AsType[*serviceerror.NotFound](endErr); endErr != nil && !ended {
			return fmt.Errorf("%w; it cannot be ended: %w", err, endErr)
		}
		if err := r.startOn(ctx, state, host); err != nil {
			return err
		}
		metrics.WatchTakeover.Count(metricsOf(by.ctx), host.connection)
		activity.GetLogger(by.ctx).Info("Took over the watch of executions", "watch", r.id, "silent", silent, "from", state.host, "to", host)
		return nil
	}
	return err
}

// probe makes a scan as the watch on the host would.
func (r *reliance) probe(ctx context.Context, host watchHost, known []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, takeOverTimeout, fmt.Errorf("no whole scan within %s", takeOverTimeout))
	defer cancel()
	return watch.New(r.a.connections[host.connection], r.namespace, r.a.now, known, nil).Probe(ctx)
}

// start signals the watch, which starts it on a host of this worker if it does not run.
func (r *reliance) start(ctx context.Context, state *watchState) error {
	hosts := r.reject(state, r.hosts(ctx))
	if len(hosts) == 0 {
		return fmt.Errorf("%w: none runs on the task queues of this worker; they need workers with this library's workflows and activities", errNoWatch)
	}
	state.readKnown(ctx, r.newest().service, r.id)
	return r.startOn(ctx, state, hosts[0])
}

func (r *reliance) startOn(ctx context.Context, state *watchState, host watchHost) error {
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	_, err := r.newest().service.SignalWithStartWorkflow(ctx, r.id, asteroid.WatchSignal, nil, sdkclient.StartWorkflowOptions{
		ID: r.id, TaskQueue: host.workflowQueue,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:         "Watches the executions that connection " + host.connection + " sees",
	}, asteroid.WatchWorkflowName, asteroid.WatchExecutionsInput{
		Connection: host.connection, TaskQueue: host.activityQueue, Known: state.known, ScannedAt: r.serverTime(),
	})
	if err != nil {
		return fmt.Errorf("the watch cannot be signalled or started (SignalWithStartWorkflow of %s): %w", r.id, err)
	}
	return nil
}
