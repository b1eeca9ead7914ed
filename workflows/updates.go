package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// The updates that every workflow with agents takes. Each returns once the service has accepted the
// request, within a minute, or fails with the error of its activity. The wait for the agent goes
// on. An update that cannot be carried out is refused with asteroid.InvalidInput before anything is
// sent or written to history: the run is finished or has not been started, a label is none of the
// suggested ones, several agents are at work and none is named.
const (
	// AnswerUpdate answers the agent's question. Its argument is an [AnswerInput].
	AnswerUpdate = "asteroid.answer"
	// SendMessageUpdate sends a message, even if the agent asks nothing. It takes a [MessageInput].
	SendMessageUpdate = "asteroid.sendMessage"
	// PauseUpdate, ResumeUpdate and CancelUpdate set the status of the agent's run. Their argument
	// is a [SteerInput]. Resuming a run that awaits a confirmation does not approve anything. A
	// cancelled run ends RunAgent as if the console had cancelled it, see [OnFailure].
	PauseUpdate  = "asteroid.pause"
	ResumeUpdate = "asteroid.resume"
	CancelUpdate = "asteroid.cancel"
)

// SteerInput names a run. ExecutionID may be empty in a workflow that has one agent at work.
type SteerInput struct {
	ExecutionID string `json:"executionId,omitempty"`
}

// MessageInput is the argument of [SendMessageUpdate].
type MessageInput struct {
	ExecutionID string `json:"executionId,omitempty"`
	Message     string `json:"message"`
}

// SteerResult is what each of the updates returns.
type SteerResult struct {
	ExecutionID string `json:"executionId"`
	// Status is the run's status after the update: the last known one after a message or an answer.
	Status asteroid.Status `json:"status"`
	// Message is the text that was sent to the agent, if any.
	Message string `json:"message,omitempty"`
}

// registerUpdates registers the updates for all agents of the workflow.
func (a *agents) registerUpdates(ctx workflow.Context) {
	register := func(name, description string, handler, validator any) {
		options := workflow.UpdateHandlerOptions{Validator: validator, Description: description}
		if err := workflow.SetUpdateHandlerWithOptions(ctx, name, handler, options); err != nil {
			workflow.GetLogger(ctx).Error("Could not register the update", "update", name, "error", err)
		}
	}
	register(AnswerUpdate, "Answers the agent's question.", strictHandler(a.handleAnswer), strictValidator(a.validateAnswer))
	register(SendMessageUpdate, "Sends the agent a message.", strictHandler(a.handleSendMessage), strictValidator(a.validateMessage))
	registerStatus := func(name, description string, status asteroid.Status) {
		register(name, description, strictHandler(func(ctx workflow.Context, in SteerInput) (*SteerResult, error) {
			return a.handleSetStatus(ctx, in, status)
		}), strictValidator(func(in SteerInput) error { _, err := a.findRun(in.ExecutionID); return err }))
	}
	registerStatus(PauseUpdate, "Pauses the agent's run.", asteroid.StatusPaused)
	registerStatus(ResumeUpdate, "Resumes the agent's run.", asteroid.StatusRunning)
	registerStatus(CancelUpdate, "Cancels the agent's run.", asteroid.StatusCancelled)
}

// findRun returns the run that an update is about.
func (a *agents) findRun(executionID string) (*AgentRun, error) {
	var atWork []string
	var only *AgentRun
	for _, r := range a.runs {
		id := r.executed.ExecutionID
		open := id != "" && !r.finished && !r.state.terminal()
		switch {
		case executionID != "" && id == executionID && open:
			return r, nil
		case executionID != "" && id == executionID:
			return nil, asteroid.NewInvalidInput("executionId", fmt.Sprintf("execution %s is finished, or the workflow does not wait for it any more: it is %s", id, r.state.Status))
		case open:
			atWork, only = append(atWork, id), r
		}
	}
	switch {
	case executionID != "":
		return nil, asteroid.NewInvalidInput("executionId", fmt.Sprintf("%q is no execution of this workflow", executionID))
	case len(atWork) == 0:
		return nil, asteroid.NewInvalidInput("executionId", "no agent of this workflow is at work: it has not been started yet, or its run is finished")
	case len(atWork) > 1:
		return nil, asteroid.NewInvalidInput("executionId", "is required, since several agents are at work: "+strings.Join(atWork, ", "))
	}
	return only, nil
}

const updateTimeout = time.Minute // bounds how long an update waits for the service

// beginUpdate returns the context for an update's activities, and the function that ends the
// update.
func (r *AgentRun) beginUpdate(ctx workflow.Context) (workflow.Context, func()) {
	r.updatesInFlight++
	return workflow.WithScheduleToCloseTimeout(routingOptions(workflow.WithActivityOptions(ctx, r.options)), updateTimeout), func() { r.updatesInFlight-- }
}

