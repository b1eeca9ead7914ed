package workflows

import (
	"cmp"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// announcedLately is how old an announcement may be for the watch to go on although it found nothing to do: longer than it takes
// from one scan to the end of the next.
const announcedLately = 15 * time.Second

// Watch tells workflows of changes to their executions; see [activities.Activities.WatchExecutions]. Nobody needs to start
// it: the activity asteroid.ExecuteAgent does, under a workflow id that there is once for a connection. It ends when there has
// been nothing to watch for a while. To terminate it costs latency only: the workflows poll, and the next agent starts it again.
func Watch(ctx workflow.Context, in asteroid.WatchExecutionsInput) error {
	in.Connection = cmp.Or(in.Connection, asteroid.DefaultConnection)
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("Lists the executions of connection %q every few seconds and signals the workflows whose execution has changed.", in.Connection))
	announced := workflow.GetSignalChannel(ctx, asteroid.WatchSignal)
	var last time.Time // announcement
	note := func() { last = workflow.Now(ctx) }

	activityCtx, handOver := workflow.WithCancel(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: in.TaskQueue}))
	handedOver := false
	watching := watchExecutions(activityCtx, in)
	selector := workflow.NewSelector(ctx).
		AddFuture(watching, func(workflow.Future) {}).
		AddReceive(announced, func(c workflow.ReceiveChannel, _ bool) {
			c.Receive(ctx, nil)
			note()
			if workflow.GetInfo(ctx).GetContinueAsNewSuggested() { // with so many workers, signals alone make a long history
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
		in.Known = result.Known
	case !handedOver: // else its worker died meanwhile
		return fmt.Errorf("the executions of connection %q are not watched, so their workflows have to poll: %w", in.Connection, err)
	}
	for announced.ReceiveAsync(nil) {
		note()
	}
	if result.Idle && workflow.Now(ctx).Sub(last) >= announcedLately {
		return nil
	}
	return workflow.NewContinueAsNewError(ctx, WatchName, in)
}

// watchDefaults leave the activity more time than it takes before it hands over to the next.
func watchDefaults() workflow.ActivityOptions {
	return workflow.ActivityOptions{
		StartToCloseTimeout: 70 * time.Minute,
		HeartbeatTimeout:    30 * time.Second,
		RetryPolicy:         retry(time.Second, 10*time.Second),
		WaitForCancellation: true, // it hands over what it knows
	}
}
