package workflows_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/intent"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// The worker's limits are found out by the first activity. Until then a run that a reset has
// created hears of a permit for which it has not asked: the one of the run that the reset has
// replaced, whose agent is at work.
func TestRunAgentKeepsPermitOfAReplacedRun(t *testing.T) {
	t.Parallel()
	const limiter, own = "limiter", "default-test-workflow-id|default-test-run-id|REQUEST|"
	for name, row := range map[string]struct {
		event asteroid.PermitEvent
		back  bool // the permit goes back at once
	}{
		"granted to it":             {asteroid.PermitEvent{Token: own + "1", RunID: "replaced", Granted: true}, false},
		"asked whether it wants it": {asteroid.PermitEvent{Token: own + "1"}, false},
		"of another chain":          {asteroid.PermitEvent{Token: "default-test-workflow-id|other|1", Granted: true}, true},
		"of no agent":               {asteroid.PermitEvent{Token: own + "0", Granted: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			agent := b.api.AddAgent("clerk", func(testsuite.Run) []testsuite.Step {
				return []testsuite.Step{testsuite.Complete("success", "", 1)}
			})
			in := workflows.RunAgentInput{AgentID: agent, Files: []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}}
			request := intent.Of(asteroid.ExecuteAgentInput{AgentID: agent}, intent.OfFiles(in.Files)).Identity()
			own := strings.Replace(own, "REQUEST", request, 1)
			row.event.Limiter, row.event.Token = limiter, strings.Replace(row.event.Token, "REQUEST", request, 1)
			token, released := "", map[string]bool{} // while the agent has no permit of its own
			b.OnSignalExternalWorkflow(mock.Anything, limiter, "", asteroid.ReleasePermitSignal, mock.Anything).Return(
				func(_, _, _, _ string, release any) error {
					b.mu.Lock()
					defer b.mu.Unlock()
					if token == "" {
						released[release.(asteroid.PermitRelease).Token] = true
					}
					return nil
				})
			b.mock(func() {
				b.OnActivity(asteroid.StageFilesName, mock.Anything, mock.Anything).Return(
					func(_ context.Context, in asteroid.StageFilesInput) (*asteroid.StageFilesResult, error) {
						if !in.Internal.CheckLimits {
							return &asteroid.StageFilesResult{}, nil
						}
						return nil, temporal.NewNonRetryableApplicationError("limited", asteroid.ErrorTypePermitRequired, nil, asteroid.ErrorDetails{})
					}).After(time.Minute)
				b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
					func(ctx context.Context, in asteroid.AcquirePermitInput) (*asteroid.AcquirePermitResult, error) {
						token = in.Token
						require.Equal(t, own+"1", token, activity.GetInfo(ctx).WorkflowExecution)
						return &asteroid.AcquirePermitResult{}, nil
					}).Once()
			})
			b.RegisterDelayedCallback(func() { b.SignalWorkflow(asteroid.PermitSignal, row.event) }, time.Second)
			_, err := b.runAgent(t, in)
			require.NoError(t, err)
			require.Equal(t, row.back, released[row.event.Token])
		})
	}
}

// mock calls the function when the plugin has registered the activities. It comes before connect.
func (b *bench) mock(activities func()) {
	b.t.Helper()
	mocks, err := temporal.NewSimplePlugin(temporal.SimplePluginOptions{
		Name: "mocks",
		RunContextBefore: func(context.Context, temporal.SimplePluginRunContextBeforeOptions) error {
			activities()
			return nil
		},
	})
	require.NoError(b.t, err)
	b.plugins = append(b.plugins, mocks)
}

// A workflow that was reset may start its agents in another order. Each asks for the permit that it
// had.
func TestRunAgentPermitsBelongToRequests(t *testing.T) {
	t.Parallel()
	tokens := func(order []int) map[int]string {
		b := newBench(t)
		asked := map[int]string{} // by the number of permits of the limit
		b.mock(func() {
			b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
				func(_ context.Context, in asteroid.AcquirePermitInput) (*asteroid.AcquirePermitResult, error) {
					b.mu.Lock()
					defer b.mu.Unlock()
					asked[in.Limits[0].Max] = in.Token
					return &asteroid.AcquirePermitResult{}, nil
				})
		})
		b.ExecuteWorkflow(func(ctx workflow.Context) error {
			for _, n := range order {
				in := workflows.RunAgentInput{AgentID: "none", Inputs: asteroid.Inputs{"n": n}, Limits: []asteroid.Limit{{Key: "login", Max: n}}}
				_, _ = workflows.RunAgent(ctx, in) // there is no such agent
			}
			return nil
		})
		require.NoError(t, b.GetWorkflowError())
		require.Len(t, asked, len(order))
		return asked
	}
	order := []int{1, 2, 3}
	first := tokens(order)
	slices.Reverse(order)
	require.Equal(t, first, tokens(order))
}

