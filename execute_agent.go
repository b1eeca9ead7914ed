package asteroid

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// Decision is something that ExecuteAgent decided. Each is a log line, a count of the metric asteroid_execute_decisions
// under the label decision, and an entry of the result.
type Decision string

// The decisions of an execute.
const (
	DecisionPosted             Decision = "posted"              // the request was accepted
	DecisionRejected           Decision = "rejected"            // it was refused and created nothing
	DecisionUnknown            Decision = "unknown"             // whether it created something is not known
	DecisionWaited             Decision = "waited"              // nothing was found yet, and the grace period goes on
	DecisionAdopted            Decision = "adopted"             // an execution of the intent was found and taken
	DecisionDuplicateCancelled Decision = "duplicate_cancelled" // a further execution of the intent was cancelled
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
	// AdoptOnly sends nothing: the activity looks for an execution of the intent and fails with asteroid.NotFound when none
	// has shown up by the end of the grace period.
	AdoptOnly bool `json:"adoptOnly,omitempty"`
	// Signal asks for an [ExecutionEventSignal] to the workflow whenever the execution changes. RunAgent sets it; a workflow
	// that does not handle the signal should not.
	Signal bool `json:"signal,omitempty"`
	// Internal is what workflows.RunAgent passes from one execute of an intent to the next. Leave it
	// empty.
	Internal ExecuteAgentInternal `json:"internal,omitzero"`
}

// ExecuteAgentInternal is what workflows.RunAgent knows of earlier executes of the same intent.
type ExecuteAgentInternal struct {
	// FreshKey says that nobody has executed with the IdempotencyKey before, so that the first attempt
	// sends without a lookup.
	FreshKey bool `json:"freshKey,omitempty"`
	// UnknownOutcomes counts requests of earlier activities that may have started an agent, as the
	// details of their errors say. The activity then looks the execution up during the whole grace
	// period before it sends, and once more after its own request.
	UnknownOutcomes int `json:"unknownOutcomes,omitempty"`
	// UnknownSince is when the first of those activities was scheduled. An execution that the same
	// workflow run started since then is adopted even if it has failed. The zero time means that an
	// earlier workflow run scheduled them; one failed execution then accounts for them.
	UnknownSince time.Time `json:"unknownSince,omitzero"`
	// ExcludeExecutions are neither adopted nor cancelled, whatever their status.
	ExcludeExecutions []string `json:"excludeExecutions,omitempty"`
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

// inputNamePattern is what the prompts' placeholders can hold (fundamentals/nodes/ai-task).
var inputNamePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

var numberedKeyPattern = regexp.MustCompile(`#[0-9]+$`)

// Validate checks everything that the contract forbids. Its error is asteroid.InvalidInput and names the field and the
// rule. ExecuteAgent calls it before anything is sent; workflow code can call it before it stages files.
func (in *ExecuteAgentInput) Validate() error {
	if err := checkID("agentId", in.AgentID); err != nil {
		return err
	}
	switch {
	case in.AgentProfileID != "" && !text.PlainID(in.AgentProfileID):
		return checkID("agentProfileId", in.AgentProfileID)
	case in.AgentProfilePoolID != "" && !text.PlainID(in.AgentProfilePoolID):
		return checkID("agentProfilePoolId", in.AgentProfilePoolID)
	case in.AgentProfileID != "" && in.AgentProfilePoolID != "":
		return NewInvalidInput("agentProfileId", "excludes agentProfilePoolId: name a profile or a pool, not both")
	case len(in.Inputs) > 0 && len(in.DynamicData) > 0:
		return NewInvalidInput("dynamicData", "is the former name of inputs: give everything in inputs")
	case in.Version != nil && in.Head:
		return NewInvalidInput("version", "excludes head: name a version or ask for the head, not both")
	}
	if err := checkInputNames("inputs", in.Inputs); err != nil {
		return err
	}
	if err := checkInputNames("dynamicData", in.DynamicData); err != nil {
		return err
	}
	for _, key := range sortedKeys(in.Metadata) {
		switch {
		case key == "":
			return NewInvalidInput("metadata", "has an empty key")
		case strings.HasPrefix(strings.ToLower(key), MetadataPrefix):
			return NewInvalidInput("metadata."+text.Clip(key), "is reserved: keys that begin with "+MetadataPrefix+" identify the workflow")
		}
	}
	if o := in.ExecutionOptions; o != nil {
		switch {
		case o.SoftTimeoutMins != nil && *o.SoftTimeoutMins < 1:
			return NewInvalidInput("executionOptions.softTimeoutMins", fmt.Sprintf("is %d: must be at least 1", *o.SoftTimeoutMins))
		case o.SharedStorageKey != "" && o.VariantKey != "":
			return NewInvalidInput("executionOptions.sharedStorageKey", "excludes variantKey, which is its newer name")
		}
	}
	switch in.OnCapacityLimit {
	case "", CapacityReject:
	case CapacityQueue:
		if len(in.TempFiles) > 0 {
			return NewInvalidInput("onCapacityLimit", "queue does not go with files: staged files would expire in the queue")
		}
	default:
		return NewInvalidInput("onCapacityLimit", fmt.Sprintf("%q is neither %q nor %q", text.Clip(string(in.OnCapacityLimit)), CapacityReject, CapacityQueue))
	}
	switch {
	case strings.TrimSpace(in.IdempotencyKey) != in.IdempotencyKey || len(in.IdempotencyKey) > maxKey:
		return NewInvalidInput("idempotencyKey", fmt.Sprintf("must have at most %d bytes and no white space around it", maxKey))
	case numberedKeyPattern.MatchString(in.IdempotencyKey):
		return NewInvalidInput("idempotencyKey", "must not end in # and a number, which are added when an intent is executed again")
	case in.Internal.UnknownOutcomes < 0:
		return NewInvalidInput("internal.unknownOutcomes", "must not be negative")
	}
	return checkTempFiles(in.TempFiles)
}

// maxKey bounds the identity that goes into metadata, whose own limit is not published. A namespace and a workflow id
// may have some hundred bytes each.
const maxKey = 1500

func checkInputNames(field string, inputs Inputs) error {
	for _, name := range sortedKeys(inputs) {
		if !inputNamePattern.MatchString(name) {
			return NewInvalidInput(field, fmt.Sprintf("the name %q fits no prompt: a letter or _ first, then letters, digits and _", text.Clip(name)))
		}
	}
	return nil
}

func checkTempFiles(files []StagedFile) error {
	seen := make(map[string]int, len(files))
	for i, f := range files {
		field := fmt.Sprintf("tempFiles[%d]", i)
		if err := checkID(field+".id", f.ID); err != nil {
			return err
		}
		if f.Name == "" {
			return NewInvalidInput(field+".name", "is required: pass on what StageFiles returned, unchanged")
		}
		if j, twice := seen[f.ID]; twice {
			return NewInvalidInput(field+".id", fmt.Sprintf("is the same file as tempFiles[%d]: a staged file serves once", j))
		}
		seen[f.ID] = i
	}
	return nil
}
