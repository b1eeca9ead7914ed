package activities

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid"
)

// completedWorkflow is a Temporal with one workflow, which has completed. Its result is read with
// an error.
type completedWorkflow struct {
	sdkclient.Client
	sdkclient.WorkflowRun
	err error
}

func (c completedWorkflow) DescribeWorkflowExecution(_ context.Context, workflowID, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: "run"},
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
	}
	info.CloseTime = newOf(info.CloseTime) // it has closed
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
}

// newOf returns a new value of a type whose package is no direct dependency.
func newOf[T any](*T) *T { return new(T) }

func (c completedWorkflow) GetWorkflow(context.Context, string, string) sdkclient.WorkflowRun {
	return c
}

func (c completedWorkflow) GetWithOptions(_ context.Context, value any, _ sdkclient.WorkflowRunGetOptions) error {
	if c.err == nil {
		*value.(*json.RawMessage) = json.RawMessage(`{"status":"succeeded"}`)
	}
	return c.err
}

// A row or a segment whose result is only not read yet must not run again.
func TestFollowWorkflowReadsTheResultAgain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		err   error
		again bool
		want  string
	}{
		"read":                {nil, false, `{"status":"succeeded"}`},
		"temporal is away":    {serviceerror.NewUnavailable("away"), true, ""},
		"encoded by a codec":  {errors.New("unable to decode"), false, ""},
		"meanwhile forgotten": {serviceerror.NewNotFound("no such workflow"), true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWatchFixture(t)
			f.service = func(context.Context) sdkclient.Client { return completedWorkflow{err: row.err} }
			value, err := f.env.ExecuteActivity(asteroid.FollowWorkflowName, asteroid.FollowWorkflowInput{WorkflowID: "row"})
			require.Equal(t, row.again, asteroid.IsUnavailable(err), "%v", err)
			if row.again {
				return
			}
			require.NoError(t, err)
			var followed asteroid.FollowWorkflowResult
			require.NoError(t, value.Get(&followed))
			require.Equal(t, "completed", followed.Status)
			require.Equal(t, row.want, string(followed.Result))
		})
	}
}
