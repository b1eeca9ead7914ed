package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/activities"
)

// RunAgentInput says which agent to run, with what, and what to do when it does not end well. Only AgentID is required.
// The fields that ExecuteAgent has too are documented at [activities.ExecuteAgentInput].
type RunAgentInput struct {
	Connection         string                       `json:"connection,omitempty"`
	AgentID            string                       `json:"agentId"`
	AgentProfileID     string                       `json:"agentProfileId,omitempty"`
	AgentProfilePoolID string                       `json:"agentProfilePoolId,omitempty"`
	Inputs             activities.Inputs            `json:"inputs,omitempty"`
	Metadata           map[string]string            `json:"metadata,omitempty"`
	ExecutionOptions   *activities.ExecutionOptions `json:"executionOptions,omitempty"`
	Version            *int                         `json:"version,omitempty"`
	Head               bool                         `json:"head,omitempty"`
	OnCapacityLimit    activities.OnCapacityLimit   `json:"onCapacityLimit,omitempty"`
	// IdempotencyKey identifies the intent, for one that outlives the workflow run, such as an order number. Empty, it
	// is made of the workflow's original run id and of which agent of the workflow this is.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`

	// Files are staged for the agent, directly before it is executed.
	Files []activities.FileRef `json:"files,omitempty"`
	// LongPollSeconds is that of [activities.AwaitExecutionInput].
	LongPollSeconds int32 `json:"longPollSeconds,omitempty"`
	// TimeoutSeconds is the agent's own deadline, counted from when its execution id is known. When it passes, OnCancel
	// decides what becomes of the agent's run, and RunAgent fails with asteroid.ExecutionTimedOut. 0 is none.
	TimeoutSeconds int64 `json:"timeoutSeconds,omitempty"`
	// OnFailure is FailureIsError when empty.
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// OnCancel is CancelExecution when empty.
	OnCancel OnCancel `json:"onCancel,omitempty"`
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
// that stops, a reset or a pause of the workflow never touches it.
type OnCancel string

const (
	// CancelExecution cancels the agent's run and waits until it is over.
	CancelExecution OnCancel = "cancel"
	// AbandonExecution leaves it running.
	AbandonExecution OnCancel = "abandon"
)

// execute is the part of the input that the service gets.
func (in *RunAgentInput) execute() activities.ExecuteAgentInput {
	return activities.ExecuteAgentInput{
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
	activities.Execution
	// Files are the files as the agent saw them, in the order of the input.
	Files []activities.StagedFile `json:"files,omitempty"`
}

// RunAgent runs an agent to its end: it stages the files, executes the agent, waits, and returns the result. It is both
// the workflow asteroid.RunAgent and a function for your own workflows. The wait costs one scheduled activity in
// history, whatever it takes, and one more each time the agent asks somebody and is answered.
//
// While it runs, the workflow's current details and the query [StateQuery] tell how far it is and, as soon as it is known,
// the execution id.
//
// Errors, each with the execution id in its details ([activities.DetailsOf]) once there is one:
//
//   - asteroid.ExecutionFailed: the agent failed, or the service ended its run (worker_lost, budget_exceeded, ...)
//   - asteroid.ExecutionCancelled: somebody else cancelled the agent's run
//   - asteroid.ExecutionTimedOut: TimeoutSeconds passed
//   - asteroid.InvalidInput and what else the activities return
//   - a CanceledError when the workflow is cancelled. With CancelExecution the agent's run is over by then; if it
//     turns out to have completed first, that result is returned instead.
func RunAgent(ctx workflow.Context, in RunAgentInput) (*RunAgentResult, error) {
	run, err := StartAgent(ctx, in)
	if err != nil {
		return nil, err
	}
	return run.Result(ctx)
}

// AgentRun is an agent at work. It belongs to the workflow that started it.
type AgentRun struct {
	in          RunAgentInput
	executionID string
	status      activities.Status
	staged      []activities.StagedFile
	started     time.Time
	state       *AgentState
	agents      *agents
}

// StartAgent stages the files and executes the agent. It returns as soon as the execution id is known; call
// [AgentRun.Result] for the rest. Its errors are those of RunAgent.
func StartAgent(ctx workflow.Context, in RunAgentInput) (*AgentRun, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	agents := agentsOf(ctx)
	run := &AgentRun{in: in, agents: agents, state: agents.add(ctx, in)}
	if err := run.start(composed(ctx)); err != nil {
		run.end(ctx, err)
		return nil, err
	}
	return run, nil
}

// maxStagings bounds how often files are staged for one execute.
const maxStagings = 3

func (r *AgentRun) start(ctx workflow.Context) error {
	execute := r.in.execute()
	if execute.IdempotencyKey == "" {
		execute.IdempotencyKey = r.agents.intent(ctx)
	}
	for staging := 1; ; staging++ {
		if len(r.in.Files) > 0 {
			r.to(ctx, PhaseStaging)
			staged, err := StageFiles(ctx, activities.StageFilesInput{Connection: r.in.Connection, Files: r.in.Files})
			if err != nil {
				return err
			}
			r.staged, execute.TempFiles = staged.Files, staged.Files
			r.state.Files = staged.Files
		}
		r.to(ctx, PhaseExecuting)
		executed, err := ExecuteAgent(ctx, execute)
		if activities.IsStagedFileExpired(err) && staging < maxStagings {
			continue
		}
		if err != nil {
			return err
		}
		r.executionID, r.status, r.started = executed.ExecutionID, executed.Status, workflow.Now(ctx)
		r.state.ExecutionID, r.state.Status = r.executionID, r.status
		r.to(ctx, PhaseRunning)
		return nil
	}
}

// ExecutionID is the id of the agent's execution.
func (r *AgentRun) ExecutionID() string { return r.executionID }

// Result waits until the agent's run is over and returns what it left; see [RunAgent] for the errors. Call it once.
func (r *AgentRun) Result(ctx workflow.Context) (*RunAgentResult, error) {
	execution, err := r.wait(composed(ctx))
	if execution != nil {
		r.observe(ctx, execution)
	}
	if err == nil {
		err = r.verdict(execution)
	}
	r.end(ctx, err)
	if err != nil {
		return nil, err
	}
	return &RunAgentResult{Execution: *execution, Files: r.staged}, nil
}

// wait returns the execution once it is over, or an error; with a timeout, both.
func (r *AgentRun) wait(ctx workflow.Context) (*activities.Execution, error) {
	waitCtx, stopWaiting := workflow.WithCancel(ctx)
	defer stopWaiting()
	timedOut := false
	if r.in.TimeoutSeconds > 0 {
		left := time.Duration(r.in.TimeoutSeconds)*time.Second - workflow.Now(ctx).Sub(r.started)
		workflow.Go(waitCtx, func(timerCtx workflow.Context) {
			if workflow.Sleep(timerCtx, left) == nil {
				timedOut = true
				stopWaiting()
			}
		})
	}
	await := activities.AwaitExecutionInput{
		Connection:      r.in.Connection,
		ExecutionID:     r.executionID,
		Until:           activities.UntilNeedsHuman,
		LongPollSeconds: r.in.LongPollSeconds,
	}
	for {
		execution, err := AwaitExecution(waitCtx, await)
		switch {
		case err != nil && (timedOut || ctx.Err() != nil):
			return r.abort(ctx, timedOut, err)
		case err != nil:
			return nil, err
		case execution.Status.Terminal():
			return execution, nil
		}
		// The agent asks. Once it is answered, which changes the status, the wait for the end begins anew.
		r.observe(ctx, execution)
		if execution.Status.NeedsHuman() {
			await.Until, await.KnownStatus = activities.UntilChange, execution.Status
		} else {
			await.Until, await.KnownStatus = activities.UntilNeedsHuman, ""
		}
	}
}

// abort ends the agent's run, or leaves it, when the workflow was cancelled or the deadline has passed. It works on a
// context of its own: the workflow's refuses every further activity.
func (r *AgentRun) abort(ctx workflow.Context, timedOut bool, cause error) (*activities.Execution, error) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	var execution *activities.Execution
	if r.in.OnCancel != AbandonExecution {
		r.to(ctx, PhaseCancelling)
		var err error
		if execution, err = r.cancel(ctx); err != nil {
			workflow.GetLogger(ctx).Error("The agent's run could not be cancelled", "executionId", r.executionID, "error", err)
		} else if execution.Status == activities.StatusCompleted {
			return execution, nil // it was faster
		}
	}
	if timedOut {
		return execution, newError(activities.ErrorTypeExecutionTimedOut,
			fmt.Sprintf("execution %s was not over after %d seconds%s", r.executionID, r.in.TimeoutSeconds, aftermath(execution)),
			r.executionID, execution)
	}
	return execution, cause
}

func aftermath(execution *activities.Execution) string {
	if execution == nil {
		return " and may still be running"
	}
	return " and is now " + string(execution.Status)
}

// cancelPatience bounds how long a cancelled workflow waits for the agent's run to be over.
const cancelPatience = 10 * time.Minute

func (r *AgentRun) cancel(ctx workflow.Context) (*activities.Execution, error) {
	if _, err := SetExecutionStatus(ctx, activities.SetExecutionStatusInput{
		Connection: r.in.Connection, ExecutionID: r.executionID, Status: activities.StatusCancelled,
	}); err != nil {
		return nil, err
	}
	ctx = workflow.WithScheduleToCloseTimeout(ctx, cancelPatience)
	return AwaitExecution(ctx, activities.AwaitExecutionInput{Connection: r.in.Connection, ExecutionID: r.executionID})
}

// verdict decides whether a run that is over is an error.
func (r *AgentRun) verdict(e *activities.Execution) error {
	if e.Status == activities.StatusCompleted || r.in.OnFailure == FailureIsResult {
		return nil
	}
	errorType, said := activities.ErrorTypeExecutionFailed, "failed"
	switch {
	case e.Status == activities.StatusCancelled && e.Reason == activities.ReasonUserRequested:
		errorType, said = activities.ErrorTypeExecutionCancelled, "was cancelled"
	case e.Status == activities.StatusCancelled:
		said = "was ended by the service"
	}
	message := fmt.Sprintf("execution %s of agent %s %s", e.ExecutionID, e.AgentID, said)
	if e.Reason != "" {
		message += ": " + e.Reason
	}
	return newError(errorType, message, e.ExecutionID, e)
}
