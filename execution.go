package asteroid

import (
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
)

// Execution is one run of an agent, as the service describes it
// (https://docs.asteroid.ai/api-reference/execution/get-execution). It leaves out inputs and
// metadata: the workflow knows what it sent, and history would hold them a second time.
//
// Its texts are bounded, since they enter history: one that was cut ends in "...". Invisible and
// misleading characters are replaced by U+FFFD. A link of more than 4000 bytes is left out.
type Execution struct {
	// ExecutionID and Status are never empty. AgentID is the id of the agent that runs.
	ExecutionID string `json:"executionId"`
	AgentID     string `json:"agentId"`
	// AgentName is empty on older servers.
	AgentName string `json:"agentName,omitempty"`
	// WorkflowVersion is the agent's version that runs; 0 when the service does not give it.
	WorkflowVersion int    `json:"workflowVersion,omitempty"`
	Status          Status `json:"status"`
	// Reason is why the run was paused, failed or cancelled, in the service's own text or code. It
	// is empty when the service gives none, and while the run is queued, at work or completed.
	Reason string `json:"reason,omitempty"`
	// StatusChangedAt is when the run was paused, failed or was cancelled, by the service's clock.
	// It is zero for other statuses, and when the run's activities do not show the change.
	StatusChangedAt time.Time `json:"statusChangedAt,omitzero"`
	// Questions are what the agent asks while its status is paused_by_agent. They are empty when it
	// gave only a Reason.
	Questions []Question `json:"questions,omitempty"`
	// Asking identifies what the agent asks, while its status is paused_by_agent or
	// awaiting_confirmation: this question or confirmation, asked at this time. The same words
	// asked again are another asking. An answer names it, so that it cannot be given to another
	// question. It is empty when the run's activities do not show what is asked and since when.
	Asking string `json:"asking,omitempty"`
	// ExecutionResult is set once the run has completed. In rare cases it is nil even then.
	ExecutionResult *ExecutionResult `json:"executionResult,omitempty"`
	// ResultOmitted is set when the run has a result that is too large for history, or is nested
	// more than 1000 levels deep. ExecutionResult.Result is empty then, and DecodeResult fails with
	// asteroid.ResultTooLarge.
	ResultOmitted *OmittedResult `json:"resultOmitted,omitempty"`
	// CreatedAt, StartedAt and TerminalAt are by the service's clock. StartedAt is nil while the
	// run is queued and on older servers, TerminalAt until Status is terminal.
	CreatedAt  time.Time  `json:"createdAt"`
	StartedAt  *time.Time `json:"startedAt,omitempty"`
	TerminalAt *time.Time `json:"terminalAt,omitempty"`
	// Duration is in seconds; 0 until Status is terminal.
	Duration float64 `json:"duration,omitempty"`
	// ParentExecutionID is the execution that a person reran as this one; empty for any other.
	ParentExecutionID string `json:"parentExecutionId,omitempty"`
	// StartedBy is who started the run; nil when the service does not tell. Of a rerun it is who
	// made it.
	StartedBy *Actor `json:"startedBy,omitempty"`
	// ScriptFailures are the latest failures of the agent's scripts, at most 5, the newest first. A
	// run that completed may have some: it went on without the scripts, which are out of date.
	ScriptFailures []ScriptFailure `json:"scriptFailures,omitempty"`
	// PlatformURL is the run's page in Asteroid's console. LiveViewURL works while the agent works,
	// RecordingURL once Status is terminal. The service may let these links open without a login,
	// so everybody who can read the workflow's history can follow them. Each may be empty.
	PlatformURL  string `json:"platformUrl,omitempty"`
	LiveViewURL  string `json:"liveViewUrl,omitempty"`
	RecordingURL string `json:"recordingUrl,omitempty"`
}

// Actor is who did something at the service.
type Actor struct {
	// Kind is person, api_key or service; ID is the person's or the key's id, or the service's
	// name.
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// Client is the program that was used: web, cli, mcp, astro or sdk. It is empty when unknown.
	Client string `json:"client,omitempty"`
}

