package asteroid

import (
	"fmt"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// AwaitUntil is the condition that ends a wait.
type AwaitUntil string

const (
	// UntilTerminal waits for completed, failed or cancelled. It is the default.
	UntilTerminal AwaitUntil = "terminal"
	// UntilNeedsHuman waits for a terminal status, or for the agent to ask a person.
	UntilNeedsHuman AwaitUntil = "needsHuman"
	// UntilChange waits for any status other than AwaitExecutionInput.KnownStatus.
	UntilChange AwaitUntil = "change"
	// UntilSignificantChange is UntilChange, except that a change between starting and running does
	// not end the wait.
	UntilSignificantChange AwaitUntil = "significantChange"
)

// AwaitExecutionInput is the input of asteroid.AwaitExecution, whose result is an [Execution]
// (https://docs.asteroid.ai/api-reference/execution/get-execution).
type AwaitExecutionInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`
	// Until is UntilTerminal when empty.
	Until AwaitUntil `json:"until,omitempty"`
	// KnownStatus is the status that the caller has seen. It is required with UntilChange and
	// UntilSignificantChange, and must be empty otherwise. The wait may miss statuses in between:
	// an execution can go from starting to completed.
	KnownStatus Status `json:"knownStatus,omitempty"`
	// LongPollSeconds, from 1 to 25, has the service delay the answer to each poll for so long
	// while nothing happens. The wait then sees the end within about a second, but holds an
	// activity slot all the time. 0 means no long poll. A service without long poll is polled as
	// with 0.
	LongPollSeconds int32 `json:"longPollSeconds,omitempty"`
	// Internal is for workflows.RunAgent. Leave it empty.
	Internal AwaitExecutionInternal `json:"internal,omitzero"`
}

// AwaitExecutionInternal is what workflows.RunAgent knows of the execution that it awaits. Other
// callers leave it empty.
type AwaitExecutionInternal struct {
	// KnownSince is the Execution.StatusChangedAt of a KnownStatus that is paused or asks a person.
	// The same status at a later time, such as that of another question, then counts as a change.
	// Each poll reads the execution's activities too. The zero time means that only another status
	// is a change.
	KnownSince time.Time `json:"knownSince,omitzero"`
	// Shown is what the caller shows of the execution. Something else then counts as a change; a
	// run that starts has some ten polls before. nil means that only the status counts.
	Shown *ShownExecution `json:"shown,omitempty"`
	// ReportUnreadable ends the wait with an asteroid.StillRunning that is final and has
	// ErrorDetails.UnreadableSince, once polls have failed for five minutes. With that time as
	// UnreadableSince the next wait goes on, and ends with the first poll that succeeds.
	ReportUnreadable bool      `json:"reportUnreadable,omitempty"`
	UnreadableSince  time.Time `json:"unreadableSince,omitzero"`
	// EnsureWatch makes each attempt start the connection's watch unless it runs.
	EnsureWatch bool `json:"ensureWatch,omitempty"`

	decoded *decodedInput
}

// ShownExecution holds members of an [Execution] that may become known later than its status.
type ShownExecution struct {
	AgentName   string `json:"agentName,omitempty"`
	PlatformURL string `json:"platformUrl,omitempty"`
	LiveViewURL string `json:"liveViewUrl,omitempty"`
}

// Validate checks the execution id, and that Until, KnownStatus and LongPollSeconds go together.
// Its error is asteroid.InvalidInput and names the field.
func (in *AwaitExecutionInput) Validate() error {
	if err := in.Internal.decoded.check(); err != nil {
		return err
	}
	if err := checkID("executionId", in.ExecutionID); err != nil {
		return err
	}
	switch in.Until {
	case "", UntilTerminal, UntilNeedsHuman:
		if in.KnownStatus != "" {
			return NewInvalidInput("knownStatus", fmt.Sprintf(
				"needs until %q or %q", UntilChange, UntilSignificantChange))
		}
		if !in.Internal.KnownSince.IsZero() {
			return NewInvalidInput("internal.knownSince", "needs a knownStatus")
		}
	case UntilChange, UntilSignificantChange:
		if in.KnownStatus == "" {
			return NewInvalidInput("knownStatus", fmt.Sprintf(
				"is required with until %q", in.Until))
		}
	default:
		return NewInvalidInput("until", fmt.Sprintf("%q is none of %q, %q, %q, %q",
			text.Clip(string(in.Until)),
			UntilTerminal, UntilNeedsHuman, UntilChange, UntilSignificantChange))
	}
	if in.LongPollSeconds < 0 || in.LongPollSeconds > 25 {
		return NewInvalidInput("longPollSeconds", fmt.Sprintf(
			"is %d: must be 1 to 25, or 0 for off", in.LongPollSeconds))
	}
	return nil
}
