package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	common "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Scenarios of resets, retries and continuations, and of equal intents.
var (
	resetEarly       = &scenario{"reset before the execute", 2, (*scene).resetBeforeExecute}
	resetInExecute   = &scenario{"reset in the execute", 2, (*scene).resetInExecute}
	resetAfter       = &scenario{"reset after the execute", 2, (*scene).resetAfterExecute}
	resetInWait      = &scenario{"reset in the wait", 2, (*scene).resetInWait}
	resetTwice       = &scenario{"two resets", 2, (*scene).resetTwice}
	resetAnswered    = &scenario{"reset after an answer", 2, (*scene).resetAfterAnswer}
	resetFallback    = &scenario{"reset after a failure with a fallback", 2, (*scene).resetAfterFallback}
	resetCorrected   = &scenario{"reset with corrected inputs", 2, (*scene).resetCorrected}
	resetFanOut      = &scenario{"reset of a fan-out", 2, (*scene).resetFanOut}
	resetParent      = &scenario{"reset of a parent", 2, (*scene).resetParent}
	resetContinued   = &scenario{"reset before a continue-as-new", 2, (*scene).resetBeforeContinue}
	continued        = &scenario{"continue-as-new", 2, (*scene).continueAsNew}
	workflowRetried  = &scenario{"workflow with a RetryPolicy", 2, (*scene).retryWorkflow}
	keyShared        = &scenario{"one IdempotencyKey in two workflows", 2, (*scene).shareKey}
	activityReset    = &scenario{"reset of an activity", 2, func(s *scene, ctx context.Context) []outcome { return s.resetActivity(ctx, false) }}
	activityResetAll = &scenario{"reset of an activity with its heartbeats", 2, func(s *scene, ctx context.Context) []outcome { return s.resetActivity(ctx, true) }}
)

// serveAgent adds the scene's own agent, and returns its id. Faults can be injected for it alone.
func (s *scene) serveAgent(script testsuite.Agent) string { return s.api.ServeAgent(s.id, script) }

// own returns the input of the scene's own agent, which is a clerk.
func (s *scene) own(work time.Duration) workflows.RunAgentInput {
	in := s.input(s.id, work)
	in.AgentID = s.serveAgent(clerk)
	return in
}

// some returns a random time for a script or a pause.
func (s *scene) some(least, most time.Duration) time.Duration { return between(s.random, least, most) }

// The workflow is reset while it does something else before it executes the agent.
func (s *scene) resetBeforeExecute(ctx context.Context) []outcome {
	s.sayings.say(s.id, said{Delay: 2 * time.Second})
	s.startWorkflow(ctx, s.startOptions(), fanOutName, []step{{s.own(s.some(time.Second, 3*time.Second)), s.id}})
	if s.awaitCompleted(ctx, 2) && s.reset(ctx, s.id, "", 0) != "" && len(s.executions(s.id)) == 0 {
		s.tally.fire(kindResetBeforeExecute)
	}
	return s.closeSteps(ctx, s.id)
}

// The response to the execute is lost, and the workflow is reset while the activity looks it up.
func (s *scene) resetInExecute(ctx context.Context) []outcome {
	in := s.own(s.some(6*time.Second, 9*time.Second))
	s.api.InjectAbout(in.AgentID, executeOperation, testsuite.LoseResponse(), 1)
	s.startWorkflow(ctx, s.startOptions(), workflows.RunAgentName, in)
	s.awaitExecution(ctx, s.id, working)
	pending := !s.has(ctx, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, asteroid.ExecuteAgentName)
	if s.reset(ctx, s.id, "", 0) != "" && pending {
		s.tally.fire(kindResetInExecute)
	}
	return []outcome{s.closeRunAgent(ctx)}
}

func (s *scene) resetAfterExecute(ctx context.Context) []outcome {
	s.startWorkflow(ctx, s.startOptions(), workflows.RunAgentName, s.own(s.some(6*time.Second, 9*time.Second)))
	if s.awaitEvent(ctx, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, asteroid.ExecuteAgentName) && s.reset(ctx, s.id, "", 0) != "" {
		s.tally.fire(kindResetAfterExecute)
	}
	return []outcome{s.closeRunAgent(ctx)}
}

func (s *scene) resetInWait(ctx context.Context) []outcome {
	s.startWorkflow(ctx, s.startOptions(), workflows.RunAgentName, s.own(s.some(6*time.Second, 9*time.Second)))
	waits := s.awaitEvent(ctx, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, asteroid.AwaitExecutionName)
	program.Sleep(ctx, s.some(0, 2*time.Second))
	if s.reset(ctx, s.id, "", -1) != "" && waits {
		s.tally.fire(kindResetInWait)
	}
	return []outcome{s.closeRunAgent(ctx)}
}

