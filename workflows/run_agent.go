package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// RunAgentInput says which agent to run, with what, and what to do when it does not end well. Only AgentID is required.
// The fields that ExecuteAgent has too are documented at [asteroid.ExecuteAgentInput].
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
	OnCapacityLimit    asteroid.OnCapacityLimit   `json:"onCapacityLimit,omitempty"`
	// IdempotencyKey identifies the intent, for one that outlives the workflow run, such as an order number. Empty, it
	// is made of the workflow's original run id and of which agent of the workflow this is.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`

	// Files are staged for the agent, directly before it is executed, and again when they expire before it can be.
	Files []asteroid.FileRef `json:"files,omitempty"`
	// OnMissingFiles is MissingFilesFail when empty.
	OnMissingFiles OnMissingFiles `json:"onMissingFiles,omitempty"`
	// CapacityTimeoutSeconds bounds how long the agent waits for capacity; 0 means six hours.
	CapacityTimeoutSeconds int64 `json:"capacityTimeoutSeconds,omitempty"`
	// LongPollSeconds is that of [asteroid.AwaitExecutionInput].
	LongPollSeconds int32 `json:"longPollSeconds,omitempty"`
	// BackstopSeconds is how often the execution is read although the worker watches or takes webhooks, in case an event is
	// lost; 0 means ten minutes. Without either, and with LongPollSeconds, it is not used.
	BackstopSeconds int64 `json:"backstopSeconds,omitempty"`
	// TimeoutSeconds is the agent's own deadline, counted from when its execution id is known. When it passes, OnCancel
	// decides what becomes of the agent's run, and RunAgent fails with asteroid.ExecutionTimedOut. 0 is none.
	TimeoutSeconds int64 `json:"timeoutSeconds,omitempty"`
	// HumanTimeoutSeconds is how long the agent may wait for an answer to one question (or for an approval), counted from when
	// the workflow learned of it. When it passes, the execution is read once more, and if the agent still asks the same,
	// OnHumanTimeout decides. 0 is for ever.
	HumanTimeoutSeconds int64 `json:"humanTimeoutSeconds,omitempty"`
	// OnHumanTimeout is HumanTimeoutFail when empty.
	OnHumanTimeout OnHumanTimeout `json:"onHumanTimeout,omitempty"`
	// QuestionSearchAttribute names a search attribute of type Keyword that holds what the agent asks for as long as it waits for
	// a person, so that a list of workflows can be filtered and shows it. The namespace must have it, or the
	// workflow is stuck until it has. Empty sets none.
	QuestionSearchAttribute string `json:"questionSearchAttribute,omitempty"`
	// Reexecution runs the agent again when it failed for a reason that another run may not have; nil never does.
	Reexecution *Reexecution `json:"reexecution,omitempty"`
	// Collect takes along files that the agent leaves; nil takes none.
	Collect *Collect `json:"collect,omitempty"`
	// OnFailure is FailureIsError when empty.
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// OnCancel is CancelExecution when empty.
	OnCancel OnCancel `json:"onCancel,omitempty"`
}

// OnMissingFiles says what to do when an agent's run turns out to have begun without a file that was staged for it. It
// is not published whether the service refuses an execute with a staged file that it has lost, or starts it without.
type OnMissingFiles string

const (
	// MissingFilesFail cancels the run and fails with asteroid.StagedFileExpired. The run's uploads are looked at once it
	// has started; where the service lists none for two minutes, they count as missing, and a run that completes meanwhile
	// waits for that. A run that is adopted by an IdempotencyKey of yours is not looked at: its files may be others.
	MissingFilesFail OnMissingFiles = "fail"
	// MissingFilesReexecute cancels the run, stages the files again and executes the agent anew, at most three times.
	MissingFilesReexecute OnMissingFiles = "reexecute"
	// MissingFilesIgnore does not look.
	MissingFilesIgnore OnMissingFiles = "ignore"
)

// Reexecution runs a failed agent again: its files are staged afresh, and the execution's key gets the next number.
type Reexecution struct {
	// MaximumExecutions counts the first one too: at least 2.
	MaximumExecutions int `json:"maximumExecutions"`
	// InitialIntervalSeconds is the pause before the second execution, 30 when 0; each further one is twice as long, up to
	// ten minutes.
	InitialIntervalSeconds int64 `json:"initialIntervalSeconds,omitempty"`
	// Reasons are those of Execution.Reason after which the agent runs again. Empty means the service's own: worker_lost,
	// no_warm_environment, no_activity. What an agent did before it failed may be done twice.
	Reasons []string `json:"reasons,omitempty"`
}

// OnFailure says how a run that did not complete comes back.
type OnFailure string

const (
	// FailureIsError makes RunAgent fail with asteroid.ExecutionFailed or asteroid.ExecutionCancelled.
	FailureIsError OnFailure = "error"
	// FailureIsResult makes RunAgent return it: look at Execution.Status.
	FailureIsResult OnFailure = "result"
)