// A run that a reset has created adopts the agent before it knows that the worker limits it. It
// takes the permit of the replaced run while the agent works.
func TestRunAgentTakesPermitOfAnAdoptedAgent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.servedAgent(time.Hour)
	own := "default-test-workflow-id|default-test-run-id|" + intent.Of(asteroid.ExecuteAgentInput{AgentID: agent}, nil).Identity() + "|1"
	limiter := asteroid.LimiterWorkflowID("", "login")
	var asked, released []string
	b.OnSignalExternalWorkflow(mock.Anything, limiter, "", asteroid.ReleasePermitSignal, mock.Anything).Return(
		func(_, _, _, _ string, release any) error {
			require.NotEqual(t, "running", b.api.Executions()[0].Status)
			b.mu.Lock()
			defer b.mu.Unlock()
			released = append(released, release.(asteroid.PermitRelease).Token)
			return nil
		})
	b.mock(func() {
		b.OnActivity(asteroid.ExecuteAgentName, mock.Anything, mock.Anything).Return(
			func(context.Context, asteroid.ExecuteAgentInput) (*asteroid.ExecuteAgentResult, error) {
				b.send("/agents/"+agent+"/execute", map[string]any{})
				return &asteroid.ExecuteAgentResult{
					ExecutionID: b.api.Executions()[0].ID, Status: asteroid.StatusRunning, Adopted: true, PermitRequired: true,
				}, nil
			}).Once()
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
			func(_ context.Context, in asteroid.AcquirePermitInput) (*asteroid.AcquirePermitResult, error) {
				asked = append(asked, in.Token)
				return &asteroid.AcquirePermitResult{Limits: []asteroid.Limit{{Key: "login", Max: 1}}, Limiter: limiter}, nil
			})
	})
	phases := []map[workflows.Phase]int{}
	b.RegisterDelayedCallback(func() { phases = append(phases, b.phases(t)) }, 5*time.Minute)
	b.RegisterDelayedCallback(func() {
		b.SignalWorkflow(asteroid.PermitSignal, asteroid.PermitEvent{Token: own, Limiter: limiter, RunID: "default-test-run-id", Granted: true})
	}, 15*time.Minute)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.Equal(t, b.api.Executions()[0].ID, result.ExecutionID)
	require.Equal(t, []map[workflows.Phase]int{{workflows.PhaseRunning: 1}}, phases, "it waits for the permit while the agent works")
	require.Equal(t, []string{own, own}, asked, "once more after ten minutes, but not after its grant")
	require.Equal(t, []string{own}, released)
}

// askedPermits records the requests for permits of one limiter, by the inputs' number.
func (b *bench) askedPermits(limiter string, began func() time.Time) (asked map[string][]time.Time) {
	asked = map[string][]time.Time{}
	b.mock(func() {
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
			func(_ context.Context, in asteroid.AcquirePermitInput) (*asteroid.AcquirePermitResult, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				asked[in.Token] = append(asked[in.Token], b.Now())
				return &asteroid.AcquirePermitResult{Limits: in.Limits, Limiter: limiter, LimiterBegan: began()}, nil
			})
	})
	b.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", mock.Anything, mock.Anything).Return(nil).Maybe()
	return asked
}

// signalsTo records the names of the signals to a workflow. Those to others are not recorded.
func (b *bench) signalsTo(workflowID string) (names func() []string) {
	var told []string
	b.OnSignalExternalWorkflow(mock.Anything, workflowID, "", mock.Anything, mock.Anything).Return(func(_, _, _, signal string, _ any) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		told = append(told, signal)
		return nil
	})
	b.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", mock.Anything, mock.Anything).Return(nil).Maybe()
	return func() []string {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.Clone(told)
	}
}

