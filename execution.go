package asteroid

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Execution is what the service says of one run of an agent
// (https://docs.asteroid.ai/api-reference/execution/get-execution). Inputs and metadata are left out on purpose:
// the workflow knows what it sent, and they would be written to history a second time.
type Execution struct {
	ExecutionID string `json:"executionId"`
	AgentID     string `json:"agentId"`
	// AgentName is empty on older servers.
	AgentName string `json:"agentName,omitempty"`
	// WorkflowVersion is the version of the agent that runs; 0 when the service does not say.
	WorkflowVersion int    `json:"workflowVersion,omitempty"`
	Status          Status `json:"status"`
	// Reason says why a run was paused, failed or cancelled. It is the service's own text or code; empty when it
	// gives none, and always empty while the run is queued, at work or completed.
	Reason string `json:"reason,omitempty"`
	// StatusChangedAt is when the run was halted, failed or was cancelled, by the service's clock; zero whenever Reason is empty
	// for want of an activity that tells.
	StatusChangedAt time.Time `json:"statusChangedAt,omitzero"`
	// Questions are what the agent wants to know while its status is paused_by_agent. Empty when it only gave a Reason.
	Questions []Question `json:"questions,omitempty"`
	// ExecutionResult is set once the run has completed. A completed run without one is possible, if rare.
	ExecutionResult *ExecutionResult `json:"executionResult,omitempty"`
	CreatedAt       time.Time        `json:"createdAt"`
	StartedAt       *time.Time       `json:"startedAt,omitempty"`
	TerminalAt      *time.Time       `json:"terminalAt,omitempty"`
	// Duration is in seconds, set once terminal.
	Duration float64 `json:"duration,omitempty"`
	// ParentExecutionID is set on a rerun that a person made of another execution.
	ParentExecutionID string `json:"parentExecutionId,omitempty"`
	// PlatformURL is the run's page in the vendor's console. LiveViewURL works while the run is at work, RecordingURL
	// once it is terminal; they may be links that open without a login for as long as the service lets them, so who may
	// read the workflow's history may follow them. Each is empty when the service gives none.
	PlatformURL  string `json:"platformUrl,omitempty"`
	LiveViewURL  string `json:"liveViewUrl,omitempty"`
	RecordingURL string `json:"recordingUrl,omitempty"`
}

// ExecutionResult is what a completed run leaves.
type ExecutionResult struct {
	// Outcome is the agent's own label. A completed run may carry a label that means failure.
	Outcome string `json:"outcome"`
	// Reasoning is the agent's explanation of the outcome.
	Reasoning string `json:"reasoning,omitempty"`
	// Result is the JSON value that the agent was told to produce, byte for byte; see [Execution.Result] and [Execution.DecodeResult].
	Result json.RawMessage `json:"result,omitempty"`
}

// Question is one thing that the agent wants to know, with the answers it suggests.
type Question struct {
	Question    string           `json:"question"`
	Header      string           `json:"header,omitempty"`
	MultiSelect bool             `json:"multiSelect,omitempty"`
	Options     []QuestionOption `json:"options,omitempty"`
}

// QuestionOption is a suggested answer. Send its Label as the message.
type QuestionOption struct {
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
}

// Result is the JSON value that the agent was told to produce, or nil when there is none.
func (e *Execution) Result() json.RawMessage {
	if e.ExecutionResult == nil {
		return nil
	}
	return e.ExecutionResult.Result
}

// DecodeResult unmarshals the run's result into v. It fails when there is no result, or none of that shape.
func (e *Execution) DecodeResult(v any) error {
	if len(e.Result()) == 0 {
		return errors.New("execution " + e.ExecutionID + " has no result: its status is " + string(e.Status))
	}
	if err := json.Unmarshal(e.Result(), v); err != nil {
		return fmt.Errorf("decode the result of execution %s: %w", e.ExecutionID, err)
	}
	return nil
}
