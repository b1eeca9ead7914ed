package workflows_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// occupy starts an agent that takes the only place for these hours.
func occupy(ctx workflow.Context, b *bench, hours int) error {
	_, err := workflows.StartAgent(ctx, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": hours * 3600}})
	return err
}

func TestRunAgentWaitsForCapacityWithFreshFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t, testsuite.WithConcurrencyLimit(1))
	var during workflows.State
	b.RegisterDelayedCallback(func() {
		value, err := b.QueryWorkflow(workflows.StateQuery)
		require.NoError(t, err)
		require.NoError(t, value.Get(&during))
	}, 3*time.Hour)
	var scheduled []string
	b.SetOnActivityStartedListener(onFirstAttempt(&scheduled))
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		if err := occupy(ctx, b, 5); err != nil {
			return err
		}
		_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: b.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}})
		return err
	})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, workflows.PhaseWaitingForCapacity, during.Agents[1].Phase)
	require.WithinDuration(t, during.Agents[1].Started, during.Agents[1].Since, time.Minute, "since the first refusal")
	require.Len(t, b.api.Executions(), 2)
	require.Less(t, len(scheduled), 25, "history grows with the files' lifetime, not with the attempts")
}

func TestRunAgentFailsWithAtCapacityAfterItsCapacityTimeout(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]asteroid.FileRef{"without files": nil, "with files": {{URI: "data:,x"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, testsuite.WithConcurrencyLimit(1))
			began := b.Now()
			b.ExecuteWorkflow(func(ctx workflow.Context) error {
				if err := occupy(ctx, b, 24); err != nil {
					return err
				}
				_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: b.api.AgentID("inventory"), Files: files, CapacityTimeoutSeconds: 2 * 3600})
				return err
			})
			require.True(t, asteroid.IsAtCapacity(b.GetWorkflowError()), "%v", b.GetWorkflowError())
			var failed *temporal.ApplicationError
			require.ErrorAs(t, b.GetWorkflowError(), &failed)
			require.NotContains(t, failed.Message(), "tried again")
			require.InDelta(t, 2, b.Now().Sub(began).Hours(), 0.1)
		})
	}
}

func TestRunAgentLetsTheServiceQueueAnAgentWithoutFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t, testsuite.WithConcurrencyLimit(1))
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		if err := occupy(ctx, b, 5); err != nil {
			return err
		}
		_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{
			AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 60}, OnCapacityLimit: asteroid.CapacityQueue,
		})
		return err
	})
	require.NoError(t, b.GetWorkflowError())
	require.Equal(t, 2, b.requests("AgentExecutePost"))
	require.Equal(t, "completed", b.api.Executions()[1].Status)
}

func TestRunAgentAdoptsTheRunOfALostResponse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("patient")})
	require.NoError(t, err)
	require.True(t, result.Adopted)
	require.Len(t, b.api.Executions(), 1)
}

func TestRunAgentCancelsALateDuplicate(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]int{"sent again": 0, "sent again when there was capacity": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			works := func(d time.Duration) testsuite.Agent {
				return func(testsuite.Run) []testsuite.Step {
					return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", 1)}
				}
			}
			agent := b.api.AddAgent("slow", works(6*time.Hour), works(time.Hour))
			// The service carries out the first request, but the response is lost and the list
			// hides the run beyond the grace period.
			hidden := &hidingTransport{}
			b.connect(func(c *asteroid.Connection) { c.Transport = hidden })
			b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
			b.api.Inject("AgentExecutePost", testsuite.Answer(409, `{"code":409,"message":"full"}`, "Content-Type", "application/json"), between)
			hidden.hide.Store(true)
			b.RegisterDelayedCallback(func() { hidden.hide.Store(false) }, 30*time.Minute)
			result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
			require.NoError(t, err)
			executions := b.api.Executions()
			require.Len(t, executions, 2)
			require.Equal(t, executions[1].ID, result.ExecutionID)
			require.Equal(t, []string{executions[0].ID}, result.DuplicatesCancelled)
			require.Equal(t, "cancelled", executions[0].Status)
		})
	}
}

// hidingTransport lists no executions while hide is set.
type hidingTransport struct {
	hide  atomic.Bool
	lists atomic.Int32
}

func (h *hidingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && r.URL.Path == "/agents/v2/executions" {
		h.lists.Add(1)
		if h.hide.Load() {
			query := r.URL.Query()
			query.Set("metadataValue", "nothing has this")
			r = r.Clone(r.Context())
			r.URL.RawQuery = query.Encode()
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestRunAgentRepeatsACancelThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]testsuite.Fault{
		"too new to be found": testsuite.Answer(404, `{"code":404,"message":"not found"}`, "Content-Type", "application/json"),
		"not while starting":  testsuite.Answer(400, `{"code":400,"message":"not now"}`, "Content-Type", "application/json"),
		"down":                testsuite.Answer(503, "", "Content-Type", "text/plain"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.api.Inject("ExecutionStatusUpdate", fault, 2)
			b.RegisterDelayedCallback(b.CancelWorkflow, 10*time.Minute)
			_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 7200}})
			var cancelled *temporal.CanceledError
			require.True(t, errors.As(err, &cancelled), "%v", err)
			details, ok := asteroid.DetailsOf(err)
			require.True(t, ok)
			require.Equal(t, b.api.Executions()[0].ID, details.ExecutionID)
			require.Equal(t, asteroid.StatusCancelled, details.Status)
			require.Equal(t, "cancelled", b.api.Executions()[0].Status)
		})
	}
}

