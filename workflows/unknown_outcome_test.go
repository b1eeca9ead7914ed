package workflows_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// tenHours is the input for an agent that works longer than any of these tests waits.
func tenHours(b *bench) workflows.RunAgentInput {
	return workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 36000}}
}

func (b *bench) alive() (ids []string) {
	for _, e := range b.api.Executions() {
		if !asteroid.Status(e.Status).Terminal() {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// The activity ends because its next attempt would come too late. Its last error is no timeout.
func TestRunAgentAdoptsTheRunOfALostResponseAfterAWaitForCapacity(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		until time.Duration
		with  func(*workflows.RunAgentInput)
	}{
		"the files' hour": {59 * time.Minute, func(in *workflows.RunAgentInput) {
			in.Files = []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}
		}},
		"the capacity's time": {9 * time.Minute, func(in *workflows.RunAgentInput) { in.CapacityTimeoutSeconds = 600 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, testsuite.WithListDelay(70*time.Second)) // below the grace period
			f := &full{now: b.Now, until: b.Now().Add(row.until)}
			b.connect(func(c *asteroid.Connection) { c.Transport = f })
			in := tenHours(b)
			row.with(&in)
			result, err := b.runAgent(t, in)
			require.NoError(t, err)
			require.Len(t, b.api.Executions(), 1)
			require.Equal(t, b.api.Executions()[0].ID, result.ExecutionID)
		})
	}
}

func TestRunAgentGoesOnAfterStagingLastedOverAnHour(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := &slowStaging{full: full{now: b.Now, until: b.Now().Add(3 * time.Hour)}, from: b.Now().Add(10 * time.Minute), to: b.Now().Add(135 * time.Minute)}
	b.connect(func(c *asteroid.Connection) { c.Transport = f })
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}})
	require.NoError(t, err)
	require.Len(t, b.api.Executions(), 1)
}

// The service is down when the files' hour ends, but hours of the wait for capacity are left.
func TestRunAgentKeepsWaitingForCapacityThroughAnOutage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := &outage{full: full{now: b.Now, until: b.Now().Add(2 * time.Hour), lost: true}, from: b.Now().Add(40 * time.Minute), to: b.Now().Add(100 * time.Minute)}
	b.connect(func(c *asteroid.Connection) { c.Transport = f })
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}})
	require.NoError(t, err)
	require.Len(t, b.api.Executions(), 1)
}

// outage answers 503 to every execute between two times, and 409 before and after them.
type outage struct {
	full
	from, to time.Time
}

func (o *outage) RoundTrip(r *http.Request) (*http.Response, error) {
	status := 0
	switch now := o.now(); {
	case !strings.HasSuffix(r.URL.Path, "/execute"):
	case now.After(o.from) && now.Before(o.to):
		status = http.StatusServiceUnavailable
	case now.Before(o.until):
		status = http.StatusConflict
	}
	if status == 0 {
		return http.DefaultTransport.RoundTrip(r)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"text/plain"}}, Request: r, Body: io.NopCloser(strings.NewReader("no"))}, nil
}

func TestRunAgentFailsWithAtCapacityIfStagingTakesTheTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := &slowStaging{full: full{now: b.Now, until: b.Now().Add(10 * time.Hour)}, from: b.Now().Add(10 * time.Minute), to: b.Now().Add(90 * time.Minute)}
	b.connect(func(c *asteroid.Connection) { c.Transport = f })
	_, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: b.api.AgentID("inventory"), Files: []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}, CapacityTimeoutSeconds: 3600,
	})
	require.True(t, asteroid.IsAtCapacity(err), "%v", err)
}

func TestRunAgentTakesATimeoutForAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	after := &afterExecute{}
	b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{after}}, testsuite.WithListDelay(20*time.Second))
	calls := 0
	after.then = func(_ activity.Info, result any, err error) (any, error) {
		if calls++; calls == 1 {
			told := temporal.NewApplicationError("full", asteroid.ErrorTypeAtCapacity, asteroid.ErrorDetails{HTTPStatus: 409})
			return nil, temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, told)
		}
		return result, err
	}
	_, err := b.runAgent(t, tenHours(b))
	require.NoError(t, err)
	require.Len(t, b.api.Executions(), 1)
}

func TestStartAgentLooksUpTheRunAfterAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(b *bench){
		"a lookup is refused": func(b *bench) {
			b.api.Inject("ExecutionsList", testsuite.Answer(403, `{"code":403,"message":"no"}`, "Content-Type", "application/json"), 1)
		},
		"the next request is refused": func(b *bench) {
			hidden := &hidingTransport{}
			hidden.hide.Store(true)
			b.connect(func(c *asteroid.Connection) { c.Transport = hidden })
			b.RegisterDelayedCallback(func() { hidden.hide.Store(false) }, 130*time.Second)
			b.api.Inject("AgentExecutePost", testsuite.Answer(402, `{"code":402,"message":"balance"}`, "Content-Type", "application/json"), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
			prepare(b)
			result, err := b.runAgent(t, tenHours(b))
			require.NoError(t, err)
			require.Len(t, b.api.Executions(), 1)
			require.Equal(t, b.api.Executions()[0].ID, result.ExecutionID)
		})
	}
}

func TestStartAgentFailsWithTheLastErrorIfNoRunIsFound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.api.Inject("AgentExecutePost", testsuite.Answer(503, "", "Content-Type", "text/plain"), 1)
	b.api.Inject("AgentExecutePost", testsuite.Answer(402, `{"code":402,"message":"balance"}`, "Content-Type", "application/json"), 1)
	_, err := b.runAgent(t, tenHours(b))
	require.True(t, asteroid.IsPaymentRequired(err), "%v", err)
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, 1, details.UnknownOutcomes)
	require.NotEmpty(t, details.ExecutionKey)
}

func TestRunAgentCancelledDuringRestagingAfterAnUnknownLeavesNoAgent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hidden := &hidingTransport{}
	hidden.hide.Store(true)
	b.connect(func(c *asteroid.Connection) { c.Transport = hidden })
	b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1) // carried out; the file is used up
	b.RegisterDelayedCallback(func() {
		b.api.Inject("TempFilesStage", testsuite.Answer(503, "", "Content-Type", "text/plain"), 10)
	}, time.Minute)
	b.RegisterDelayedCallback(func() { hidden.hide.Store(false); b.CancelWorkflow() }, 130*time.Second)
	in := tenHours(b)
	in.Files, in.OnMissingFiles = []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}, workflows.MissingFilesIgnore
	_, err := b.runAgent(t, in)
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Empty(t, b.alive())
}

func TestRunAgentCancelledDuringAFailedLookupLeavesNoAgent(t *testing.T) {
	t.Parallel()
	after := &afterExecute{}
	b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{after, &waits{}}})
	after.then = func(info activity.Info, result any, err error) (any, error) {
		if info.Attempt == 2 && b.requests("ExecutionsList") == 1 {
			b.CancelWorkflow()
			return nil, final(err)
		}
		return result, err
	}
	b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
	b.api.Inject("ExecutionsList", testsuite.Answer(503, "", "Content-Type", "text/plain"), 1)
	_, err := b.runAgent(t, tenHours(b))
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Len(t, b.api.Executions(), 1)
	require.Empty(t, b.alive())
}

// The worker dies after the request. So nobody tells the workflow the key, and the lookup has to
// make the key, and the digest that it compares, of all that the request was made of.
func TestRunAgentCancelledAfterItsWorkerDiedLeavesNoAgent(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]func(*workflows.RunAgentInput){
		"without files": func(*workflows.RunAgentInput) {},
		"with a file": func(in *workflows.RunAgentInput) {
			in.Files = []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}
		},
		"with a file and an IdempotencyKey": func(in *workflows.RunAgentInput) {
			in.Files, in.IdempotencyKey = []asteroid.FileRef{{URI: "data:,x", Name: "x.txt"}}, "order-42"
		},
		"with a profile, a version and options": func(in *workflows.RunAgentInput) {
			version := 3
			in.AgentProfileID, in.Version, in.ExecutionOptions = "3c5a7c58-0f5e-4f5c-8b0e-5f1d3f2f1a11", &version, &asteroid.ExecutionOptions{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := &afterExecute{}
			b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{after, &waits{}}})
			died := false
			after.then = func(_ activity.Info, result any, err error) (any, error) {
				if !died && err == nil {
					died = true
					b.CancelWorkflow()
					return nil, temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil)
				}
				return result, err
			}
			in := tenHours(b)
			with(&in)
			_, err := b.runAgent(t, in)
			require.True(t, temporal.IsCanceledError(err), "%v", err)
			require.True(t, died)
			require.Len(t, b.api.Executions(), 1)
			require.Empty(t, b.alive())
		})
	}
}

