package integration

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	workflowservice "go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// countHeartbeats makes the test use a client that adds up the size of the heartbeats.
func (s *stack) countHeartbeats() *atomic.Int64 {
	s.t.Helper()
	sent := &atomic.Int64{}
	count := func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		if beat, ok := request.(*workflowservice.RecordActivityTaskHeartbeatRequest); ok {
			sent.Add(int64(proto.Size(beat)))
		}
		return invoke(ctx, method, request, reply, conn, options...)
	}
	counting, err := server.Client(client.Options{ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(count)}}})
	require.NoError(s.t, err)
	shared := s.client
	s.t.Cleanup(func() { s.client = shared; counting.Close() })
	s.client = counting
	return sent
}

// callActivity is a workflow that runs one activity.
func callActivity(ctx workflow.Context, name string, in map[string]any) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 5 * time.Minute, HeartbeatTimeout: time.Minute})
	return workflow.ExecuteActivity(ctx, name, in).Get(ctx, nil)
}

// callActivity runs one activity in a workflow of its own and waits for it.
func (s *stack) callActivity(name string, in map[string]any) {
	s.t.Helper()
	run, err := s.client.ExecuteWorkflow(s.ctx(), client.StartWorkflowOptions{TaskQueue: s.queue}, callActivity, name, in)
	require.NoError(s.t, err)
	require.NoError(s.t, run.Get(s.ctx(), nil))
}

func TestHeartbeatsOfAThousandFilesStaySmall(t *testing.T) {
	s := newStack(t)
	files := make([]map[string]any, 1000)
	for i := range files {
		files[i] = map[string]any{"uri": "data:,x", "name": "report-" + strconv.Itoa(i) + ".txt"}
	}
	agent := s.api.AddAgent("working", func(testsuite.Run) []testsuite.Step {
		return []testsuite.Step{testsuite.Work(time.Hour)}
	})
	sent := s.countHeartbeats()
	s.startWorker(callActivity)
	s.callActivity(asteroid.StageFilesName, map[string]any{"files": files})
	require.Less(t, sent.Swap(0), int64(256<<10))

	s.callActivity(asteroid.ExecuteAgentName, map[string]any{"agentId": agent})
	execution := s.api.Executions()[0]
	s.callActivity(asteroid.AttachFilesName, map[string]any{"executionId": execution.ID, "files": files})
	require.Less(t, sent.Load(), int64(256<<10))
}
