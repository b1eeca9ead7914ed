package asteroid

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/text"
)

// ExecuteAgentInput is the input of asteroid.ExecuteAgent: every field of the published request
// (https://docs.asteroid.ai/api-reference/endpoints/agents/execute-an-agent), under its own name in
// both dialects. Only AgentID is required; every other field may be empty.
type ExecuteAgentInput struct {
	// Connection is DefaultConnection when empty.
	Connection string `json:"connection,omitempty"`
	// AgentID is the agent (in the newer dialect: the workflow) to run.
	AgentID string `json:"agentId"`
	// AgentProfileID is the profile to run with. AgentProfilePoolID is the pool (in the newer
	// dialect: the profile group) from which the service chooses one. At most one of the two may be
	// set.
	AgentProfileID     string `json:"agentProfileId,omitempty"`
	AgentProfilePoolID string `json:"agentProfilePoolId,omitempty"`
	// Inputs fill the placeholders in the agent's prompts. A name is a letter or _, then letters,
	// digits and _. Values are any JSON. They enter the workflow's history: they must hold no
	// secrets, and the whole input has at most 1.75 MiB. Pass larger content as a file.
	Inputs Inputs `json:"inputs,omitempty"`
	// DynamicData is the former name of Inputs. At most one of the two may be set.
	//
	// Deprecated: use Inputs.
	DynamicData Inputs `json:"dynamicData,omitempty"`
	// Metadata are labels of the execution. They are searchable, and webhooks repeat them. Keys
	// that begin with MetadataPrefix, in any letter case, are reserved.
	Metadata map[string]string `json:"metadata,omitempty"`
	// ExecutionOptions override the agent's own settings for this run.
	ExecutionOptions *ExecutionOptions `json:"executionOptions,omitempty"`
	// TempFiles are what StageFiles returned, unchanged. A staged file serves one execution.
	TempFiles []StagedFile `json:"tempFiles,omitempty"`
	// Version is the agent's version to run; nil means the published one.
	Version *int `json:"version,omitempty"`
	// Head runs the editable head of the agent. It excludes Version.
	Head bool `json:"head,omitempty"`
	// OnCapacityLimit is CapacityReject when empty. CapacityQueue excludes TempFiles.
	OnCapacityLimit OnCapacityLimit `json:"onCapacityLimit,omitempty"`
	// IdempotencyKey identifies the intent. Two executes with the same key mean the same run, and
	// must have the same agent, profile, inputs and files. Empty means a key made of the workflow's
	// run and the request. It has at most 1500 bytes, no white space around it, and does not end
	// in # and a number. It is visible in the execution's metadata.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`
	// AdoptOnly sends no request: the activity looks for an execution of the intent, and fails with
	// asteroid.NotFound when it has found none by the end of the grace period. After an unknown
	// outcome that period starts again.
	AdoptOnly bool `json:"adoptOnly,omitempty"`
	// Signal requests an [ExecutionEventSignal] to the workflow whenever the execution changes.
	// RunAgent sets it. A workflow that does not handle the signal should not.
	Signal bool `json:"signal,omitempty"`
	// Internal is for workflows.RunAgent. Leave it empty.
	Internal ExecuteAgentInternal `json:"internal,omitzero"`
}