// waitForPermits runs a workflow with equal agents that wait for a permit until it is cancelled.
func (b *bench) waitForPermits(agents int, until time.Duration) {
	b.RegisterDelayedCallback(b.CancelWorkflow, until)
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		left := agents
		for range agents {
			workflow.Go(ctx, func(ctx workflow.Context) {
				_, _ = workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: "none", Limits: []asteroid.Limit{{Key: "login"}}})
				left--
			})
		}
		ctx, _ = workflow.NewDisconnectedContext(ctx)
		return workflow.Await(ctx, func() bool { return left == 0 })
	})
	require.NoError(b.t, b.GetWorkflowError())
}

func TestRunAgentsThatWaitForPermitsKeepHistoryShort(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked := b.askedPermits("limiter", func() time.Time { return time.Time{} })
	b.waitForPermits(50, 7*24*time.Hour)
	total := 0
	for _, times := range asked {
		total += len(times)
	}
	require.Len(t, asked, 50)
	require.LessOrEqual(t, total, 50+36+7*24, "requests in a week")
	require.Greater(t, total, 50+7*24, "one of them asks again, in case the limiter was terminated")
}

func TestRunAgentsThatWaitForPermitsAllAskANewLimiter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	terminated := b.Now().Add(time.Minute)
	asked := b.askedPermits("limiter", func() time.Time {
		if b.Now().After(terminated) {
			return terminated
		}
		return time.Time{}
	})
	b.waitForPermits(5, 15*time.Minute)
	require.Len(t, asked, 5)
	for token, times := range asked {
		require.Len(t, times, 2, token)
	}
}

// The worker's limits come on top of those of the input, which may be as many as are allowed.
func TestRunAgentAsksAgainForOneOfManyLimits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	in := workflows.RunAgentInput{AgentID: "none"}
	for i := range 10 {
		in.Limits = append(in.Limits, asteroid.Limit{Key: strconv.Itoa(i)})
	}
	var refused []error
	b.mock(func() {
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
			func(_ context.Context, in asteroid.AcquirePermitInput) (*asteroid.AcquirePermitResult, error) {
				refused = append(refused, in.Validate())
				limits := asteroid.RunLimits{All: []asteroid.Limit{{Key: "worker"}}}.Of("", in.Limits)
				return &asteroid.AcquirePermitResult{Limits: limits, Limiter: asteroid.LimiterWorkflowID("", limits[0].Key)}, nil
			})
	})
	b.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", mock.Anything, mock.Anything).Return(nil).Maybe()
	b.RegisterDelayedCallback(b.CancelWorkflow, 15*time.Minute)
	_, err := b.runAgent(t, in)
	require.Error(t, err)
	require.Equal(t, []error{nil, nil}, refused)
}

// Two runs that take two permits must not wait for each other: one that waits for its first permit
// does not keep a second one, which the run that a reset has replaced held.
func TestRunAgentGivesBackPermitOutOfTurn(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]asteroid.PermitEvent{
		"asked whether it wants it": {RunID: "replaced"},
		"granted":                   {RunID: "default-test-run-id", Granted: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testPermitOutOfTurn(t, event)
		})
	}
}

func testPermitOutOfTurn(t *testing.T, event asteroid.PermitEvent) {
	t.Helper()
	b := newBench(t)
	limits := []asteroid.Limit{{Key: "one"}, {Key: "two"}}
	second := asteroid.LimiterWorkflowID("", "two")
	var token string
	b.mock(func() {
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
			func(_ context.Context, in asteroid.AcquirePermitInput) (*asteroid.AcquirePermitResult, error) {
				token = in.Token
				return &asteroid.AcquirePermitResult{Limits: limits, Limiter: asteroid.LimiterWorkflowID("", limits[in.Take].Key)}, nil
			})
	})
	told := b.signalsTo(second)
	b.RegisterDelayedCallback(func() {
		event.Token, event.Limiter = token, second
		b.SignalWorkflow(asteroid.PermitSignal, event)
	}, time.Minute)
	b.RegisterDelayedCallback(func() {
		require.Equal(t, []string{asteroid.ReleasePermitSignal}, told())
		b.CancelWorkflow()
	}, 2*time.Minute)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: "none", Limits: limits})
	require.Error(t, err)
}