func TestRunAgentReturnsARunThatCompletesBeforeItsCancel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.RegisterDelayedCallback(b.CancelWorkflow, 10*time.Second)
	// The run completes at 8 s, and the poll that would see it comes after the cancel.
	b.api.Inject("ExecutionGet", testsuite.Answer(503, "", "Content-Type", "text/plain", "Retry-After", "60"), 3)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 7}})
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCompleted, result.Status)
}

func TestRunAgentSkipsTheLookupIfACancelledExecuteStartedNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.api.Inject("AgentExecutePost", testsuite.Answer(409, `{"code":409,"message":"full"}`, "Content-Type", "application/json", "Retry-After", "60"), 1)
	b.RegisterDelayedCallback(b.CancelWorkflow, 10*time.Second) // within the pause that the service asked for
	began := b.Now()
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("patient")})
	var cancelled *temporal.CanceledError
	require.True(t, errors.As(err, &cancelled), "%v", err)
	require.Less(t, b.Now().Sub(began), 30*time.Second)
	require.Zero(t, b.requests("ExecutionsList"))
}

func TestRunAgentCancelsTheRunOfACancelledExecuteOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
	b.api.Inject("ExecutionsList", testsuite.Answer(503, "", "Content-Type", "text/plain"), 2)
	b.RegisterDelayedCallback(b.CancelWorkflow, 6*time.Second)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 7200}})
	var cancelled *temporal.CanceledError
	require.True(t, errors.As(err, &cancelled), "%v", err)
	require.Len(t, b.api.Executions(), 1)
	require.Equal(t, "cancelled", b.api.Executions()[0].Status)
}

func TestRunAgentReexecutesForTheChosenReasonsOnly(t *testing.T) {
	t.Parallel()
	lost := func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.CancelBy("worker_lost")} }
	for name, row := range map[string]struct {
		first  testsuite.Agent
		policy *workflows.Reexecution
		runs   int
	}{
		"the service's own reason": {lost, &workflows.Reexecution{MaximumExecutions: 2}, 2},
		"not asked for":            {lost, nil, 1},
		"another reason": {func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.CancelBy("budget_exceeded")} },
			&workflows.Reexecution{MaximumExecutions: 2}, 1},
		"a chosen reason": {func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Fail("portal down")} },
			&workflows.Reexecution{MaximumExecutions: 2, Reasons: []string{"portal down"}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			scripts := []testsuite.Agent{row.first, func(testsuite.Run) []testsuite.Step {
				return []testsuite.Step{testsuite.Complete("success", "", 1)}
			}}
			agent := b.api.AddAgent("flaky", scripts[:row.runs]...)
			result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, Reexecution: row.policy, Files: []asteroid.FileRef{{URI: "data:,x"}}})
			executions := b.api.Executions()
			require.Len(t, executions, row.runs)
			require.Equal(t, row.runs, b.requests("TempFilesStage"))
			if row.runs == 1 {
				require.True(t, asteroid.IsExecutionFailed(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{executions[0].ID}, result.FailedExecutions)
			require.Equal(t, executions[0].Metadata[asteroid.MetadataExecutionKey]+"#2", result.ExecutionKey)
		})
	}
}

func TestRunAgentBoundsReexecutions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lost := func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.CancelBy("worker_lost")} }
	agent := b.api.AddAgent("lost", lost, lost, lost)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent, Reexecution: &workflows.Reexecution{MaximumExecutions: 3}})
	require.True(t, asteroid.IsExecutionFailed(err), "%v", err)
	require.Len(t, b.api.Executions(), 3)
}

func TestRunAgentHandlesARunThatStartedWithoutItsFile(t *testing.T) {
	t.Parallel()
	for policy, runs := range map[workflows.OnMissingFiles]int{"": 1, workflows.MissingFilesReexecute: 2, workflows.MissingFilesIgnore: 1} {
		t.Run("policy "+string(policy), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.connect(func(c *asteroid.Connection) { c.Transport = emptyUploads{b.api} })
			result, err := b.runAgent(t, workflows.RunAgentInput{
				AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 7200},
				Files: []asteroid.FileRef{{URI: "data:,x", Name: "claim.txt"}}, OnMissingFiles: policy,
			})
			executions := b.api.Executions()
			require.Len(t, executions, runs)
			switch policy {
			case workflows.MissingFilesIgnore:
				require.NoError(t, err)
				require.Zero(t, b.requests("ExecutionFilesGet"))
			case workflows.MissingFilesReexecute:
				require.NoError(t, err)
				require.Equal(t, []string{executions[0].ID}, result.FailedExecutions)
				require.Equal(t, "cancelled", executions[0].Status)
			default:
				require.True(t, asteroid.IsStagedFileExpired(err), "%v", err)
				require.Contains(t, err.Error(), "claim.txt")
				require.Equal(t, "cancelled", executions[0].Status)
			}
		})
	}
}

