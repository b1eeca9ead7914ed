package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// service is a connected client, with the names that messages need.
type service struct {
	client.Client
	address, namespace string
}

func (c *cli) connect(ctx context.Context) (*service, error) {
	connected, options, err := c.temporal.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &service{connected, options.HostPort, options.Namespace}, nil
}

// foundWorkflow is the workflow that a command names: its latest run.
type foundWorkflow struct {
	service *service
	info    *workflowpb.WorkflowExecutionInfo
	pending []*workflowpb.PendingActivityInfo
}

func (s *service) find(ctx context.Context, workflowID string) (*foundWorkflow, error) {
	described, err := s.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return nil, s.failure(err, workflowID)
	}
	return &foundWorkflow{s, described.GetWorkflowExecutionInfo(), described.GetPendingActivities()}, nil
}

func (w *foundWorkflow) id() string    { return w.info.GetExecution().GetWorkflowId() }
func (w *foundWorkflow) runID() string { return w.info.GetExecution().GetRunId() }
func (w *foundWorkflow) queue() string { return w.info.GetTaskQueue() }
func (w *foundWorkflow) open() bool {
	return w.info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
}

// requireOpen returns an error for a closed workflow, whose agents nobody can reach any more.
func (w *foundWorkflow) requireOpen() error {
	if w.open() {
		return nil
	}
	return fmt.Errorf("workflow %s is closed (%s): asteroid result %s shows what became of it", w.id(), w.info.GetStatus(), argument(w.id()))
}

// retrying returns why an activity of the workflow is being retried, if one is. It ignores
// StillRunning, which is how AwaitExecution polls.
func (w *foundWorkflow) retrying() string {
	for _, activity := range w.pending {
		failure := activity.GetLastFailure()
		if failure != nil && failure.GetApplicationFailureInfo().GetType() != asteroid.ErrorTypeStillRunning {
			return failure.GetMessage()
		}
	}
	return ""
}

// queryTimeout bounds a query. The server still counts a worker that has stopped minutes ago.
const queryTimeout = 10 * time.Second

// state returns what the workflow knows of its agents. A worker has to answer.
func (w *foundWorkflow) state(ctx context.Context) (*workflows.State, error) {
	if polled, err := w.service.polled(ctx, w.queue()); err == nil && !polled {
		return nil, noWorker(w.queue())
	}
	querying, done := context.WithTimeout(ctx, queryTimeout)
	defer done()
	value, err := w.service.QueryWorkflow(querying, w.id(), w.runID(), workflows.StateQuery)
	var state workflows.State
	if err == nil {
		err = value.Get(&state)
	}
	_, refused := errors.AsType[*serviceerror.QueryFailed](err)
	switch {
	case err == nil:
		return &state, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case refused && strings.Contains(err.Error(), "unknown queryType"):
		return nil, notFoundErrorf("workflow %s, a %s, has no agents: it does not know the query %s", w.id(), w.info.GetType().GetName(), workflows.StateQuery)
	case querying.Err() != nil || isUnreachable(err):
		return nil, codedError{exitTimedOut, fmt.Errorf("no worker of the task queue %s answered within %s: it has stopped or is busy; see that one runs, and try again", argument(w.queue()), queryTimeout)}
	default:
		return nil, w.service.failure(err, w.id())
	}
}

// noWorker is the error of a task queue that no worker polls.
func noWorker(queue string) error {
	return fmt.Errorf("no worker polls the task queue %s: start one (asteroid worker)", argument(queue))
}

// polled reports whether a worker has polled the task queue for workflow tasks in the last minutes.
func (s *service) polled(ctx context.Context, queue string) (bool, error) {
	pollers, err := s.pollers(ctx, queue, enums.TASK_QUEUE_TYPE_WORKFLOW)
	return len(pollers) > 0, err
}

// pollers returns who has polled the task queue in the last minutes. It waits a moment for a worker
// that has just been started.
func (s *service) pollers(ctx context.Context, queue string, kind enums.TaskQueueType) ([]*taskqueue.PollerInfo, error) {
	const tries, pause = 4, 500 * time.Millisecond
	for try := 1; ; try++ {
		described, err := s.DescribeTaskQueue(ctx, queue, kind)
		if err != nil || len(described.GetPollers()) > 0 || try == tries || !program.Sleep(ctx, pause) {
			return described.GetPollers(), err
		}
	}
}

// isUnreachable reports whether nothing has come back in time.
func isUnreachable(err error) bool {
	_, unavailable := errors.AsType[*serviceerror.Unavailable](err)
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	_, notReady := errors.AsType[*serviceerror.WorkflowNotReady](err)
	_, noPoller := errors.AsType[*serviceerror.FailedPrecondition](err)
	return unavailable || late || notReady || noPoller || errors.Is(err, context.DeadlineExceeded)
}

// failure returns what Temporal refused as an error that says what to do. The workflow id may be
// empty.
func (s *service) failure(err error, workflowID string) error {
	_, noNamespace := errors.AsType[*serviceerror.NamespaceNotFound](err)
	_, notFound := errors.AsType[*serviceerror.NotFound](err)
	_, unavailable := errors.AsType[*serviceerror.Unavailable](err)
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	switch {
	case noNamespace:
		return usageErrorf("there is no namespace %s at %s: give another --namespace, or create it with temporal operator namespace create", argument(s.namespace), s.address)
	case notFound && workflowID != "":
		return notFoundErrorf("namespace %s has no open workflow %s: asteroid list --all shows those that there are", argument(s.namespace), argument(workflowID))
	case unavailable || late || errors.Is(err, context.DeadlineExceeded):
		return codedError{exitFailed, fmt.Errorf("Temporal at %s does not answer: try again, or see asteroid doctor: %w", s.address, err)}
	case refusesCredentials(err):
		return credentialsError(s.address, s.namespace, err)
	case invalid:
		return usageErrorf("Temporal refuses the request: %w", err)
	default:
		return err
	}
}