// ExecuteAgentInternal is what workflow code knows of the intent and of its earlier executes. The
// typed calls of package workflows set it. Other callers leave it empty.
type ExecuteAgentInternal struct {
	// FirstRunID and OriginalRunID are those of the workflow. The first run id survives retries,
	// continue-as-new and resets, the original run id survives resets only.
	FirstRunID    string `json:"firstRunId,omitempty"`
	OriginalRunID string `json:"originalRunId,omitempty"`
	// Intent identifies the intent if there is no IdempotencyKey.
	Intent Intent `json:"intent,omitzero"`
	// ExecutionKey is the key that an earlier execute of the intent used. It replaces the one that
	// the activity would make of Intent.
	ExecutionKey string `json:"executionKey,omitempty"`
	// QuestionSearchAttribute is that of RunAgent's input.
	QuestionSearchAttribute string `json:"questionSearchAttribute,omitempty"`
	// Reexecution is the number of executions of the intent that failed before this one.
	Reexecution int `json:"reexecution,omitempty"`
	// UnknownOutcomes counts requests of earlier activities that may have started an agent, as the
	// details of their errors say. LastUnknown is when the last of them ended. The activity looks
	// the execution up during the rest of the grace period before it sends, and once more after
	// its own request.
	UnknownOutcomes int       `json:"unknownOutcomes,omitempty"`
	LastUnknown     time.Time `json:"lastUnknown,omitzero"`
	// UnknownSince is when the first of those activities was scheduled. An execution that the same
	// workflow run started since then is adopted even if it has failed.
	UnknownSince time.Time `json:"unknownSince,omitzero"`
	// ExcludeExecutions are ids of executions that are neither adopted nor cancelled, whatever
	// their status.
	ExcludeExecutions []string `json:"excludeExecutions,omitempty"`
	// CheckLimits fails with asteroid.PermitRequired, before anything is sent, if the worker limits
	// such runs. Permits are those that the run holds instead. A permit of a run that a reset has
	// replaced is an asteroid.PermitLost.
	CheckLimits bool     `json:"checkLimits,omitempty"`
	Permits     []Permit `json:"permits,omitempty"`
	// KeyIsOwn means that no other workflow can execute with the IdempotencyKey. So nothing is
	// looked for after the request, as long as its outcome is known.
	KeyIsOwn bool `json:"keyIsOwn,omitempty"`

	decoded *decodedInput
}

// Intent identifies an intent to run an agent by the workflow that has it. All of it survives a
// reset of that workflow but RunID. The activity adds a digest of the request.
type Intent struct {
	Namespace     string `json:"namespace,omitempty"`
	WorkflowID    string `json:"workflowId,omitempty"`
	OriginalRunID string `json:"originalRunId,omitempty"`
	// RunID is the run that scheduled the activity or child workflow. If it is not the original
	// one, a run before the reset may have had the same intent.
	RunID string `json:"runId,omitempty"`
	// Ordinal counts equal requests of the workflow, from 1.
	Ordinal int `json:"ordinal,omitempty"`
}

// ExecuteAgentResult is the result of asteroid.ExecuteAgent.
type ExecuteAgentResult struct {
	// ExecutionID is never empty.
	ExecutionID string `json:"executionId"`
	// Status is starting or queued after a request; starting when an older server gives none. For
	// an adopted execution it is the status with which it was found.
	Status Status `json:"status"`
	// ExecutionKey is the identity of the intent, as the execution's metadata hold it.
	ExecutionKey string `json:"executionKey"`
	// Adopted is true when the attempt that returned the execution found it, and did not start it.
	Adopted bool `json:"adopted,omitempty"`
	// PermitRequired is true when the adopted execution works without a permit, although the worker
	// limits such runs. RunAgent takes the permits while it works.
	PermitRequired bool `json:"permitRequired,omitempty"`
	// DuplicatesCancelled are the ids of further executions of the intent that attempts of unknown
	// outcome had started.
	DuplicatesCancelled []string `json:"duplicatesCancelled,omitempty"`
	// MayHaveLateDuplicate is true in three cases: more requests may have been carried out than
	// executions were found; somebody else may have executed with the same key meanwhile; or a
	// duplicate could not be cancelled yet. Run asteroid.SweepDuplicates after SweepAfterSeconds,
	// which is the grace period.
	MayHaveLateDuplicate bool  `json:"mayHaveLateDuplicate,omitempty"`
	SweepAfterSeconds    int64 `json:"sweepAfterSeconds,omitempty"`
	// Differences names what the adopted execution was requested with otherwise: version or
	// executionOptions. Executes that differ in more do not share a key.
	Differences []string `json:"differences,omitempty"`
	// Superseded are ids of executions that still work although a reset has replaced the workflow
	// run that started them, and that this run has not adopted. RunAgent cancels them when its
	// workflow ends.
	Superseded []string `json:"superseded,omitempty"`
	// ResetAt is when a reset created the workflow run, or shortly before a run that this one
	// continues; zero if none did. The service may not list yet what the replaced run has started,
	// so RunAgent's workflow looks again when it ends.
	ResetAt time.Time `json:"resetAt,omitzero"`
	// Decisions are those of all known attempts, in order. Of more than twenty, the first and the
	// last are kept.
	Decisions []Decision `json:"decisions,omitempty"`
	// Events is EventsWatch or EventsWebhooks when the signals that Signal requested will come. It
	// is empty when the workflow has to poll: the worker has EventsPoll, the watch could not be
	// started, or the execution belongs to another workflow or lacks the token of the worker's
	// secrets.
	Events Events `json:"events,omitempty"`
	// SearchAttributes are those that the workflow may set: the worker's options or RunAgent's
	// input name them, and the namespace has them. nil: none are named.
	SearchAttributes *SearchAttributes `json:"searchAttributes,omitempty"`
}

