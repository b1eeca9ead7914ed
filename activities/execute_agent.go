package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// ExecuteAgentInput is the input of asteroid.ExecuteAgent: every field of the published request
// (https://docs.asteroid.ai/api-reference/endpoints/agents/execute-an-agent), in its own words whatever the
// connection's dialect. Only AgentID is required.
type ExecuteAgentInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// AgentID is the agent (in the newer dialect: the workflow) to run.
	AgentID string `json:"agentId"`
	// AgentProfileID runs with exactly this profile; AgentProfilePoolID lets the service choose one of the pool (in the
	// newer dialect: the profile group). At most one of the two.
	AgentProfileID     string `json:"agentProfileId,omitempty"`
	AgentProfilePoolID string `json:"agentProfilePoolId,omitempty"`
	// Inputs fill the placeholders in the agent's prompts. A name is a letter or _, then letters, digits and _.
	// Values are any JSON; numbers keep their digits. They stand in the workflow's history: no secrets.
	Inputs Inputs `json:"inputs,omitempty"`
	// DynamicData is the former name of Inputs. Not together with it.
	//
	// Deprecated: use Inputs.
	DynamicData Inputs `json:"dynamicData,omitempty"`
	// Metadata are labels kept with the execution, searchable and repeated in webhooks. Keys that begin with
	// "temporal_" are reserved.
	Metadata map[string]string `json:"metadata,omitempty"`
	// ExecutionOptions override the agent's own settings for this run.
	ExecutionOptions *ExecutionOptions `json:"executionOptions,omitempty"`
	// TempFiles are what asteroid.StageFiles returned, unchanged. A staged file serves one execution.
	TempFiles []StagedFile `json:"tempFiles,omitempty"`
	// Version pins the agent's version; nil runs the published one. Not together with Head.
	Version *int `json:"version,omitempty"`
	// Head runs the editable head. Not together with Version.
	Head bool `json:"head,omitempty"`
	// OnCapacityLimit is CapacityReject when empty. CapacityQueue does not go with TempFiles.
	OnCapacityLimit OnCapacityLimit `json:"onCapacityLimit,omitempty"`
	// IdempotencyKey identifies the intent, in place of the key that is made of the workflow's run and the activity's
	// id. Two executes of one agent with one key mean the same run. At most 1500 bytes; it is visible in the
	// execution's metadata.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`
	// FreshKey says that nobody can have executed with this IdempotencyKey before, so that the first attempt need not
	// look. RunAgent sets it for the keys that it makes.
	FreshKey bool `json:"freshKey,omitempty"`
	// Doubtful counts requests of earlier activities of this intent that may have started an agent all the same, as the
	// details of their errors tell. Then this activity looks before it sends, during the whole grace period, and once more
	// after its own request.
	Doubtful int `json:"doubtful,omitempty"`
	// DoubtfulSince is when the first of those activities was scheduled: what the same workflow run started from then on is
	// adopted even if it has failed. The zero time when they were of an earlier workflow run: then one run of the agent that has failed
	// explains them.
	DoubtfulSince time.Time `json:"doubtfulSince,omitzero"`
	// ExcludeExecutions are history, whatever their status: they are neither adopted nor cancelled.
	ExcludeExecutions []string `json:"excludeExecutions,omitempty"`
	// AdoptOnly sends nothing: the activity looks for an execution of the intent and fails with asteroid.NotFound when none
	// has shown up by the end of the grace period.
	AdoptOnly bool `json:"adoptOnly,omitempty"`
	// Signal asks for an [ExecutionEventSignal] to the workflow whenever the execution changes. RunAgent sets it; a workflow
	// that does not handle the signal should not.
	Signal bool `json:"signal,omitempty"`
}

// ExecutionOptions override an agent's own settings for one run.
type ExecutionOptions struct {
	// SharedStorageKey scopes the run's shared files. In the newer dialect it is called VariantKey, and is sent as
	// such. Runs that share a key and run at the same time can overwrite each other's files.
	SharedStorageKey string `json:"sharedStorageKey,omitempty"`
	// VariantKey is the newer name of SharedStorageKey. At most one of the two.
	VariantKey string `json:"variantKey,omitempty"`
	// SoftTimeoutMins is the number of whole minutes, at least 1, after which every step urges the agent to wrap up.
	// It must be below the agent's own hard timeout, and it does not end the run.
	SoftTimeoutMins *int32 `json:"softTimeoutMins,omitempty"`
}

// OnCapacityLimit says what the service does with an execute while the organization is at its limit of executions or
// every profile of the pool is in use.
type OnCapacityLimit string

const (
	// CapacityReject makes ExecuteAgent fail with asteroid.AtCapacity, which is retried: Temporal is the queue.
	CapacityReject OnCapacityLimit = "reject"
	// CapacityQueue creates the execution with status queued.
	CapacityQueue OnCapacityLimit = "queue"
)