// pick returns the one agent of the workflow that is meant: that of the execution, if one is named,
// else the only one that satisfies the condition. wanted is what such an agent does, as in "waits
// for a person".
func (w *foundWorkflow) pick(state *workflows.State, executionID string, condition func(*workflows.AgentState) bool, wanted string) (*workflows.AgentState, error) {
	var fitting []*workflows.AgentState
	for i := range state.Agents {
		agent := &state.Agents[i]
		switch {
		case executionID != "" && strings.EqualFold(agent.ExecutionID, executionID):
			return agent, nil
		case executionID == "" && condition(agent):
			fitting = append(fitting, agent)
		}
	}
	switch {
	case executionID != "":
		return nil, notFoundErrorf("workflow %s has no execution %q: asteroid show %s lists them", w.id(), executionID, argument(w.id()))
	case len(fitting) == 1:
		return fitting[0], nil
	case len(fitting) > 1:
		return nil, usageErrorf("%d agents of workflow %s: choose one by --execution: %s", len(fitting), w.id(), choices(fitting))
	case len(state.Agents) == 0:
		return nil, fmt.Errorf("workflow %s has not started an agent yet", w.id())
	}
	return nil, fmt.Errorf("no agent of workflow %s %s: %s", w.id(), wanted, summarize(state))
}

// choices lists agents by execution and name, as far as a line has room.
func choices(agents []*workflows.AgentState) string {
	const most = 10
	var listed []string
	for i, agent := range agents {
		if i == most {
			listed = append(listed, "...")
			break
		}
		listed = append(listed, fmt.Sprintf("%s (%s)", agent.ExecutionID, nameOf(agent)))
	}
	return strings.Join(listed, ", ")
}

// summarize says what the last agents do.
func summarize(state *workflows.State) string {
	const most = 3
	var said []string
	for i := range state.Agents {
		if len(state.Agents)-i <= most {
			said = append(said, nameOf(&state.Agents[i])+" "+activity(&state.Agents[i]))
		}
	}
	return strings.Join(said, "; ")
}

// shownAgent returns the agent that stands for the workflow in a list, by the rule of
// [asteroid.SearchAttributes]; nil if there is none.
func shownAgent(state *workflows.State) (shown *workflows.AgentState) {
	for i := range state.Agents {
		agent := &state.Agents[i]
		switch {
		case waits(agent):
			return agent
		case atWork(agent) || shown == nil || !atWork(shown):
			shown = agent
		}
	}
	return shown
}

// waits reports whether the agent waits for a person.
func waits(agent *workflows.AgentState) bool { return agent.Phase == workflows.PhaseNeedsHuman }

// atWork reports whether the workflow has not finished its work on the agent.
func atWork(agent *workflows.AgentState) bool { return agent.Ended.IsZero() }

// steerable reports whether the agent has an execution that has not ended.
func steerable(agent *workflows.AgentState) bool {
	return atWork(agent) && agent.ExecutionID != "" && !agent.Status.Terminal()
}

func nameOf(agent *workflows.AgentState) string {
	return oneLine(cmp.Or(agent.AgentName, agent.AgentID))
}

// activity says what the agent does, as the rest of a sentence that its name begins.
func activity(agent *workflows.AgentState) string {
	switch agent.Phase {
	case workflows.PhaseWaitingForTurn:
		return "waits for its turn"
	case workflows.PhaseWaitingForPermit:
		if agent.PermitUnservedQueue != "" {
			return fmt.Sprintf("waits for a permit of %s, which nobody grants: no worker polls the task queue %s", oneLine(agent.Permit), oneLine(agent.PermitUnservedQueue))
		}
		if agent.Permit == "" {
			return "waits for a permit: no limiter has taken its request yet"
		}
		return fmt.Sprintf("waits for a permit of %s, %d before it", oneLine(agent.Permit), agent.PermitBefore)
	case workflows.PhaseStaging:
		return "gets its files"
	case workflows.PhaseExecuting:
		return "is being started"
	case workflows.PhaseWaitingForCapacity:
		return "waits for capacity"
	case workflows.PhaseRunning:
		return "is at work (" + oneLine(string(cmp.Or(agent.Status, "started"))) + ")"
	case workflows.PhasePaused:
		return "is paused"
	case workflows.PhaseNeedsHuman:
		return "waits for a person: " + asked(agent)
	case workflows.PhaseCancelling:
		return "is being cancelled"
	case workflows.PhaseBackoff:
		return "failed and will be executed again"
	case workflows.PhaseCollecting:
		return "completed, and its files are being collected"
	case workflows.PhaseCompleted:
		if agent.Outcome != "" {
			return "completed, outcome " + oneLine(agent.Outcome)
		}
		return "completed"
	case workflows.PhaseFailed:
		if agent.Status == asteroid.StatusCancelled {
			return "was cancelled"
		}
		return "failed"
	default:
		return "is in the phase " + oneLine(string(agent.Phase))
	}
}

// asked returns what the agent asks, in one line.
func asked(agent *workflows.AgentState) string {
	var questions []string
	for _, q := range agent.Questions {
		questions = append(questions, q.Question)
	}
	return oneLine(cmp.Or(strings.Join(questions, " / "), agent.Reason, string(agent.Status)))
}