// OnCancel says what becomes of the agent's run when the workflow is cancelled or TimeoutSeconds have passed. A worker
// that stops, a reset or a pause of the workflow never touches it. With an IdempotencyKey it may be a run that another
// workflow has started.
type OnCancel string

const (
	// CancelExecution cancels the agent's run and waits until it is over.
	CancelExecution OnCancel = "cancel"
	// AbandonExecution leaves it running.
	AbandonExecution OnCancel = "abandon"
)

// execute is the part of the input that the service gets.
func (in *RunAgentInput) execute() asteroid.ExecuteAgentInput {
	return asteroid.ExecuteAgentInput{
		Connection:         in.Connection,
		AgentID:            in.AgentID,
		AgentProfileID:     in.AgentProfileID,
		AgentProfilePoolID: in.AgentProfilePoolID,
		Inputs:             in.Inputs,
		Metadata:           in.Metadata,
		ExecutionOptions:   in.ExecutionOptions,
		Version:            in.Version,
		Head:               in.Head,
		OnCapacityLimit:    in.OnCapacityLimit,
		IdempotencyKey:     in.IdempotencyKey,
	}
}

// RunAgentResult is what an agent's run left.
type RunAgentResult struct {
	asteroid.Execution
	// Files are the files as the agent saw them, in the order of the input.
	Files []asteroid.StagedFile `json:"files,omitempty"`
	// Outputs are the files that Collect asked for.
	Outputs []asteroid.OutputFile `json:"outputs,omitempty"`
	// ExecutionKey, Adopted and DuplicatesCancelled are those of [asteroid.ExecuteAgentResult], with what the sweep at
	// the end cancelled.
	ExecutionKey        string   `json:"executionKey,omitempty"`
	Adopted             bool     `json:"adopted,omitempty"`
	DuplicatesCancelled []string `json:"duplicatesCancelled,omitempty"`
	// FailedExecutions are the ids of executions that failed and were followed by another one.
	FailedExecutions []string `json:"failedExecutions,omitempty"`
}

// RunAgent runs an agent to its end: it stages the files, executes the agent, waits, collects what it leaves, and returns the
// result. It is both the workflow asteroid.RunAgent and a function for your own workflows.
//
// The wait holds nothing, and history grows with the number of changes of the agent's status, never with time. The workflow hears
// of changes by signals, from the watch or from webhooks, as the worker's Options.Events say; each is a hint to read the
// execution, and the poll behind it goes on, every BackstopSeconds. With a worker that only polls, and where the
// execution's events go to another workflow, it polls every one to thirty seconds.
//
// While it runs, the workflow's current details and the query [StateQuery] tell how far it is and, as soon as it is known,
// the execution id. People can answer and steer the agent by the updates [AnswerUpdate], [SendMessageUpdate], [PauseUpdate],
// [ResumeUpdate] and [CancelUpdate].
//
// # One agent run
//
// The intent to run the agent has a key, made of the workflow's original run id and of which agent of the workflow it is.
// So activity retries, another staging, a wait for capacity and a reset of the workflow mean the same run, and adopt it
// if it is going on or has completed; a new run of the workflow, its retry or its continuation as new mean a new one.
// With an IdempotencyKey these share the run as well. See [activities.Activities.ExecuteAgent] for the whole table and
// for what can still go wrong. When an execute may have been carried out twice, RunAgent looks for a late duplicate once
// more at its end and cancels it. It does not fail with an execute whose outcome is unknown before it has looked for what that may have
// started, a quarter of an hour long (three minutes when the workflow is cancelled); what it finds, it goes on with.
//
// # No capacity
//
// An execute that is refused for lack of capacity is repeated for CapacityTimeoutSeconds, and the details say since when.
// Files that come near their expiry meanwhile are staged again.
//
// # Errors
//
// Each has the execution id in its details ([asteroid.DetailsOf]) once there is one:
//
//   - asteroid.ExecutionFailed: the agent failed, or the service ended its run (worker_lost, budget_exceeded, ...)
//   - asteroid.ExecutionCancelled: somebody else cancelled the agent's run
//   - asteroid.ExecutionTimedOut: TimeoutSeconds passed, or HumanTimeoutSeconds without an answer
//   - asteroid.StagedFileExpired: the agent began without a file, see OnMissingFiles
//   - asteroid.InvalidInput and what else the activities return. Where the wait itself fails (the key was revoked, say),
//     the agent's run is left as it is. Where the files of a completed run cannot be collected, GetExecution has its result.
//   - a CanceledError when the workflow is cancelled. With CancelExecution the agent's run is over by then, unless the
//     service refused to cancel it for ten minutes: its details tell the status. If the run turns out to have completed
//     first, that result is returned instead. Where an execute was under way whose outcome is unknown, and what it may have
//     started did not show up, the details hold the executionKey.
func RunAgent(ctx workflow.Context, in RunAgentInput) (*RunAgentResult, error) {
	run, err := StartAgent(ctx, in)
	if err != nil {
		return nil, err
	}
	return run.Result(ctx)
}

