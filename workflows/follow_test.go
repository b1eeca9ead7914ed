package workflows_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// newEventBench returns a bench whose worker relies on webhooks. The test sends their signals.
func newEventBench(t *testing.T, options ...testsuite.Option) *bench {
	t.Helper()
	b := newBench(t, options...)
	b.events = asteroid.EventsWebhooks
	return b
}

// event signals the workflow about its first execution after a delay.
func (b *bench) event(after time.Duration, event asteroid.ExecutionEvent) {
	b.RegisterDelayedCallback(func() {
		if event.ExecutionID == "" {
			event.ExecutionID = b.api.Executions()[0].ID
		}
		b.SignalWorkflow(asteroid.ExecutionEventSignal, event)
	}, after)
}

// workingAgent adds an agent that works for this long and completes.
func (b *bench) workingAgent(d time.Duration) string {
	return b.api.AddAgent("works", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", 1)}
	})
}

func TestRunAgentReadsTheExecutionAfterAnEvent(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent, began := b.workingAgent(100*time.Second), b.Now()
	b.event(2*time.Minute, asteroid.ExecutionEvent{Status: asteroid.StatusCompleted})
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.Less(t, b.Now().Sub(began), 125*time.Second)
	require.LessOrEqual(t, b.requests("ExecutionGet"), 4)
}

func TestRunAgentPollsAtItsIntervalWithoutEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seconds  int64
		from, to time.Duration
	}{
		"the default": {0, 10 * time.Minute, 10*time.Minute + 5*time.Second},
		"chosen":      {50, 100 * time.Second, 105 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newEventBench(t)
			agent, began := b.workingAgent(90*time.Second), b.Now()
			result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, PollIntervalSeconds: c.seconds})
			require.NoError(t, err)
			require.Equal(t, asteroid.StatusCompleted, result.Status)
			require.GreaterOrEqual(t, b.Now().Sub(began), c.from)
			require.Less(t, b.Now().Sub(began), c.to)
		})
	}
}

// Whatever the signals say, the service's answers count.
func TestRunAgentTrustsNoEvent(t *testing.T) {
	t.Parallel()
	completed, running := asteroid.StatusCompleted, asteroid.StatusRunning
	for name, send := range map[string]func(b *bench){
		"early": func(b *bench) {
			b.SignalWorkflow(asteroid.ExecutionEventSignal, asteroid.ExecutionEvent{ExecutionID: "e-1", Status: completed})
		},
		"of nobody":  func(b *bench) { b.SignalWorkflow(asteroid.ExecutionEventSignal, asteroid.ExecutionEvent{}) },
		"unreadable": func(b *bench) { b.SignalWorkflow(asteroid.ExecutionEventSignal, 42) },
		"forged":     func(b *bench) { b.event(time.Minute, asteroid.ExecutionEvent{Status: completed}) },
		"nonsensical": func(b *bench) {
			b.event(time.Minute, asteroid.ExecutionEvent{Status: "on fire", Event: "EXECUTION_ON_FIRE"})
		},
		"reordered": func(b *bench) {
			b.event(121*time.Second, asteroid.ExecutionEvent{Status: completed})
			b.event(122*time.Second, asteroid.ExecutionEvent{Status: running})
		},
		"repeated": func(b *bench) {
			for i := range 50 {
				b.event(time.Minute+time.Duration(i)*100*time.Millisecond, asteroid.ExecutionEvent{Event: "EXECUTION_PAUSED", EventID: "one"})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newEventBench(t)
			agent := b.workingAgent(2 * time.Minute)
			b.RegisterDelayedCallback(func() { send(b) }, 0)
			result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, PollIntervalSeconds: 300})
			require.NoError(t, err)
			require.Equal(t, asteroid.StatusCompleted, result.Status)
			require.Len(t, b.api.Executions(), 1)
			require.LessOrEqual(t, b.requests("ExecutionGet"), 12, "events must not cause a read each")
		})
	}
}

// lagging answers reads of the execution with the first answer until a time.
type lagging struct {
	mu    sync.Mutex
	now   func() time.Time
	until time.Time
	stale []byte
}

func (l *lagging) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/executions/") || strings.HasSuffix(r.URL.Path, "/activities") {
		return response, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if l.stale == nil || !l.now().Before(l.until) {
		l.stale = body
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(l.stale)), int64(len(l.stale))
	return response, err
}

func TestRunAgentRepeatsAReadThatLagsBehindItsEvent(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent, began := b.workingAgent(2*time.Minute), b.Now()
	b.connect(func(c *asteroid.Connection) {
		c.Transport = &lagging{now: b.Now, until: began.Add(125 * time.Second)}
	})
	b.event(123*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusCompleted})
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.Less(t, b.Now().Sub(began), 135*time.Second)
}

