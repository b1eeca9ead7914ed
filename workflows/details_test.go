package workflows_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/text"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestMarkdownShowsAgentFilesTimesAndResult(t *testing.T) {
	t.Parallel()
	started := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	state := workflows.AgentState{
		AgentID: "a-1", AgentName: "Claims clerk", Phase: workflows.PhaseCompleted, Started: started, Ended: started.Add(90 * time.Second),
		ExecutionID: "e-1", Status: asteroid.StatusCompleted, Outcome: "success",
		Files:        []asteroid.StagedFile{{Name: "claims.csv", Size: 6878, ContentType: "text/csv"}},
		PlatformURL:  "https://platform.asteroid.ai/executions/e-1",
		RecordingURL: "https://files.asteroid.ai/e-1(1)",
		LiveViewURL:  "https://live.asteroid.ai/e-1",
	}
	page := workflows.Markdown(state, []string{"claims.csv"}, `{"reference":"C-1042"}`)
	for _, part := range []string{
		"`Claims clerk` completed, outcome `success`",
		"`claims.csv` (`text/csv`, 6.9 kB)",
		"`e-1`, [its page](https://platform.asteroid.ai/executions/e-1)",
		"started 2026-11-23 09:00:00 UTC, finished 2026-11-23 09:01:30 UTC, 1m30s in all",
		"(https://files.asteroid.ai/e-1%281%29)",
		`"reference": "C-1042"`,
	} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, page, "live.asteroid.ai", "the live view is gone")
}

func TestMarkdownEscapesTextsOfTheAgent(t *testing.T) {
	t.Parallel()
	evil := "`](javascript:alert(1)) <img src=x onerror=alert(1)>\n\n# Heading"
	page := workflows.Markdown(workflows.AgentState{
		AgentName: evil, Phase: workflows.PhaseNeedsHuman, Status: asteroid.StatusPausedByAgent, Reason: evil, Error: evil,
		Questions:   []asteroid.Question{{Question: evil, Options: []asteroid.QuestionOption{{Label: evil, Description: evil}}}},
		ExecutionID: evil, PlatformURL: "javascript:alert(1)", LiveViewURL: "data:text/html,x",
	}, nil, "\"```\\n# Heading\"")
	require.NotContains(t, page, "\n#")
	require.Equal(t, 2, strings.Count(page, "```"))
	for line := range strings.Lines(page) {
		require.Zero(t, strings.Count(strings.ReplaceAll(line, "```", ""), "`")%2, line)
		outside := strings.Split(line, "`")
		for i := 0; i < len(outside); i += 2 {
			require.NotContains(t, outside[i], "<img", line)
			require.NotContains(t, outside[i], "](", line)
		}
	}
}

func TestMarkdownTruncatesALongResult(t *testing.T) {
	t.Parallel()
	page := workflows.Markdown(workflows.AgentState{Phase: workflows.PhaseCompleted}, nil, `"`+strings.Repeat("x", 10_000)+`"`)
	require.Less(t, len(page), 3000)
	require.Contains(t, page, "the rest is in the workflow's result")
}

func TestRunAgentKeepsTheAuthorsCurrentDetails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var during, after string
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		workflow.SetCurrentDetails(ctx, "Claim 1042")
		for range 2 {
			if _, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 1}}); err != nil {
				return err
			}
		}
		during = workflow.GetCurrentDetails(ctx)
		workflow.SetCurrentDetails(ctx, "Claim 1042 is filed")
		_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 1}})
		after = workflow.GetCurrentDetails(ctx)
		return err
	})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, 1, strings.Count(during, "Claim 1042"))
	require.Equal(t, 2, strings.Count(during, "**Agent**"))
	require.True(t, strings.HasPrefix(after, "Claim 1042 is filed"), after)
	require.Equal(t, 3, strings.Count(after, "**Agent**"))
}

func TestMarkdownIndentsAResult(t *testing.T) {
	t.Parallel()
	const raw = `{"a":[1,{"b":"x, {\"}\\"},[],{ }],"c":{"d":null,"e":-1.5}}`
	var want bytes.Buffer
	require.NoError(t, json.Indent(&want, []byte(raw), "", "  "))
	require.Contains(t, workflows.Markdown(workflows.AgentState{}, nil, raw), "```json\n"+want.String()+"\n```")
}

