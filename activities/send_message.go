package activities

import (
	"context"
	"strings"

	"go.temporal.io/sdk/activity"
)

// SendMessageInput is the input of asteroid.SendMessage.
type SendMessageInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	// Message is what the agent is told. To answer a question that suggests answers, send an option's label.
	// It stands in the workflow's history: no secrets.
	Message string `json:"message"`
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *SendMessageInput) Validate() error {
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	if strings.TrimSpace(in.Message) == "" {
		return invalid("message", "is empty")
	}
	return nil
}

// SendMessageResult is the result of asteroid.SendMessage.
type SendMessageResult struct {
	ExecutionID string `json:"executionId"`
	// AlreadySent is true when an earlier attempt turned out to have delivered the message.
	AlreadySent bool `json:"alreadySent,omitempty"`
}

// SendMessage says something to the agent, usually the answer to what it asked
// (https://docs.asteroid.ai/api-reference/execution/send-user-message-to-execution). Whether a message alone resumes a
// run that is paused is not published: if the status stays, follow it with asteroid.SetExecutionStatus running.
//
// The API has no idempotency key for messages either. An attempt that follows another one first looks whether the
// agent already has the same text, received since the activity was scheduled, and does not send it again.
//
// Errors: asteroid.InvalidInput for an empty message; asteroid.NotFound, retryable during the first minute; and those of
// the API.
func (a *Activities) SendMessage(ctx context.Context, in SendMessageInput) (*SendMessageResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	info := activity.GetInfo(ctx)
	if info.Attempt > 1 {
		sent, err := c.received(ctx, in.ExecutionID, in.Message, info.ScheduledTime)
		if err != nil {
			return nil, ended(ctx, err)
		}
		if sent {
			return &SendMessageResult{ExecutionID: in.ExecutionID, AlreadySent: true}, nil
		}
	}
	if err := c.sendMessage(ctx, in.ExecutionID, in.Message); err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	activity.GetLogger(ctx).Info("Message sent", "executionId", in.ExecutionID)
	return &SendMessageResult{ExecutionID: in.ExecutionID}, nil
}
