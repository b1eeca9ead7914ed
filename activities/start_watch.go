package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// announceTimeout bounds what is done to have the watch run: whoever executes an agent waits for it, and can poll instead.
const announceTimeout = 5 * time.Second

// errNoService is for the SDK's test environments, in which there is no server to start a watch on.
var errNoService = errors.New("there is no Temporal service here to watch with")

// announcements are those of a worker. A connection has one for each namespace that the process serves.
type announcements struct {
	mu   sync.Mutex
	last map[announcedTo]*announcement
}

type announcedTo struct{ connection, namespace string }

// announcement is one call, which everybody shares who needs it while it goes on or is fresh.
type announcement struct {
	done  chan struct{}
	err   error
	fresh time.Time // until then; set before done is closed
}

// announce makes sure that the connection's executions are watched. It asks the server at most once a minute.
func (a *Activities) announce(ctx context.Context, c *client.Client) error {
	service := a.service(ctx)
	if service == nil {
		return errNoService
	}
	of := announcedTo{c.Name, activity.GetInfo(ctx).Namespace}
	a.announced.mu.Lock()
	last := a.announced.last[of]
	if last != nil {
		select {
		case <-last.done:
			if a.now().Before(last.fresh) {
				a.announced.mu.Unlock()
				return last.err
			}
		default:
			a.announced.mu.Unlock()
			select {
			case <-last.done:
				return last.err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	mine := &announcement{done: make(chan struct{}), err: errors.New("the announcement was broken off")}
	if a.announced.last == nil {
		a.announced.last = map[announcedTo]*announcement{}
	}
	a.announced.last[of] = mine
	a.announced.mu.Unlock()
	defer close(mine.done) // whatever happens, somebody may be waiting

	// The others' contexts may outlive this one.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), announceTimeout, fmt.Errorf("not done within %s", announceTimeout))
	defer cancel()
	lasts := a.pace.Announced
	if mine.err = startWatch(ctx, c, service); mine.err != nil {
		lasts = a.pace.Unannounced
	}
	mine.fresh = a.now().Add(lasts)
	return mine.err
}

// startWatch signals the watch, which starts it if it does not run. A mere start would not do: a watch that is about to end for
// want of work would count as running, whereas it cannot end with a signal that it has not seen.
func startWatch(ctx context.Context, c *client.Client, service sdkclient.Client) error {
	organizationID, err := c.VisibleOrganization(ctx)
	if err != nil {
		return err
	}
	queue, err := workflowQueue(ctx, service)
	if err != nil {
		return err
	}
	id := watchID(c, organizationID)
	_, err = service.SignalWithStartWorkflow(ctx, id, asteroid.WatchSignal, nil, sdkclient.StartWorkflowOptions{
		ID: id, TaskQueue: queue,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:         "Watches the executions of connection " + c.Name,
	}, asteroid.WatchWorkflowName, asteroid.WatchExecutionsInput{Connection: c.Name, TaskQueue: activity.GetInfo(ctx).TaskQueue})
	if err != nil {
		return fmt.Errorf("signal %s: %w", id, err)
	}
	return nil
}

// watchID is the same for all workers whose connection of this name leads to the same executions. Where it does not, two watches run
// next to each other.
func watchID(c *client.Client, organizationID string) string {
	sum := sha256.Sum256([]byte(c.BaseURL + "\n" + organizationID))
	return asteroid.WatchWorkflowName + "/" + c.Name + "/" + hex.EncodeToString(sum[:4])
}

// workflowQueue is where the workflow's own tasks go: the activity's queue may be served by workers that run activities only.
func workflowQueue(ctx context.Context, service sdkclient.Client) (string, error) {
	info := activity.GetInfo(ctx)
	if !info.IsWorkflowActivity() {
		return info.TaskQueue, nil
	}
	described, err := service.DescribeWorkflowExecution(ctx, info.WorkflowExecution.ID, info.WorkflowExecution.RunID)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err == nil && described.GetExecutionConfig().GetTaskQueue().GetName() != "" {
		return described.ExecutionConfig.TaskQueue.Name, nil
	}
	return info.TaskQueue, nil // a key may be allowed to signal, but not to describe
}

// signal is the one that the execution's metadata asks for.
func (e *executeAttempt) signal() string {
	if e.in.Signal && e.info.IsWorkflowActivity() {
		return asteroid.ExecutionEventSignal
	}
	return ""
}

// eventsOf says whether signals about an execution will come to the workflow that asked for them.
func (e *executeAttempt) eventsOf(ctx context.Context, s client.Candidate) asteroid.Events {
	mine := s.Namespace == e.info.Namespace && s.WorkflowID == e.info.WorkflowExecution.ID
	if e.signal() == "" || s.Signal != e.signal() || !mine || e.events == asteroid.EventsPoll {
		return ""
	}
	if e.events == asteroid.EventsWatch {
		if err := e.announce(ctx, e.c); err != nil {
			if !errors.Is(err, errNoService) {
				activity.GetLogger(ctx).Warn("The watch could not be started, so the workflow has to poll", "executionId", s.ID, "error", err)
			}
			return ""
		}
	}
	return e.events
}