// emptyUploads lists no uploads for the first execution.
type emptyUploads struct{ api *testsuite.API }

func (e emptyUploads) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if started := e.api.Executions(); err == nil && len(started) > 0 && strings.HasSuffix(r.URL.Path, started[0].ID+"/files") {
		_ = response.Body.Close()
		response.ContentLength, response.Body = -1, io.NopCloser(strings.NewReader(`{"directories":{"uploads":[]}}`))
	}
	return response, err
}

func TestRunAgentInAnUpdateHandlerSharesStateAndKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	in := workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 60}}
	b.RegisterDelayedCallback(func() { b.UpdateWorkflow("run", "1", &updateCallbacks{t}) }, 10*time.Second)
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		if err := workflow.SetUpdateHandler(ctx, "run", func(ctx workflow.Context) error {
			_, err := workflows.RunAgent(ctx, in)
			return err
		}); err != nil {
			return err
		}
		if _, err := workflows.RunAgent(ctx, in); err != nil {
			return err
		}
		return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	})
	require.NoError(t, b.GetWorkflowError())
	value, err := b.QueryWorkflow(workflows.StateQuery)
	require.NoError(t, err)
	var state workflows.State
	require.NoError(t, value.Get(&state))
	require.Len(t, state.Agents, 2)
	for i, e := range b.api.Executions() {
		require.True(t, strings.HasSuffix(e.Metadata[asteroid.MetadataExecutionKey], "/"+string(rune('1'+i))), e.Metadata)
	}
}

type updateCallbacks struct{ t *testing.T }

func (c *updateCallbacks) Accept()                   {}
func (c *updateCallbacks) Reject(err error)          { c.t.Errorf("rejected: %v", err) }
func (c *updateCallbacks) Complete(_ any, err error) { require.NoError(c.t, err) }

func TestPipelineValidatesEveryStepBeforeTheFirstAgent(t *testing.T) {
	t.Parallel()
	good := workflows.RunAgentInput{AgentID: "a"}
	for field, steps := range map[string][]workflows.PipelineStep{
		"steps[1].takeFiles":        {{RunAgentInput: workflows.RunAgentInput{AgentID: "a"}}, {RunAgentInput: workflows.RunAgentInput{AgentID: "b"}, TakeFiles: true}},
		"steps[0].collect.names[0]": {{RunAgentInput: workflows.RunAgentInput{AgentID: "a", Collect: &workflows.Collect{FileSelection: asteroid.FileSelection{Names: []string{"["}}}}}},
		"steps[1].agentId":          {{RunAgentInput: good}, {}},
		"steps[1].inputs":           {{RunAgentInput: good}, {RunAgentInput: good, ExecutionIDInput: "execution-id"}},
		"steps[1].resultInput":      {{RunAgentInput: good}, {RunAgentInput: good, ExecutionIDInput: "x", ResultInput: "x"}},
		"steps[0]":                  {{RunAgentInput: good, ResultInput: "x"}},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.ExecuteWorkflow(workflows.PipelineName, workflows.PipelineInput{Steps: steps})
			err := b.GetWorkflowError()
			require.True(t, asteroid.IsInvalidInput(err), "%v", err)
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, field, details.Field)
			require.Empty(t, b.api.Requests())
		})
	}
}

// An adopted run has ended, and all that is missing is to read its result.
func TestRunAgentToleratesRefusalsOfAnAdoptedRunThatHasEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	in := workflows.RunAgentInput{AgentID: b.workingAgent(time.Minute), IdempotencyKey: "order-42"}
	b.ExecuteWorkflow(func(ctx workflow.Context) (*workflows.RunAgentResult, error) {
		if _, err := workflows.RunAgent(ctx, in); err != nil {
			return nil, err
		}
		b.api.Inject("ExecutionGet", testsuite.Answer(403, "<html>no</html>", "Content-Type", "text/html"), 40)
		return workflows.RunAgent(ctx, in)
	})
	require.NoError(t, b.GetWorkflowError())
	var result workflows.RunAgentResult
	require.NoError(t, b.GetWorkflowResult(&result))
	require.True(t, result.Adopted)
	require.Equal(t, asteroid.StatusCompleted, result.Status)
	require.Len(t, b.api.Executions(), 1)
}
