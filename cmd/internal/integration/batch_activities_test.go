package integration

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
)

// followOther is a workflow that follows another one.
func followOther(ctx workflow.Context, in asteroid.FollowWorkflowInput) (followed asteroid.FollowWorkflowResult, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	return followed, workflow.ExecuteActivity(ctx, asteroid.FollowWorkflowName, in).Get(ctx, &followed)
}

// twoRuns continues as new once. Then it waits for the signal go, and returns or fails.
func twoRuns(ctx workflow.Context, mode string) (map[string]int, error) {
	if mode == "first" || mode == "first to fail" {
		return nil, workflow.NewContinueAsNewError(ctx, twoRuns, mode[len("first"):])
	}
	workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
	if mode != "" {
		return nil, temporal.NewNonRetryableApplicationError("not so", "test.Failure", nil)
	}
	return map[string]int{"rows": 7}, nil
}

func TestFollowWorkflowFollowsTheChainToItsEnd(t *testing.T) {
	s := newStack(t)
	s.startWorker(followOther, twoRuns)
	for name, row := range map[string]struct {
		mode string
		end  func(id string) error
		want asteroid.FollowWorkflowResult
	}{
		"completed":  {"first", nil, asteroid.FollowWorkflowResult{Status: "completed", Result: []byte(`{"rows":7}`)}},
		"failed":     {"first to fail", nil, asteroid.FollowWorkflowResult{Status: "failed", ErrorType: "test.Failure", Error: "not so"}},
		"terminated": {"first", func(id string) error { return s.client.TerminateWorkflow(s.ctx(), id, "", "") }, asteroid.FollowWorkflowResult{Status: "terminated"}},
	} {
		t.Run(name, func(t *testing.T) {
			other := s.startWorkflow(twoRuns, row.mode)
			followers := map[string]client.WorkflowRun{
				"by its first run": s.startWorkflow(followOther, asteroid.FollowWorkflowInput{WorkflowID: other.GetID(), RunID: other.GetRunID()}),
				"by its id":        s.startWorkflow(followOther, asteroid.FollowWorkflowInput{WorkflowID: other.GetID()}),
			}
			for _, follower := range followers {
				s.awaitPendingFailure(follower) // it has found the workflow open
			}
			if row.end == nil {
				row.end = func(id string) error { return s.client.SignalWorkflow(s.ctx(), id, "", "go", nil) }
			}
			require.NoError(t, row.end(other.GetID()))
			for by, follower := range followers {
				var followed asteroid.FollowWorkflowResult
				require.NoError(t, follower.Get(s.ctx(), &followed), by)
				require.NotEqual(t, other.GetRunID(), followed.RunID)
				followed.RunID = ""
				require.Equal(t, row.want, followed, by)
			}
		})
	}
	missing := s.startWorkflow(followOther, asteroid.FollowWorkflowInput{WorkflowID: "no such workflow"})
	var followed asteroid.FollowWorkflowResult
	require.NoError(t, missing.Get(s.ctx(), &followed))
	require.Equal(t, asteroid.FollowWorkflowResult{Missing: true}, followed)
}

// awaitPendingFailure waits until an attempt of the workflow's activity has failed.
func (s *stack) awaitPendingFailure(run client.WorkflowRun) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		described, err := s.client.DescribeWorkflowExecution(s.ctx(), run.GetID(), run.GetRunID())
		return err == nil && len(described.PendingActivities) == 1 && described.PendingActivities[0].LastFailure != nil
	}, time.Minute, 50*time.Millisecond)
}

// planAndStay plans a batch and stays open.
func planAndStay(ctx workflow.Context, in asteroid.PlanBatchInput) error {
	activities := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	if err := workflow.ExecuteActivity(activities, asteroid.PlanBatchName, in).Get(ctx, nil); err != nil {
		return err
	}
	return errors.Join(workflow.SetQueryHandler(ctx, "planned", func() (bool, error) { return true, nil }), workflow.Sleep(ctx, time.Hour))
}

// planTwice plans a batch in its first run, and again in the one by which its RetryPolicy replaces
// that.
func planTwice(ctx workflow.Context, in asteroid.PlanBatchInput) error {
	activities := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	in.PlanID = workflow.GetInfo(ctx).WorkflowExecution.RunID
	if err := workflow.ExecuteActivity(activities, asteroid.PlanBatchName, in).Get(ctx, nil); err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), "refused", err)
	}
	if workflow.GetInfo(ctx).Attempt == 1 {
		return errors.New("the store is full")
	}
	return nil
}

func TestPlanBatchTakesOverFromTheRunThatIsRetried(t *testing.T) {
	s := newStack(t)
	s.startWorker(planTwice)
	run, err := s.client.ExecuteWorkflow(s.ctx(), client.StartWorkflowOptions{
		TaskQueue: s.queue, RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Millisecond, MaximumAttempts: 2},
	}, planTwice, asteroid.PlanBatchInput{
		BatchPlan: asteroid.BatchPlan{BatchKey: "claims", Results: asteroid.BatchResults{
			Destination: "file://" + s.options.OutputRoots[0] + "/results.csv",
		}},
		Pass: 1, Template: []byte(`{"agentId":"a"}`), Rows: asteroid.BatchRows{Source: &asteroid.FileRef{URI: "data:text/csv,id%0A1"}},
	})
	require.NoError(t, err)
	require.NoError(t, run.Get(s.ctx(), nil))
}

func TestPlanBatchRefusesBatchThatIsAtWork(t *testing.T) {
	s := newStack(t)
	s.startWorker(planAndStay)
	plan := func(id string) client.WorkflowRun {
		return s.startWorkflow(planAndStay, asteroid.PlanBatchInput{
			BatchPlan: asteroid.BatchPlan{BatchKey: "claims", PlanID: id, Results: asteroid.BatchResults{
				Destination: "file://" + s.options.OutputRoots[0] + "/results.csv",
			}},
			Pass: 1, Template: []byte(`{"agentId":"a"}`), Rows: asteroid.BatchRows{Source: &asteroid.FileRef{URI: "data:text/csv,id%0A1"}},
		})
	}
	planned := func(id string) bool {
		_, err := os.Stat(filepath.Join(s.options.OutputRoots[0], "results.csv.parts", id, "plan.json"))
		return err == nil
	}
	first := plan("plan-1")
	require.Eventually(t, func() bool {
		_, err := s.client.QueryWorkflow(s.ctx(), first.GetID(), "", "planned")
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	err := plan("plan-2").Get(s.ctx(), nil)
	require.ErrorContains(t, err, "batchKey: is that of a batch at work, in the workflow "+first.GetID())
	require.True(t, planned("plan-1"))
	require.False(t, planned("plan-2"))

	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), first.GetID(), "", ""))
	third := plan("plan-3")
	require.Eventually(t, func() bool { return planned("plan-3") }, time.Minute, 50*time.Millisecond)
	require.False(t, planned("plan-1"), "it is taken over")
	require.NoError(t, s.client.TerminateWorkflow(s.ctx(), third.GetID(), "", ""))
}
