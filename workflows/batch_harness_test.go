package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	sdktestsuite "go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/metrics"
	"github.com/temporal-asteroid/asteroid/internal/metricstest"
	"github.com/temporal-asteroid/asteroid/workflows"
)

const batchID = "claims"

// batchBench runs batches in the workflow test environment, with activities that keep the rows in
// memory. The batch is a child of a workflow of the test, so that signals reach it.
type batchBench struct {
	*sdktestsuite.TestWorkflowEnvironment
	recorded    *metricstest.Recorder
	rows        int           // of the file
	segmentRows int           // of a segment
	takes       time.Duration // a row
	run         func(ctx workflow.Context, row *workflows.RowOfBatch, in workflows.RunAgentInput) (asteroid.RowResult, error)
	before      func(workflow.Context) // the batch
	limitOf     func(number int) string
	readFails   func(asteroid.ReadBatchRowsInput) error
	attributes  *asteroid.SearchAttributes // that the plan finds

	mu         sync.Mutex
	atWork     int
	mostAtWork int
	planned    map[int][]asteroid.BatchRow // by pass
	started    []string                    // the ids of the rows' workflows
	keys       []string                    // their idempotency keys
	results    map[int]asteroid.RowResult
	parts      []asteroid.WriteBatchPartInput
	joins      []asteroid.JoinBatchPartsInput
	plans      []asteroid.PlanBatchInput
	marks      int                      // plans that were made afresh
	heartbeats map[string]time.Duration // the timeouts, by activity
	closed     map[string]closedWorkflow
	followed   []string
	parentID   string // of the rows' workflows that are followed
	updates    int
	runs       int // of the batch's chain
	result     workflows.BatchResult
	err        error
}

type closedWorkflow struct {
	result json.RawMessage
	err    error
}

func newBatchBench(t *testing.T, rows int) *batchBench {
	t.Helper()
	var suite sdktestsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	recorded := metricstest.NewRecorder()
	suite.SetMetricsHandler(recorded)
	b := &batchBench{
		recorded: recorded, TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), rows: rows, segmentRows: 10, takes: time.Minute,
		planned: map[int][]asteroid.BatchRow{}, results: map[int]asteroid.RowResult{}, closed: map[string]closedWorkflow{},
		heartbeats: map[string]time.Duration{},
	}
	b.SetTestTimeout(time.Minute)
	b.SetWorkerOptions(sdkworker.Options{DeadlockDetectionTimeout: patience})
	workflows.Register(withoutRunAgent{b}, workflow.RegisterOptions{})
	b.RegisterWorkflowWithOptions(b.runAgent, workflow.RegisterOptions{Name: workflows.RunAgentName})
	for name, does := range map[string]any{
		asteroid.PlanBatchName: b.planBatch, asteroid.ReadBatchRowsName: b.readBatchRows, asteroid.WriteBatchPartName: b.writeBatchPart,
		asteroid.JoinBatchPartsName: b.joinBatchParts, asteroid.FollowWorkflowName: b.followWorkflow,
	} {
		b.RegisterActivityWithOptions(does, activity.RegisterOptions{Name: name})
	}
	b.SetOnChildWorkflowCompletedListener(func(info *workflow.Info, result converter.EncodedValue, err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		closed := closedWorkflow{err: err}
		if err == nil && result.HasValue() {
			_ = result.Get(&closed.result)
		}
		b.closed[info.WorkflowExecution.ID] = closed
	})
	return b
}

type withoutRunAgent struct{ workflows.Registry }

func (r withoutRunAgent) RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions) {
	if options.Name != workflows.RunAgentName {
		r.Registry.RegisterWorkflowWithOptions(w, options)
	}
}

func batchInput(maxConcurrent int) workflows.BatchInput {
	return workflows.BatchInput{
		Rows:          asteroid.BatchRows{Source: &asteroid.FileRef{URI: "file:///srv/claims.csv"}},
		Template:      workflows.RunAgentInput{AgentID: "agent", Inputs: asteroid.Inputs{"claim": "{{claim}}"}},
		Results:       asteroid.BatchResults{Destination: "file:///srv/results.csv"},
		MaxConcurrent: maxConcurrent,
	}
}

