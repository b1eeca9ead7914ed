package workflows_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// altered is a transport that changes what a read of an execution returns.
type altered func(execution map[string]any)

func (alter altered) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/executions/") || strings.HasSuffix(r.URL.Path, "/activities") {
		return response, err
	}
	var execution map[string]any
	err = json.NewDecoder(response.Body).Decode(&execution)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	alter(execution)
	body, err := json.Marshal(execution)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, err
}

// newAlteredBench returns a bench whose reads of executions are altered by alter, which gets the
// time since the test began.
func newAlteredBench(t *testing.T, events asteroid.Events, alter func(after time.Duration, execution map[string]any)) *bench {
	t.Helper()
	b := newBench(t)
	b.events = events
	began := b.Now()
	b.connect(func(c *asteroid.Connection) {
		c.Transport = altered(func(execution map[string]any) { alter(b.Now().Sub(began), execution) })
	})
	return b
}

var bothEvents = []asteroid.Events{asteroid.EventsPoll, asteroid.EventsWebhooks}

func TestRunAgentWaitsThroughAnUnknownStatus(t *testing.T) {
	t.Parallel()
	for _, events := range bothEvents {
		t.Run(string(events), func(t *testing.T) {
			t.Parallel()
			b := newAlteredBench(t, events, func(after time.Duration, execution map[string]any) {
				if after > 20*time.Minute && after < 140*time.Minute {
					execution["status"] = "hibernating"
				}
			})
			agent := b.workingAgent(3 * time.Hour)
			b.RegisterDelayedCallback(func() {
				require.Equal(t, asteroid.Status("hibernating"), b.state(t).Status)
				require.Contains(t, workflows.Markdown(b.state(t), nil, ""), "does not know")
			}, 2*time.Hour)
			b.RegisterDelayedCallback(func() { require.Equal(t, asteroid.StatusRunning, b.state(t).Status) }, 155*time.Minute)
			result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.NoError(t, err)
			require.Equal(t, asteroid.StatusCompleted, result.Status)
		})
	}
}

func TestRunAgentEndsAtOnceWithAnUnknownEnd(t *testing.T) {
	t.Parallel()
	for _, events := range bothEvents {
		for _, onFailure := range []workflows.OnFailure{workflows.FailureIsError, workflows.FailureIsResult} {
			t.Run(string(events)+" "+string(onFailure), func(t *testing.T) {
				t.Parallel()
				b := newAlteredBench(t, events, func(_ time.Duration, execution map[string]any) {
					if execution["status"] == "failed" {
						execution["status"] = "timed_out"
					}
				})
				began := b.Now()
				agent := b.api.AddAgent("ends", func(testsuite.Run) []testsuite.Step {
					return []testsuite.Step{testsuite.Work(10 * time.Minute), testsuite.Fail("late")}
				})
				b.event(10*time.Minute+2*time.Second, asteroid.ExecutionEvent{Event: "EXECUTION_TIMED_OUT"})
				result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, OnFailure: onFailure})
				require.Less(t, b.Now().Sub(began), 11*time.Minute)
				if onFailure == workflows.FailureIsResult {
					require.NoError(t, err)
					require.Equal(t, asteroid.Status("timed_out"), result.Status)
					return
				}
				require.True(t, asteroid.IsUnknownStatus(err), "%v", err)
				details, _ := asteroid.DetailsOf(err)
				require.Equal(t, asteroid.Status("timed_out"), details.Execution.Status)
				require.NotEmpty(t, details.ExecutionID)
				require.Equal(t, workflows.PhaseFailed, b.state(t).Phase)
			})
		}
	}
}

func TestRunAgentBoundsAnUnknownStatusByItsOwnDeadline(t *testing.T) {
	t.Parallel()
	b := newAlteredBench(t, asteroid.EventsPoll, func(_ time.Duration, execution map[string]any) {
		if execution["status"] == "running" {
			execution["status"] = "hibernating"
		}
	})
	agent := b.workingAgent(100 * time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, TimeoutSeconds: 20 * 3600})
	require.True(t, asteroid.IsExecutionTimedOut(err), "%v", err)
	require.EqualValues(t, asteroid.StatusCancelled, b.api.Executions()[0].Status)
}
