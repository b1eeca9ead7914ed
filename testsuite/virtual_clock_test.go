package testsuite_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	temporaltest "go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

func TestWithClockFollowsWorkflowTestEnvironment(t *testing.T) {
	t.Parallel()
	var suite temporaltest.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	api := testsuite.NewAPI(t, testsuite.WithClock(env.Now))
	c := &client{t: t, api: api, key: api.APIKey()}
	api.AddAgent("clerk", scripted(testsuite.Work(10*time.Hour), testsuite.Ask("Pay?", "Yes"), testsuite.Work(time.Hour), done(nil)))

	register := func(name string, does any) {
		env.RegisterActivityWithOptions(does, activity.RegisterOptions{Name: name})
	}
	register("execute", func() (string, error) { return c.execute("clerk", `{}`), nil })
	register("status", func(id string) (string, error) { return c.status(id), nil })
	register("confirm", func(id string) (int, error) {
		return c.post("/agents/v2/executions/"+id+"/user-messages", `{"message":"Yes"}`).status, nil
	})
	env.SetTestTimeout(time.Minute)
	began := time.Now()
	env.ExecuteWorkflow(func(ctx workflow.Context) (time.Duration, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		from := workflow.Now(ctx)
		var id, now string
		if err := workflow.ExecuteActivity(ctx, "execute").Get(ctx, &id); err != nil {
			return 0, err
		}
		for now != "completed" {
			if now == "paused_by_agent" {
				if err := workflow.ExecuteActivity(ctx, "confirm", id).Get(ctx, nil); err != nil {
					return 0, err
				}
			}
			if err := workflow.Sleep(ctx, 30*time.Minute); err != nil {
				return 0, err
			}
			if err := workflow.ExecuteActivity(ctx, "status", id).Get(ctx, &now); err != nil {
				return 0, err
			}
		}
		return workflow.Now(ctx).Sub(from), nil
	})
	require.NoError(t, env.GetWorkflowError())
	var took time.Duration
	require.NoError(t, env.GetWorkflowResult(&took))
	require.InDelta(t, (11*time.Hour + 30*time.Minute).Minutes(), took.Minutes(), 31)
	require.Less(t, time.Since(began), 30*time.Second)
	execution := api.Executions()[0]
	require.GreaterOrEqual(t, execution.TerminalAt.Sub(execution.StartedAt), 11*time.Hour)
}
