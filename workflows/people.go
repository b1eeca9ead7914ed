package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// The updates that every workflow takes which runs agents. Each returns once the service has accepted what it asks for, within
// a minute, or fails with the error of the activity that it runs; the wait for the agent goes on. An update that cannot be carried
// out is refused with asteroid.InvalidInput before anything is sent or written to history: the run is over or has not been
// started, a label is none of those that are suggested, several agents are at work and none is named.
const (
	// AnswerUpdate answers what the agent asks; its argument is an [AnswerInput].
	AnswerUpdate = "asteroid.answer"
	// SendMessageUpdate says something to the agent, whether it asks or not; its argument is a [MessageInput].
	SendMessageUpdate = "asteroid.sendMessage"
	// PauseUpdate, ResumeUpdate and CancelUpdate set the status of the agent's run; their argument is a [SteerInput]. To resume
	// a run that awaits a confirmation approves nothing. One that is cancelled ends RunAgent as if the console had
	// cancelled it, see [OnFailure].
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
	// Status is what the run was right afterwards, or, after a message or an answer, what it was known to be before.
	Status asteroid.Status `json:"status"`
	// Message is what the agent was told, if anything.
	Message string `json:"message,omitempty"`
}

// takeUpdates registers the updates for all agents of the workflow.
func (a *agents) takeUpdates(ctx workflow.Context) {
	register := func(name, does string, handler, validator any) {
		options := workflow.UpdateHandlerOptions{Validator: validator, Description: does}
		if err := workflow.SetUpdateHandlerWithOptions(ctx, name, handler, options); err != nil {
			workflow.GetLogger(ctx).Error("An update could not be registered", "update", name, "error", err)
		}
	}
	register(AnswerUpdate, "Answers what the agent asks.", a.answer, a.checkAnswer)
	register(SendMessageUpdate, "Says something to the agent.", a.sendMessage, a.checkMessage)
	for _, steer := range []struct {
		name, does string
		status     asteroid.Status
	}{
		{PauseUpdate, "Pauses the agent's run.", asteroid.StatusPaused},
		{ResumeUpdate, "Lets the agent's run go on.", asteroid.StatusRunning},
		{CancelUpdate, "Cancels the agent's run.", asteroid.StatusCancelled},
	} {
		register(steer.name, steer.does, func(ctx workflow.Context, in SteerInput) (*SteerResult, error) {
			return a.setStatus(ctx, in, steer.status)
		}, func(in SteerInput) error { _, err := a.target(in.ExecutionID); return err })
	}
}

// target finds the run that an update is about.
func (a *agents) target(executionID string) (*AgentRun, error) {
	var atWork []string
	var target *AgentRun
	for _, r := range a.runs {
		id := r.executed.ExecutionID
		open := id != "" && !r.over && !r.state.Status.Terminal()
		switch {
		case executionID != "" && id == executionID && open:
			return r, nil
		case executionID != "" && id == executionID:
			return nil, invalid("executionId", fmt.Sprintf("execution %s is over, or not waited for any more: %s", id, r.state.Status))
		case open:
			atWork, target = append(atWork, id), r
		}
	}
	switch {
	case executionID != "":
		return nil, invalid("executionId", fmt.Sprintf("%q is no execution of this workflow", executionID))
	case len(atWork) == 0:
		return nil, invalid("executionId", "no agent of this workflow is at work: it has not been started yet, or its run is over")
	case len(atWork) > 1:
		return nil, invalid("executionId", "is required, since several agents are at work: "+strings.Join(atWork, ", "))
	}
	return target, nil
}

// steerPatience bounds what an update waits for the service.
const steerPatience = time.Minute

// wish begins what a person wants of a run, whose context is that of the run's own activities.
func (r *AgentRun) wish(ctx workflow.Context) (workflow.Context, func()) {
	r.busy++
	return workflow.WithScheduleToCloseTimeout(composed(workflow.WithActivityOptions(ctx, r.options)), steerPatience), func() { r.busy-- }
}