func TestRunAgentCancelledAfterTwoUnknownsLeavesNoAgent(t *testing.T) {
	t.Parallel()
	after := &afterExecute{}
	b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{after, &waits{}}}, testsuite.WithListDelay(135*time.Second))
	cancelled := false
	after.then = func(_ activity.Info, result any, err error) (any, error) {
		if b.requests("AgentExecutePost") == 2 && !cancelled {
			cancelled = true
			b.CancelWorkflow()
			return nil, final(err)
		}
		return result, err
	}
	b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 2)
	_, err := b.runAgent(t, tenHours(b))
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Len(t, b.api.Executions(), 2)
	require.Empty(t, b.alive())
}

func TestRunAgentKeepsTheGracePeriodAfterAScheduleToCloseTimeout(t *testing.T) {
	t.Parallel()
	after := &afterExecute{}
	b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{after}}, testsuite.WithListDelay(20*time.Second))
	calls := 0
	after.then = func(_ activity.Info, result any, err error) (any, error) {
		if calls++; calls == 2 {
			return nil, temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil)
		}
		return result, err
	}
	b.api.Inject("AgentExecutePost", testsuite.Answer(409, `{"code":409,"message":"full"}`, "Content-Type", "application/json"), 1)
	_, err := b.runAgent(t, tenHours(b))
	require.NoError(t, err)
	require.Len(t, b.api.Executions(), 1)
}

func TestRunAgentCancelledAfterAnUnknownReturnsACompletedRun(t *testing.T) {
	t.Parallel()
	after := &afterExecute{}
	b := newBenchWith(t, sdkworker.Options{Interceptors: []interceptor.WorkerInterceptor{after, &waits{}}}, testsuite.WithListDelay(20*time.Second))
	cancel := sync.OnceFunc(b.CancelWorkflow)
	first := true
	after.then = func(_ activity.Info, result any, err error) (any, error) {
		if first {
			first = false
			cancel()
			return nil, final(err)
		}
		return result, err
	}
	b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 3}})
	require.NoError(t, err)
	require.Equal(t, asteroid.StatusCompleted, result.Status)
}

func TestRunAgentCancelledAfterAnUnknownNamesTheKeyIfNoRunIsFound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.api.Inject("AgentExecutePost", testsuite.Answer(503, "", "Content-Type", "text/plain"), 1)
	b.RegisterDelayedCallback(b.CancelWorkflow, 6*time.Second)
	_, err := b.runAgent(t, tenHours(b))
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	details, ok := asteroid.DetailsOf(err)
	require.True(t, ok)
	require.Equal(t, 1, details.UnknownOutcomes)
	require.NotEmpty(t, details.ExecutionKey)
}

func TestRunAgentAbandonsAnUnknownWithoutALookup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
	b.RegisterDelayedCallback(b.CancelWorkflow, 2*time.Second)
	in := tenHours(b)
	in.OnCancel = workflows.AbandonExecution
	began := b.Now()
	_, err := b.runAgent(t, in)
	require.True(t, temporal.IsCanceledError(err), "%v", err)
	require.Len(t, b.alive(), 1)
	require.Less(t, b.Now().Sub(began), time.Minute)
}

