package integration

import (
	"net/http"
	"slices"
	"strings"
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

// slowExecutes holds back the responses to executes until it is released.
type slowExecutes struct {
	sent    chan struct{}
	release chan struct{}
}

func (s *slowExecutes) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if strings.HasSuffix(r.URL.Path, "/execute") {
		close(s.sent)
		<-s.release
	}
	return response, err
}

// An execute goes on while its worker stops. Its result is not lost.
func TestWorkerThatStopsHandsInTheResultOfAnExecute(t *testing.T) {
	s := newStack(t)
	s.stopTimeout = -1
	slow := &slowExecutes{make(chan struct{}), make(chan struct{})}
	connection := s.options.Connections["default"]
	fast := connection.Transport
	connection.Transport = slow
	s.options.Connections["default"] = connection
	stop := s.startWorker()
	run := s.startWorkflow(workflows.RunAgentName, workflows.RunAgentInput{AgentID: s.api.AgentID("inventory")})
	<-slow.sent
	s.logged.Reset()
	stop()
	completed := func() (n int) {
		for _, event := range s.history(run).Events {
			if event.GetActivityTaskCompletedEventAttributes() != nil {
				n++
			}
		}
		return n
	}
	before := completed()
	close(slow.release)
	// A real process lives on for a while, too.
	require.Eventually(t, func() bool { return completed() > before }, time.Minute, 10*time.Millisecond)
	connection.Transport = fast
	s.options.Connections["default"] = connection
	s.startWorker()
	require.NoError(t, run.Get(s.ctx(), nil))
	require.Len(t, s.api.Executions(), 1)
	var execute int64
	for _, event := range s.history(run).Events {
		if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == asteroid.ExecuteAgentName {
			execute = event.EventId
		}
		if started := event.GetActivityTaskStartedEventAttributes(); started != nil && started.ScheduledEventId == execute {
			require.EqualValues(t, 1, started.Attempt, "the first attempt's result was taken")
		}
	}
	require.NotZero(t, execute)
	require.NotRegexp(t, "level=(WARN|ERROR)", s.logged.String())
}