// runBatch runs a batch, over all runs of its chain.
func (b *batchBench) runBatch(t *testing.T, in workflows.BatchInput) (workflows.BatchResult, error) {
	t.Helper()
	b.ExecuteWorkflow(func(ctx workflow.Context) error {
		if b.before != nil {
			b.before(ctx)
		}
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: batchID, WaitForCancellation: true})
		for {
			b.runs++
			b.err = workflow.ExecuteChildWorkflow(ctx, workflows.BatchName, in).Get(ctx, &b.result)
			next, continues := errors.AsType[*workflow.ContinueAsNewError](b.err)
			if !continues {
				return nil
			}
			b.SetCurrentHistoryLength(0)
			in = workflows.BatchInput{}
			if err := converter.GetDefaultDataConverter().FromPayloads(next.Input, &in); err != nil {
				return err
			}
		}
	})
	require.True(t, b.IsWorkflowCompleted())
	require.NoError(t, b.GetWorkflowError())
	return b.result, b.err
}

// at calls a function so long after the beginning.
func (b *batchBench) at(after time.Duration, do func()) { b.RegisterDelayedCallback(do, after) }

func (b *batchBench) state(t *testing.T) workflows.BatchState {
	t.Helper()
	value, err := b.QueryWorkflowByID(batchID, workflows.StateQuery)
	require.NoError(t, err)
	var state workflows.BatchState
	require.NoError(t, value.Get(&state))
	return state
}

// details returns the current details of the batch.
func (b *batchBench) details(t *testing.T) string {
	t.Helper()
	value, err := b.QueryWorkflowByID(batchID, "__temporal_workflow_metadata")
	require.NoError(t, err)
	var metadata sdk.WorkflowMetadata
	require.NoError(t, value.Get(&metadata))
	return metadata.GetCurrentDetails()
}

// counted returns what was recorded of counters, without those that are only announced.
func (b *batchBench) counted(counters ...*metrics.Metric) []string {
	return slices.DeleteFunc(b.recorded.Take(counters...), func(line string) bool { return strings.HasSuffix(line, ": 0") })
}

// updateBatch sends the batch an update.
func (b *batchBench) updateBatch(t *testing.T, name string, args ...any) *updateOutcome {
	t.Helper()
	outcome := &updateOutcome{}
	b.updates++
	require.NoError(t, b.UpdateWorkflowByID(batchID, name, strconv.Itoa(b.updates), outcome, args...))
	return outcome
}

func (b *batchBench) runAgent(ctx workflow.Context, in workflows.RunAgentInput) (*asteroid.RowResult, error) {
	row := in.Internal.Row
	b.mu.Lock()
	b.atWork++
	b.mostAtWork = max(b.mostAtWork, b.atWork)
	b.started = append(b.started, workflow.GetInfo(ctx).WorkflowExecution.ID)
	b.keys = append(b.keys, in.IdempotencyKey)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.atWork--
		b.mu.Unlock()
	}()
	var result asteroid.RowResult
	var err error
	if b.run != nil {
		result, err = b.run(ctx, row, in)
	} else {
		err = workflow.Sleep(ctx, b.takes)
	}
	switch {
	case temporal.IsCanceledError(err):
		result.Status = asteroid.RowCancelled
	case err != nil:
		return nil, err
	case result.Status == "":
		result.Status = asteroid.RowSucceeded
	}
	result.Number, result.Key, result.Attempt, result.Request = row.Number, row.Key, row.Attempt, row.Request
	if result.EndedAt.IsZero() {
		result.EndedAt = workflow.Now(ctx)
	}
	return &result, nil
}

// before sets the times of a result so that the row ended before the batch began. In the test
// environment a child workflow begins when the test does.
func before(ctx workflow.Context, result asteroid.RowResult) asteroid.RowResult {
	result.StartedAt, result.EndedAt = workflow.Now(ctx).Add(-2*time.Hour), workflow.Now(ctx).Add(-time.Hour)
	return result
}

func failed() asteroid.RowResult {
	return asteroid.RowResult{Status: asteroid.RowFailed, ExecutionStatus: asteroid.StatusFailed, Error: "the portal is down"}
}

// note notes how soon the server gives up an attempt of an activity whose worker was killed.
func (b *batchBench) note(ctx context.Context) {
	info := activity.GetInfo(ctx)
	b.heartbeats[info.ActivityType.Name] = info.HeartbeatTimeout
}

