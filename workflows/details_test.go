package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
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
