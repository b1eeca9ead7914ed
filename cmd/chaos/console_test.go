package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
)

func TestAttemptDiedIfItTimedOutOrItsWorkflowWasTerminated(t *testing.T) {
	t.Parallel()
	timeout := &failurepb.Failure{FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{}}}
	running, terminated := enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	for name, row := range map[string]struct {
		status        enumspb.WorkflowExecutionStatus
		activityID    string
		last          *failurepb.Failure
		died, pending bool
	}{
		"it timed out":             {running, "5", timeout, true, true},
		"it runs":                  {running, "5", nil, false, true},
		"it failed":                {running, "5", &failurepb.Failure{Message: "no whole scan"}, false, true},
		"it has ended":             {running, "6", timeout, false, false},
		"the watch was taken over": {terminated, "5", nil, true, false},
	} {
		died, pending := attemptDied(&workflowservice.DescribeWorkflowExecutionResponse{
			WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: row.status},
			PendingActivities:     []*workflowpb.PendingActivityInfo{{ActivityId: row.activityID, LastFailure: row.last}},
		}, "5")
		require.Equal(t, row.died, died, name)
		require.Equal(t, row.pending, pending, name)
	}
}
