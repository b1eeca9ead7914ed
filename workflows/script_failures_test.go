package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestScriptFailuresAreToldNewestFirst(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		last  testsuite.Step
		label string
	}{
		"of a cancelled run": {testsuite.CancelBy("script_failed"), "**Scripts that failed**"},
		"of a failed run":    {testsuite.Fail("no"), "**Scripts that failed**"},
		"of a completed run": {testsuite.Complete("success", "", 1), "**Scripts that failed, although the agent completed**"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var steps []testsuite.Step
			for i := range 8 {
				steps = append(steps, testsuite.Work(1e9), testsuite.FailScript(testsuite.ScriptFailure{
					NodeName: "Sign in", File: "login.js", Error: strings.Repeat("long ", 1000), Line: i + 1,
				}))
			}
			agent := b.api.AddAgent("scripted", func(testsuite.Run) []testsuite.Step { return append(steps, row.last) })
			var page string
			var result *workflows.RunAgentResult
			b.ExecuteWorkflow(func(ctx workflow.Context) (err error) {
				result, err = workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agent})
				page = workflow.GetCurrentDetails(ctx)
				return err
			})
			err := b.GetWorkflowError()
			require.Contains(t, page, row.label+": `login.js` line 8: `long long")
			var told []asteroid.ScriptFailure
			if err == nil {
				told = result.ScriptFailures
				require.Len(t, told, 5)
			} else {
				details, _ := asteroid.DetailsOf(err)
				told = details.Execution.ScriptFailures
				require.NotEmpty(t, told)
			}
			require.Equal(t, 8, told[0].Line)
			require.Equal(t, 7, told[1].Line)
			require.Less(t, len(told[0].Error), 600)
		})
	}
}
