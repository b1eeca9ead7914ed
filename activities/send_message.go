package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
)

// SendMessage says something to the agent, usually the answer to what it asked
// (https://docs.asteroid.ai/api-reference/execution/send-user-message-to-execution). Whether a message alone resumes a
// run that is paused is not published: if the status stays, follow it with asteroid.SetExecutionStatus running.
//
// The API has no idempotency key for messages either. An attempt that follows another one first looks whether the
// agent already has the same text, received since the activity was scheduled, and does not send it again.
//
// Errors: asteroid.InvalidInput for an empty message; asteroid.NotFound, retryable during the first minute; and those of
// the API.
func (a *Activities) SendMessage(ctx context.Context, in asteroid.SendMessageInput) (*asteroid.SendMessageResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	info := activity.GetInfo(ctx)
	if info.Attempt > 1 {
		sent, err := c.MessageReceived(ctx, in.ExecutionID, in.Message, info.ScheduledTime)
		if err != nil {
			return nil, activityError(ctx, err)
		}
		if sent {
			return &asteroid.SendMessageResult{ExecutionID: in.ExecutionID, AlreadySent: true}, nil
		}
	}
	if err := c.SendMessage(ctx, in.ExecutionID, in.Message); err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	activity.GetLogger(ctx).Info("Message sent", "executionId", in.ExecutionID)
	return &asteroid.SendMessageResult{ExecutionID: in.ExecutionID}, nil
}
