package workflows

import (
	"maps"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// RunAgentInput says which agent to run, with what, and what to do when the run does not complete.
// Only AgentID is required. The fields that ExecuteAgent shares are documented at
// [asteroid.ExecuteAgentInput].
type RunAgentInput struct {
	Connection         string                     `json:"connection,omitempty"`
	AgentID            string                     `json:"agentId"`
	AgentProfileID     string                     `json:"agentProfileId,omitempty"`
	AgentProfilePoolID string                     `json:"agentProfilePoolId,omitempty"`
	Inputs             asteroid.Inputs            `json:"inputs,omitempty"`
	Metadata           map[string]string          `json:"metadata,omitempty"`
	ExecutionOptions   *asteroid.ExecutionOptions `json:"executionOptions,omitempty"`
	Version            *int                       `json:"version,omitempty"`
	Head               bool                       `json:"head,omitempty"`
	// CheckInputs compares Inputs with what the agent's version declares, before anything is
	// staged, and runs that version. A required input without a value and an input that nobody
	// reads are asteroid.InvalidInput, all of them in one error. A value of another type is a
	// warning, see [RunAgentResult.Warnings]. It does nothing with Head, whose inputs may
	// change meanwhile, and only warns where the service does not serve versions.
	CheckInputs bool `json:"checkInputs,omitempty"`
	// CheckResult compares the result with the schema that the agent's version declares for it, on
	// a worker with Options.SchemaChecker. A result that does not fit is told in
	// [RunAgentResult.ResultMismatch], and is no failure: the agent has acted.
	CheckResult     bool                     `json:"checkResult,omitempty"`
	OnCapacityLimit asteroid.OnCapacityLimit `json:"onCapacityLimit,omitempty"`
	// IdempotencyKey identifies an intent that outlives the workflow run, such as an order number.
	// Another request with the same key is refused. When empty, the key is made of the workflow's
	// original run id and the request.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`

	// Files are staged directly before the agent is executed, and again if they expire first.
	Files          []asteroid.FileRef `json:"files,omitempty"`
	OnMissingFiles OnMissingFiles     `json:"onMissingFiles,omitempty"` // MissingFilesFail when empty
	// CapacityTimeoutSeconds bounds the wait for capacity; 0 means six hours.
	CapacityTimeoutSeconds int64 `json:"capacityTimeoutSeconds,omitempty"`
	// LongPollSeconds is documented at [asteroid.AwaitExecutionInput].
	LongPollSeconds int32 `json:"longPollSeconds,omitempty"`
	// PollIntervalSeconds is the interval at which the execution is read although the worker
	// watches or takes webhooks, in case an event is lost; 0 means ten minutes. It has no effect on
	// a worker that only polls, or with LongPollSeconds.
	PollIntervalSeconds int64 `json:"pollIntervalSeconds,omitempty"`
	// TimeoutSeconds is the deadline of the agent's run, counted from when its execution id is
	// known; 0 is none. When it passes, OnCancel decides what happens to the run, and RunAgent
	// fails with asteroid.ExecutionTimedOut.
	TimeoutSeconds int64 `json:"timeoutSeconds,omitempty"`
	// HumanTimeoutSeconds is the time to answer one question of the agent, or to approve, counted
	// from when the workflow learned of it; 0 is unlimited. When it passes, the execution is read
	// once more. If the agent still asks the same, OnHumanTimeout decides. An accepted answer stops
	// the time, until it turns out that it could not be delivered.
	HumanTimeoutSeconds int64          `json:"humanTimeoutSeconds,omitempty"`
	OnHumanTimeout      OnHumanTimeout `json:"onHumanTimeout,omitempty"` // HumanTimeoutFail when empty
	// QuestionSearchAttribute names a search attribute of type Keyword, which replaces the one for
	// questions in the worker's options. A namespace that lacks it costs a warning in the
	// worker's log. Empty: the one in the worker's options, if any.
	QuestionSearchAttribute string `json:"questionSearchAttribute,omitempty"`
	// Reexecution executes the agent again after failures that may not recur; nil never does.
	Reexecution *Reexecution `json:"reexecution,omitempty"`
	// Collect selects files of the completed agent; nil selects none.
	Collect   *Collect  `json:"collect,omitempty"`
	OnFailure OnFailure `json:"onFailure,omitempty"` // FailureIsError when empty
	OnCancel  OnCancel  `json:"onCancel,omitempty"`  // CancelExecution when empty
	// Limits bound how many runs are under way at once. The run waits for a permit of each before
	// it stages anything.
	Limits []asteroid.Limit `json:"limits,omitempty"`
	// Internal is for ExecuteRunAgent and Batch. Leave it empty.
	Internal RunAgentInternal `json:"internal,omitzero"`
}

// RunAgentInternal is what ExecuteRunAgent and Batch tell the child workflow. Other callers leave
// it empty.
type RunAgentInternal struct {
	// Intent is the parent's.
	Intent asteroid.Intent `json:"intent,omitzero"`
	// Row makes the workflow return the result of a row of a batch.
	Row *RowOfBatch `json:"row,omitempty"`
}

// RowOfBatch is what a batch tells the child workflow of a row: it returns an
// [asteroid.RowResult] instead of a [RunAgentResult], so that the batch's history stays small.
type RowOfBatch struct {
	Number  int    `json:"number"`
	Key     string `json:"key"`
	Attempt int    `json:"attempt"`
	// Fields are those of [asteroid.BatchResults], and Outcomes those of [FailuresOfBatch].
	Fields   []string `json:"fields,omitempty"`
	Outcomes []string `json:"outcomes,omitempty"`
	// Batch is the workflow that is told whether the row waits for somebody, and Pass and Segment
	// are where it has the row.
	Batch   string `json:"batch,omitempty"`
	Pass    int    `json:"pass,omitempty"`
	Segment int    `json:"segment,omitempty"`
	// Request is a digest of what the row requests.
	Request string `json:"request,omitempty"`
	// First means that Temporal knows of no earlier workflow of the row, so no other workflow can
	// execute with its key.
	First bool `json:"first,omitempty"`
}

// OnMissingFiles says what to do when a run has started without a file that was staged for it. The
// API does not say whether an execute with a lost file is refused or starts without it.
type OnMissingFiles string

const (
	// MissingFilesFail cancels the run and fails with asteroid.StagedFileExpired. The run's uploads
	// are checked once it has started. Files that the service does not list within two minutes
	// count as missing, and a run that completes earlier waits for the check. A run that is adopted
	// by an IdempotencyKey of yours is not checked: it may have other files.
	MissingFilesFail OnMissingFiles = "fail"
	// MissingFilesReexecute cancels the run, stages the files again and executes the agent again,
	// at most three times.
	MissingFilesReexecute OnMissingFiles = "reexecute"
	// MissingFilesIgnore does not check.
	MissingFilesIgnore OnMissingFiles = "ignore"
)

// Reexecution executes a failed agent again. The files are staged again, and the execution's key
// gets the next number.
type Reexecution struct {
	// MaximumExecutions includes the first one: at least 2.
	MaximumExecutions int `json:"maximumExecutions"`
	// InitialIntervalSeconds is the time before the second execution, 30 when 0. Each further
	// interval is twice as long, up to ten minutes.
	InitialIntervalSeconds int64 `json:"initialIntervalSeconds,omitempty"`
	// Reasons are the values of Execution.Reason after which the agent is executed again. Empty
	// means the service's own failures: worker_lost, no_warm_environment, no_activity. What an
	// agent did before it failed may be done twice.
	Reasons []string `json:"reasons,omitempty"`
}

// OnFailure says how RunAgent returns a run that did not complete.
type OnFailure string

const (
	// FailureIsError makes RunAgent fail with asteroid.ExecutionFailed, asteroid.ExecutionCancelled
	// or asteroid.UnknownStatus.
	FailureIsError OnFailure = "error"
	// FailureIsResult makes RunAgent return the run as its result. Check Execution.Status.
	FailureIsResult OnFailure = "result"
)

// OnCancel says what happens to the agent's run when the workflow is cancelled or TimeoutSeconds
// have passed. A worker that stops, a reset or a pause of the workflow never affects it. With an
// IdempotencyKey the run may have been started by another workflow.
type OnCancel string

const (
	// CancelExecution cancels the agent's run and waits until it is terminal.
	CancelExecution OnCancel = "cancel"
	// AbandonExecution leaves it running.
	AbandonExecution OnCancel = "abandon"
)

// PreviousResultName is the name of the file with a result that is too large for an input.
const PreviousResultName = "previous-result.json"

// AddResult passes the result of an execution to the agent as an input, which is null if there is
// no result. A result of more than 64 KiB becomes the first of Files instead, by reference, and the
// input holds its name, PreviousResultName. The agent's own connection reads it, so both have to
// belong to one organization. OnCapacityLimit becomes CapacityReject then, since a queued execution
// takes no files: the workflow waits for capacity.
func (in *RunAgentInput) AddResult(input string, of *asteroid.Execution) {
	inputs := maps.Clone(in.Inputs)
	if inputs == nil {
		inputs = asteroid.Inputs{}
	}
	switch result := of.Result(); {
	case of.ResultOmitted != nil || len(result) > budget.InputResult:
		inputs[input] = PreviousResultName
		// The first file keeps its name if another one has the same.
		in.Files = append([]asteroid.FileRef{{URI: asteroid.ExecutionResultURI(of.ExecutionID), Name: PreviousResultName}}, in.Files...)
		in.OnCapacityLimit = asteroid.CapacityReject
	case len(result) == 0:
		inputs[input] = nil
	default:
		inputs[input] = result
	}
	in.Inputs = inputs
}

// executeInput returns the part of the input that the execute sends.
func (in *RunAgentInput) executeInput() asteroid.ExecuteAgentInput {
	return asteroid.ExecuteAgentInput{
		Connection: in.Connection, AgentID: in.AgentID, Version: in.Version, Head: in.Head,
		AgentProfileID: in.AgentProfileID, AgentProfilePoolID: in.AgentProfilePoolID,
		Inputs: in.Inputs, Metadata: in.Metadata, ExecutionOptions: in.ExecutionOptions,
		OnCapacityLimit: in.OnCapacityLimit, IdempotencyKey: in.IdempotencyKey,
		Internal: asteroid.ExecuteAgentInternal{Intent: in.Internal.Intent, QuestionSearchAttribute: in.QuestionSearchAttribute},
	}
}
