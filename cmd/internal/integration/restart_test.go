package integration

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
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
	quick := asteroid.Inputs{"seconds": 1}
	files := []asteroid.FileRef{{URI: "data:,content", Name: "claim.txt"}}
	for name, c := range map[string]struct {
		in     workflows.RunAgentInput
		fault  string // an operation that hangs while the worker is killed
		how    testsuite.Fault
		phase  workflows.Phase
		answer bool
		ends   bool // the agent does, while there is no worker
	}{
		"staging":            {in: workflows.RunAgentInput{Files: files}, fault: "TempFilesStage", how: testsuite.Stall(time.Hour), phase: workflows.PhaseStaging},
		"executing, unsent":  {in: workflows.RunAgentInput{Inputs: quick}, fault: "AgentExecutePost", how: testsuite.Stall(time.Hour), phase: workflows.PhaseExecuting},
		"executing, unheard": {in: workflows.RunAgentInput{Inputs: quick}, fault: "AgentExecutePost", how: testsuite.LoseResponse(), phase: workflows.PhaseExecuting},
		"waiting":            {in: workflows.RunAgentInput{Inputs: asteroid.Inputs{"seconds": 8}}, phase: workflows.PhaseRunning},
		"waiting no longer":  {in: workflows.RunAgentInput{Inputs: quick}, phase: workflows.PhaseRunning, ends: true},
		"asked":              {in: workflows.RunAgentInput{Inputs: asteroid.Inputs{"seconds": 2, "ask": "Go on?"}}, phase: workflows.PhaseNeedsHuman, answer: true},
		"collecting": {in: workflows.RunAgentInput{Files: files, Collect: &workflows.Collect{Destination: "here"}}, fault: "ExecutionFileDownloadRedirect",
			how: testsuite.Stall(time.Hour), phase: workflows.PhaseCollecting},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.options.LookupGrace = 5 * time.Second
			if c.fault != "" {
				s.api.Inject(c.fault, c.how, 1)
			}
			in := c.in
			in.BackstopSeconds = 20
			if in.AgentID = s.api.AgentID("patient"); in.Files != nil {
				in.AgentID = s.api.AgentID("inventory") // which leaves a file, too
			}
			if in.Collect != nil {
				in.Collect = &workflows.Collect{Destination: "file://" + s.options.OutputRoots[0]}
			}
			child := s.child()
			run := s.start(workflows.RunAgentName, in)
			s.state(run, phase(c.phase))
			if c.fault != "" {
				s.requested(c.fault)
			}
			require.NoError(t, child.Process.Kill())
			_ = child.Wait()
			if c.ends {
				s.ends()
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
			require.Equal(t, asteroid.StatusCompleted, result.Status)
			require.Len(t, s.api.Executions(), 1)
		})
	}
}

// ends waits until the first execution is over.
func (s *stack) ends() {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.api.Executions()[0].Status == "completed" }, time.Minute, 20*time.Millisecond)
}