func (b *batchBench) planBatch(ctx context.Context, in asteroid.PlanBatchInput) (*asteroid.PlanBatchResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(ctx)
	if err := in.Validate(); err != nil {
		return nil, err
	}
	b.plans = append(b.plans, in)
	if in.Pass == 1 {
		b.marks++
	}
	var rows []asteroid.BatchRow
	for number := 1; number <= b.rows; number++ {
		switch status := b.results[number].Status; {
		case in.Pass > 1 && status != asteroid.RowFailed, status == asteroid.RowSucceeded:
			continue
		}
		last, attempt := b.results[number], 1
		if last.Attempt > 0 {
			attempt = last.Attempt
			if last.AgentEnded() {
				attempt++
			}
		}
		rows = append(rows, asteroid.BatchRow{Number: number, Key: "row-" + strconv.Itoa(number), Attempt: attempt})
	}
	b.planned[in.Pass] = rows
	return &asteroid.PlanBatchResult{Mark: fmt.Sprintf("mark-%d", b.marks), Rows: len(rows), Segments: (len(rows) + b.segmentRows - 1) / b.segmentRows, SearchAttributes: b.attributes}, nil
}

func (b *batchBench) readBatchRows(ctx context.Context, in asteroid.ReadBatchRowsInput) (*asteroid.ReadBatchRowsResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(ctx)
	if b.readFails != nil {
		if err := b.readFails(in); err != nil {
			return nil, err
		}
	}
	rows := b.planned[in.Pass][(in.Segment-1)*b.segmentRows:]
	rows = slices.Clone(rows[:min(len(rows), b.segmentRows)])
	for i, row := range rows {
		input := strings.ReplaceAll(string(in.Template), "{{claim}}", strconv.Itoa(row.Number))
		if b.limitOf != nil {
			rows[i].Limits = []asteroid.Limit{{Key: b.limitOf(row.Number)}}
		}
		rows[i].Input = json.RawMessage(input)
	}
	return &asteroid.ReadBatchRowsResult{Rows: rows}, nil
}

func (b *batchBench) writeBatchPart(ctx context.Context, in asteroid.WriteBatchPartInput) (*asteroid.WriteBatchPartResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(ctx)
	b.parts = append(b.parts, in)
	for _, row := range in.Rows {
		b.results[row.Number] = row
	}
	return &asteroid.WriteBatchPartResult{}, nil
}

func (b *batchBench) joinBatchParts(ctx context.Context, in asteroid.JoinBatchPartsInput) (*asteroid.JoinBatchPartsResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(ctx)
	b.joins = append(b.joins, in)
	joined := &asteroid.JoinBatchPartsResult{Results: asteroid.OutputFile{FileRef: asteroid.FileRef{URI: in.Results.Destination}}}
	for number := 1; number <= b.rows; number++ {
		switch b.results[number].Status {
		case asteroid.RowSucceeded:
			joined.Counts.Succeeded++
		case asteroid.RowFailed:
			joined.Counts.Failed++
		case asteroid.RowCancelled:
			joined.Counts.Cancelled++
		default:
			joined.Counts.NotRun++
		}
	}
	return joined, nil
}

func (b *batchBench) followWorkflow(_ context.Context, in asteroid.FollowWorkflowInput) (*asteroid.FollowWorkflowResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	closed, ok := b.closed[in.WorkflowID]
	switch {
	case !ok && in.Once:
		return &asteroid.FollowWorkflowResult{Open: true, ParentID: b.parentID}, nil
	case !ok:
		return nil, temporal.NewApplicationErrorWithOptions("still running", asteroid.ErrorTypeStillRunning,
			temporal.ApplicationErrorOptions{NextRetryDelay: 30 * time.Second})
	case temporal.IsCanceledError(closed.err):
		return &asteroid.FollowWorkflowResult{Status: "canceled"}, nil
	case isTerminated(closed.err):
		return &asteroid.FollowWorkflowResult{Status: "terminated"}, nil
	case closed.err != nil:
		return &asteroid.FollowWorkflowResult{Status: "failed", Error: closed.err.Error()}, nil
	}
	b.followed = append(b.followed, in.WorkflowID)
	return &asteroid.FollowWorkflowResult{Status: "completed", Result: closed.result}, nil
}

func isTerminated(err error) bool {
	_, terminated := errors.AsType[*temporal.TerminatedError](err)
	return terminated
}

// startsOf returns how often a row was started.
func (b *batchBench) startsOf(number int) int {
	count := 0
	for _, id := range b.started {
		if strings.Contains(id, fmt.Sprintf("/row-%d/", number)) {
			count++
		}
	}
	return count
}

// attemptsOf returns the attempts of a row, in the order in which their workflows were started.
func (b *batchBench) attemptsOf(number int) (attempts []string) {
	for _, id := range b.started {
		if _, attempt, found := strings.Cut(id, fmt.Sprintf("/row-%d/", number)); found {
			attempts = append(attempts, attempt)
		}
	}
	return attempts
}
