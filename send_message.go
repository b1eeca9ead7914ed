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
	// Asking is the Execution.Asking that the message is for. It is required while the agent asks,
	// and empty otherwise.
	Asking string `json:"asking,omitempty"`
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
	// AlreadySent is true when the agent had received the message before: from an earlier attempt
	// or, as the answer to the same asking, from somebody else. This attempt sent nothing.
	AlreadySent bool `json:"alreadySent,omitempty"`
	// Misplaced is true when the execution's activities show that the agent asked something else,
	// or was answered, between the activity's last read and the message: of this attempt or, with
	// AlreadySent, of an earlier one. The API cannot exclude that. The agent may take the message
	// for the answer to another question.
	Misplaced bool `json:"misplaced,omitempty"`
}