// AgentRun is an agent at work. It belongs to the workflow that started it.
type AgentRun struct {
	in      RunAgentInput
	request asteroid.ExecuteAgentInput
	state   *AgentState
	agents  *agents

	executed  asteroid.ExecuteAgentResult
	staged    []asteroid.StagedFile
	expiresAt time.Time // when the first of them does; zero: nothing is staged
	started   time.Time // when the execution id was known
	failed    []string  // executions that were followed by another
	late      []asteroid.SweepDuplicatesInput

	// What is known of the run beyond the state, and what is to be done about it.
	options   workflow.ActivityOptions // for what people ask for
	changedAt time.Time                // Execution.StatusChangedAt of the state's status
	answered  bool                     // it asked before it came to the state's status
	over      bool
	hinted    bool            // the execution should be read
	expected  asteroid.Status // what an event says that the read will tell
	relooks   int             // reads after one hint that have not told what it did
	looked    time.Time       // when a hint last led to a read
	fruitless int             // such reads in a row that told nothing new
	busy      int             // people's wishes on their way to the service

	humanTimer workflow.Future // nil: nobody is asked, or there is all the time
	stopTimer  workflow.CancelFunc
}

// StartAgent stages the files and executes the agent. It returns as soon as the execution id is known; call
// [AgentRun.Result] for the rest, also when the workflow is cancelled in between: Result is what cancels the agent's run.
// Its errors are those of RunAgent.
func StartAgent(ctx workflow.Context, in RunAgentInput) (*AgentRun, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	agents := agentsOf(ctx)
	run := &AgentRun{in: in, request: in.execute(), agents: agents, options: workflow.GetActivityOptions(composed(ctx))}
	agents.add(ctx, run)
	run.request.Signal = agents.keeper // else nobody listens for all agents of the workflow
	if run.request.IdempotencyKey == "" {
		run.request.IdempotencyKey = agents.intent(ctx)
		run.request.Internal.FreshKey = run.request.IdempotencyKey != "" && !wasReset(ctx)
		if wasReset(ctx) {
			run.request.Internal.UnknownOutcomes = 1 // what the run before the reset had under way
		}
	}
	err := run.checkDestination(composed(ctx))
	if err == nil {
		err = run.start(composed(ctx))
	}
	if err != nil {
		run.end(ctx, err)
		return nil, err
	}
	return run, nil
}

// wasReset reports whether this run of the workflow repeats a part of another one, which may have executed the agent.
func wasReset(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.OriginalRunID != "" && info.OriginalRunID != info.WorkflowExecution.RunID
}

// ExecutionID is the id of the agent's execution: the latest one, should it have been executed again.
func (r *AgentRun) ExecutionID() string { return r.executed.ExecutionID }

// Result waits until the agent's run is over and returns what it left; see [RunAgent] for the errors. Call it once.
func (r *AgentRun) Result(ctx workflow.Context) (*RunAgentResult, error) {
	execution, err := r.finish(composed(ctx))
	var outputs []asteroid.OutputFile
	if err == nil && execution.Status == asteroid.StatusCompleted {
		outputs, err = r.collect(composed(ctx))
	}
	r.sweepLate(composed(ctx))
	r.awaitPeople(ctx)
	r.end(ctx, err)
	if err != nil {
		return nil, err
	}
	return &RunAgentResult{
		Execution: *execution, Files: r.staged, Outputs: outputs,
		ExecutionKey: r.executed.ExecutionKey, Adopted: r.executed.Adopted, DuplicatesCancelled: r.executed.DuplicatesCancelled,
		FailedExecutions: r.failed,
	}, nil
}

// finish waits for the run, and for those that follow it where it failed and another one is wanted.
func (r *AgentRun) finish(ctx workflow.Context) (*asteroid.Execution, error) {
	for {
		execution, err := r.wait(ctx)
		if execution != nil {
			r.observe(ctx, execution)
		}
		if err == nil {
			err = r.verdict(execution)
		}
		if err == nil || !r.again(execution, err) {
			if r.in.OnFailure == FailureIsResult && (asteroid.IsExecutionFailed(err) || asteroid.IsExecutionCancelled(err)) {
				err = nil
			}
			return execution, err
		}
		r.failed = append(r.failed, r.executed.ExecutionID)
		r.request.Internal.FreshKey, r.request.Internal.ExcludeExecutions = false, r.failed
		r.to(ctx, PhaseBackoff)
		if err := workflow.Sleep(ctx, r.in.Reexecution.pause(len(r.failed))); err != nil {
			return nil, err
		}
		r.expiresAt = time.Time{}
		if err := r.start(ctx); err != nil {
			return nil, err
		}
	}
}
