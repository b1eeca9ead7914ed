package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

func TestBatchRunsShowsAndRetriesRows(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	var broken atomic.Bool
	broken.Store(true)
	c.api.ServeAgent("row clerk", func(run testsuite.Run) []testsuite.Step {
		if broken.Load() && run.Inputs["claim"] == "C2" {
			return []testsuite.Step{testsuite.Fail("no such claim")}
		}
		return []testsuite.Step{testsuite.Complete("success", "", map[string]any{"reference": fmt.Sprint("R-", run.Inputs["claim"])})}
	})
	rows := "data:text/csv,claim%3Bname%0AC1%3Ba%0AC2%3Bb%0AC3%3Bc%0A"
	out := filepath.Join(c.output, "results.csv")
	args := []string{"batch", "run", rows, "--agent", "row clerk", "--out", out, "--key-column", "claim", "--input", "claim={{claim}}", "--field", "reference", "--task-queue", c.queue}
	id := "batch-" + t.Name()
	got := c.asteroid(append(args, "--id", id)...)
	refused(t, got, 4, "1 row has not succeeded")
	require.Contains(t, got.stdout, "2 succeeded, 1 failed")
	require.Contains(t, got.stderr, "of 3 rows")
	require.Contains(t, got.stderr, "asteroid batch retry-failed "+id)

	broken.Store(false)
	require.Contains(t, c.ok(c.asteroid("batch", "retry-failed", id)), "3 succeeded, 0 failed")
	require.Len(t, c.api.Executions(), 4)
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	lines, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 4)
	require.Contains(t, lines[2], "R-C2")
	require.Contains(t, c.ok(c.asteroid("batch", "status", id)), "(done)")

	refused(t, c.asteroid("batch", "pause", id), 1, "is closed")
	refused(t, c.asteroid("batch", "status", "nobody"), 3, "")
	refused(t, c.asteroid("batch", "run", rows, "--agent", "row clerk"), 2, "--out")
}

func TestBatchIsSteered(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	agent := c.api.ServeAgent("slow clerk", func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Work(time.Hour)} })
	id := strings.TrimSpace(c.ok(c.asteroid("batch", "run", "data:text/csv,claim%0A1%0A2%0A3%0A4%0A5%0A", "--agent", agent, "--concurrency", "2",
		"--out", filepath.Join(c.output, "steered.csv"), "--task-queue", c.queue, "--detach")))
	require.Eventually(t, func() bool { return len(c.api.Executions()) == 2 }, time.Minute, 50*time.Millisecond)
	require.Contains(t, c.ok(c.asteroid("batch", "pause", id)), "(paused)")
	require.NotContains(t, c.ok(c.asteroid("batch", "resume", id)), "(paused)")
	state := decoded[workflows.BatchState](t, c.ok(c.asteroid("batch", "concurrency", id, "3", "--json")))
	require.Equal(t, 3, state.MaxConcurrent)
	require.Eventually(t, func() bool { return len(c.api.Executions()) == 3 }, time.Minute, 50*time.Millisecond)
	refused(t, c.asteroid("batch", "concurrency", id, "0"), 2, "maxConcurrent")
	c.ok(c.asteroid("batch", "cancel", id))
	refused(t, c.asteroid("batch", "status", id, "--wait"), 4, "5 rows have not succeeded")
	for _, e := range c.api.Executions() {
		require.Equal(t, string(asteroid.StatusCancelled), e.Status)
	}
}

func TestBatchRunTellsHowToReadTheRows(t *testing.T) {
	t.Parallel()
	for delimiter, want := range map[string]string{"": "", ";": ";", "tab": "\t", `\t`: "\t"} {
		settings := batchSettings{agent: "clerk", out: "/srv/out.csv", delimiter: delimiter, encoding: "latin1"}
		in, err := settings.input("/srv/rows.csv", nil)
		require.NoError(t, err)
		require.Equal(t, asteroid.BatchRows{Source: &asteroid.FileRef{URI: "file:///srv/rows.csv"}, Delimiter: want, Encoding: "latin1"}, in.Rows)
	}
}

func TestBatchLineSaysWhyABatchHasFailed(t *testing.T) {
	t.Parallel()
	require.Equal(t, "[....................] no rows to run (failed): rows: no header", batchLine(workflows.BatchState{Phase: "failed", Error: "rows: no\nheader"}))
	require.Contains(t, batchLine(workflows.BatchState{Phase: "done", Rows: 4, Stopped: "3 rows have failed"}), "(done): 3 rows have failed")
}

// lameTemporal does not answer the first requests. Then its batch has completed.
type lameTemporal struct {
	client.Client
	client.WorkflowRun
	lame int
}

func (l *lameTemporal) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if l.lame--; l.lame >= 0 {
		return nil, serviceerror.NewUnavailable("away")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{
		Status: enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, Type: &common.WorkflowType{Name: workflows.BatchName},
	}}, nil
}

func (l *lameTemporal) DescribeTaskQueue(context.Context, string, enums.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	return nil, serviceerror.NewUnavailable("away")
}

func (l *lameTemporal) QueryWorkflow(context.Context, string, string, string, ...any) (converter.EncodedValue, error) {
	return nil, serviceerror.NewUnavailable("away")
}

func (l *lameTemporal) GetWorkflow(context.Context, string, string) client.WorkflowRun { return l }

func (l *lameTemporal) Get(_ context.Context, value any) error {
	if result, ok := value.(*workflows.BatchResult); ok {
		result.Counts.Succeeded = 7
	}
	return nil
}

func TestBatchIsAwaitedWhileTemporalDoesNotAnswer(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := &cli{out: &out, err: io.Discard}
	require.NoError(t, c.awaitBatch(t.Context(), &service{Client: &lameTemporal{lame: 2}}, "claims"))
	require.Contains(t, out.String(), "7 succeeded")
}

func TestBatchWhoseWorkflowIsCancelledShowsItsResult(t *testing.T) {
	c := newClients(t, defaultNamespace)
	c.startWorker()
	agent := c.api.ServeAgent("slow clerk", func(testsuite.Run) []testsuite.Step { return []testsuite.Step{testsuite.Work(time.Hour)} })
	id := strings.TrimSpace(c.ok(c.asteroid("batch", "run", "data:text/csv,claim%0A1%0A2%0A3%0A", "--agent", agent, "--concurrency", "2",
		"--out", filepath.Join(c.output, "cancelled.csv"), "--task-queue", c.queue, "--detach")))
	require.Eventually(t, func() bool { return len(c.api.Executions()) == 2 }, time.Minute, 50*time.Millisecond)
	require.NoError(t, c.temporal.CancelWorkflow(t.Context(), id, ""))
	got := c.asteroid("batch", "status", id, "--wait")
	refused(t, got, 4, "3 rows have not succeeded")
	require.Contains(t, got.stdout, "2 cancelled, 1 not run")
}
