package asteroid

import (
	"fmt"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// SetExecutionStatusInput is the input of asteroid.SetExecutionStatus.
type SetExecutionStatusInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	// Status is StatusPaused to pause, StatusRunning to resume, StatusCancelled to end the run.
	Status Status `json:"status"`
}

// Validate checks what the contract forbids. Its error is asteroid.InvalidInput and names the field.
func (in *SetExecutionStatusInput) Validate() error {
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	switch in.Status {
	case StatusRunning, StatusPaused, StatusCancelled:
		return nil
	default:
		return NewInvalidInput("status", fmt.Sprintf("%q cannot be set: use %q, %q or %q", text.Clip(string(in.Status)), StatusRunning, StatusPaused, StatusCancelled))
	}
}

// SetExecutionStatusResult is the result of asteroid.SetExecutionStatus.
type SetExecutionStatusResult struct {
	ExecutionID string `json:"executionId"`
	// Status is what the execution was right afterwards. It may not be what was asked for: a run that was already
	// over stays what it was, and a change can take a moment.
	Status Status `json:"status"`
}