// The second reset comes while the activity may still look up what the first run has started, and
// the service does not list it yet.
func (s *scene) resetTwice(ctx context.Context) []outcome {
	in := s.own(s.some(7*time.Second, 9*time.Second))
	s.api.InjectAbout(in.AgentID, executeOperation, testsuite.LoseResponse(), s.random.IntN(2))
	s.startWorkflow(ctx, s.startOptions(), workflows.RunAgentName, in)
	s.awaitExecution(ctx, s.id, working)
	if s.reset(ctx, s.id, "", 0) != "" && s.awaitCompleted(ctx, 1) && s.reset(ctx, s.id, "", 0) != "" {
		s.tally.fire(kindResetTwice)
	}
	return []outcome{s.closeRunAgent(ctx)}
}

// The workflow is reset to before an answer that it has accepted, and the agent asks the next
// question by then. The server applies the answer again, which must reach nothing.
func (s *scene) resetAfterAnswer(ctx context.Context) []outcome {
	asked := ""
	return s.converse(ctx, func(agent workflows.AgentState) []answer {
		if asked != "" && agent.Asking != asked {
			if n := s.tasksBeforeUpdate(ctx); n > 0 && s.reset(ctx, s.id, "", n-1) != "" {
				s.tally.fire(kindResetAfterAnswer)
			}
			asked = ""
			return nil // it is asked again
		}
		given := s.answerByUpdate(ctx, agent, "by update")
		if given.fate == accepted {
			asked = agent.Asking
		}
		return []answer{given}
	})
}

// The first agent fails, the second one works. A reset to the beginning runs the first one again.
func (s *scene) resetAfterFallback(ctx context.Context) []outcome {
	first, second := s.input(s.id+"/first", 500*time.Millisecond), s.input(s.id+"/second", s.some(4*time.Second, 7*time.Second))
	first.Inputs[inputFails] = true
	s.startWorkflow(ctx, s.startOptions(), fallbackName, []step{{Input: first}, {Input: second}})
	s.awaitExecution(ctx, s.id+"/second", working)
	if s.reset(ctx, s.id, "", []int{0, -1}[s.random.IntN(2)]) != "" {
		s.tally.fire(kindResetAfterFallback)
	}
	outcomes := s.closeSteps(ctx, "", s.id+"/second")
	return append(outcomes, outcome{
		intent: s.id + "/first", workflowID: s.id, state: stateFailed, expectFailure: true, repeatsFailures: true,
		errorType: asteroid.ErrorTypeExecutionFailed, reason: plannedFailure, executionID: s.lastExecution(s.id + "/first"),
	})
}

// The inputs are wrong. They are corrected, and the workflow is reset: the first agent has to end.
func (s *scene) resetCorrected(ctx context.Context) []outcome {
	wrong, right := s.id+"/wrong", s.id+"/right"
	s.sayings.say(s.id, said{Intent: wrong})
	in := s.own(s.some(4*time.Second, 6*time.Second))
	s.startWorkflow(ctx, s.startOptions(), fanOutName, []step{{in, s.id}})
	e, executed := s.awaitExecution(ctx, wrong, working)
	s.sayings.say(s.id, said{Intent: right})
	if s.reset(ctx, s.id, "", 0) != "" && executed {
		s.tally.fire(kindResetCorrected)
	}
	outcomes := s.closeSteps(ctx, right)
	// The agent of the wrong inputs may have completed before the workflow did.
	return append(outcomes, outcome{
		intent: wrong, workflowID: s.id, state: stateCancelled, cancelPlanned: true, closedAt: time.Now(), executionID: e.ID,
	})
}

// The agents start in another order after the reset.
func (s *scene) resetFanOut(ctx context.Context) []outcome {
	const agents = 3
	steps, intents := make([]step, agents), make([]string, agents)
	for i := range steps {
		intents[i] = fmt.Sprintf("%s/%d", s.id, i)
		steps[i] = step{s.input(intents[i], s.some(6*time.Second, 8*time.Second)), intents[i]}
		s.sayings.say(intents[i], said{Delay: time.Duration(i) * 300 * time.Millisecond})
	}
	s.startWorkflow(ctx, s.startOptions(), fanOutName, steps)
	executed := true
	for i, intent := range intents {
		_, ok := s.awaitExecution(ctx, intent, working)
		executed = executed && ok
		s.sayings.say(intent, said{Delay: time.Duration(agents-i) * 300 * time.Millisecond})
	}
	if s.reset(ctx, s.id, "", 0) != "" && executed {
		s.tally.fire(kindOrderChanged)
	}
	return s.closeSteps(ctx, intents...)
}

// The parent starts a new child while the old one goes on.
func (s *scene) resetParent(ctx context.Context) []outcome {
	s.startWorkflow(ctx, s.startOptions(), parentName, []step{{Input: s.own(s.some(6*time.Second, 9*time.Second))}})
	_, executed := s.awaitExecution(ctx, s.id, working)
	if s.reset(ctx, s.id, "", 0) != "" && executed {
		s.tally.fire(kindResetParent)
	}
	return s.closeSteps(ctx, s.id)
}

