package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
)

func TestWatchDiedIfItTimedOutOrWasTakenOver(t *testing.T) {
	t.Parallel()
	described := func(status enumspb.WorkflowExecutionStatus, last *failurepb.Failure) *workflowservice.DescribeWorkflowExecutionResponse {
		return &workflowservice.DescribeWorkflowExecutionResponse{
			WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: status},
			PendingActivities:     []*workflowpb.PendingActivityInfo{{LastFailure: last}},
		}
	}
	timeout := &failurepb.Failure{FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{}}}
	require.True(t, watchDied(described(enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, timeout)))
	require.True(t, watchDied(described(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)))
	require.False(t, watchDied(described(enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil)))
	require.False(t, watchDied(described(enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, &failurepb.Failure{Message: "no whole scan"})))
	require.False(t, watchDied(described(enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, nil)))
}
