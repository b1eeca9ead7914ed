package asteroid

import (
	"time"
)

// ErrorDetails are the details of every error of this package, and of the CanceledError with which
// workflows.RunAgent ends. They never hold the API key, inputs or file contents. Each field is
// empty where it does not apply.
//
// An error's message, details and causes have at most 3 KiB together: beyond 4 KiB Temporal drops
// details. What does not fit is cut or left out, the Execution's result and questions first,
// ExecutionID and ExecutionKey never.
type ErrorDetails struct {
	// Operation is the API's operation id, such as AgentExecutePost. It is empty when the error is
	// not about a request.
	Operation string `json:"operation,omitempty"`
	// HTTPStatus is the status of the response; 0 when there was none.
	HTTPStatus int `json:"httpStatus,omitempty"`
	// RequestID identifies the request for Asteroid's support.
	RequestID string `json:"requestId,omitempty"`
	// ExecutionID is set whenever the error is about a certain execution.
	ExecutionID string `json:"executionId,omitempty"`
	// ExecutionKey is set when the outcome of an execute is unknown. The execution, if there is
	// one, has this value under MetadataExecutionKey.
	ExecutionKey string `json:"executionKey,omitempty"`
	// UnknownOutcomes counts the requests of a failed execute that may have started an agent. 0
	// means that the execute certainly started none.
	UnknownOutcomes int `json:"unknownOutcomes,omitempty"`
	// LastUnknown is when the last of these requests ended, by Temporal's clock.
	LastUnknown time.Time `json:"lastUnknown,omitzero"`
	// Status is the execution's status, if the error is about that.
	Status Status `json:"status,omitempty"`
	// Execution is set in an asteroid.ExecutionFailed, ExecutionCancelled, ExecutionTimedOut or
	// UnknownStatus, and in every other error of workflows.RunAgent about what became of the
	// execution, if that could be read.
	Execution *Execution `json:"execution,omitempty"`
	// UnreadableSince is since when no poll of a wait could read the execution.
	UnreadableSince time.Time `json:"unreadableSince,omitzero"`
	// Field is the input field that broke a rule, such as executionOptions.softTimeoutMins.
	Field string `json:"field,omitempty"`
	// Parameters are the parameters that the service rejected, if it names them.
	Parameters []ParameterError `json:"parameters,omitempty"`
	// ProblemType, Reason, Capability, Used and Limit are members of the service's error body. With
	// an Execution, Reason is Execution.Reason.
	ProblemType string `json:"problemType,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Capability  string `json:"capability,omitempty"`
	Used        *int   `json:"used,omitempty"`
	Limit       *int   `json:"limit,omitempty"`
}

// ParameterError is a parameter that the service rejected, and the service's explanation.
type ParameterError struct {
	Parameter string `json:"parameter"`
	Detail    string `json:"detail"`
}
