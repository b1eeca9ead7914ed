package workflows

import (
	"cmp"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/intent"
)

// RunAgentResult is the result of an agent's run.
type RunAgentResult struct {
	asteroid.Execution
	// Files are the staged files, in the order of the input.
	Files []asteroid.StagedFile `json:"files,omitempty"`
	// Outputs are the files that Collect selected.
	Outputs []asteroid.OutputFile `json:"outputs,omitempty"`
	// ExecutionKey, Adopted and DuplicatesCancelled are documented at
	// [asteroid.ExecuteAgentResult]. DuplicatesCancelled includes what a later sweep cancelled.
	ExecutionKey        string   `json:"executionKey,omitempty"`
	Adopted             bool     `json:"adopted,omitempty"`
	DuplicatesCancelled []string `json:"duplicatesCancelled,omitempty"`
	// Differences and Superseded are documented at [asteroid.ExecuteAgentResult], too.
	Differences []string `json:"differences,omitempty"`
	Superseded  []string `json:"superseded,omitempty"`
	// FailedExecutions are the ids of executions that failed and were followed by another one.
	FailedExecutions []string `json:"failedExecutions,omitempty"`
	// Warnings are what CheckInputs found and did not refuse, and why something was not checked.
	Warnings []string `json:"warnings,omitempty"`
	// ResultMismatch is where the result does not fit the schema of the agent's version, if
	// CheckResult asked for that.
	ResultMismatch []string `json:"resultMismatch,omitempty"`
}

// RunAgent runs an agent to its end: it stages the files, executes the agent, waits, collects its
// files, and returns the result. It is both the workflow asteroid.RunAgent and a function for your
// own workflows.
//
// The wait occupies no worker slot. History grows with the number of status changes, never with
// time. Signals tell the workflow of changes, from the watch or from webhooks, as the worker's
// Options.Events say. Each signal is a hint to read the execution, and a poll every
// PollIntervalSeconds finds what the signals miss. Where the worker only polls, or the execution's
// events go to another workflow, the poll runs every one to thirty seconds.
//
// The workflow's current details and the query [StateQuery] show the agent's phase and, as soon as
// it is known, the execution id. People answer and steer the agent by the updates [AnswerUpdate],
// [SendMessageUpdate], [PauseUpdate], [ResumeUpdate] and [CancelUpdate].
//
// # One agent run
//
// The intent to run the agent has a key, made of the workflow's original run id, the request, and a
// number among equal requests of the workflow. So activity retries, another staging, a wait for
// capacity and a reset of the workflow mean the same run, and adopt it if it is active or has
// completed. A reset that corrects an input means a new run, and so do a new run of the workflow,
// its retry and its continuation as new. With an IdempotencyKey these share the run too. See
// [activities.Activities.ExecuteAgent] for the whole table and the remaining risks.
//
// As a child workflow RunAgent needs a key from its parent: a parent that is reset starts a new
// child while the old one goes on. [ExecuteRunAgent] gives it one. From another language, give an
// IdempotencyKey that the parent's reset does not change.
//
// When a workflow ends that was reset, agents of the replaced runs that it did not adopt are
// cancelled. AbandonExecution leaves them alone.
//
// If an execute may have been carried out twice, RunAgent sweeps late duplicates when the grace
// period after the start is over, and once more at its end. After an execute of unknown outcome it
// first looks up what that may have started, for up to a quarter of an hour (three minutes in a
// cancelled workflow), and goes on with what it finds.
//
// # No capacity
//
// An execute that is refused for lack of capacity is repeated for CapacityTimeoutSeconds. The
// details show since when. Files that approach their expiry meanwhile are staged again. The whole
// start, with staging and lookups, takes at most six hours, or CapacityTimeoutSeconds if that is
// longer.
//
// # Limits
//
// A run with Limits, its own or the worker's, waits for a permit of each before it stages anything,
// in [PhaseWaitingForPermit], and gives them back when its agent is over, whatever way it ends.
// With AbandonExecution, or when the wait itself fails, the agent goes on without them. A
// re-execution keeps the permits. A workflow that holds a permit of a key and waits for another run
// on that key waits for ever: give the key to one of them.
//
// A workflow that is reset while it holds a permit keeps it if it comes to that agent again within
// half a minute. Later the permit may be another run's, although the agent of the replaced run is
// at work until this run adopts it or ends.
//
// # Many agents
//
// At most 1,000 agents of one workflow are under way: the server admits 2,000 pending activities,
// and updates, reads and cancellations need some. Further calls of RunAgent and StartAgent wait for
// their turn, in [PhaseWaitingForTurn]. So does Result for an agent that StartAgent has started. An
// agent takes some 15 events of the 51,200 that a history may have, and a few of the 10,000 signals
// that a run may receive. So a workflow of more than 2,000 agents should continue as new, or give
// them to child workflows.
//
// # Errors
//
// Each is an ApplicationError that is not retryable, so a RetryPolicy of the workflow runs no
// second agent; a schedule's next run does, with a key of its own. Use Reexecution to run a failed
// agent again. Each has the execution id in its details ([asteroid.DetailsOf]) once there is one:
//
//   - asteroid.ExecutionFailed: the agent failed, or the service ended its run (worker_lost, ...)
//   - asteroid.ExecutionCancelled: somebody else cancelled the agent's run
//   - asteroid.UnknownStatus: the agent's run ended with a status that this version does not know
//   - asteroid.ExecutionTimedOut: TimeoutSeconds passed, or HumanTimeoutSeconds without an answer
//   - asteroid.StagedFileExpired: the agent started without a file, see OnMissingFiles
//   - asteroid.InvalidInput, and any other error of the activities. If the wait itself fails
//     (because the key was revoked, for example), the agent's run goes on. If the files of a
//     completed run cannot be collected, GetExecution returns its result.
//   - a CanceledError when the workflow is cancelled. With CancelExecution the agent's run is
//     terminal by then, unless the service refused to cancel it for ten minutes: its details have
//     the status. A run that turns out to have completed first is returned as the result instead.
//     If an execute's outcome is unknown and no run was found, they hold the executionKey.
func RunAgent(ctx workflow.Context, in RunAgentInput) (*RunAgentResult, error) {
	run, err := StartAgent(ctx, in)
	if err != nil {
		return nil, err
	}
	return run.Result(ctx)
}