// ScriptFailure is one failed run of the script of an agent's node.
type ScriptFailure struct {
	OccurredAt time.Time `json:"occurredAt,omitzero"`
	Node       string    `json:"node,omitempty"`
	Script     string    `json:"script,omitempty"`
	// Error may quote the page that the agent saw. Line is where it occurred; 0 is unknown.
	Error string `json:"error,omitempty"`
	Line  int    `json:"line,omitempty"`
}

// ExecutionResult is the result of a completed run.
type ExecutionResult struct {
	// Outcome is a label from the agent's own definition. A completed run may have a label that
	// means failure.
	Outcome string `json:"outcome"`
	// Reasoning is the agent's explanation of the outcome. It may be empty.
	Reasoning string `json:"reasoning,omitempty"`
	// Result is the JSON value that the agent was told to produce, with every digit of its numbers.
	// It may be empty. [Execution.DecodeResult] decodes it.
	Result json.RawMessage `json:"result,omitempty"`
	// Bytes and SHA256 are the size and the digest, in lower-case hex, of the result as compact
	// JSON, without white space between its tokens. They are set when there is a result, also where
	// Execution.ResultOmitted says that it is left out. A file to which the result is saved has
	// them too. (Temporal's data converter writes <, > and & in Result as escapes.)
	Bytes  int64  `json:"bytes,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// OmittedResult describes a result that did not enter history. The service still has it.
type OmittedResult struct {
	// Bytes and SHA256 are those of [ExecutionResult].
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
	// URI refers to the result as a file, see [ExecutionResultURI].
	URI string `json:"uri"`
}

// Question is one question of the agent, with the answers that it suggests.
type Question struct {
	Question string `json:"question"`
	// Header is a short title. It may be empty.
	Header string `json:"header,omitempty"`
	// MultiSelect is true when an answer may combine several options.
	MultiSelect bool `json:"multiSelect,omitempty"`
	// Options are the suggested answers. They may be empty.
	Options []QuestionOption `json:"options,omitempty"`
}

// QuestionOption is a suggested answer. To choose it, send its Label as the message. A Label of
// more than 500 bytes is cut, so it is the beginning of the agent's own.
type QuestionOption struct {
	Label string `json:"label"`
	// Description explains the option. It may be empty.
	Description string `json:"description,omitempty"`
}

// Terminal reports whether the run never changes again. Besides the terminal statuses, a status
// that this version does not know is terminal when the run has a TerminalAt or an ExecutionResult.
func (e *Execution) Terminal() bool {
	ended := e.TerminalAt != nil || e.ExecutionResult != nil
	return e.Status.Terminal() || e.Status.Class() == ClassUnknown && ended
}

// Result returns the JSON value that the agent was told to produce, or nil when there is none or it
// was left out; see [Execution.ResultOmitted]. workflows.RunAgentInput.AddResult passes a result of
// any size to another agent.
func (e *Execution) Result() json.RawMessage {
	if e.ExecutionResult == nil {
		return nil
	}
	return e.ExecutionResult.Result
}

// DecodeResult unmarshals the run's result into v. It fails with asteroid.ResultTooLarge, which is
// final, when the result was left out. Its other errors have no error type of this package: there
// is no result, or it does not fit v.
func (e *Execution) DecodeResult(v any) error {
	if o := e.ResultOmitted; o != nil {
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf(
			"the result of execution %s is too large or too deep for the workflow's history (%d bytes): "+
				"give the next agent %s as a file, or save it with SaveFiles", e.ExecutionID, o.Bytes, o.URI),
			ErrorTypeResultTooLarge, nil, ErrorDetails{ExecutionID: e.ExecutionID})
	}
	if len(e.Result()) == 0 {
		return fmt.Errorf("execution %s has no result: its status is %s", e.ExecutionID, e.Status)
	}
	if err := json.Unmarshal(e.Result(), v); err != nil {
		return fmt.Errorf("decode the result of execution %s: %w", e.ExecutionID, err)
	}
	return nil
}
