package asteroid

import (
	"fmt"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// SetExecutionStatusInput is the input of asteroid.SetExecutionStatus
// (https://docs.asteroid.ai/api-reference/execution/update-execution-status).
type SetExecutionStatusInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`
	// Status is required: StatusPaused pauses the execution, StatusRunning resumes it,
	// StatusCancelled ends it.
	Status Status `json:"status"`
	// Asking is the Execution.Asking that the change is for. To resume an execution that asks
	// something requires it. Other changes are made whatever is asked if it is empty.
	Asking string `json:"asking,omitempty"`

	decoded *decodedInput
}

// Validate checks the execution id, and that the status is one that can be set. Its error is
// asteroid.InvalidInput and names the field.
func (in *SetExecutionStatusInput) Validate() error {
	if err := in.decoded.check(); err != nil {
		return err
	}
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	switch in.Status {
	case StatusRunning, StatusPaused, StatusCancelled:
		return nil
	default:
		return NewInvalidInput("status", fmt.Sprintf("%q cannot be set: use %q, %q or %q",
			text.Clip(string(in.Status)), StatusRunning, StatusPaused, StatusCancelled))
	}
}

// SetExecutionStatusResult is the result of asteroid.SetExecutionStatus.
type SetExecutionStatusResult struct {
	// ExecutionID is that of the input.
	ExecutionID string `json:"executionId"`
	// Status is the execution's status directly after the request. It may differ from the status
	// that was asked for: a terminal execution keeps its status, and a change can take a moment.
	Status Status `json:"status"`
}
