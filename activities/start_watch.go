package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
)

// announceTimeout bounds an announcement. The execute of an agent waits for it, and its workflow
// can poll instead.
const announceTimeout = 5 * time.Second

// errNoService is the error in the SDK's test environments, which have no server.
var errNoService = errors.New("there is no Temporal service on which a watch could run")

// announce makes sure that the watch of the connection's executions runs. It asks the server at
// most once a minute.
func (a *Activities) announce(ctx context.Context, c *client.Client) error {
	service := a.service(ctx)
	if service == nil {
		return errNoService
	}
	current, mine := a.announcements.join(announcementKey{c.Name, activity.GetInfo(ctx).Namespace}, a.now)
	if !mine {
		return current.wait(ctx)
	}
	defer close(current.done) // even after a panic: other activities may be waiting

	// The contexts of those activities may outlive this one.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), announceTimeout,
		fmt.Errorf("not done within %s", announceTimeout))
	defer cancel()
	fresh := a.pace.Announced
	if current.err = startWatch(ctx, c, service); current.err != nil {
		fresh = a.pace.Unannounced
	}
	current.freshUntil = a.now().Add(fresh)
	return current.err
}

// startWatch signals the watch, which starts it if it does not run. A start without a signal would
// not be enough: a watch that is about to end because it is idle counts as running, but it cannot
// end before it has handled a signal.
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

// watchID returns the workflow id of a connection's watch. It is the same for all workers whose
// connection of this name reaches the same executions. If the connections differ, two watches run.
func watchID(c *client.Client, organizationID string) string {
	sum := sha256.Sum256([]byte(c.BaseURL + "\n" + organizationID))
	return asteroid.WatchWorkflowName + "/" + c.Name + "/" + hex.EncodeToString(sum[:4])
}

// workflowQueue returns the task queue of the activity's workflow. Workers of the activity's own
// queue may run activities only.
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
	return info.TaskQueue, nil // the worker's credentials may allow signals but no describe
}