func TestRunAgentRepeatsTheCancelOfALateDuplicate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	works := func(d time.Duration) testsuite.Agent {
		return func(testsuite.Run) []testsuite.Step {
			return []testsuite.Step{testsuite.Work(d), testsuite.Complete("success", "", 1)}
		}
	}
	agent := b.api.AddAgent("slow", works(6*time.Hour), works(time.Hour))
	hidden := &hidingTransport{}
	b.connect(func(c *asteroid.Connection) { c.Transport = hidden })
	b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
	hidden.hide.Store(true)
	b.RegisterDelayedCallback(func() { hidden.hide.Store(false) }, 30*time.Minute)
	b.api.Inject("ExecutionStatusUpdate", testsuite.Answer(400, `{"code":400,"message":"not now"}`, "Content-Type", "application/json"), 1)
	result, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.NoError(t, err)
	require.Len(t, result.DuplicatesCancelled, 1)
	require.Empty(t, b.alive())
}

func TestRunAgentIsNotDelayedForLongByAFailingList(t *testing.T) {
	t.Parallel()
	t.Run("a cancel after an unknown outcome", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
		b.api.Inject("ExecutionsList", testsuite.Answer(503, "", "Content-Type", "text/plain"), 100_000)
		b.RegisterDelayedCallback(b.CancelWorkflow, 6*time.Second)
		began := b.Now()
		_, err := b.runAgent(t, tenHours(b))
		require.True(t, temporal.IsCanceledError(err), "%v", err)
		require.Less(t, b.Now().Sub(began), 10*time.Minute)
	})
	t.Run("a result", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		hidden := &hidingTransport{}
		hidden.hide.Store(true)
		b.connect(func(c *asteroid.Connection) { c.Transport = hidden })
		b.api.Inject("AgentExecutePost", testsuite.LoseResponse(), 1)
		b.RegisterDelayedCallback(func() {
			b.api.Inject("ExecutionsList", testsuite.Answer(503, "", "Content-Type", "text/plain"), 100_000)
		}, 4*time.Minute)
		began := b.Now()
		_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 300}})
		require.NoError(t, err)
		require.Less(t, b.Now().Sub(began), 20*time.Minute)
	})
}

func TestRunAgentDoesNotCheckTheFilesOfAnotherWorkflowsRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var first, second error
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		in := workflows.RunAgentInput{
			AgentID: b.api.AgentID("patient"), IdempotencyKey: "order-42", Inputs: asteroid.Inputs{"seconds": 3600},
			Files: []asteroid.FileRef{{URI: "data:,first version", Name: "order-v1.txt"}},
		}
		done := workflow.NewChannel(ctx)
		workflow.Go(ctx, func(ctx workflow.Context) { _, first = workflows.RunAgent(ctx, in); done.Send(ctx, true) })
		if err := workflow.Sleep(ctx, time.Minute); err != nil {
			return err
		}
		in.Files = []asteroid.FileRef{{URI: "data:,first version", Name: "order-v1.txt", ContentType: "text/csv"}}
		_, second = workflows.RunAgent(ctx, in)
		done.Receive(ctx, nil)
		return nil
	})
	require.NoError(t, b.GetWorkflowError())
	require.NoError(t, first)
	require.NoError(t, second)
	require.Len(t, b.api.Executions(), 1)
}

func TestRunAgentFailsIfACompletedRunLackedItsFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(func(c *asteroid.Connection) { c.Transport = emptyUploads{b.api} })
	_, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: b.api.AgentID("patient"), Inputs: asteroid.Inputs{"seconds": 100}, Files: []asteroid.FileRef{{URI: "data:,x", Name: "claim.txt"}},
	})
	require.True(t, asteroid.IsStagedFileExpired(err), "%v", err)
	details, _ := asteroid.DetailsOf(err)
	require.Equal(t, asteroid.StatusCompleted, details.Status)
}

func TestRunAgentDoesNotAdoptTheRunThatLackedItsFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(func(c *asteroid.Connection) { c.Transport = emptyUploads{b.api} })
	quick := func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Complete("success", "", 1)} }
	agent := b.api.AddAgent("quick", quick, quick)
	result, err := b.runAgent(t, workflows.RunAgentInput{
		AgentID: agent, Files: []asteroid.FileRef{{URI: "data:,x", Name: "claim.txt"}}, OnMissingFiles: workflows.MissingFilesReexecute,
	})
	require.NoError(t, err)
	executions := b.api.Executions()
	require.Len(t, executions, 2)
	require.Equal(t, executions[1].ID, result.ExecutionID)
	require.Equal(t, []string{executions[0].ID}, result.FailedExecutions)
}

