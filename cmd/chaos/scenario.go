package main

import (
	"context"
	"errors"
	"fmt"
	rand "math/rand/v2"
	"time"

	"github.com/google/uuid"
	common "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// scenario is a story that the plan tells several times: workflows, what happens to them, and what
// they must leave.
type scenario struct {
	name string
	// share is how many of a hundred workflows tell it. A run of a hundred or more tells each at
	// least once.
	share float64
	// run returns an outcome for every agent run that was intended. It returns when the workflows
	// are closed or ctx is cancelled.
	run func(s *scene, ctx context.Context) []outcome
}

// scenarios are all stories but the claims, which the rest of the workflows are.
var scenarios = []*scenario{
	stoppedQueue, batchSteered, batchReset, batchAgain, batchCancelled,
	keyOrders, holderReset, holderTerminated, limiterReset, limiterTerminated, limitChanged,
	twoConnections, twoAnswers, consoleAnswers, doubleResumes, lateAnswers, webhooks, brokenSource, twoSavers,
	resetEarly, resetInExecute, resetAfter, resetInWait, resetTwice, resetAnswered, resetFallback, resetCorrected, resetFanOut, resetParent, resetContinued,
	continued, workflowRetried, keyShared, activityReset, activityResetAll,
	gatewayInWait, expiredInWait, oddMembers, largeResult, deepResult,
}

// longScenarios are those that take about a minute, since some of their agents follow each other.
var longScenarios = []*scenario{
	stoppedQueue, batchSteered, batchReset, batchAgain, batchCancelled,
	keyOrders, holderReset, holderTerminated, limiterReset, limiterTerminated, limitChanged,
}

// scene is one telling of a scenario.
type scene struct {
	*workload
	// id is the workflow's id. It is also the intent of the workflow's only agent run, or the
	// beginning of the intents of several, and unique in the run.
	id     string
	random *rand.Rand
}

// input returns the input of an agent that works for the time and returns its intent.
func (s *scene) input(intent string, work time.Duration) workflows.RunAgentInput {
	return workflows.RunAgentInput{
		Connection: connectionAgents, AgentID: s.agentID, PollIntervalSeconds: pollInterval,
		Inputs: asteroid.Inputs{inputIntent: intent, inputSeconds: work.Seconds()},
	}
}

// startOptions returns the options of the scene's workflow.
func (s *scene) startOptions() client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: s.id, TaskQueue: taskQueue, WorkflowTaskTimeout: workflowTaskTimeout,
		// The retry of a start whose response was lost must not start a second run of a closed
		// workflow.
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}
}

// startWorkflow starts a workflow. It returns nil if ctx is cancelled.
func (s *scene) startWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflowType string, in any) (run client.WorkflowRun) {
	retry(ctx, func(ctx context.Context) (err error) {
		run, err = s.temporal.ExecuteWorkflow(ctx, options, workflowType, in)
		return err
	})
	return run
}

// scenePatience bounds how long a scene waits for what it needs next. On a slow machine that may
// have passed already.
const scenePatience = time.Minute

// awaitExecution waits until the service has an execution of the intent that satisfies the
// condition, and returns it. It gives up once all executions of the intent are terminal.
func (s *scene) awaitExecution(ctx context.Context, intent string, condition func(testsuite.Execution) bool) (testsuite.Execution, bool) {
	ctx, done := context.WithTimeout(ctx, scenePatience)
	defer done()
	for {
		created, active := false, false
		for _, e := range s.api.Executions() {
			if e.Inputs[inputIntent] != intent || e.ParentExecutionID != "" {
				continue
			}
			if condition(e) {
				return e, true
			}
			created, active = true, active || !terminal(e.Status)
		}
		if created && !active || !program.Sleep(ctx, 50*time.Millisecond) {
			return testsuite.Execution{}, false
		}
	}
}

// awaitState waits until the state of an agent of the workflow satisfies the condition. It gives up
// once the workflow has ended its work on all of them.
func (s *scene) awaitState(ctx context.Context, workflowID string, condition func(workflows.AgentState) bool) (workflows.AgentState, bool) {
	for {
		attempt, done := context.WithTimeout(ctx, 5*time.Second)
		value, err := s.temporal.QueryWorkflow(attempt, workflowID, "", workflows.StateQuery)
		done()
		var state workflows.State
		if err == nil && value.Get(&state) == nil {
			atWork := len(state.Agents) == 0
			for _, agent := range state.Agents {
				if condition(agent) {
					return agent, true
				}
				atWork = atWork || agent.Ended.IsZero()
			}
			if !atWork {
				return workflows.AgentState{}, false
			}
		}
		if !program.Sleep(ctx, 200*time.Millisecond) {
			return workflows.AgentState{}, false
		}
	}
}

// reset resets a workflow's run to just after its nth completed workflow task, the first if n is 0;
// negative counts from the last one. It returns the id of the new run, or nothing if the run has no
// such task or cannot be reset.
func (s *scene) reset(ctx context.Context, workflowID, runID string, n int) string {
	var completed []int64
	for _, event := range s.history(ctx, workflowID, runID) {
		if event.GetWorkflowTaskCompletedEventAttributes() != nil {
			completed = append(completed, event.GetEventId())
		}
	}
	if n < 0 {
		n += len(completed)
	}
	if n < 0 || n >= len(completed) {
		return ""
	}
	newRun, requestID := "", uuid.NewString()
	retry(ctx, func(ctx context.Context) error {
		response, err := s.temporal.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
			Namespace:         "default",
			WorkflowExecution: &common.WorkflowExecution{WorkflowId: workflowID, RunId: runID},
			Reason:            "chaos", WorkflowTaskFinishEventId: completed[n], RequestId: requestID,
		})
		if _, closed := errors.AsType[*serviceerror.InvalidArgument](err); closed {
			return nil
		}
		newRun = response.GetRunId()
		return err
	})
	return newRun
}

// closeRunAgent awaits the end of the scene's workflow asteroid.RunAgent and returns its outcome.
func (s *scene) closeRunAgent(ctx context.Context) outcome {
	o := outcome{intent: s.id, workflowID: s.id}
	s.awaitClose(ctx, &o)
	s.noteClosed(o)
	return o
}

// noteClosed counts the workflow of an outcome if it is closed.
func (s *scene) noteClosed(o outcome) {
	if o.state != stateOpen {
		s.closedWorkflows.Add(1)
	}
}

// startRunAgent starts the workflow asteroid.RunAgent with its own id, on a task queue.
func (s *scene) startRunAgent(ctx context.Context, id, queue string, in workflows.RunAgentInput) {
	options := s.startOptions()
	options.ID, options.TaskQueue = id, queue
	s.startWorkflow(ctx, options, workflows.RunAgentName, in)
}

// newScene returns the telling of the plan's nth workflow.
func (w *workload) newScene(n int) *scene {
	return &scene{workload: w, id: w.plan.workflowID(n), random: random(w.plan.seed, fmt.Sprintf("scene %d", n))}
}