// Validate checks every rule of the fields. Its error is asteroid.InvalidInput and names the field.
func (in *ExecuteAgentInput) Validate() error {
	if err := in.Internal.decoded.check(); err != nil {
		return err
	}
	if err := checkID("agentId", in.AgentID); err != nil {
		return err
	}
	if err := in.validateProfile(); err != nil {
		return err
	}
	switch {
	case len(in.Inputs) > 0 && len(in.DynamicData) > 0:
		return NewInvalidInput("dynamicData",
			"is the former name of inputs: give everything in inputs")
	case in.Version != nil && in.Head:
		return NewInvalidInput("version",
			"excludes head: name a version or ask for the head, not both")
	}
	if err := in.Inputs.validate("inputs"); err != nil {
		return err
	}
	if err := in.DynamicData.validate("dynamicData"); err != nil {
		return err
	}
	if err := validateMetadata(in.Metadata); err != nil {
		return err
	}
	if err := in.ExecutionOptions.validate("executionOptions"); err != nil {
		return err
	}
	if err := in.OnCapacityLimit.validate("onCapacityLimit", in.TempFiles); err != nil {
		return err
	}
	if err := validateIdempotencyKey(in.IdempotencyKey); err != nil {
		return err
	}
	if in.Internal.UnknownOutcomes < 0 || in.Internal.Reexecution < 0 {
		return NewInvalidInput("internal", "has a negative count")
	}
	if err := checkStagedFiles("tempFiles", in.TempFiles); err != nil {
		return err
	}
	return checkSize("inputs", in)
}

func (in *ExecuteAgentInput) validateProfile() error {
	if err := checkOptionalID("agentProfileId", in.AgentProfileID); err != nil {
		return err
	}
	if err := checkOptionalID("agentProfilePoolId", in.AgentProfilePoolID); err != nil {
		return err
	}
	if in.AgentProfileID != "" && in.AgentProfilePoolID != "" {
		return NewInvalidInput("agentProfileId",
			"excludes agentProfilePoolId: name a profile or a pool, not both")
	}
	return nil
}

func validateMetadata(metadata map[string]string) error {
	for _, key := range sortedKeys(metadata) {
		switch {
		case key == "":
			return NewInvalidInput("metadata", "has an empty key")
		case strings.HasPrefix(strings.ToLower(key), MetadataPrefix):
			return NewInvalidInput("metadata."+text.Clip(key),
				"is reserved: keys that begin with "+MetadataPrefix+" identify the workflow")
		}
	}
	return nil
}

// maxKey bounds an IdempotencyKey, which is sent as metadata. The API does not publish its own
// limit. A key that is made of a namespace and a workflow id may have some hundred bytes of each.
const maxKey = 1500

var numberedKeyPattern = regexp.MustCompile(`#[0-9]+$`)

func validateIdempotencyKey(key string) error {
	switch {
	case strings.TrimSpace(key) != key || len(key) > maxKey:
		return NewInvalidInput("idempotencyKey", fmt.Sprintf(
			"must have at most %d bytes and no white space around it", maxKey))
	case numberedKeyPattern.MatchString(key):
		return NewInvalidInput("idempotencyKey",
			"must not end in # and a number, which mark a repeated execute of one intent")
	}
	return nil
}