// The first leg is reset while the agent of the second one works. The second leg then runs again,
// as the continuation of another run. Its first agent works long, so that it still does when the
// workflow ends and cancels it.
func (s *scene) resetBeforeContinue(ctx context.Context) []outcome {
	one, two := s.id+"/1", s.id+"/2"
	first, second := s.input(one, time.Second), s.input(two, time.Second)
	var once sync.Once
	second.AgentID = s.serveAgent(func(run testsuite.Run) []testsuite.Step {
		once.Do(func() { run.Inputs[inputSeconds] = time.Minute.Seconds() })
		return clerk(run)
	})
	run := s.startWorkflow(ctx, s.startOptions(), legsName, []step{{Input: first}, {Input: second}})
	_, executed := s.awaitExecution(ctx, two, working)
	if run != nil && s.reset(ctx, s.id, run.GetRunID(), 0) != "" && executed {
		s.tally.fire(kindResetBeforeContinue)
	}
	return s.closeSteps(ctx, one, two)
}

func (s *scene) continueAsNew(ctx context.Context) []outcome {
	var steps []step
	var intents []string
	for i := range 3 {
		intents = append(intents, s.id+"/"+strconv.Itoa(i))
		steps = append(steps, step{Input: s.input(intents[i], s.some(0, 2*time.Second))})
	}
	run := s.startWorkflow(ctx, s.startOptions(), legsName, steps)
	outcomes := s.closeSteps(ctx, intents...)
	if run != nil && s.continuedAsNew(ctx, run.GetRunID()) {
		s.tally.fire(kindContinuedAsNew)
	}
	return outcomes
}

// The agent fails, and so does the workflow. Its RetryPolicy must not run the agent again.
func (s *scene) retryWorkflow(ctx context.Context) []outcome {
	options := s.startOptions()
	options.RetryPolicy = &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, MaximumAttempts: 3}
	in := s.own(time.Second)
	in.Inputs[inputFails] = true
	s.startWorkflow(ctx, options, workflows.RunAgentName, in)
	o := s.closeRunAgent(ctx)
	if o.state == stateFailed {
		s.tally.fire(kindWorkflowRetry)
	}
	o.expectFailure = true
	return []outcome{o}
}

// Two workflows have one intent at the same time. Both may send a request. Then the younger
// execution is cancelled, and both workflows follow the older one.
func (s *scene) shareKey(ctx context.Context) []outcome {
	in := s.own(sharedWork)
	in.IdempotencyKey = "order-of-" + s.id
	other := s.startOptions()
	other.ID += "-again"
	var both sync.WaitGroup
	both.Go(func() { s.startWorkflow(ctx, s.startOptions(), workflows.RunAgentName, in) })
	both.Go(func() { s.startWorkflow(ctx, other, workflows.RunAgentName, in) })
	both.Wait()
	s.killSweeper(ctx, s.id, other.ID)
	outcomes := []outcome{{intent: s.id, workflowID: s.id}, {intent: s.id, workflowID: other.ID}}
	for i := range outcomes {
		s.awaitClose(ctx, &outcomes[i])
	}
	s.noteClosed(outcomes[0])
	if outcomes[0].state != stateOpen && outcomes[1].state != stateOpen {
		s.tally.fire(kindSharedKey)
	}
	return outcomes
}

// killSweeper kills a worker that sweeps the younger execution of two workflows, if there are two.
func (s *scene) killSweeper(ctx context.Context, workflowIDs ...string) {
	_, second := s.awaitExecution(ctx, s.id, func(testsuite.Execution) bool { return len(s.executions(s.id)) > 1 })
	if !second {
		return
	}
	younger := slices.MaxFunc(s.executions(s.id), func(a, b testsuite.Execution) int { return a.CreatedAt.Compare(b.CreatedAt) })
	s.api.InjectAbout(younger.ID, "ExecutionStatusUpdate", testsuite.Stall(stallTime), 1)
	var all sync.WaitGroup
	for _, workflowID := range workflowIDs {
		all.Go(func() { s.killIn(ctx, workflowID, asteroid.SweepDuplicatesName) })
	}
	all.Wait()
}

// The response to the execute is lost, and the activity is reset while it looks the execution up.
// So is the wait.
func (s *scene) resetActivity(ctx context.Context, heartbeats bool) []outcome {
	in := s.own(s.some(6*time.Second, 9*time.Second))
	s.api.InjectAbout(in.AgentID, executeOperation, testsuite.LoseResponse(), 1)
	s.startWorkflow(ctx, s.startOptions(), workflows.RunAgentName, in)
	s.awaitExecution(ctx, s.id, working)
	for _, activityType := range []string{asteroid.ExecuteAgentName, asteroid.AwaitExecutionName} {
		s.awaitEvent(ctx, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, activityType)
		err := s.once(ctx, func(ctx context.Context) error {
			_, err := s.temporal.WorkflowService().ResetActivity(ctx, &workflowservice.ResetActivityRequest{
				Namespace: "default", Execution: &common.WorkflowExecution{WorkflowId: s.id},
				Activity: &workflowservice.ResetActivityRequest_Type{Type: activityType}, ResetHeartbeat: heartbeats,
			})
			return err
		})
		if err == nil && heartbeats {
			s.tally.fire(kindActivityResetWhole)
		} else if err == nil {
			s.tally.fire(kindActivityReset)
		}
	}
	return []outcome{s.closeRunAgent(ctx)}
}
