package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid"
)

// SendMessage sends a message to the agent, usually the answer to its question
// (https://docs.asteroid.ai/api-reference/execution/send-user-message-to-execution). The API does
// not say whether a message alone resumes a paused run: if the status stays, call
// asteroid.SetExecutionStatus with running.
//
// The API has no idempotency key for messages. A later attempt therefore reads the execution's
// activities first. If the agent has received the same text since the activity was scheduled, the
// attempt does not send it again.
//
// Errors: asteroid.InvalidInput for an empty message; asteroid.NotFound, retryable during the first
// minute; and those of the API.
func (a *Activities) SendMessage(ctx context.Context, in asteroid.SendMessageInput) (*asteroid.SendMessageResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
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
