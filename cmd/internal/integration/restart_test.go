package integration

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// requested waits until an operation was asked for.
func (s *stack) requested(operation string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		for _, r := range s.api.Requests() {
			if r.Operation == operation {
				return true
			}
		}
		return false
	}, time.Minute, 20*time.Millisecond)
}

// A worker that is killed tells nobody. In each phase another one takes over: nothing is done twice, and nothing is lost.
func TestAWorkerThatIsKilledInAnyPhaseLosesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inputs activities.Inputs
		fault  string // an operation that hangs while the worker is killed
		how    testsuite.Fault
		until  func(s *stack, run string)
		phase  workflows.Phase
		answer bool
	}{
		"staging":              {fault: "TempFilesStage", how: testsuite.Stall(time.Hour), phase: workflows.PhaseStaging},
		"executing, unsent":    {fault: "AgentExecutePost", how: testsuite.Stall(time.Hour), phase: workflows.PhaseExecuting},
		"executing, unheard":   {fault: "AgentExecutePost", how: testsuite.LoseResponse(), phase: workflows.PhaseExecuting},
		"waiting":              {inputs: activities.Inputs{"seconds": 8}, phase: workflows.PhaseRunning},
		"asked":                {inputs: activities.Inputs{"seconds": 2, "ask": "Go on?"}, phase: workflows.PhaseNeedsHuman, answer: true},
		"collecting":           {inputs: activities.Inputs{"seconds": 1}, fault: "ExecutionFilesGet", how: testsuite.Stall(time.Hour), phase: workflows.PhaseCollecting},
		"waiting, and nothing": {inputs: activities.Inputs{"seconds": 1}, phase: workflows.PhaseRunning},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			if c.fault != "" {
				s.api.Inject(c.fault, c.how, 1)
			}
			in := workflows.RunAgentInput{AgentID: s.api.AgentID("patient"), Inputs: c.inputs, BackstopSeconds: 20}
			if c.phase == workflows.PhaseCollecting {
				in.Collect = &workflows.Collect{}
			} else if name == "staging" {
				in.Files = []activities.FileRef{s.claimsFile()}
			}
			if in.Inputs == nil {
				in.Inputs = activities.Inputs{"seconds": 1}
			}
			child := s.child()
			run := s.start(workflows.RunAgentName, in)
			s.state(run, phase(c.phase))
			if c.fault != "" {
				s.requested(c.fault)
			}
			require.NoError(t, child.Process.Kill())
			_ = child.Wait()
			if name == "waiting, and nothing" {
				s.ends() // with nobody there to hear of it
			}
			s.work()
			if c.answer {
				_, err := s.wish(run, workflows.AnswerUpdate, workflows.AnswerInput{Text: "Yes"})
				require.NoError(t, err)
			}
			// A worker that died in an execute is missed when its attempt is out of time.
			ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
			defer cancel()
			var result workflows.RunAgentResult
			require.NoError(t, run.Get(ctx, &result))
			require.Equal(t, activities.StatusCompleted, result.Status)
			require.Len(t, s.api.Executions(), 1)
		})
	}
}

// ends waits until the first execution is over.
func (s *stack) ends() {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.api.Executions()[0].Status == "completed" }, time.Minute, 20*time.Millisecond)
}
