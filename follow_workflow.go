package asteroid

import "encoding/json"

// FollowWorkflowInput is the input of asteroid.FollowWorkflow, which waits for another workflow as
// AwaitExecution waits for an execution: it fails with asteroid.StillRunning until the workflow
// has closed.
type FollowWorkflowInput struct {
	WorkflowID string `json:"workflowId"`
	// RunID is a run of the chain to follow; empty means the latest.
	RunID string `json:"runId,omitempty"`
	// Once does not wait: the result of a workflow that has not closed is Open.
	Once bool `json:"once,omitempty"`

	decoded *decodedInput
}

// Validate checks the form of the input. Its error is asteroid.InvalidInput and names the field.
func (in *FollowWorkflowInput) Validate() error {
	if err := in.decoded.check(); err != nil || in.WorkflowID != "" {
		return err
	}
	return NewInvalidInput("workflowId", "is required")
}

// FollowWorkflowResult is how a workflow closed. A workflow that is not found is Missing.
type FollowWorkflowResult struct {
	Missing bool   `json:"missing,omitempty"`
	RunID   string `json:"runId,omitempty"`
	// Open is set by Once only. ParentID is the workflow that started this one as its child.
	Open     bool   `json:"open,omitempty"`
	ParentID string `json:"parentId,omitempty"`
	// Status is completed, failed, canceled, terminated or timedOut.
	Status string `json:"status,omitempty"`
	// Result is that of a completed workflow, at most 64 KiB. Error and ErrorType are those of one
	// that failed.
	Result    json.RawMessage `json:"result,omitempty"`
	ErrorType string          `json:"errorType,omitempty"`
	Error     string          `json:"error,omitempty"`
}