// AgentRun is an agent that StartAgent has started. It belongs to the workflow that started it.
type AgentRun struct {
	in      RunAgentInput
	request asteroid.ExecuteAgentInput
	options workflow.ActivityOptions // for updates
	state   *AgentState
	page    string // the state as it was last shown
	agents  *agents

	staged           []asteroid.StagedFile
	expiresAt        time.Time // of the first staged file; zero: none is staged
	executed         asteroid.ExecuteAgentResult
	started          time.Time // when the execution id was known
	failedExecutions []string  // those that were followed by another one
	waitingSince     time.Time // of the latest start, when the service refused it for lack of capacity
	sweeps           []*lateSweep
	survivor         string   // the execution that the latest sweep has kept
	conflict         []string // the members in which it was requested otherwise

	changedAt       time.Time // Execution.StatusChangedAt of the state's status
	afterQuestion   bool      // the agent waited for a person before it came to the state's status
	rereads         rereads
	lateDetails     int // polls that returned without another status
	deadline        humanDeadline
	permits         permits
	updatesInFlight int            // those of this run, with what outlives their handlers
	sending         workflow.Mutex // the agent gets one message after the other
	cancelRequested bool           // the workflow has asked the service to cancel the execution
	finished        bool           // nothing waits for the run any more
	waitsTold       waitsTold
}

// StartAgent stages the files and executes the agent. It returns as soon as the execution id is
// known. Call [AgentRun.Result] for the rest, even if the workflow has been cancelled meanwhile:
// Result cancels the agent's run. Its errors are those of RunAgent.
//
// The agent keeps the permits of its Limits until Result gives them back. Two calls of StartAgent
// before the first Result need two permits of a key: with one, the second call waits for ever.
func StartAgent(ctx workflow.Context, in RunAgentInput) (*AgentRun, error) {
	agents := agentsOf(ctx)
	run := &AgentRun{
		in: in, request: in.executeInput(), agents: agents, options: workflow.GetActivityOptions(routingOptions(ctx)),
		deadline: humanDeadline{timeout: time.Duration(in.HumanTimeoutSeconds) * time.Second},
	}
	agents.add(ctx, run)
	if err := in.validate(); err != nil {
		run.enterFinalPhase(ctx, err)
		return nil, run.finalError(err, nil)
	}
	run.request.Signal = agents.workflowWide // else no coroutine receives events for all agents of the workflow
	breathe(ctx, in.Inputs)
	run.permits.token = agents.identify(ctx, &run.request, intent.OfFiles(in.Files))
	breathe(ctx, in.Inputs)
	run.request.Internal.CheckLimits = agents.workflowWide
	if row := in.Internal.Row; row != nil {
		run.request.Internal.KeyIsOwn = row.First
	}
	err := run.takeTurn(ctx)
	if err == nil {
		err = run.startInTurn(routingOptions(ctx))
	}
	if err != nil {
		run.releasePermits(ctx)
		run.enterFinalPhase(ctx, err)
		return nil, run.finalError(err, nil)
	}
	return run, nil
}

