package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

const (
	handlerTimeout = 30 * time.Second // bounds how long an update waits for the service
	drainTimeout   = time.Minute      // bounds how long a run's end waits for updates
)

// carryOut runs an update in a coroutine of its own, and returns whether it has ended within
// handlerTimeout, and its error.
func (r *AgentRun) carryOut(ctx workflow.Context, update func(workflow.Context) error) (ended bool, err error) {
	r.agents.handling++
	defer func() { r.agents.handling-- }()
	r.background(ctx, func(ctx workflow.Context) {
		err = update(ctx)
		ended = true
	})
	_ = awaitAtMost(ctx, handlerTimeout, func() bool { return ended })
	return ended, err
}

// awaitAtMost waits for the condition until the timeout has passed or ctx is cancelled, and returns
// whether it holds. Unlike AwaitWithTimeout it cancels its timer.
func awaitAtMost(ctx workflow.Context, timeout time.Duration, condition func() bool) bool {
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimer(timerCtx, timeout)
	_ = workflow.Await(ctx, func() bool { return timer.IsReady() || condition() })
	return condition()
}

// background runs what outlives the handler of an update. The run's end waits for it.
func (r *AgentRun) background(ctx workflow.Context, run func(workflow.Context)) {
	r.updatesInFlight++
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.Go(routingOptions(workflow.WithActivityOptions(ctx, r.options)), func(ctx workflow.Context) {
		defer func() { r.updatesInFlight-- }()
		run(ctx)
	})
}

// drainUpdates refuses further updates and waits, within drainTimeout, for those in flight.
func (r *AgentRun) drainUpdates(ctx workflow.Context) {
	r.finished = true
	if r.updatesInFlight > 0 {
		ctx, done := workflow.NewDisconnectedContext(ctx)
		defer done()
		_ = awaitAtMost(ctx, drainTimeout, func() bool { return r.updatesInFlight == 0 })
	}
}

// deliver sends the message that compose returns. If it answers a question and does not resume the
// run, the run is resumed: the API does not say whether a message does.
func (r *AgentRun) deliver(ctx workflow.Context, asking string, compose func(workflow.Context) (string, error)) (*SteerResult, error) {
	id := r.executed.ExecutionID
	result := &SteerResult{ExecutionID: id, Status: r.state.Status}
	var answer *SentAnswer
	if r.state.Status != asteroid.StatusAwaitingConfirmation { // which no message answers
		answer = r.beginAnswer(ctx, asking)
	}
	ended, err := r.carryOut(ctx, func(ctx workflow.Context) error {
		sent, err := r.sendInTurn(ctx, id, asking, compose, func(message string) {
			result.Message = message
			if answer != nil {
				answer.Message = message
			}
		})
		r.endAnswer(ctx, answer, err)
		if err != nil {
			return err
		}
		result.AlreadySent, result.Misplaced = sent.AlreadySent, sent.Misplaced
		if answer != nil {
			r.background(ctx, func(ctx workflow.Context) { r.resumeIfStillAsked(ctx, id, answer) })
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	result.Delivering = !ended
	return result, nil
}

// sendInTurn sends a message after those of earlier updates. It says beforehand which one.
func (r *AgentRun) sendInTurn(
	ctx workflow.Context, executionID, asking string, compose func(workflow.Context) (string, error), composed func(string),
) (*asteroid.SendMessageResult, error) {
	if err := r.sending.Lock(ctx); err != nil {
		return nil, err
	}
	defer r.sending.Unlock()
	message, err := compose(ctx)
	if err != nil {
		return nil, err
	}
	composed(message)
	return SendMessage(r.withSummary(ctx, "gets a message"), asteroid.SendMessageInput{
		Connection: r.in.Connection, ExecutionID: executionID, Asking: asking, Message: message,
	})
}

// beginAnswer claims an asking, so that nobody else answers it and its deadline does not pass. It
// returns nil if nothing is asked.
func (r *AgentRun) beginAnswer(ctx workflow.Context, asking string) *SentAnswer {
	if asking == "" {
		return nil
	}
	r.state.Answer = &SentAnswer{Asking: asking, Since: workflow.Now(ctx)}
	r.show(ctx)
	return r.state.Answer
}

// endAnswer records what became of an answer, if it was one. The execution is read again: it may
// have changed.
func (r *AgentRun) endAnswer(ctx workflow.Context, sent *SentAnswer, err error) {
	r.rereads.request("")
	if sent == nil {
		return
	}
	if sent.Delivered = err == nil; err != nil {
		sent.Error = err.Error()
	}
	r.show(ctx)
}

// answerPending reports whether what the agent asks was answered, as far as is known. No read need
// show it yet.
func (s *AgentState) answerPending() bool {
	return s.Answer != nil && s.Answer.Asking == s.Asking && s.Answer.Error == ""
}

const resumeDelay = 5 * time.Second // the time for a message to resume a run by itself

// resumeIfStillAsked resumes a run after resumeDelay, if it still asks what was answered. The
// activity compares the asking.
func (r *AgentRun) resumeIfStillAsked(ctx workflow.Context, executionID string, sent *SentAnswer) {
	asks := func() bool { return r.state.Status.NeedsHuman() && r.state.Asking == sent.Asking }
	known := asks()
	over := func() bool {
		return r.executed.ExecutionID != executionID || r.finished || r.state.terminal() || known && !asks()
	}
	if awaitAtMost(ctx, resumeDelay, over) {
		return
	}
	_, err := r.setStatus(ctx, executionID, asteroid.StatusRunning, sent.Asking)
	if details, _ := asteroid.DetailsOf(err); err != nil && details.Field != "asking" {
		workflow.GetLogger(ctx).Warn("Could not resume the run after a message", "executionId", executionID, "error", err)
		sent.Error = "the agent has the answer and could not be resumed: " + err.Error()
		r.show(ctx)
	}
	r.rereads.request("")
}

func (r *AgentRun) getExecution(ctx workflow.Context, executionID string) (*asteroid.Execution, error) {
	return GetExecution(r.withSummary(ctx, "is looked at"), asteroid.GetExecutionInput{Connection: r.in.Connection, ExecutionID: executionID})
}

func (r *AgentRun) setStatus(ctx workflow.Context, executionID string, status asteroid.Status, asking string) (*asteroid.SetExecutionStatusResult, error) {
	summary := map[asteroid.Status]string{
		asteroid.StatusRunning: "is resumed", asteroid.StatusPaused: "is paused", asteroid.StatusCancelled: "is cancelled",
	}[status]
	return SetExecutionStatus(r.withSummary(ctx, summary), asteroid.SetExecutionStatusInput{
		Connection: r.in.Connection, ExecutionID: executionID, Status: status, Asking: asking,
	})
}