// A run that a reset has created does not know whether its agent is at work. It keeps all permits
// of the replaced run until the first activity tells that the agent is not.
func TestRunAgentGivesBackPermitOutOfTurnWhenItsAgentIsNotAtWork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	in := workflows.RunAgentInput{AgentID: "none", Files: []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}}
	token := "default-test-workflow-id|default-test-run-id|" +
		intent.Of(asteroid.ExecuteAgentInput{AgentID: "none"}, intent.OfFiles(in.Files)).Identity() + "|1"
	limits := []asteroid.Limit{{Key: "one"}, {Key: "two"}}
	second := asteroid.LimiterWorkflowID("", "two")
	b.mock(func() {
		b.OnActivity(asteroid.StageFilesName, mock.Anything, mock.Anything).Return(
			nil, temporal.NewNonRetryableApplicationError("limited", asteroid.ErrorTypePermitRequired, nil, asteroid.ErrorDetails{})).After(time.Minute)
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
			&asteroid.AcquirePermitResult{Limits: limits, Limiter: asteroid.LimiterWorkflowID("", "one")}, nil)
	})
	told := b.signalsTo(second)
	for after, event := range map[time.Duration]asteroid.PermitEvent{
		10 * time.Second: {RunID: "replaced"},
		20 * time.Second: {RunID: "replaced"},
		30 * time.Second: {RunID: "default-test-run-id", Granted: true},
	} {
		event.Token, event.Limiter = token, second
		b.RegisterDelayedCallback(func() { b.SignalWorkflow(asteroid.PermitSignal, event) }, after)
	}
	b.RegisterDelayedCallback(func() {
		require.Equal(t, []string{asteroid.AcquirePermitSignal, asteroid.ReleasePermitSignal}, told())
		b.CancelWorkflow()
	}, 2*time.Minute)
	_, err := b.runAgent(t, in)
	require.Error(t, err)
}

// The activity repeats its request until the limiter takes it.
func TestRunAgentSaysThatItWaitsForAPermitOfAFullLimiter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mock(func() {
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(nil, temporal.NewApplicationError("5,000 runs wait", asteroid.ErrorTypeLimiterFull))
	})
	b.RegisterDelayedCallback(func() {
		require.Equal(t, map[workflows.Phase]int{workflows.PhaseWaitingForPermit: 1}, b.phases(t))
		b.CancelWorkflow()
	}, time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: "none", Limits: []asteroid.Limit{{Key: "login"}}})
	require.True(t, temporal.IsCanceledError(err), err)
}

// The server admits 2,000 pending activities to a workflow, whatever the number of its agents.
func TestRunAgentsAskForFewPermitsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const agents, atOnce = 250, 200
	limit := asteroid.Limit{Key: "login"}
	b.mock(func() {
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
			&asteroid.AcquirePermitResult{Limits: []asteroid.Limit{limit}, Limiter: asteroid.LimiterWorkflowID("", "login")}, nil).After(time.Minute)
	})
	began, asked := b.Now(), map[time.Duration]int{}
	b.SetOnActivityStartedListener(func(*activity.Info, context.Context, converter.EncodedValues) {
		asked[b.Now().Sub(began).Truncate(time.Minute)]++
	})
	released := map[time.Duration]int{}
	b.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", mock.Anything, mock.Anything).Return(func(string, string, string, string, any) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		released[b.Now().Sub(began).Truncate(time.Minute)]++
		return nil
	}).After(time.Minute)
	b.waitForPermits(agents, 5*time.Minute)
	for times, sum := range map[*map[time.Duration]int]int{&asked: 0, &released: 0} {
		for at, n := range *times {
			require.LessOrEqual(t, n, atOnce, at)
			sum += n
		}
		require.Equal(t, agents, sum)
	}
}

// The agent may be at work, so a cancelled workflow looks for it once more.
func TestRunAgentCancelledWhileItWaitsForALostPermitNamesTheKeyOfAnUnknown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	limit := asteroid.Limit{Key: "login"}
	var lookups []time.Time
	b.mock(func() {
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(&asteroid.AcquirePermitResult{Limits: []asteroid.Limit{limit}}, nil).Once()
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
			&asteroid.AcquirePermitResult{Limits: []asteroid.Limit{limit}, Limiter: asteroid.LimiterWorkflowID("", "login")}, nil)
		executes := 0
		b.OnActivity(asteroid.ExecuteAgentName, mock.Anything, mock.Anything).Return(
			func(_ context.Context, in asteroid.ExecuteAgentInput) (*asteroid.ExecuteAgentResult, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				executes++
				switch {
				case in.AdoptOnly:
					lookups = append(lookups, b.Now())
					return nil, temporal.NewNonRetryableApplicationError("none", asteroid.ErrorTypeNotFound, nil, asteroid.ErrorDetails{})
				case executes == 1:
					return nil, temporal.NewNonRetryableApplicationError("full", asteroid.ErrorTypeAtCapacity, nil,
						asteroid.ErrorDetails{ExecutionKey: "key", UnknownOutcomes: 1, LastUnknown: b.Now()})
				default:
					return nil, temporal.NewNonRetryableApplicationError("lost", asteroid.ErrorTypePermitLost, nil, asteroid.ErrorDetails{})
				}
			})
	})
	b.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", mock.Anything, mock.Anything).Return(nil).Maybe()
	began := b.Now()
	b.RegisterDelayedCallback(b.CancelWorkflow, time.Hour)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: "none", Limits: []asteroid.Limit{limit}})
	require.True(t, temporal.IsCanceledError(err), err)
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, "key", details.ExecutionKey)
	require.Len(t, lookups, 2)
	require.GreaterOrEqual(t, lookups[1].Sub(began), time.Hour)
}

