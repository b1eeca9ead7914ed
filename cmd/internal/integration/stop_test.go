package integration

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// A worker that stops interrupts its activities. Another one goes on at once, without waiting for a
// timeout, and nothing is logged as trouble.
func TestWorkerThatStopsHandsActivitiesBack(t *testing.T) {
	for _, operation := range []string{"TempFilesStage", "ExecutionGet", "ExecutionFilesGet"} {
		for name, timeout := range map[string]time.Duration{"at once": -1, "after a second": time.Second} {
			t.Run(operation+" "+name, func(t *testing.T) {
				s := newStack(t)
				s.stopTimeout = timeout
				stop := s.startWorker()
				s.api.Inject(operation, testsuite.Stall(time.Hour), 1)
				run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{
					AgentID: s.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:,text", Name: "a.txt"}},
					OnMissingFiles: workflows.MissingFilesIgnore, Collect: &workflows.Collect{},
				})
				require.Eventually(t, func() bool {
					return slices.ContainsFunc(s.api.Requests(), func(r testsuite.Request) bool { return r.Operation == operation })
				}, time.Minute, 20*time.Millisecond)
				s.logged.Reset()
				stop()
				stopped := time.Now()
				s.startWorker()
				require.NoError(t, run.Get(s.ctx(), nil))
				require.Less(t, time.Since(stopped), 25*time.Second, "it waited for a timeout")
				require.NotRegexp(t, "level=(WARN|ERROR)", s.logged.String())
			})
		}
	}
}
