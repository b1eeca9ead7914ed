package workflows_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestRunAgentCountsEachOutcomeOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script []testsuite.Step
		change func(b *bench, in *workflows.RunAgentInput)
		want   string // agent, agent_name and outcome; the agent's id is ID
	}{
		"completed":        {[]testsuite.Step{testsuite.Complete("success", "", nil)}, nil, "ID worker completed"},
		"failed":           {[]testsuite.Step{testsuite.Fail("worker_lost")}, nil, "ID worker failed"},
		"failure a result": {[]testsuite.Step{testsuite.Fail("worker_lost")}, func(_ *bench, in *workflows.RunAgentInput) { in.OnFailure = workflows.FailureIsResult }, "ID worker failed"},
		"re-executed": {[]testsuite.Step{testsuite.Fail("worker_lost")}, func(_ *bench, in *workflows.RunAgentInput) {
			in.Reexecution = &workflows.Reexecution{MaximumExecutions: 2}
		}, "ID worker failed"},
		"cancelled": {[]testsuite.Step{testsuite.Work(time.Hour)}, func(b *bench, _ *workflows.RunAgentInput) {
			b.RegisterDelayedCallback(b.CancelWorkflow, time.Minute)
		}, "ID worker cancelled"},
		"timed out": {[]testsuite.Step{testsuite.Work(time.Hour)}, func(_ *bench, in *workflows.RunAgentInput) { in.TimeoutSeconds = 60 }, "ID worker timed_out"},
		"invalid":   {nil, func(_ *bench, in *workflows.RunAgentInput) { in.TimeoutSeconds = -1 }, "none none invalid_input"},
		"wrong agent": {nil, func(_ *bench, in *workflows.RunAgentInput) {
			in.AgentID = "00000000-0000-4000-8000-00000000abcd"
		}, "none none error"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			in := workflows.RunAgentInput{AgentID: b.api.ServeAgent("worker", func(testsuite.Run) []testsuite.Step { return test.script })}
			id := in.AgentID
			if test.change != nil {
				test.change(b, &in)
			}
			_, _ = b.runAgent(t, in)
			want := strings.Replace(test.want, "ID", id, 1) + ": 1"
			lines := b.recorded.Take(metrics.AgentRunDuration)
			require.Len(t, lines, 2, "one outcome: a sum and a count")
			require.Equal(t, "asteroid_agent_run_duration_count "+want, lines[1])
			lines = slices.DeleteFunc(b.recorded.Take(metrics.AgentRuns), func(line string) bool { return strings.HasSuffix(line, ": 0") })
			require.Equal(t, []string{"asteroid_agent_runs " + want}, lines)
		})
	}
}

func TestRunAgentMeasuresWaitForCapacity(t *testing.T) {
	t.Parallel()
	for outcome, refusals := range map[string]int{"started": 3, "gave_up": 1000} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.api.Inject("AgentExecutePost", testsuite.Answer(409, `{"code":409,"message":"full"}`, "Content-Type", "application/json", "Retry-After", "60"), refusals)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("inventory"), CapacityTimeoutSeconds: 600})
			require.Equal(t, outcome == "gave_up", err != nil, "%v", err)
			lines := b.recorded.Take(metrics.CapacityWait)
			require.Len(t, lines, 2)
			require.Equal(t, "asteroid_capacity_wait_duration_count "+b.api.AgentID("inventory")+" "+outcome+": 1", lines[1])
			var seconds float64
			_, value, _ := strings.Cut(lines[0], ": ")
			require.NoError(t, json.Unmarshal([]byte(value), &seconds))
			require.GreaterOrEqual(t, seconds, 120.0)
			require.LessOrEqual(t, seconds, 660.0)
		})
	}
	t.Run("never without a refusal", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("inventory")})
		require.NoError(t, err)
		require.Empty(t, b.recorded.Take(metrics.CapacityWait, metrics.PersonWait))
		for _, announced := range b.recorded.Take(metrics.QuestionsAsked) {
			require.Contains(t, announced, ": 0")
		}
	})
}

func TestRunAgentMeasuresWaitForPeople(t *testing.T) {
	t.Parallel()
	t.Run("answered", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		agent := b.askingAgent(account, account)
		for _, after := range []time.Duration{time.Hour, 3 * time.Hour} {
			b.RegisterDelayedCallback(func() { b.answer(t, workflows.AnswerInput{Text: "Savings"}) }, after)
		}
		_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
		require.NoError(t, err)
		require.Contains(t, b.recorded.Take(metrics.QuestionsAsked)[1], " paused_by_agent: 2")
		waits := b.recorded.Take(metrics.PersonWait)
		require.Len(t, waits, 2)
		require.Contains(t, waits[1], " answered: 2")
	})
	t.Run("not answered", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.askingAgent(account), HumanTimeoutSeconds: 600})
		require.True(t, asteroid.IsExecutionTimedOut(err), "%v", err)
		waits := b.recorded.Take(metrics.PersonWait)
		require.Len(t, waits, 2)
		require.Contains(t, waits[1], " unanswered: 1")
	})
}