// The agent that asks again for all ends while it does. Another one goes on.
func TestRunAgentAsksAgainAfterTheOneThatDidHasEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.servedAgent(12 * time.Minute)
	var asked []string
	b.mock(func() {
		b.OnActivity(asteroid.ExecuteAgentName, mock.Anything, mock.Anything).Return(
			func(context.Context, asteroid.ExecuteAgentInput) (*asteroid.ExecuteAgentResult, error) {
				b.send("/agents/"+agent+"/execute", map[string]any{})
				return &asteroid.ExecuteAgentResult{
					ExecutionID: b.api.Executions()[0].ID, Status: asteroid.StatusRunning, Adopted: true, PermitRequired: true,
				}, nil
			}).Once()
		acquire := func(_ context.Context, in asteroid.AcquirePermitInput) (*asteroid.AcquirePermitResult, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			asked = append(asked, in.Token)
			return &asteroid.AcquirePermitResult{Limits: []asteroid.Limit{{Key: "login"}}, Limiter: asteroid.LimiterWorkflowID("", "login")}, nil
		}
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(acquire).Twice()
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(acquire).After(5 * time.Minute).Once() // until then the agent has ended
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(acquire)
	})
	b.OnSignalExternalWorkflow(mock.Anything, mock.Anything, "", mock.Anything, mock.Anything).Return(nil).Maybe()
	b.RegisterDelayedCallback(b.CancelWorkflow, 25*time.Minute)
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		adopted, err := workflows.StartAgent(ctx, workflows.RunAgentInput{AgentID: agent})
		require.NoError(t, err)
		_ = workflow.Sleep(ctx, time.Second)
		workflow.Go(ctx, func(ctx workflow.Context) {
			_, err := adopted.Result(ctx)
			require.NoError(t, err)
		})
		_, err = workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: "waits", Limits: []asteroid.Limit{{Key: "login"}}})
		require.Error(t, err)
		return nil
	})
	require.NoError(t, b.GetWorkflowError())
	require.NotEqual(t, asked[0], asked[1])
	require.Contains(t, asked[2:], asked[1])
}

// Of three equal requests the first two have completed before a reset. The third has its own token.
func TestRunAgentPermitOfEqualRequestsBelongsToTheirOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.servedAgent(time.Minute)
	var tokens []string
	executes := 0
	b.mock(func() {
		b.OnActivity(asteroid.ExecuteAgentName, mock.Anything, mock.Anything).Return(
			func(context.Context, asteroid.ExecuteAgentInput) (*asteroid.ExecuteAgentResult, error) {
				if executes++; executes == 3 {
					return nil, temporal.NewNonRetryableApplicationError("limited", asteroid.ErrorTypePermitRequired, nil, asteroid.ErrorDetails{})
				}
				b.send("/agents/"+agent+"/execute", map[string]any{})
				executions := b.api.Executions()
				return &asteroid.ExecuteAgentResult{ExecutionID: executions[len(executions)-1].ID, Status: asteroid.StatusRunning, Adopted: true}, nil
			})
		b.OnActivity(asteroid.AcquirePermitName, mock.Anything, mock.Anything).Return(
			func(_ context.Context, in asteroid.AcquirePermitInput) (*asteroid.AcquirePermitResult, error) {
				tokens = append(tokens, in.Token)
				return &asteroid.AcquirePermitResult{}, nil
			})
	})
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		for range 3 {
			if _, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: agent}); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, b.GetWorkflowError())
	require.Len(t, tokens, 1)
	require.True(t, strings.HasSuffix(tokens[0], "|3"), tokens[0])
}
