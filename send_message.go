package asteroid

import (
	"fmt"
	"strings"

	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// SendMessageInput is the input of asteroid.SendMessage
// (https://docs.asteroid.ai/api-reference/execution/send-user-message-to-execution).
type SendMessageInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`
	// Message is required and has at most 256 KiB. To choose a suggested answer to a question, send
	// its QuestionOption.Label. The message enters the workflow's history: it must hold no secrets.
	Message string `json:"message"`

	decoded *decodedInput
}

// Validate checks the execution id, and that the message is more than white space and not too long.
// Its error is asteroid.InvalidInput and names the field.
func (in *SendMessageInput) Validate() error {
	if err := in.decoded.check(); err != nil {
		return err
	}
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	if strings.TrimSpace(in.Message) == "" {
		return NewInvalidInput("message", "is empty")
	}
	if len(in.Message) > budget.Message {
		return NewInvalidInput("message", fmt.Sprintf(
			"has %d bytes, more than %d: attach long content as a file", len(in.Message), budget.Message))
	}
	return nil
}

// SendMessageResult is the result of asteroid.SendMessage.
type SendMessageResult struct {
	// ExecutionID is that of the input.
	ExecutionID string `json:"executionId"`
	// AlreadySent is true when the activity found that an earlier attempt had delivered the
	// message.
	AlreadySent bool `json:"alreadySent,omitempty"`
}