// The page shows the beginning of a result, and rendering it costs no more than rendering that.
func TestMarkdownCostsLittleForAnyResult(t *testing.T) {
	for name, parts := range map[string][3]string{
		"deep":            {strings.Repeat("[", 7000), "", strings.Repeat("]", 7000)},
		"large":           {`"`, strings.Repeat("x", 1_800_000), `"`},
		"many members":    {"[", strings.Repeat(`{"a":1},`, 200_000), "0]"},
		"backslashes":     {`"`, strings.Repeat(`\\`, 900_000), `"`},
		"quotes":          {`["`, strings.Repeat(`","`, 500_000), `"]`},
		"not JSON at all": {"", strings.Repeat("]}", 500_000), ""},
	} {
		result := parts[0] + parts[1] + parts[2]
		page := workflows.Markdown(workflows.AgentState{Phase: workflows.PhaseCompleted}, nil, result)
		require.Less(t, len(page), 3000, name)
		require.Contains(t, page, "the rest is in the workflow's result", name)
		render := func(result string) float64 {
			return testing.AllocsPerRun(10, func() { workflows.Markdown(workflows.AgentState{}, nil, result) })
		}
		beginning := result[:8000]
		require.LessOrEqual(t, render(result), 2*render(beginning)+100, name)
		// Allocations do not show a pass over the whole text, but the time does, at any load.
		took := func(result string) time.Duration {
			began := time.Now()
			for range 20 {
				workflows.Markdown(workflows.AgentState{}, nil, result)
			}
			return time.Since(began)
		}
		require.Eventually(t, func() bool { return took(result) < 30*took(beginning)+10*time.Millisecond }, time.Minute, time.Millisecond, name)
	}
}

func TestMarkdownReplacesMisleadingCharacters(t *testing.T) {
	t.Parallel()
	const evil = "pay\u202egpj.exe\u2066\x00\x1b[31m\u200f"
	page := workflows.Markdown(workflows.AgentState{
		AgentName: evil, AgentID: evil, Phase: workflows.PhaseNeedsHuman, Status: asteroid.StatusPausedByAgent, Reason: evil, Error: evil, ExecutionID: evil, Outcome: evil,
		Questions: []asteroid.Question{{Question: evil, Header: evil, Options: []asteroid.QuestionOption{{Label: evil, Description: evil}}}},
		Files:     []asteroid.StagedFile{{Name: evil, ContentType: evil}}, Outputs: []asteroid.OutputFile{{FileRef: asteroid.FileRef{Name: evil}}},
		FailedExecutions: []string{evil}, PlatformURL: "https://a/" + evil, LiveViewURL: "https://a/" + evil,
		Statuses: []workflows.StatusTime{{Status: evil}}, StartedBy: &asteroid.Actor{Kind: evil, ID: evil, Client: evil},
		ScriptFailures: []asteroid.ScriptFailure{{Node: evil, Script: evil, Error: evil}}, Warnings: []string{evil},
	}, []string{evil}, `"`+evil+`"`)
	for _, r := range page {
		require.False(t, text.Misleading(r), "%q", r)
	}
}

func TestMarkdownBoundsQuestions(t *testing.T) {
	t.Parallel()
	state := workflows.AgentState{Phase: workflows.PhaseNeedsHuman, Status: asteroid.StatusPausedByAgent}
	long := strings.Repeat("?", 2000)
	for range 20 {
		q := asteroid.Question{Question: long}
		for range 30 {
			q.Options = append(q.Options, asteroid.QuestionOption{Label: "yes"})
		}
		state.Questions = append(state.Questions, q)
	}
	page := workflows.Markdown(state, nil, "")
	require.Less(t, len(page), 6000)
	require.Contains(t, page, "20 more answers")
	require.Contains(t, page, "more questions or answers are in the state")
}

func TestCurrentDetailsHaveABoundedSize(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.ServeAgent("verbose", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Complete(strings.Repeat("o", 5000), "", strings.Repeat("x", 100_000))}
	})
	var details string
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		for range 30 {
			if _, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agent}); err != nil {
				return err
			}
		}
		details = workflow.GetCurrentDetails(ctx)
		return nil
	})
	require.NoError(t, b.GetWorkflowError())
	require.Less(t, len(details), 20_000)
	require.Contains(t, details, "earlier agents are not shown")
	require.Contains(t, details, "**Result**")
}

func TestStateQueryHasABoundedSize(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.ServeAgent("verbose", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Fail(strings.Repeat("x", 5000))}
	})
	const agents = 700
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		for range agents {
			_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agent})
			require.True(t, asteroid.IsExecutionFailed(err), "%v", err)
		}
		return nil
	})
	require.NoError(t, b.GetWorkflowError())
	value, err := b.QueryWorkflow(workflows.StateQuery)
	require.NoError(t, err)
	var state workflows.State
	require.NoError(t, value.Get(&state))
	encoded, err := json.Marshal(state)
	require.NoError(t, err)
	require.LessOrEqual(t, len(encoded), 1<<20+1000)
	require.Len(t, state.Agents, agents-state.Omitted)
	last := state.Agents[len(state.Agents)-1]
	require.Len(t, last.Reason, 2000)
	require.True(t, strings.HasSuffix(last.Reason, "..."))
	require.NotEmpty(t, state.Agents[0].ExecutionID)
}
