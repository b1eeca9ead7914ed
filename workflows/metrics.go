package workflows

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/budget"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/text"
)

// measureRun counts a run that is over, with its error.
func (r *AgentRun) measureRun(ctx workflow.Context, err error) {
	if !r.state.AskedSince.IsZero() {
		r.measurePersonWait(ctx, r.state.AskedSince)
	}
	handler, labels := workflow.GetMetricsHandler(ctx), []string{r.agentLabel(), r.agentNameLabel(), outcomeOf(r.state.Status, err)}
	metrics.AgentRuns.Count(handler, labels...)
	metrics.AgentRunDuration.Record(handler, r.state.Ended.Sub(r.state.Started), labels...)
}

// announceCounters announces what may become of a run, once its agent's name is known.
func (r *AgentRun) announceCounters(ctx workflow.Context) {
	handler := workflow.GetMetricsHandler(ctx)
	for _, outcome := range []string{"completed", "failed", "cancelled", "timed_out"} {
		metrics.AgentRuns.Announce(handler, r.agentLabel(), r.agentNameLabel(), outcome)
	}
	for _, status := range []asteroid.Status{asteroid.StatusPausedByAgent, asteroid.StatusAwaitingConfirmation} {
		metrics.QuestionsAsked.Announce(handler, r.agentLabel(), r.agentNameLabel(), string(status))
	}
}

// outcomeOf returns the label of a run that ended with the status, or the error.
func outcomeOf(status asteroid.Status, err error) string {
	switch {
	case temporal.IsCanceledError(err), asteroid.IsExecutionCancelled(err):
		return "cancelled"
	case asteroid.IsExecutionTimedOut(err):
		return "timed_out"
	case asteroid.IsExecutionFailed(err):
		return "failed"
	case asteroid.IsUnknownStatus(err):
		return "unknown_status"
	case asteroid.IsInvalidInput(err):
		return "invalid_input"
	case err != nil:
		return "error"
	case status == asteroid.StatusCompleted, status == asteroid.StatusFailed, status == asteroid.StatusCancelled:
		return string(status)
	default:
		return "unknown_status"
	}
}

// measureCapacityWait counts a start that the service has refused for lack of capacity.
func (r *AgentRun) measureCapacityWait(ctx workflow.Context, err error) {
	if r.waitingSince.IsZero() {
		return
	}
	outcome := "started"
	if err != nil {
		outcome = "gave_up"
	}
	metrics.CapacityWait.Record(workflow.GetMetricsHandler(ctx), workflow.Now(ctx).Sub(r.waitingSince), r.agentLabel(), outcome)
}

// measureQuestions counts the question that a changed status is, and the wait for the answer to the
// one before, which the workflow knew since askedSince.
func (r *AgentRun) measureQuestions(ctx workflow.Context, askedSince time.Time) {
	if !askedSince.IsZero() {
		r.measurePersonWait(ctx, askedSince)
	}
	if status := r.state.Status; status.NeedsHuman() {
		metrics.QuestionsAsked.Count(workflow.GetMetricsHandler(ctx), r.agentLabel(), r.agentNameLabel(), string(status))
	}
}

func (r *AgentRun) measurePersonWait(ctx workflow.Context, askedSince time.Time) {
	outcome := "answered"
	if r.finished || r.state.terminal() && r.state.Status != asteroid.StatusCompleted {
		outcome = "unanswered"
	}
	metrics.PersonWait.Record(workflow.GetMetricsHandler(ctx), workflow.Now(ctx).Sub(askedSince), r.agentLabel(), r.agentNameLabel(), outcome)
}

// agentLabel returns the agent's id once the service knows the agent.
func (r *AgentRun) agentLabel() string {
	if r.executed.ExecutionID == "" && r.waitingSince.IsZero() {
		return metrics.NoAgent
	}
	return r.state.AgentID
}

func (r *AgentRun) agentNameLabel() string {
	return cmp.Or(text.Line(r.state.AgentName, budget.Name), metrics.NoAgent)
}
