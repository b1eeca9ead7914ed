package workflows_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestInterceptorSpreadsLargeInputsOverTasks(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ calls, bytes, timers int }{
		"small inputs":         {100, 1000, 0},
		"2 MiB together":       {4, 500 << 10, 0},
		"one of 2 MiB":         {1, 2 << 20, 0},
		"ten of 500 KiB":       {10, 500 << 10, 2},
		"three of almost that": {3, 2<<20 - 100, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.RegisterActivityWithOptions(func(context.Context, string) error { return nil }, activity.RegisterOptions{Name: "mine"})
			timers := 0
			b.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
			b.ExecuteWorkflow(func(ctx workflow.Context) error {
				ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
				group := workflow.NewWaitGroup(ctx)
				for range row.calls {
					group.Add(1)
					workflow.Go(ctx, func(ctx workflow.Context) {
						defer group.Done()
						_ = workflow.ExecuteActivity(ctx, "mine", strings.Repeat("x", row.bytes)).Get(ctx, nil)
					})
				}
				group.Wait(ctx)
				return nil
			})
			require.NoError(t, b.GetWorkflowError())
			require.Equal(t, row.timers, timers)
		})
	}
}

func TestRunAgentRefusesInputsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, row := range map[string]struct {
		in    workflows.RunAgentInput
		field string
	}{
		"inputs":        {workflows.RunAgentInput{Inputs: asteroid.Inputs{"x": strings.Repeat("x", 2*mib)}}, "inputs"},
		"metadata":      {workflows.RunAgentInput{Metadata: map[string]string{"x": strings.Repeat("x", 2*mib)}}, "inputs"},
		"files":         {workflows.RunAgentInput{Files: dataFiles(3, 700<<10)}, "files"},
		"many files":    {workflows.RunAgentInput{Files: dataFiles(1001, 1)}, "files"},
		"staged files":  {workflows.RunAgentInput{Inputs: asteroid.Inputs{"x": strings.Repeat("x", 1500<<10)}, Files: dataFiles(1000, 1)}, "inputs"},
		"escaped by Go": {workflows.RunAgentInput{Inputs: asteroid.Inputs{"x": strings.Repeat("<", 400<<10)}}, "inputs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var err error
			b.ExecuteWorkflow(func(ctx workflow.Context) error {
				row.in.AgentID = "a"
				_, err = workflows.RunAgent(ctx, row.in)
				return nil
			})
			require.True(t, asteroid.IsInvalidInput(err), "%v", err)
			details, _ := asteroid.DetailsOf(err)
			require.Equal(t, row.field, details.Field)
			require.Empty(t, b.api.Requests())
		})
	}
}

func TestTypedCallsRefuseInputsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		_, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: "a", Inputs: asteroid.Inputs{"x": strings.Repeat("x", 3<<20)}})
		return err
	})
	err := b.GetWorkflowError()
	require.True(t, asteroid.IsInvalidInput(err), "%v", err)
	require.ErrorContains(t, err, "as a file by reference")
	require.Empty(t, b.api.Requests())
}

func TestRunAgentAsAChildRefusesInputsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		in := workflows.RunAgentInput{AgentID: "a", Inputs: asteroid.Inputs{"x": strings.Repeat("x", 3<<20)}}
		child := workflow.ExecuteChildWorkflow(ctx, workflows.RunAgentName, in)
		require.True(t, asteroid.IsInvalidInput(child.GetChildWorkflowExecution().Get(ctx, nil)))
		return child.Get(ctx, nil)
	})
	require.True(t, asteroid.IsInvalidInput(b.GetWorkflowError()), "%v", b.GetWorkflowError())
}

func dataFiles(n, bytes int) []asteroid.FileRef {
	files := make([]asteroid.FileRef, n)
	for i := range files {
		files[i] = asteroid.FileRef{URI: "data:," + strings.Repeat("x", bytes), Name: fmt.Sprint(i)}
	}
	return files
}
