package workflows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// recordAttributes records what each change of the search attributes sets, as pairs of name and
// value. The test environment does not tell what is unset.
func (b *bench) recordAttributes() *[]string {
	var changes []string
	b.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		attributes, _ := args.Get(0).(temporal.SearchAttributes)
		var pairs []string
		for _, name := range []string{"AsteroidAgent", "Asks", "AsteroidQuestion", "S", "AsteroidStatus"} {
			if key := temporal.NewSearchAttributeKeyKeyword(name); attributes.ContainsKey(key) {
				value, _ := attributes.GetKeyword(key)
				pairs = append(pairs, strings.TrimPrefix(name, "Asteroid")+"="+value)
			}
		}
		changes = append(changes, strings.Join(pairs, " "))
	}).Return(nil)
	return &changes
}

func newAttributesBench(t *testing.T) (*bench, *[]string) {
	t.Helper()
	b := newBench(t)
	b.attributes = asteroid.DefaultSearchAttributes()
	return b, b.recordAttributes()
}

func TestRunAgentShowsAgentStatusAndQuestionInSearchAttributes(t *testing.T) {
	t.Parallel()
	b, changes := newAttributesBench(t)
	agent := b.askingAgent(account)
	b.RegisterDelayedCallback(func() { b.answer(t, workflows.AnswerInput{Text: "Savings"}) }, time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.Equal(t, []string{
		"Agent=" + agent + " Status=starting",
		"Agent=asks Status=running",
		"Question=Which account? Status=paused_by_agent",
		"Status=completed",
	}, *changes)
}

func TestRunAgentSetsNoSearchAttributesByDefault(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	changes := b.recordAttributes()
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.workingAgent(time.Hour)})
	require.NoError(t, err)
	require.Empty(t, *changes)
}

func TestRunAgentShowsTheQuestionInASearchAttributeOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		attributes asteroid.SearchAttributes
		want       []string
	}{
		"alone":           {asteroid.SearchAttributes{}, []string{"Asks=Which account?", ""}},
		"with the status": {asteroid.SearchAttributes{Status: "S", Question: "Q"}, []string{"S=starting", "S=running", "Asks=Which account? S=paused_by_agent", "S=completed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.attributes = row.attributes
			changes := b.recordAttributes()
			agent := b.askingAgent(account)
			b.RegisterDelayedCallback(func() { b.answer(t, workflows.AnswerInput{Text: "Savings"}) }, time.Hour)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, QuestionSearchAttribute: "Asks"})
			require.NoError(t, err)
			require.Equal(t, row.want, *changes)
		})
	}
}

func TestRunAgentCleansAndBoundsSearchAttributes(t *testing.T) {
	t.Parallel()
	b, changes := newAttributesBench(t)
	text := "Pay\x00\x1b[31m \u202egpj.exe\u2066\r\n now?" + strings.Repeat("€", 1000)
	agent := b.api.AddAgent("pay\u202egpj", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(time.Minute), testsuite.AskFor(testsuite.Question{Text: text}, func(string) []testsuite.Step {
			return []testsuite.Step{testsuite.Complete("success", "", 1)}
		})}
	})
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, HumanTimeoutSeconds: 60})
	require.True(t, asteroid.IsExecutionTimedOut(err), "%v", err)
	joined := strings.Join(*changes, "\n")
	require.Contains(t, joined, "now?€€")
	require.Contains(t, joined, "Status=cancelled")
	require.Less(t, len(joined), 600)
	for _, misleading := range []string{"\x00", "\x1b", "\u202e", "\u2066", "\r"} {
		require.NotContains(t, joined, misleading)
	}
}

// leaveAgents is a workflow that starts agents and ends, in some way, without their results.
func leaveAgents(ctx workflow.Context, agent, end string) error {
	if _, err := workflows.StartAgent(ctx, workflows.RunAgentInput{AgentID: agent}); err != nil {
		return err
	}
	run, err := workflows.StartAgent(ctx, workflows.RunAgentInput{AgentID: agent})
	if err != nil {
		return err
	}
	workflow.Go(ctx, func(ctx workflow.Context) { _, _ = run.Result(ctx) })
	_ = workflow.Sleep(ctx, time.Hour)
	switch end {
	case "continue":
		return workflow.NewContinueAsNewError(ctx, leaveAgents, agent, end)
	case "fail":
		return temporal.NewApplicationError("no", "Failed")
	default:
		return nil
	}
}

func TestSearchAttributesEndWithTheWorkflow(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"return", "fail", "continue"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			b, changes := newAttributesBench(t)
			b.RegisterWorkflow(leaveAgents)
			agent := b.api.ServeAgent("asks", func(testsuite.Run) []testsuite.Step {
				return []testsuite.Step{testsuite.AskFor(testsuite.Question{Text: "Now?"}, func(string) []testsuite.Step { return nil })}
			})
			b.ExecuteWorkflow(leaveAgents, agent, end)
			require.Contains(t, *changes, "Agent=asks Question=Now? Status=paused_by_agent")
			require.Empty(t, (*changes)[len(*changes)-1])
		})
	}
}

// Ten agents of one kind work together. Their starts and ends do not change what is shown.
func TestSearchAttributesOfManyAgentsChangeSeldom(t *testing.T) {
	t.Parallel()
	b, changes := newAttributesBench(t)
	b.RegisterWorkflow(runAgents)
	b.ExecuteWorkflow(runAgents, b.servedAgent(time.Hour), 10)
	require.NoError(t, b.GetWorkflowError())
	require.LessOrEqual(t, len(*changes), 5, fmt.Sprint(*changes))
	require.Equal(t, "Status=completed", (*changes)[len(*changes)-1])
}