func (a *agents) handleSetStatus(ctx workflow.Context, in SteerInput, status asteroid.Status) (*SteerResult, error) {
	r, err := a.findRun(in.ExecutionID)
	if err != nil {
		return nil, err
	}
	ctx, done := r.beginUpdate(ctx)
	defer done()
	set, err := r.setStatus(ctx, r.executed.ExecutionID, status)
	if err != nil {
		return nil, err
	}
	if !set.Status.NeedsHuman() {
		r.deadline.stop() // the update came in time
	}
	r.rereads.request("")
	return &SteerResult{ExecutionID: set.ExecutionID, Status: set.Status}, nil
}

func (a *agents) validateMessage(in MessageInput) error {
	if strings.TrimSpace(in.Message) == "" {
		return asteroid.NewInvalidInput("message", "is empty")
	}
	if err := validateLength("message", in.Message); err != nil {
		return err
	}
	_, err := a.findRun(in.ExecutionID)
	return err
}

// validateLength refuses a text that cannot be sent to an agent, before it enters history.
func validateLength(field, text string) error {
	if len(text) > budget.Message {
		return asteroid.NewInvalidInput(field, fmt.Sprintf("has %d bytes, more than %d: attach long content as a file", len(text), budget.Message))
	}
	return nil
}

func (a *agents) handleSendMessage(ctx workflow.Context, in MessageInput) (*SteerResult, error) {
	r, err := a.findRun(in.ExecutionID)
	if err != nil {
		return nil, err
	}
	return r.sendMessage(ctx, in.Message, r.state.Status, r.changedAt)
}

// sendMessage sends a message. If the agent paused the run at changedAt and the message alone does
// not resume it, sendMessage resumes it: the API does not say whether a message does.
func (r *AgentRun) sendMessage(ctx workflow.Context, message string, status asteroid.Status, changedAt time.Time) (*SteerResult, error) {
	updateCtx, done := r.beginUpdate(ctx)
	defer done()
	sent, err := SendMessage(updateCtx, asteroid.SendMessageInput{
		Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID, Message: message,
	})
	if err != nil {
		return nil, err
	}
	r.rereads.request("")
	if status == asteroid.StatusPausedByAgent {
		r.updatesInFlight++
		background, _ := workflow.NewDisconnectedContext(ctx) // the update returns earlier
		workflow.Go(background, func(ctx workflow.Context) {
			defer func() { r.updatesInFlight-- }()
			r.resumeUnlessChanged(ctx, sent.ExecutionID, status, changedAt)
		})
	}
	return &SteerResult{ExecutionID: sent.ExecutionID, Status: status, Message: message}, nil
}

const resumeDelay = 5 * time.Second // the time for a message to resume a run by itself

// resumeUnlessChanged resumes a run after resumeDelay, if it still asks the answered question.
func (r *AgentRun) resumeUnlessChanged(ctx workflow.Context, executionID string, status asteroid.Status, changedAt time.Time) {
	obsolete := func() bool { return r.executed.ExecutionID != executionID || r.finished || r.state.terminal() }
	timerCtx, cancel := workflow.WithCancel(ctx)
	timer := workflow.NewTimer(timerCtx, resumeDelay)
	_ = workflow.Await(ctx, func() bool { return timer.IsReady() || obsolete() }) // nothing cancels this context
	cancel()
	if obsolete() {
		return
	}
	ctx, done := r.beginUpdate(ctx)
	defer done()
	defer r.rereads.request("")
	now, err := r.getExecution(ctx, executionID)
	if err != nil || now.Status != status || !changedAt.IsZero() && now.StatusChangedAt.After(changedAt) {
		return
	}
	if _, err := r.setStatus(ctx, executionID, asteroid.StatusRunning); err != nil {
		workflow.GetLogger(ctx).Warn("Could not resume the run after a message", "executionId", executionID, "error", err)
	}
}

// drainUpdates refuses further updates and waits, within updateTimeout, for those in flight.
func (r *AgentRun) drainUpdates(ctx workflow.Context) {
	r.finished = true
	if r.updatesInFlight > 0 {
		ctx, done := workflow.NewDisconnectedContext(ctx)
		defer done()
		_ = workflow.Await(ctx, func() bool { return r.updatesInFlight == 0 })
	}
}

func (r *AgentRun) getExecution(ctx workflow.Context, executionID string) (*asteroid.Execution, error) {
	return GetExecution(ctx, asteroid.GetExecutionInput{Connection: r.in.Connection, ExecutionID: executionID})
}

func (r *AgentRun) setStatus(ctx workflow.Context, executionID string, status asteroid.Status) (*asteroid.SetExecutionStatusResult, error) {
	return SetExecutionStatus(ctx, asteroid.SetExecutionStatusInput{Connection: r.in.Connection, ExecutionID: executionID, Status: status})
}
