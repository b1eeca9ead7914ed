package asteroid

import (
	"strings"
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
		return NewInvalidInput("message", "is empty")
	}
	return nil
}

// SendMessageResult is the result of asteroid.SendMessage.
type SendMessageResult struct {
	ExecutionID string `json:"executionId"`
	// AlreadySent is true when an earlier attempt turned out to have delivered the message.
	AlreadySent bool `json:"alreadySent,omitempty"`
}