func TestRunAgentSaysThatTheReasonOfACancelledRunIsUnknown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	agent := b.api.AddAgent("ends", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(time.Minute), testsuite.CancelBy("user_requested")}
	})
	b.api.Inject("ExecutionActivitiesGet", testsuite.Answer(403, `{"code":403,"message":"no"}`, "Content-Type", "application/json"), 100)
	_, err := b.runAgent(t, workflows.RunAgentInput{AgentID: agent})
	require.True(t, asteroid.IsExecutionFailed(err), "%v", err)
	require.Contains(t, err.Error(), "the service gives no reason")
}

func TestRunAgentSkipsTheLookupAfterRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t, testsuite.WithConcurrencyLimit(1))
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		if err := occupy(ctx, b, 2); err != nil {
			return err
		}
		_, err := workflows.RunAgent(ctx, workflows.RunAgentInput{AgentID: b.api.AgentID("inventory")})
		return err
	})
	require.NoError(t, b.GetWorkflowError())
	require.Zero(t, b.requests("ExecutionsList"))
}

// full answers 409 to every execute until a time. It carries out the next one, but loses the
// response.
type full struct {
	now   func() time.Time
	until time.Time
	mu    sync.Mutex
	lost  bool
}

func (f *full) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.HasSuffix(r.URL.Path, "/execute") || f.lost {
		return http.DefaultTransport.RoundTrip(r)
	}
	if f.now().Before(f.until) {
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: 409, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"code":409,"message":"full"}`))}, nil
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		f.lost = true
		_ = response.Body.Close()
		return nil, context.DeadlineExceeded
	}
	return response, err
}

// slowStaging refuses uploads between two times.
type slowStaging struct {
	full
	from, to time.Time
}

func (s *slowStaging) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/temp-files") && s.now().After(s.from) && s.now().Before(s.to) {
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: 503, Header: http.Header{"Content-Type": {"text/plain"}}, Request: r, Body: io.NopCloser(strings.NewReader("down"))}, nil
	}
	return s.full.RoundTrip(r)
}

// afterExecute runs each attempt of ExecuteAgent and replaces its outcome.
type afterExecute struct {
	interceptor.WorkerInterceptorBase
	then func(info activity.Info, result any, err error) (any, error)
}

func (l *afterExecute) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &afterInbound{interceptor.ActivityInboundInterceptorBase{Next: next}, l}
}

type afterInbound struct {
	interceptor.ActivityInboundInterceptorBase
	after *afterExecute
}

func (i *afterInbound) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	result, err := i.Next.ExecuteActivity(ctx, in)
	if activity.GetInfo(ctx).ActivityType.Name == asteroid.ExecuteAgentName {
		return i.after.then(activity.GetInfo(ctx), result, err)
	}
	return result, err
}

// final returns err as the error of an activity whose cancellation is requested: it is not retried.
func final(err error) error {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return err
	}
	var d asteroid.ErrorDetails
	_ = app.Details(&d)
	return temporal.NewNonRetryableApplicationError(app.Message(), app.Type(), nil, d)
}

// waits makes the test environment do for ExecuteAgent what a server does with WaitForCancellation:
// the workflow gets the outcome of the attempt in progress. The environment itself ends a cancelled
// activity at once, whatever it returns.
type waits struct {
	interceptor.WorkerInterceptorBase
}

func (*waits) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &waitsInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type waitsInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *waitsInbound) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&waitsOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: outbound}})
}

type waitsOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

func (o *waitsOutbound) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	if activityType == asteroid.ExecuteAgentName && ctx.Err() == nil {
		ctx, _ = workflow.NewDisconnectedContext(ctx)
	}
	return o.Next.ExecuteActivity(ctx, activityType, args...)
}
