package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// recentAnnouncement is the age up to which an announcement keeps an idle watch going. It is longer
// than the time from one scan to the end of the next.
const recentAnnouncement = 15 * time.Second

// Watch tells workflows of changes to their executions; see
// [activities.Activities.WatchExecutions]. The activity asteroid.ExecuteAgent starts it, under one
// workflow id for each organization. It ends when there has been nothing to watch for a while. A
// worker that relies on it starts it again when somebody has terminated it, and takes it over when
// it has made no whole scan for a minute and a half.
func Watch(ctx workflow.Context, in asteroid.WatchExecutionsInput) error {
	if err := in.Validate(); err != nil {
		return err
	}
	in.Connection = cmp.Or(in.Connection, asteroid.DefaultConnection)
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("Lists the executions of connection %q every few seconds and signals the workflows whose execution has changed.", text.Clip(in.Connection)))
	announced := workflow.GetSignalChannel(ctx, asteroid.WatchSignal)
	var lastAnnounced time.Time

	activityCtx, handOver := workflow.WithCancel(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: in.TaskQueue}))
	handedOver := false
	watching := startActivity(activityCtx, asteroid.WatchExecutionsName, in, watchDefaults(), "Watch the executions of connection "+in.Connection)
	selector := workflow.NewSelector(ctx).
		AddFuture(watching, func(workflow.Future) {}).
		AddReceive(announced, func(c workflow.ReceiveChannel, _ bool) {
			c.Receive(ctx, nil)
			lastAnnounced = workflow.Now(ctx)
			if workflow.GetInfo(ctx).GetContinueAsNewSuggested() { // the signals of many workers make a long history
				handOver()
				handedOver = true
			}
		})
	for !watching.IsReady() {
		selector.Select(ctx)
	}
	var result asteroid.WatchExecutionsResult
	err := watching.Get(ctx, &result)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		in.Known, in.ScannedAt = result.Known, result.ScannedAt
	case handedOver: // the worker died meanwhile
		if known := lastKnown(err); known != nil {
			in.Known = known
		}
	default:
		return fmt.Errorf("the executions of connection %q are not watched, so their workflows have to poll: %w", in.Connection, err)
	}
	for announced.ReceiveAsync(nil) {
		lastAnnounced = workflow.Now(ctx)
	}
	if result.Idle && workflow.Now(ctx).Sub(lastAnnounced) >= recentAnnouncement {
		return nil
	}
	return workflow.NewContinueAsNewError(ctx, WatchName, in)
}

// lastKnown returns the state in the last heartbeat of an activity that timed out, or nil.
func lastKnown(err error) (known []byte) {
	timeout, ok := errors.AsType[*temporal.TimeoutError](err)
	if !ok || !timeout.HasLastHeartbeatDetails() || timeout.LastHeartbeatDetails(&known) != nil {
		return nil
	}
	return known
}

// watchDefaults give an attempt more time than the activity takes before it hands over to the next.
func watchDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 70 * time.Minute,
		HeartbeatTimeout:    30 * time.Second,
		RetryPolicy:         retry(time.Second, 10*time.Second),
		WaitForCancellation: true, // it returns what it knows
	}
}
