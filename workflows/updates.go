package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// The updates that every workflow with agents takes. Each names the execution that it is about, and
// an answer also names the asking: AgentState.Asking, which the details and [StateQuery] show. So
// it never reaches another question, and of two people who answer one question the second is told
// what the first has said. An update is refused with asteroid.InvalidInput before anything is sent
// or written to history if it names neither or another, if the run is finished or has not been
// started, or if a label is none of the suggested ones. It is refused with asteroid.Unavailable,
// and may be tried again, while eight updates of the workflow are in flight.
//
// Each returns once the service has accepted the request, or fails with the error of its activity.
// After half a minute it returns that it is Delivering: the request is repeated for up to an hour,
// and AgentState.Answer tells what became of it. The wait for the agent goes on.
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

// SteerInput names a run.
type SteerInput struct {
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`
	// Asking is AgentState.Asking. It is required to resume an agent that asks. A pause or a
	// cancellation that gives it is refused when the agent asks something else.
	Asking string `json:"asking,omitempty"`
}

// MessageInput is the argument of [SendMessageUpdate].
type MessageInput struct {
	// ExecutionID is required.
	ExecutionID string `json:"executionId"`
	// Asking is AgentState.Asking. It is required while the agent asks: the message answers that.
	Asking  string `json:"asking,omitempty"`
	Message string `json:"message"`
}

// SteerResult is what each of the updates returns.
type SteerResult struct {
	ExecutionID string `json:"executionId"`
	// Status is the run's status after the update: the last known one after a message or an answer.
	Status asteroid.Status `json:"status"`
	// Message is the text that was sent to the agent, if any.
	Message string `json:"message,omitempty"`
	// Delivering is true when the service has not accepted the request yet.
	Delivering bool `json:"delivering,omitempty"`
	// AlreadySent and Misplaced are documented at [asteroid.SendMessageResult].
	AlreadySent bool `json:"alreadySent,omitempty"`
	Misplaced   bool `json:"misplaced,omitempty"`
}

// SentAnswer is what was last answered to an agent by update.
type SentAnswer struct {
	// Asking is the AgentState.Asking that was answered.
	Asking string `json:"asking"`
	// Message is empty for an agent that was resumed without a message.
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since"`
	// Delivered says that the service has accepted the answer. Error says why it could not be
	// delivered, or why the agent could not be resumed after it: the asking is open again. With
	// neither, the answer is being delivered.
	Delivered bool   `json:"delivered,omitempty"`
	Error     string `json:"error,omitempty"`
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
		}), strictValidator(func(in SteerInput) error { return a.validateSteer(in, status) }))
	}
	registerStatus(PauseUpdate, "Pauses the agent's run.", asteroid.StatusPaused)
	registerStatus(ResumeUpdate, "Resumes the agent's run.", asteroid.StatusRunning)
	registerStatus(CancelUpdate, "Cancels the agent's run.", asteroid.StatusCancelled)
}

// maxUpdates bounds the updates in flight. The server admits ten of a workflow, and lets the others
// wait without an answer.
const maxUpdates = 8

// checkRoom refuses an update while too many are in flight.
func checkRoom(inFlight int) error {
	if inFlight < maxUpdates {
		return nil
	}
	return temporal.NewApplicationError(
		fmt.Sprintf("%d updates are in flight: try again in a few seconds", inFlight), asteroid.ErrorTypeUnavailable)
}

// findRun returns the run that an update is about.
func (a *agents) findRun(executionID string) (*AgentRun, error) {
	var atWork []string
	for _, r := range a.runs {
		id := r.executed.ExecutionID
		open := id != "" && !r.finished && !r.state.terminal()
		switch {
		case executionID != "" && strings.EqualFold(id, executionID) && open:
			return r, nil
		case executionID != "" && strings.EqualFold(id, executionID):
			return nil, asteroid.NewInvalidInput("executionId", fmt.Sprintf("execution %s is finished, or the workflow does not wait for it any more: it is %s", id, r.state.Status))
		case open:
			atWork = append(atWork, id)
		}
	}
	const shown = 10
	switch {
	case executionID != "":
		return nil, asteroid.NewInvalidInput("executionId", fmt.Sprintf("%q is no execution of this workflow", text.Clip(executionID)))
	case len(atWork) == 0:
		return nil, asteroid.NewInvalidInput("executionId", "is required, and no agent of this workflow is at work: it has not been started yet, or its run is finished")
	case len(atWork) > shown:
		atWork = append(atWork[:shown], "...")
	}
	return nil, asteroid.NewInvalidInput("executionId", "is required; at work: "+strings.Join(atWork, ", "))
}

