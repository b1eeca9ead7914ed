package devserver_test

import (
	"context"
	"testing"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
	"github.com/stretchr/testify/require"
	nexuspb "go.temporal.io/api/nexus/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporalnexus"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/cmd/internal/devserver"
)

func TestServerRunsStandaloneActivity(t *testing.T) {
	c := dial(t, start(t, devserver.Options{}))
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterActivity(double)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)

	run, err := c.ExecuteActivity(t.Context(), client.StartActivityOptions{
		ID: "alone", TaskQueue: taskQueue, StartToCloseTimeout: time.Minute,
	}, double, 21)
	require.NoError(t, err)
	var doubled int
	require.NoError(t, run.Get(t.Context(), &doubled))
	require.Equal(t, 42, doubled)
}

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

// This covers both directions of the frontend's HTTP port: the start of the operation, and the
// callback when the workflow of the operation closes.
func TestServerRunsNexusOperation(t *testing.T) {
	c := dial(t, start(t, devserver.Options{}))
	_, err := c.OperatorService().CreateNexusEndpoint(t.Context(), &operatorservice.CreateNexusEndpointRequest{
		Spec: &nexuspb.EndpointSpec{
			Name: "doubling",
			Target: &nexuspb.EndpointTarget{Variant: &nexuspb.EndpointTarget_Worker_{
				Worker: &nexuspb.EndpointTarget_Worker{Namespace: "default", TaskQueue: taskQueue},
			}},
		},
	})
	require.NoError(t, err)

	doubleWorkflow := func(_ workflow.Context, n int) (int, error) { return 2 * n, nil }
	operation := temporalnexus.NewWorkflowRunOperation("double", doubleWorkflow,
		func(_ context.Context, _ int, o nexus.StartOperationOptions) (client.StartWorkflowOptions, error) {
			return client.StartWorkflowOptions{ID: "double-" + o.RequestID}, nil
		})
	service := nexus.NewService("doubling")
	require.NoError(t, service.Register(operation))
	caller := func(ctx workflow.Context, n int) (doubled int, err error) {
		remote := workflow.NewNexusClient("doubling", service.Name)
		err = remote.ExecuteOperation(ctx, operation, n, workflow.NexusOperationOptions{}).Get(ctx, &doubled)
		return doubled, err
	}

	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterNexusService(service)
	w.RegisterWorkflowWithOptions(doubleWorkflow, workflow.RegisterOptions{Name: "double"})
	w.RegisterWorkflowWithOptions(caller, workflow.RegisterOptions{Name: "caller"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)

	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, "caller", 21)
	require.NoError(t, err)
	var doubled int
	require.NoError(t, run.Get(t.Context(), &doubled))
	require.Equal(t, 42, doubled)
}
