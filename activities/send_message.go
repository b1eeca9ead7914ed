package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/client"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// SendMessage sends a message to the agent, usually the answer to its question
// (https://docs.asteroid.ai/api-reference/execution/send-user-message-to-execution). The API does
// not say whether a message alone resumes a paused run: if the status stays, call
// asteroid.SetExecutionStatus with running and the same Asking.
//
// Each attempt first reads the execution and its activities. It sends nothing if the agent asks
// something else than Input.Asking says, or has been answered, or if what the agent asks cannot be
// read. The API has no condition on a message, so an answer from elsewhere and a next question can
// still come between the read and the message. The activity then reads the order of the activities,
// and its result says Misplaced.
//
// The API has no idempotency key for messages either. An answer that the agent has received since
// the asking is not sent again, whoever sent it. Any other message is not sent again if a later
// attempt finds it among the activities since the first attempt, or since the activity was
// scheduled. A later attempt that finds an answer among the activities after somebody else's, or
// after the next question, returns that it is AlreadySent and Misplaced. A message of unknown
// outcome is looked for during 15 seconds before it is sent again. Messages are compared without
// regard to white space. Of the activities, the newest 2,000 count.
//
// Errors: asteroid.InvalidInput for an empty message, and with the field asking when the agent asks
// something else, which the error names; asteroid.NotFound, retryable during the first minute; and
// those of the API.
func (a *Activities) SendMessage(ctx context.Context, in asteroid.SendMessageInput) (*asteroid.SendMessageResult, error) {
	c, err := a.checkInput(in.Connection, in.Validate)
	if err != nil {
		return nil, err
	}
	progress, from := messageProgressOf(ctx, in.Asking)
	before, err := c.Dialogue(ctx, in.ExecutionID, from)
	switch {
	case err != nil:
		return nil, a.forgiveEarlyNotFound(ctx, err)
	case activity.GetInfo(ctx).Attempt > 1 && before.Misplaced(from, in.Asking, in.Message):
		return sentMessage(ctx, in, true, true), nil
	case from != (client.Mark{}) && before.Received(from, in.Message):
		return sentMessage(ctx, in, true, false), nil
	case a.attemptTime(ctx).Sub(progress.UnknownSince) < deliveryGrace:
		return nil, retryLater(before.Execution, "it is not known yet whether the agent has received the message")
	}
	if err := checkUnanswered(before, in.Asking); err != nil {
		return nil, err
	}
	if in.Asking == "" && progress.Mark == (client.Mark{}) {
		progress.Mark = before.Newest()
		activity.RecordHeartbeat(ctx, progress)
	}
	began := a.now()
	if err := c.SendMessage(ctx, in.ExecutionID, in.Message); err != nil {
		if failed, ok := errors.AsType[*client.Error](err); ok && failed.Outcome() == client.OutcomeUnknown {
			progress.UnknownSince = a.attemptTime(ctx).Add(a.now().Sub(began))
			activity.RecordHeartbeat(ctx, progress)
		}
		return nil, a.forgiveEarlyNotFound(ctx, err)
	}
	activity.GetLogger(ctx).Info("Message sent", "executionId", in.ExecutionID, "asking", in.Asking)
	return sentMessage(ctx, in, false, c.Misplaced(ctx, before, in.Asking, in.Message)), nil
}

// sentMessage returns the result of a message that the agent has received, and warns if it is
// misplaced.
func sentMessage(ctx context.Context, in asteroid.SendMessageInput, before, misplaced bool) *asteroid.SendMessageResult {
	if misplaced {
		activity.GetLogger(ctx).Warn("The agent may have taken a message for the answer to another question", "executionId", in.ExecutionID, "asking", in.Asking)
	}
	return &asteroid.SendMessageResult{ExecutionID: in.ExecutionID, AlreadySent: before, Misplaced: misplaced}
}

// deliveryGrace is how long a message of unknown outcome is looked for before it is sent again: the
// service may carry out a request late, and show it late.
const deliveryGrace = 15 * time.Second

// messageProgress is what an attempt passes to the next one, in heartbeat details.
type messageProgress struct {
	Mark         client.Mark `json:"mark,omitzero"`         // the log's end before the first request
	UnknownSince time.Time   `json:"unknownSince,omitzero"` // when the last request of unknown outcome ended
}

// messageProgressOf returns the progress, and the point in the log from which a message counts as
// delivered by an earlier attempt. That is the zero Mark for an attempt that begins at once: it is
// the first one. An operator who resets an activity or its workflow does so later.
func messageProgressOf(ctx context.Context, asking string) (messageProgress, client.Mark) {
	progress, _ := heartbeatDetails[messageProgress](ctx)
	info := activity.GetInfo(ctx)
	switch {
	case asking != "":
		return progress, client.Mark{Asking: asking}
	case progress.Mark != (client.Mark{}):
		return progress, progress.Mark
	case info.Attempt > 1 || info.StartedTime.Sub(info.ScheduledTime) > tooNewInterval:
		return progress, client.Mark{Since: info.ScheduledTime}
	default:
		return progress, client.Mark{}
	}
}

// checkUnanswered is checkAsking for a message, which answers a question only once.
func checkUnanswered(d *client.Dialogue, asking string) error {
	if asking != "" {
		if answer, answered := d.Answer(asking); answered {
			return asteroid.NewInvalidInput("asking", fmt.Sprintf("%q was answered already, with %q; %s", text.Clip(asking), text.Clip(answer), askedNow(d.Execution)))
		}
	}
	return checkAsking(d, asking)
}

// checkAsking returns an error unless the execution asks what the caller means, or nothing if the
// caller means nothing.
func checkAsking(d *client.Dialogue, asking string) error {
	switch e := d.Execution; {
	case !d.Consistent():
		return retryLater(e, "what the agent asks cannot be read, and nothing was sent")
	case e.Asking == asking:
		return nil
	case asking == "":
		return asteroid.NewInvalidInput("asking", "is required while the agent asks; "+askedNow(e))
	default:
		return asteroid.NewInvalidInput("asking", fmt.Sprintf("%q is not what the agent asks; %s", text.Clip(asking), askedNow(e)))
	}
}

// retryLater returns the error of an attempt that has sent nothing, and has to look again.
func retryLater(e *asteroid.Execution, why string) error {
	return temporal.NewApplicationErrorWithOptions(
		fmt.Sprintf("execution %s is %s: %s; it is tried again", e.ExecutionID, e.Status, why),
		asteroid.ErrorTypeUnavailable, temporal.ApplicationErrorOptions{
			NextRetryDelay: tooNewInterval, Details: []any{asteroid.ErrorDetails{ExecutionID: e.ExecutionID, Status: e.Status}},
		})
}

// askedNow says what an execution asks.
func askedNow(e *asteroid.Execution) string {
	if !e.Status.NeedsHuman() {
		return fmt.Sprintf("execution %s asks nothing now: it is %s", e.ExecutionID, e.Status)
	}
	words := e.Reason
	if len(e.Questions) > 0 {
		words = e.Questions[0].Question
	}
	return fmt.Sprintf("execution %s now asks %q (asking %q)", e.ExecutionID, text.Clip(words), e.Asking)
}
