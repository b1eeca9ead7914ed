package workflows

import (
	"go.temporal.io/sdk/workflow"
)

// receiveEach hands each signal of a channel to take, until ctx is cancelled. A signal stays in the
// channel until this coroutine runs. So takeAll, just before the run continues as new or completes,
// misses none. A coroutine that is blocked in Receive has the signal already, and takes it into its
// end.
func receiveEach[T any](ctx workflow.Context, channel workflow.ReceiveChannel, take func(T)) {
	for workflow.Await(ctx, func() bool { return channel.Len() > 0 }) == nil {
		takeAll(channel, take)
	}
}

// takeAll hands the signals that have arrived to take.
func takeAll[T any](channel workflow.ReceiveChannel, take func(T)) {
	for {
		var value T
		if !channel.ReceiveAsync(&value) {
			return
		}
		take(value)
	}
}
