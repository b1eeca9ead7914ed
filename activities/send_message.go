package activities

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/temporal-asteroid/asteroid/internal/api"
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
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return nil, err
	}
	if strings.TrimSpace(in.Message) == "" {
		return nil, invalid("message", "is empty")
	}
	info := activity.GetInfo(ctx)
	if info.Attempt > 1 {
		sent, err := c.received(ctx, in, info.ScheduledTime)
		if err != nil {
			return nil, ended(ctx, err)
		}
		if sent {
			return &SendMessageResult{ExecutionID: in.ExecutionID, AlreadySent: true}, nil
		}
	}
	what := call{operation: "ExecutionUserMessagesAdd", executionID: in.ExecutionID}
	if _, err := c.send(ctx, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionUserMessagesAdd(ctx, in.ExecutionID, api.UserMessageRequest{Message: in.Message})
	}, http.StatusCreated); err != nil {
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	activity.GetLogger(ctx).Info("Message sent", "executionId", in.ExecutionID)
	return &SendMessageResult{ExecutionID: in.ExecutionID}, nil
}

// clockSkew is how far the service's clock and Temporal's may lie apart.
const clockSkew = 5 * time.Second

// received reports whether the run's log holds the message, not older than since.
func (c *connection) received(ctx context.Context, in SendMessageInput, since time.Time) (bool, error) {
	activities, err := c.activities(ctx, in.ExecutionID)
	if err != nil {
		return false, err
	}
	for _, payload := range activities {
		if payload.ActivityType == "user_message_received" && payload.Message == in.Message &&
			payload.timestamp.After(since.Add(-clockSkew)) {
			return true, nil
		}
	}
	return false, nil
}