// startInTurn starts the agent and ends its turn.
func (r *AgentRun) startInTurn(ctx workflow.Context) error {
	defer r.endTurn()
	if err := r.checkDestination(ctx); err != nil {
		return err
	}
	if err := r.checkInputs(ctx); err != nil {
		return err
	}
	return r.start(ctx)
}

// ExecutionID returns the id of the agent's latest execution.
func (r *AgentRun) ExecutionID() string { return r.executed.ExecutionID }

// Result waits for the agent's run and returns its result, or an error of [RunAgent]. Call it once.
func (r *AgentRun) Result(ctx workflow.Context) (*RunAgentResult, error) {
	r.resumeTurn(ctx)
	defer r.endTurn()
	execution, err := r.awaitFinalExecution(routingOptions(ctx))
	if len(r.sweeps) == 0 { // else a duplicate may be at work
		r.releasePermits(ctx)
	}
	var outputs []asteroid.OutputFile
	if err == nil && execution.Status == asteroid.StatusCompleted {
		r.checkResult(routingOptions(ctx))
		outputs, err = r.collect(routingOptions(ctx))
	}
	r.finishSweeps(routingOptions(ctx))
	r.releasePermits(ctx)
	r.drainUpdates(ctx)
	r.enterFinalPhase(ctx, err)
	if err != nil {
		return nil, r.finalError(err, execution)
	}
	result := []RunAgentResult{{
		Execution: *execution, Files: r.staged, Outputs: outputs,
		ExecutionKey: r.executed.ExecutionKey, Adopted: r.executed.Adopted, DuplicatesCancelled: r.executed.DuplicatesCancelled,
		FailedExecutions: r.failedExecutions, Warnings: r.state.Warnings, ResultMismatch: r.state.ResultMismatch,
		Differences: r.executed.Differences, Superseded: r.executed.Superseded,
	}}
	fitResults(result)
	return &result[0], nil
}

// awaitFinalExecution waits for the run, and for each re-execution that follows a failed one.
func (r *AgentRun) awaitFinalExecution(ctx workflow.Context) (*asteroid.Execution, error) {
	for {
		execution, err := r.awaitTerminal(ctx)
		if execution != nil {
			r.observe(ctx, execution)
		}
		followed := false
		if err == nil {
			followed, err = r.followSurvivor(ctx, execution)
		}
		if followed {
			continue
		}
		if err == nil {
			err = r.terminalError(execution)
		}
		if err == nil || !r.shouldReexecute(execution, err) {
			unsuccessful := asteroid.IsExecutionFailed(err) || asteroid.IsExecutionCancelled(err) || asteroid.IsUnknownStatus(err)
			if r.in.OnFailure == FailureIsResult && unsuccessful {
				err = nil
			}
			return execution, err
		}
		r.failedExecutions = append(r.failedExecutions, r.executed.ExecutionID)
		r.request.Internal.Reexecution, r.request.Internal.ExcludeExecutions = len(r.failedExecutions), r.failedExecutions
		r.enterPhase(ctx, PhaseBackoff)
		if err := workflow.Sleep(ctx, r.in.Reexecution.backoff(len(r.failedExecutions))); err != nil {
			return nil, err
		}
		r.expiresAt = time.Time{}
		if err := r.start(ctx); err != nil {
			return nil, err
		}
	}
}

// shouldReexecute reports whether a run that ended with the error is followed by another one.
func (r *AgentRun) shouldReexecute(e *asteroid.Execution, err error) bool {
	switch {
	case asteroid.IsExecutionFailed(err):
		p := r.in.Reexecution
		return p != nil && len(r.failedExecutions)+1 < p.MaximumExecutions && slices.Contains(p.reasons(), e.Reason)
	case asteroid.IsStagedFileExpired(err):
		return r.in.OnMissingFiles == MissingFilesReexecute && len(r.failedExecutions)+1 < maxFileRefusals
	default:
		return false
	}
}

// backoff returns the time before the next execution.
func (p *Reexecution) backoff(failedExecutions int) time.Duration {
	if p == nil {
		return 0 // files are missing, and waiting would not bring them
	}
	const maximum = 10 * time.Minute
	interval := time.Duration(cmp.Or(p.InitialIntervalSeconds, 30)) * time.Second
	for range failedExecutions - 1 {
		interval = min(2*interval, maximum)
	}
	return min(interval, maximum)
}

func (p *Reexecution) reasons() []string {
	if len(p.Reasons) > 0 {
		return p.Reasons
	}
	return []string{"worker_lost", "no_warm_environment", "no_activity"}
}