// checkAsking refuses an update that does not name what the agent asks, as far as the workflow
// knows, or that comes second. The activity checks it again.
func (r *AgentRun) checkAsking(asking string) error {
	s := r.state
	switch sent := s.Answer; {
	case asking != "" && sent != nil && sent.Asking == asking && sent.Error == "":
		return asteroid.NewInvalidInput("asking", fmt.Sprintf("%q %s", text.Clip(asking), sent.describe()))
	case !s.Status.NeedsHuman() || asking != "" && asking == s.Asking:
		return nil
	case s.Asking == "":
		return asteroid.NewInvalidInput("asking", "what the agent asks cannot be read yet, and nothing is sent until it can be read: try again")
	case asking == "":
		return asteroid.NewInvalidInput("asking", "is required while the agent asks: "+s.askingText())
	default:
		return asteroid.NewInvalidInput("asking", fmt.Sprintf("%q is not what the agent asks: %s", text.Clip(asking), s.askingText()))
	}
}

// describe says what was answered, as the rest of a sentence.
func (sent *SentAnswer) describe() string {
	switch {
	case sent.Message == "" && sent.Delivered:
		return "was resumed already"
	case sent.Message == "":
		return "is being answered or resumed already"
	case sent.Delivered:
		return fmt.Sprintf("was answered already, with %q", text.Clip(sent.Message))
	default:
		return fmt.Sprintf("is being answered already, with %q", text.Clip(sent.Message))
	}
}

// askingText says what the agent asks and names the asking.
func (s *AgentState) askingText() string {
	return fmt.Sprintf("execution %s asks %q (asking %q)", s.ExecutionID, text.Clip(s.questionText()), s.Asking)
}

func (a *agents) validateSteer(in SteerInput, status asteroid.Status) error {
	r, err := a.findRun(in.ExecutionID)
	switch {
	case err != nil:
		return err
	case status == asteroid.StatusRunning || in.Asking != "" && r.state.Status.NeedsHuman() && in.Asking != r.state.Asking:
		err = r.checkAsking(in.Asking)
	}
	if err == nil {
		err = checkRoom(a.handling)
	}
	return err
}

func (a *agents) validateMessage(in MessageInput) error {
	if strings.TrimSpace(in.Message) == "" {
		return asteroid.NewInvalidInput("message", "is empty")
	}
	if err := validateLength("message", in.Message); err != nil {
		return err
	}
	r, err := a.findRun(in.ExecutionID)
	if err == nil {
		err = r.checkAsking(in.Asking)
	}
	if err == nil {
		err = checkRoom(max(a.handling, r.updatesInFlight))
	}
	return err
}

// validateLength refuses a text that cannot be sent to an agent, before it enters history.
func validateLength(field, text string) error {
	if len(text) > budget.Message {
		return asteroid.NewInvalidInput(field, fmt.Sprintf("has %d bytes, more than %d: attach long content as a file", len(text), budget.Message))
	}
	return nil
}

func (a *agents) handleSetStatus(ctx workflow.Context, in SteerInput, status asteroid.Status) (*SteerResult, error) {
	r, err := a.findRun(in.ExecutionID)
	if err != nil {
		return nil, err
	}
	id := r.executed.ExecutionID
	result := &SteerResult{ExecutionID: id, Status: r.state.Status}
	var sent *SentAnswer
	if status == asteroid.StatusRunning {
		sent = r.beginAnswer(ctx, in.Asking)
	}
	ended, err := r.carryOut(ctx, func(ctx workflow.Context) error {
		if status == asteroid.StatusCancelled {
			r.cancelRequested = true
		}
		set, err := r.setStatus(ctx, id, status, in.Asking)
		r.endAnswer(ctx, sent, err)
		if err != nil && status == asteroid.StatusCancelled {
			r.cancelRequested = false
		}
		if err == nil {
			result.Status = set.Status
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	result.Delivering = !ended
	return result, nil
}

func (a *agents) handleSendMessage(ctx workflow.Context, in MessageInput) (*SteerResult, error) {
	r, err := a.findRun(in.ExecutionID)
	if err != nil {
		return nil, err
	}
	return r.deliver(ctx, in.Asking, func(workflow.Context) (string, error) { return in.Message, nil })
}