func (a *agents) setStatus(ctx workflow.Context, in SteerInput, status asteroid.Status) (*SteerResult, error) {
	r, err := a.target(in.ExecutionID)
	if err != nil {
		return nil, err
	}
	ctx, done := r.wish(ctx)
	defer done()
	set, err := SetExecutionStatus(ctx, asteroid.SetExecutionStatusInput{
		Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID, Status: status,
	})
	if err != nil {
		return nil, err
	}
	if !set.Status.NeedsHuman() {
		r.stopHumanTimer() // it was in time
	}
	r.hint("")
	return &SteerResult{ExecutionID: set.ExecutionID, Status: set.Status}, nil
}

func (a *agents) checkMessage(in MessageInput) error {
	if strings.TrimSpace(in.Message) == "" {
		return invalid("message", "is empty")
	}
	_, err := a.target(in.ExecutionID)
	return err
}

func (a *agents) sendMessage(ctx workflow.Context, in MessageInput) (*SteerResult, error) {
	r, err := a.target(in.ExecutionID)
	if err != nil {
		return nil, err
	}
	return r.say(ctx, in.Message, r.state.Status, r.changedAt)
}

// say sends a message. If the agent asks, and goes on asking the same, it is resumed: whether a message alone does that is not
// published. The status is the run's, since changedAt.
func (r *AgentRun) say(ctx workflow.Context, message string, status asteroid.Status, changedAt time.Time) (*SteerResult, error) {
	wishCtx, done := r.wish(ctx)
	defer done()
	sent, err := SendMessage(wishCtx, asteroid.SendMessageInput{
		Connection: r.in.Connection, ExecutionID: r.executed.ExecutionID, Message: message,
	})
	if err != nil {
		return nil, err
	}
	r.hint("")
	if status == asteroid.StatusPausedByAgent {
		r.busy++
		background, _ := workflow.NewDisconnectedContext(ctx) // the update returns before
		workflow.Go(background, func(ctx workflow.Context) {
			defer func() { r.busy-- }()
			r.resumeIfStill(ctx, sent.ExecutionID, status, changedAt)
		})
	}
	return &SteerResult{ExecutionID: sent.ExecutionID, Status: status, Message: message}, nil
}

// resumeAfter is how long a message may take to resume a run by itself.
const resumeAfter = 5 * time.Second

// resumeIfStill resumes a run whose question is still the one that was answered.
func (r *AgentRun) resumeIfStill(ctx workflow.Context, executionID string, status asteroid.Status, changedAt time.Time) {
	gone := func() bool { return r.executed.ExecutionID != executionID || r.over || r.state.Status.Terminal() }
	timerCtx, cancel := workflow.WithCancel(ctx)
	timer := workflow.NewTimer(timerCtx, resumeAfter)
	_ = workflow.Await(ctx, func() bool { return timer.IsReady() || gone() }) // on a context that nobody cancels
	cancel()
	if gone() {
		return
	}
	ctx, done := r.wish(ctx)
	defer done()
	now, err := GetExecution(ctx, asteroid.GetExecutionInput{Connection: r.in.Connection, ExecutionID: executionID})
	if err != nil || now.Status != status || !changedAt.IsZero() && now.StatusChangedAt.After(changedAt) {
		r.hint("")
		return
	}
	if _, err := SetExecutionStatus(ctx, asteroid.SetExecutionStatusInput{
		Connection: r.in.Connection, ExecutionID: executionID, Status: asteroid.StatusRunning,
	}); err != nil {
		workflow.GetLogger(ctx).Warn("The run could not be resumed after a message", "executionId", executionID, "error", err)
	}
	r.hint("")
}

// awaitPeople lets updates return that are on their way.
func (r *AgentRun) awaitPeople(ctx workflow.Context) {
	r.over = true
	if r.busy > 0 {
		ctx, done := workflow.NewDisconnectedContext(ctx)
		defer done()
		_ = workflow.Await(ctx, func() bool { return r.busy == 0 }) // each ends within its patience
	}
}