// ExecuteAgentResult is the result of asteroid.ExecuteAgent.
type ExecuteAgentResult struct {
	ExecutionID string `json:"executionId"`
	// Status is starting or queued; older servers do not say, then it is starting. Of an adopted execution it is the
	// one that it had when it was found.
	Status Status `json:"status"`
	// ExecutionKey is the identity that stands in the execution's metadata.
	ExecutionKey string `json:"executionKey"`
	// Adopted is true when the execution was found, not started, by the attempt that returned it.
	Adopted bool `json:"adopted,omitempty"`
	// DuplicatesCancelled are further executions of the same intent, which an attempt of unknown outcome had started.
	DuplicatesCancelled []string `json:"duplicatesCancelled,omitempty"`
	// MayHaveLateDuplicate is true when more requests may have been carried out than executions were found, when somebody
	// else may have executed with the same key meanwhile, and when a duplicate could not be cancelled yet: sweep once more
	// later, with asteroid.SweepDuplicates.
	MayHaveLateDuplicate bool `json:"mayHaveLateDuplicate,omitempty"`
	// Decisions tell, in their order, what the attempts did that are known of: posted, rejected, unknown, waited, adopted,
	// duplicate cancelled. Of more than twenty the first and the last are kept.
	Decisions []Decision `json:"decisions,omitempty"`
	// Events is EventsWatch or EventsWebhooks when signals will come, as Signal asked, and empty when the workflow has to poll:
	// the worker was told to, the watch could not be started, or the execution belongs to another workflow.
	Events Events `json:"events,omitempty"`
}

// ExecuteAgent starts an agent and returns the execution's id at once; the agent works on for minutes or hours. Follow
// it with asteroid.AwaitExecution.
//
// # One agent run per intent
//
// The API has no idempotency key, so this activity makes one. Every execution carries an identity as metadata
// ([MetadataExecutionKey]), next to the namespace, workflow id and run id of the workflow that started it:
//
//  1. The identity is namespace, workflow id, run id and activity id, so that all attempts of one activity share it. For
//     an activity that no workflow started it is its own id and run id. IdempotencyKey replaces it.
//  2. The first attempt of a fresh identity sends its request straight away: nothing can exist yet. With an
//     IdempotencyKey it looks first and afterwards, unless FreshKey is set. One that begins half a minute late looks first,
//     too: somebody may have reset the activity.
//  3. One attempt makes one request. Refused (4xx but 408), it created nothing; without an answer, or with 408 or 5xx,
//     its outcome is unknown.
//  4. An attempt that follows one of unknown outcome, a worker that died among them, looks for the identity first and
//     adopts what it finds. It goes on looking, a try every few seconds, for Options.LookupGrace. Only then does it
//     send again.
//  5. After sending in doubt it looks once more. Of several executions the oldest is kept, the others are cancelled
//     and named in the result. One that cannot be cancelled now is tried again for LookupGrace, then left to the sweep.
//
// An execution with a parentExecutionId is a rerun that a person made; the service copies the metadata to it. It is
// never adopted, counted or cancelled. Where only a rerun is found, its original is adopted.
//
// # Which executes share an identity
//
//	                                       default        IdempotencyKey   in workflows.RunAgent
//	another attempt of the activity        same           same             same
//	another activity of the same run       new            same             same for the same agent: staged again,
//	                                                                       waiting for capacity
//	workflow reset                         new            same             same
//	workflow retried, continued as new,    new            same             new, unless it has an IdempotencyKey
//	or run again
//	standalone activity, run again         new            same             -
//
// Sharing an identity means adopting a run that is going on or has completed. One that failed or was cancelled is
// history, unless this very activity started it: the next execute of the intent appends #2 to the key, then #3.
//
// # What can still go wrong
//
// Two agents run for a while if the service carries out a request more than LookupGrace after it went unanswered, or
// hides the execution from its list for as long: then a second request is sent. The younger of the two is cancelled as
// soon as both are seen, at the latest by the sweep at the end of RunAgent; one that shows up later still is not seen at
// all. Who cannot afford that sets LookupGrace to hours, or has the agent check whether its work is already done. The grace
// period is measured by the workers' clocks, so they have to agree. Two executes with one IdempotencyKey at the same moment, in two
// workflows, can both find nothing and both send, and then the younger is cancelled under its workflow; give
// the workflows themselves one id, and Temporal lets only one run. An execution that somebody deletes is as if it had never been.
//
// # Errors
//
// asteroid.InvalidInput before anything is sent when the input breaks a rule; asteroid.StagedFileExpired when a staged
// file is too old; asteroid.AtCapacity, retryable, when there is no room; asteroid.Unavailable, retryable, while it is
// not known whether the agent was started, whatever the look for it answers; asteroid.NotFound with AdoptOnly; and those of the API.
func (a *Activities) ExecuteAgent(ctx context.Context, in ExecuteAgentInput) (*ExecuteAgentResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	e := a.newExecute(ctx, c, in)
	result, err := e.attempt(ctx)
	if err != nil {
		return nil, err
	}
	activity.GetLogger(ctx).Info("Agent executed", "agentId", in.AgentID, "executionId", result.ExecutionID,
		"executionKey", result.ExecutionKey, "adopted", result.Adopted)
	return result, nil
}