func TestRunAgentPollsForAResultThatIsReadableLate(t *testing.T) {
	t.Parallel()
	b := newEventBench(t, testsuite.WithResultDelay(20*time.Second))
	agent, began := b.workingAgent(2*time.Minute), b.Now()
	b.event(122*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusCompleted})
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.Equal(t, "1", string(result.Result()))
	require.Less(t, b.Now().Sub(began), 3*time.Minute)
}

func TestRunAgentReturnsAnAdoptedTerminalRun(t *testing.T) {
	t.Parallel()
	for _, events := range []asteroid.Events{asteroid.EventsPoll, asteroid.EventsWebhooks} {
		b := newBench(t)
		b.events = events
		agent := b.workingAgent(time.Minute)
		in := workflows.RunAgentInput{AgentID: agent, IdempotencyKey: "order-1"}
		b.ExecuteWorkflow(func(ctx workflow.Context) error {
			for range 2 {
				if _, err := workflows.RunAgent(ctx, in); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, b.GetWorkflowError())
		require.Len(t, b.api.Executions(), 1)
	}
}

func TestRunAgentRecordsEachStatusWithItsTime(t *testing.T) {
	t.Parallel()
	for name, events := range map[string]asteroid.Events{"polling": asteroid.EventsPoll, "by events": asteroid.EventsWebhooks} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.events = events
			began := b.Now()
			agent := b.api.AddAgent("asks", func(testsuite.Run) []testsuite.Step {
				return []testsuite.Step{testsuite.Work(time.Minute), testsuite.AwaitConfirmation("Really?"), testsuite.Work(time.Minute), testsuite.Complete("success", "", 1)}
			})
			for at, status := range map[time.Duration]asteroid.Status{
				5 * time.Second: "running", 65 * time.Second: "awaiting_confirmation", 130 * time.Second: "running", 200 * time.Second: "completed",
			} {
				b.event(at, asteroid.ExecutionEvent{Status: status})
			}
			b.RegisterDelayedCallback(func() {
				state := b.state(t)
				require.Equal(t, workflows.PhaseNeedsHuman, state.Phase)
				require.Equal(t, "Really?", state.Reason)
				b.update(t, workflows.ResumeUpdate, b.steer(t))
			}, 2*time.Minute)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.NoError(t, err)
			state := b.state(t)
			var seen []asteroid.Status
			for i, at := range state.Statuses {
				seen = append(seen, at.Status)
				require.False(t, at.Since.Before(began), "%v", at)
				if i > 0 {
					require.False(t, at.Since.Before(state.Statuses[i-1].Since), "%v", state.Statuses)
				}
			}
			require.Equal(t, []asteroid.Status{"starting", "running", "awaiting_confirmation", "running", "completed"}, seen)
			require.WithinDuration(t, began.Add(61*time.Second), state.Statuses[2].Since, time.Second)
		})
	}
}

func TestRunAgentWaitsForAReasonThatIsReadableLate(t *testing.T) {
	t.Parallel()
	for _, events := range []asteroid.Events{asteroid.EventsPoll, asteroid.EventsWebhooks} {
		b := newBench(t)
		b.events = events
		agent := b.api.AddAgent("ends", func(testsuite.Run) []testsuite.Step {
			return []testsuite.Step{testsuite.Work(time.Minute), testsuite.CancelBy("user_requested")}
		})
		b.api.Inject("ExecutionActivitiesGet", testsuite.Answer(http.StatusOK, "[]", "Content-Type", "application/json"), 1)
		b.event(62*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusCancelled})
		_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
		require.True(t, asteroid.IsExecutionCancelled(err), "%v", err)
	}
}

func TestRunAgentShowsTheLiveViewWithoutAnEvent(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent := b.workingAgent(time.Hour)
	b.RegisterDelayedCallback(func() {
		state := b.state(t)
		require.Equal(t, asteroid.StatusRunning, state.Status)
		require.NotEmpty(t, state.LiveViewURL)
	}, time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.LessOrEqual(t, b.requests("ExecutionGet"), 12, "an hour has six polls")
}

func TestRunAgentRepeatsALaggingReadAfterUselessEvents(t *testing.T) {
	t.Parallel()
	b := newEventBench(t)
	agent, began := b.workingAgent(20*time.Minute), b.Now()
	b.connect(func(c *asteroid.Connection) {
		c.Transport = &lagging{now: b.Now, until: began.Add(20*time.Minute + 5*time.Second)}
	})
	for i := range 5 {
		b.event(time.Duration(i+1)*10*time.Second, asteroid.ExecutionEvent{Event: "EXECUTION_PAUSED"})
	}
	b.event(20*time.Minute+3*time.Second, asteroid.ExecutionEvent{Status: asteroid.StatusCompleted})
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, PollIntervalSeconds: 86400})
	require.NoError(t, err)
	require.Less(t, b.Now().Sub(began), 25*time.Minute)
}
