package asteroid

import (
	"fmt"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// AwaitUntil says what ends a wait.
type AwaitUntil string

const (
	// UntilTerminal waits for completed, failed or cancelled. The default.
	UntilTerminal AwaitUntil = "terminal"
	// UntilNeedsHuman waits for those, and for the agent to ask somebody.
	UntilNeedsHuman AwaitUntil = "needsHuman"
	// UntilChange waits for any status but AwaitExecutionInput.KnownStatus.
	UntilChange AwaitUntil = "change"
	// UntilHalt is UntilChange for a caller to whom starting and running are the same.
	UntilSignificantChange AwaitUntil = "halt"
)

// AwaitExecutionInput is the input of asteroid.AwaitExecution.
type AwaitExecutionInput struct {
	// Connection is DefaultConnection when empty.
	Connection  string `json:"connection,omitempty"`
	ExecutionID string `json:"executionId"`
	// Until is UntilTerminal when empty.
	Until AwaitUntil `json:"until,omitempty"`
	// KnownStatus is the status that the caller has seen, required with UntilChange and UntilHalt and meaningless without.
	// Polling skips statuses: a run may go from starting to completed.
	KnownStatus Status `json:"knownStatus,omitempty"`
	// LongPollSeconds, 1 to 25, asks the service to hold each request so long if nothing happens. The end is then seen
	// within a second or so, but every waiting run holds an activity slot. 0 is off. A service without the long poll is
	// polled.
	LongPollSeconds int32 `json:"longPollSeconds,omitempty"`
	// Internal is what workflows.RunAgent passes. Leave it empty.
	Internal AwaitExecutionInternal `json:"internal,omitzero"`
}

// AwaitExecutionInternal is what workflows.RunAgent knows of the execution that it awaits.
type AwaitExecutionInternal struct {
	// KnownSince is the Execution.StatusChangedAt that belongs to a KnownStatus that halts the run.
	// The same status at a later time, such as another question, then counts as a change. Each poll
	// reads the execution's activities too.
	KnownSince time.Time `json:"knownSince,omitzero"`
	// EnsureWatch has each attempt make sure that the connection's watch runs.
	EnsureWatch bool `json:"ensureWatch,omitempty"`
}

func (in *AwaitExecutionInput) Validate() error {
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	switch in.Until {
	case "", UntilTerminal, UntilNeedsHuman:
		if in.KnownStatus != "" {
			return NewInvalidInput("knownStatus", fmt.Sprintf("goes with until %q or %q only", UntilChange, UntilSignificantChange))
		}
		if !in.Internal.KnownSince.IsZero() {
			return NewInvalidInput("internal.knownSince", "goes with a knownStatus only")
		}
	case UntilChange, UntilSignificantChange:
		if in.KnownStatus == "" {
			return NewInvalidInput("knownStatus", fmt.Sprintf("is required with until %q", in.Until))
		}
	default:
		return NewInvalidInput("until", fmt.Sprintf("%q is none of %q, %q, %q, %q", text.Clip(string(in.Until)), UntilTerminal, UntilNeedsHuman, UntilChange, UntilSignificantChange))
	}
	if in.LongPollSeconds < 0 || in.LongPollSeconds > 25 {
		return NewInvalidInput("longPollSeconds", fmt.Sprintf("is %d: must be 1 to 25, or 0 for off", in.LongPollSeconds))
	}
	return nil
}
