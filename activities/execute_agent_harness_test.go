package activities_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
)

func newExecute(t *testing.T, options worker.Options, in asteroid.ExecuteAgentInput) *retries[asteroid.ExecuteAgentResult] {
	t.Helper()
	return &retries[asteroid.ExecuteAgentResult]{t: t, name: asteroid.ExecuteAgentName, options: options, in: in}
}

// newExecuteOf is newExecute in another activity.
func newExecuteOf(t *testing.T, options worker.Options, in asteroid.ExecuteAgentInput, activityID string) *retries[asteroid.ExecuteAgentResult] {
	t.Helper()
	execute := newExecute(t, options, in)
	execute.id = activityID
	return execute
}

// scene is a fake with a clock of its own and one agent that works for an hour.
type scene struct {
	api     *testsuite.API
	clock   *clock
	options worker.Options
	agent   string
	line    *cutLine
}

func newScene(t *testing.T, options ...testsuite.Option) *scene {
	t.Helper()
	clock := newClock()
	s := &scene{clock: clock, api: testsuite.NewAPI(t, append(options, testsuite.WithClock(clock.Now))...), line: &cutLine{}}
	s.options = worker.Options{Now: clock.Now, Connections: connect(s.api)}
	connection := s.options.Connections[asteroid.DefaultConnection]
	connection.Transport = s.line
	s.options.Connections[asteroid.DefaultConnection] = connection
	s.agent = s.api.ServeAgent("clerk", func(run testsuite.Run) []testsuite.Step {
		if run.Inputs["fail"] == true {
			return []testsuite.Step{testsuite.Fail("no")}
		}
		return []testsuite.Step{testsuite.Work(time.Hour), testsuite.Complete("success", "", 1)}
	})
	return s
}

func (s *scene) alive(t *testing.T) []testsuite.Execution {
	t.Helper()
	var alive []testsuite.Execution
	for _, e := range s.api.Executions() {
		if e.Status != "cancelled" && e.Status != "failed" {
			alive = append(alive, e)
		}
	}
	return alive
}

// twice makes an execute send two requests that are both carried out, and of which it hears nothing.
func (s *scene) twice(t *testing.T, execute *retries[asteroid.ExecuteAgentResult]) {
	t.Helper()
	s.line.loseAnswers.Store(true)
	require.Error(t, execute.err())
	s.clock.pass(activities.DefaultLookupGrace)
	s.line.hide.Store(true)
	require.Error(t, execute.err())
	s.line.loseAnswers.Store(false)
	s.line.hide.Store(false)
	require.Len(t, s.alive(t), 2)
}

// cutLine is a network that can lose the answer to an execute, hide executions from the list, or both.
type cutLine struct {
	loseAnswers, hide atomic.Bool
	lists             atomic.Int32
}

func (l *cutLine) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && r.URL.Path == "/agents/v2/executions" {
		l.lists.Add(1)
		if l.hide.Load() {
			query := r.URL.Query()
			query.Set("metadataValue", "nothing has this")
			r = r.Clone(r.Context())
			r.URL.RawQuery = query.Encode()
		}
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost && l.loseAnswers.Load() {
		_ = response.Body.Close()
		return nil, context.DeadlineExceeded
	}
	return response, err
}

type showAfterPost struct{ l *cutLine }

func (x showAfterPost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/execute") {
		defer x.l.hide.Store(false)
	}
	return x.l.RoundTrip(r)
}
