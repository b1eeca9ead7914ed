package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestRunAgentFollowsOnHumanTimeout(t *testing.T) {
	t.Parallel()
	for policy, want := range map[workflows.OnHumanTimeout]struct {
		err    func(error) bool
		status string // of the execution
	}{
		"":                                {asteroid.IsExecutionTimedOut, "cancelled"},
		workflows.HumanTimeoutFail:        {asteroid.IsExecutionTimedOut, "cancelled"},
		workflows.HumanTimeoutCancel:      {asteroid.IsExecutionCancelled, "cancelled"},
		workflows.HumanTimeoutKeepWaiting: {func(err error) bool { return err == nil }, "completed"},
	} {
		for _, events := range []asteroid.Events{asteroid.EventsPoll, asteroid.EventsWebhooks} {
			t.Run(string(policy)+" "+string(events), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				b.events = events
				agent := b.askingAgent(account)
				b.event(2*time.Minute, asteroid.ExecutionEvent{Status: asteroid.StatusPausedByAgent})
				asked := b.Now().Add(2 * time.Minute)
				b.RegisterDelayedCallback(func() {
					state := b.state(t)
					require.True(t, state.Overdue)
					require.WithinDuration(t, asked, state.AskedSince, 2*time.Minute)
					b.answer(t, workflows.AnswerInput{Text: "Savings"})
				}, 3*time.Hour)
				_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 3600, OnHumanTimeout: policy})
				require.True(t, want.err(err), "%v", err)
				require.Equal(t, want.status, b.api.Executions()[0].Status)
			})
		}
	}
}

func TestRunAgentAbandonsUnansweredExecution(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.askingAgent(account)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 60, OnCancel: workflows.AbandonExecution})
	require.True(t, asteroid.IsExecutionTimedOut(err), "%v", err)
	require.Equal(t, "paused_by_agent", b.api.Executions()[0].Status)
}

// Each question has its own deadline. The agent is answered in the console, of which no event tells
// the workflow.
func TestRunAgentRestartsTheHumanTimeoutWithEachQuestion(t *testing.T) {
	t.Parallel()
	for _, events := range []asteroid.Events{asteroid.EventsPoll, asteroid.EventsWebhooks} {
		b := newBench(t)
		b.events = events
		agent := b.askingAgent(account, testsuite.Question{Text: "Sure?"})
		b.event(2*time.Minute, asteroid.ExecutionEvent{Status: asteroid.StatusPausedByAgent})
		for answer, after := range map[string]time.Duration{"Savings": 55 * time.Minute, "Yes": 110 * time.Minute} {
			b.RegisterDelayedCallback(func() { require.NoError(t, tell(b, answer)) }, after)
		}
		_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 3600, PollIntervalSeconds: 7200})
		require.NoError(t, err)
		var seen []asteroid.Status
		for _, at := range b.state(t).Statuses {
			seen = append(seen, at.Status)
		}
		require.Contains(t, seen, asteroid.StatusPausedByAgent)
	}
}
