package testsuite_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporaltest "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/worker"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// environment returns a workflow test environment with Asteroid's plugin for the API.
func environment(t *testing.T) (*temporaltest.TestWorkflowEnvironment, func(*testsuite.API, func() time.Time)) {
	t.Helper()
	var suite temporaltest.WorkflowTestSuite
	suite.SetLogger(testsuite.NewLogger(t))
	env := suite.NewTestWorkflowEnvironment()
	return env, func(api *testsuite.API, now func() time.Time) {
		plugin, err := worker.NewPlugin(worker.Options{
			Connections: map[string]asteroid.Connection{"default": {APIKey: asteroid.StaticAPIKey(api.APIKey()), BaseURL: api.BaseURL()}},
			Now:         now,
		})
		require.NoError(t, err)
		env.SetWorkerOptions(sdkworker.Options{Plugins: []sdkworker.Plugin{plugin}})
	}
}

func TestNewAPIFailsTestThatMixesClocks(t *testing.T) {
	t.Parallel()
	longPoll := func(ctx workflow.Context, in workflows.RunAgentInput) (workflows.RunAgentResult, error) {
		started, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: in.AgentID})
		if err != nil {
			return workflows.RunAgentResult{}, err
		}
		_, err = workflows.AwaitExecution(ctx, asteroid.AwaitExecutionInput{ExecutionID: started.ExecutionID, LongPollSeconds: 20})
		return workflows.RunAgentResult{}, err
	}
	for name, row := range map[string]struct {
		options  func() []testsuite.Option
		workflow any
	}{
		"no clock":                       {func() []testsuite.Option { return nil }, workflows.RunAgent},
		"a clock that stands still":      {standingClock, workflows.RunAgent},
		"the clock of another one":       {otherClock, workflows.RunAgent},
		"a long poll of a clock at rest": {standingClock, longPoll},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, usePlugin := environment(t)
			fails := &recorder{T: t}
			api := testsuite.NewAPI(fails, row.options()...)
			usePlugin(api, env.Now)
			id := api.AddAgent("clerk", scripted(testsuite.Work(2*time.Hour), done(nil)))
			env.ExecuteWorkflow(row.workflow, workflows.RunAgentInput{AgentID: id})
			require.Equal(t, "failed", api.Executions()[0].Status)
			require.Less(t, len(api.Requests()), 300)
			require.Len(t, fails.failures(), 1)
			for _, want := range []string{"mixes clocks", "clerk", "testsuite.WithClock(env.Now)", "Now: env.Now"} {
				require.Contains(t, fails.failures()[0], want)
			}
			if name != "a long poll of a clock at rest" {
				require.True(t, asteroid.IsExecutionFailed(env.GetWorkflowError()))
				require.ErrorContains(t, env.GetWorkflowError(), "testsuite.WithClock(env.Now)")
			}
		})
	}
}

func standingClock() []testsuite.Option {
	return []testsuite.Option{testsuite.WithClock(newManualClock().Now)}
}

func otherClock() []testsuite.Option {
	var suite temporaltest.WorkflowTestSuite
	return []testsuite.Option{testsuite.WithClock(suite.NewTestWorkflowEnvironment().Now)}
}

// An agent that asks waits as long as nobody answers, and a day is a matter of some thousand reads.
func TestNewAPIAllowsClocksThatAgree(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]testsuite.Step{
		"a day":      {testsuite.Work(24 * time.Hour), done(nil)},
		"a question": {testsuite.Ask("Go on?"), done(nil)},
		"the past":   {testsuite.Work(2 * time.Hour), done(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, usePlugin := environment(t)
			options := []testsuite.Option{testsuite.WithStartDelay(0)}
			if name != "a question" {
				options = append(options, testsuite.WithClock(env.Now))
			}
			api := testsuite.NewAPI(t, options...)
			if name == "the past" {
				env.SetStartTime(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
			}
			usePlugin(api, env.Now)
			id := api.AddAgent("clerk", scripted(steps...))
			env.RegisterDelayedCallback(func() {
				if name == "a question" {
					c := &client{t: t, api: api, key: api.APIKey()}
					c.post("/agents/v2/executions/"+api.Executions()[0].ID+"/user-messages", `{"message":"Yes"}`)
				}
			}, 4*time.Hour)
			env.SetTestTimeout(time.Minute)
			env.ExecuteWorkflow(workflows.RunAgent, workflows.RunAgentInput{AgentID: id})
			require.NoError(t, env.GetWorkflowError())
			require.Greater(t, len(api.Requests()), 100)
		})
	}
}

// ended is a T whose test ends when end is called.
type ended struct {
	recorder
	cleanups []func()
	logged   []string
}

func (e *ended) Cleanup(cleanup func()) { e.cleanups = append(e.cleanups, cleanup) }
func (e *ended) Logf(format string, args ...any) {
	e.logged = append(e.logged, fmt.Sprintf(format, args...))
}

func (e *ended) end() string {
	for _, cleanup := range e.cleanups {
		cleanup()
	}
	return strings.Join(e.logged, "\n")
}

func TestNewAPIHintsAtMissingPlugin(t *testing.T) {
	t.Parallel()
	for name, usesIt := range map[string]bool{"without it": false, "with it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, usePlugin := environment(t)
			test := &ended{recorder: recorder{T: t}}
			api := testsuite.NewAPI(test, testsuite.WithClock(env.Now))
			if usesIt {
				usePlugin(api, env.Now)
			}
			env.ExecuteWorkflow(workflows.RunAgent, workflows.RunAgentInput{AgentID: api.AgentID("echo")})
			require.Equal(t, usesIt, env.GetWorkflowError() == nil)
			require.Equal(t, !usesIt, strings.Contains(test.end(), "env.SetWorkerOptions(worker.Options{Plugins: []worker.Plugin{plugin}})"))
		})
	}
}

func TestNewAPIHintsAtClockOfPlugin(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ now, full, hint bool }{
		"lookups without the clock": {hint: true},
		"lookups with the clock":    {now: true},
		"no capacity":               {now: true, full: true, hint: true}, // for hours
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, usePlugin := environment(t)
			test := &ended{recorder: recorder{T: t}}
			api := testsuite.NewAPI(test, testsuite.WithClock(env.Now))
			var now func() time.Time
			if row.now {
				now = env.Now
			}
			usePlugin(api, now)
			status := 502
			if row.full {
				api.SetConcurrencyLimit(1)
				c := &client{t: t, api: api, key: api.APIKey()}
				api.ServeAgent("busy", scripted(testsuite.Ask("Well?"), done(nil)))
				c.execute("busy", `{}`)
			} else {
				api.Inject("AgentExecutePost", testsuite.Answer(status, ""), 1)
			}
			env.ExecuteWorkflow(workflows.RunAgent, workflows.RunAgentInput{AgentID: api.AgentID("echo")})
			require.Equal(t, row.hint, env.GetWorkflowError() != nil)
			require.Equal(t, row.hint, strings.Contains(test.end(), "Now: env.Now"))
		})
	}
}
