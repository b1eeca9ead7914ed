package workflows

import (
	"cmp"
	"errors"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/bound"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// finalError returns the error with which RunAgent or StartAgent fails: an ApplicationError of an
// asteroid type that is not retryable, or a CanceledError, either with the execution id once it is
// known. The server judges an error by its outermost one. It would retry a workflow that fails with
// an ActivityError, whatever that wraps, and the retry would run a second agent. execution is the
// last one that was read, if any.
func (r *AgentRun) finalError(err error, execution *asteroid.Execution) error {
	details, _ := asteroid.DetailsOf(err)
	known := details.ExecutionID != ""
	if !known && r.executed.ExecutionID != "" {
		details.ExecutionID, details.ExecutionKey = r.executed.ExecutionID, r.executed.ExecutionKey
	}
	if internal := r.request.Internal; details.UnknownOutcomes == 0 && internal.UnknownOutcomes > 0 {
		details.UnknownOutcomes, details.LastUnknown, details.ExecutionKey = internal.UnknownOutcomes, internal.LastUnknown, r.executionKey()
	}
	if details.Execution == nil && execution != nil {
		details.Execution, details.Status = execution, execution.Status
	}
	if temporal.IsCanceledError(err) {
		if details.ExecutionID == "" && details.ExecutionKey == "" {
			return err
		}
		return temporal.NewCanceledError(bound.Details(details, budget.Error))
	}
	if isFinal(err) && (known || r.executed.ExecutionID == "") {
		return err
	}
	message := err.Error()
	if cause, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		message = cause.Message()
	}
	return bound.Error(temporal.NewNonRetryableApplicationError(bound.Final(message), finalType(err), err, details))
}

// isFinal reports whether the server does not retry a workflow that fails with err.
func isFinal(err error) bool {
	outermost, ok := err.(*temporal.ApplicationError) //nolint:errorlint // the server looks at no other
	return ok && outermost.NonRetryable()
}

func finalType(err error) string {
	return cmp.Or(asteroid.ErrorTypeOf(err), asteroid.ErrorTypeUnavailable)
}

// keepFinal wraps the error of a workflow function anew if the server would retry the workflow
// although an agent of it has run, or may have. fmt.Errorf, errors.Join and a child workflow's
// error lose that an error in them is not retryable. Errors that do not come from this module are
// left alone.
func (a *agents) keepFinal(ctx workflow.Context, err error) error {
	if err == nil || isFinal(err) || workflow.IsContinueAsNewError(err) || temporal.IsCanceledError(err) && ctx.Err() != nil {
		return err
	}
	details, _ := asteroid.DetailsOf(err)
	switch about := details.ExecutionID != "" || details.UnknownOutcomes > 0; {
	case about:
	case lostStart(err):
		details.UnknownOutcomes = 1
	case (asteroid.ErrorTypeOf(err) != "" || fromActivity(err)) && len(a.executions) > 0: // such as a typed call that ran out of time
		details.ExecutionID = a.executions[len(a.executions)-1]
	default:
		return err
	}
	return bound.Error(temporal.NewNonRetryableApplicationError(err.Error(), finalType(err), err, details))
}

// lostStart reports whether an execute, or a child workflow of this module, ended without telling
// whether it has started an agent.
func lostStart(err error) bool {
	_, timedOut := errors.AsType[*temporal.TimeoutError](err)
	_, terminated := errors.AsType[*temporal.TerminatedError](err)
	activity, ofActivity := errors.AsType[*temporal.ActivityError](err)
	child, ofChild := errors.AsType[*temporal.ChildWorkflowExecutionError](err)
	return (timedOut || terminated) && (ofActivity && activity.ActivityType().GetName() == asteroid.ExecuteAgentName ||
		ofChild && (child.WorkflowType() == RunAgentName || child.WorkflowType() == PipelineName))
}

// fromActivity reports whether an error is that of an activity of this module.
func fromActivity(err error) bool {
	failed, ok := errors.AsType[*temporal.ActivityError](err)
	return ok && strings.HasPrefix(failed.ActivityType().GetName(), "asteroid.")
}
