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

// awaitRequest waits until the fake API has received a request for the operation.
func (s *stack) awaitRequest(operation string) {
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

// In each phase, another worker takes over from a killed one. The agent runs once and nothing is
// lost.
func TestRunAgentSurvivesWorkerKillInEveryPhase(t *testing.T) {
	t.Parallel()
	quick := asteroid.Inputs{"seconds": 1}
	files := []asteroid.FileRef{{URI: "data:,content", Name: "claim.txt"}}
	for name, c := range map[string]struct {
		in        workflows.RunAgentInput
		operation string // hit by the fault before the worker is killed
		fault     testsuite.Fault
		phase     workflows.Phase
		answer    bool
		completes bool // the agent completes while there is no worker
	}{
		"staging":            {in: workflows.RunAgentInput{Files: files}, operation: "TempFilesStage", fault: testsuite.Stall(time.Hour), phase: workflows.PhaseStaging},
		"executing, unsent":  {in: workflows.RunAgentInput{Inputs: quick}, operation: "AgentExecutePost", fault: testsuite.Stall(time.Hour), phase: workflows.PhaseExecuting},
		"executing, unheard": {in: workflows.RunAgentInput{Inputs: quick}, operation: "AgentExecutePost", fault: testsuite.LoseResponse(), phase: workflows.PhaseExecuting},
		"waiting":            {in: workflows.RunAgentInput{Inputs: asteroid.Inputs{"seconds": 8}}, phase: workflows.PhaseRunning},
		"waiting no longer":  {in: workflows.RunAgentInput{Inputs: quick}, phase: workflows.PhaseRunning, completes: true},
		"asked":              {in: workflows.RunAgentInput{Inputs: asteroid.Inputs{"seconds": 2, "ask": "Go on?"}}, phase: workflows.PhaseNeedsHuman, answer: true},
		"collecting": {in: workflows.RunAgentInput{Files: files, Collect: &workflows.Collect{Destination: "here"}}, operation: "ExecutionFileDownloadRedirect",
			fault: testsuite.Stall(time.Hour), phase: workflows.PhaseCollecting},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.options.LookupGrace = 5 * time.Second
			if c.operation != "" {
				s.api.Inject(c.operation, c.fault, 1)
			}
			in := c.in
			in.PollIntervalSeconds = 20
			if in.AgentID = s.api.AgentID("patient"); in.Files != nil {
				in.AgentID = s.api.AgentID("inventory") // the agent that takes files and leaves one
			}
			if in.Collect != nil {
				in.Collect = &workflows.Collect{Destination: "file://" + s.options.OutputRoots[0]}
			}
			child := s.startChildWorker()
			run := s.startWorkflow(workflows.RunAgentName, in)
			s.awaitState(run, phase(c.phase))
			if c.operation != "" {
				s.awaitRequest(c.operation)
			}
			require.NoError(t, child.Process.Kill())
			_ = child.Wait()
			if c.completes {
				s.awaitCompleted()
			}
			s.startWorker()
			if c.answer {
				_, err := s.answer(run, workflows.AnswerInput{Text: "Yes"})
				require.NoError(t, err)
			}
			// An execute of the killed worker is retried only after its StartToClose timeout.
			ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
			defer cancel()
			var result workflows.RunAgentResult
			require.NoError(t, run.Get(ctx, &result))
			require.Equal(t, asteroid.StatusCompleted, result.Status)
			require.Len(t, s.api.Executions(), 1)
		})
	}
}

// awaitCompleted waits until the first execution is completed.
func (s *stack) awaitCompleted() {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.api.Executions()[0].Status == "completed" }, time.Minute, 20*time.Millisecond)
}
