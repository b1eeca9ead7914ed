package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid/internal/api"
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
	// id. Two executes with one key mean the same run. At most 1500 bytes; it is visible in the execution's metadata.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`
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
	// Status is starting or queued; older servers do not say, then it is starting.
	Status Status `json:"status"`
}

// executeOutcome is the only heartbeat of asteroid.ExecuteAgent: it tells the next attempt that this one is known to
// have created nothing. The number matters: details outlive the attempt that left them, so an attempt whose worker died
// would otherwise pass for the rejected one before it.
type executeOutcome struct {
	NothingCreatedBy int32 `json:"nothingCreatedBy"`
}

// createdNothing reports whether the attempt before this one, if any, is known to have created nothing.
func createdNothing(ctx context.Context, attempt int32) bool {
	var before executeOutcome
	return attempt <= 1 ||
		activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &before) == nil && before.NothingCreatedBy == attempt-1
}

// ExecuteAgent starts an agent and returns the execution's id at once; the agent works on for minutes or hours. Follow
// it with asteroid.AwaitExecution.
//
// # One agent run per intent
//
// The API has no idempotency key, so every execution gets one as metadata ([MetadataExecutionKey]), next to the
// namespace, workflow id and run id of the workflow that started it. The key is namespace, workflow id, run id and
// activity id, so all attempts of one activity share it; for an activity that no workflow started, its own id and run
// id. IdempotencyKey replaces it.
//
// One attempt makes one request. A request that was refused (4xx but 408) or never reached the service created
// nothing, and is repeated as the retry policy says. One whose outcome is unknown (no answer, 408, 5xx, a worker that
// died) may have started the agent, so it is not repeated: the activity fails with asteroid.Unavailable, not
// retryable, whose details hold the key that finds the execution if there is one.
//
// # Errors
//
// asteroid.InvalidInput before anything is sent when the input breaks a rule; asteroid.StagedFileExpired when a staged
// file is too old; asteroid.AtCapacity, retryable, when there is no room; and those of the API.
func (a *Activities) ExecuteAgent(ctx context.Context, in ExecuteAgentInput) (*ExecuteAgentResult, error) {
	c, err := a.connection(in.Connection)
	if err != nil {
		return nil, err
	}
	if err := in.Validate(); err != nil {
		return nil, err
	}
	for i, file := range in.TempFiles {
		if !file.ExpiresAt.IsZero() && !a.now().Before(file.ExpiresAt) {
			return nil, temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("tempFiles[%d] (%s) expired: stage the files again and execute with the new handles", i, file.Name),
				ErrorTypeStagedFileExpired, nil, ErrorDetails{Field: fmt.Sprintf("tempFiles[%d]", i)})
		}
	}
	info := activity.GetInfo(ctx)
	metadata := in.identify(info)
	what := call{operation: c.Dialect.executeOperation(), execute: true}
	if !createdNothing(ctx, info.Attempt) {
		return nil, unknownOutcome(what, metadata, "an earlier attempt ended without telling its outcome")
	}
	accepted, err := fetch[api.ExecuteAgentResponse](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.execute(ctx, in.AgentID, c.Dialect.executeRequest(in, metadata))
	}, http.StatusAccepted)
	if err == nil && !plainID(accepted.ExecutionID) {
		err = &failure{call: what, connection: c.name, message: "answered 202 without an execution id"}
	}
	var failed *failure
	switch {
	case err == nil:
		activity.GetLogger(ctx).Info("Agent executed", "agentId", in.AgentID, "executionId", accepted.ExecutionID)
		return &ExecuteAgentResult{
			ExecutionID: accepted.ExecutionID,
			Status:      Status(first(value(accepted.Status), string(StatusStarting))),
		}, nil
	case errors.As(err, &failed) && failed.outcome() == outcomeAmbiguous:
		return nil, unknownOutcome(what, metadata, failed.Error())
	default:
		activity.RecordHeartbeat(ctx, executeOutcome{NothingCreatedBy: info.Attempt})
		return nil, ended(ctx, err)
	}
}

// unknownOutcome is the error of an execute that may have started an agent.
func unknownOutcome(what call, metadata map[string]string, said string) error {
	key := metadata[MetadataExecutionKey]
	return temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("whether the agent was started is not known: %s (before executing again, look for an execution with the metadata %s=%s)",
			said, MetadataExecutionKey, key),
		ErrorTypeUnavailable, nil, ErrorDetails{Operation: what.operation, ExecutionKey: key})
}

// identify returns the user's metadata with the identity added.
func (in *ExecuteAgentInput) identify(info activity.Info) map[string]string {
	metadata := maps.Clone(in.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	parts := []string{info.Namespace, info.ActivityID, info.ActivityRunID}
	metadata[MetadataNamespace] = info.Namespace
	if info.IsWorkflowActivity() {
		workflow := info.WorkflowExecution
		parts = []string{info.Namespace, workflow.ID, workflow.RunID, info.ActivityID}
		metadata[MetadataWorkflowID], metadata[MetadataRunID] = workflow.ID, workflow.RunID
	}
	metadata[MetadataExecutionKey] = first(in.IdempotencyKey, strings.Join(parts, "/"))
	return metadata
}
