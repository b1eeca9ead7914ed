package main

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/temporal-asteroid/asteroid"
)

// runHistory is the history of one workflow run.
type runHistory struct {
	*commonpb.WorkflowExecution
	workflowType string
	events       []*historypb.HistoryEvent
}

// collectHistories returns the histories of all runs of all workflows, those that a reset replaced
// included.
func (w *workload) collectHistories(ctx context.Context) ([]runHistory, error) {
	var histories []runHistory
	var page []byte
	for {
		var listed *workflowservice.ListWorkflowExecutionsResponse
		retry(ctx, func(ctx context.Context) (err error) {
			listed, err = w.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{PageSize: 500, NextPageToken: page})
			return err
		})
		for _, info := range listed.GetExecutions() {
			run := runHistory{WorkflowExecution: info.GetExecution(), workflowType: info.GetType().GetName()}
			run.events = w.history(ctx, run.GetWorkflowId(), run.GetRunId())
			histories = append(histories, run)
		}
		if page = listed.GetNextPageToken(); len(page) == 0 || ctx.Err() != nil {
			return histories, ctx.Err()
		}
	}
}

// history returns the events of a workflow's run, of the current one if runID is empty. It returns
// nothing if ctx is cancelled.
func (w *workload) history(ctx context.Context, workflowID, runID string) (events []*historypb.HistoryEvent) {
	retry(ctx, func(ctx context.Context) error {
		events = nil
		for pages := w.temporal.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); pages.HasNext(); {
			event, err := pages.Next()
			if err != nil {
				return err
			}
			events = append(events, event)
		}
		return nil
	})
	return events
}

// checkHistories counts the troubles that the histories show, and looks in each for what it must
// not hold. It returns how many it has replayed.
func (w *workload) checkHistories(ctx context.Context, histories []runHistory) (replayed int) {
	replay, err := newReplay()
	if err != nil {
		w.findings.add(foundUnreplayable, "", "no history could be replayed: %v", err)
		return 0
	}
	for _, run := range histories {
		if ctx.Err() != nil {
			return replayed
		}
		w.tally.addHistory(run.events)
		checkTasks(w.findings, run)
		checkKey(w.findings, run, w.secrets...)
		checkSignals(w.findings, run)
		if err := replay(run); err != nil {
			w.findings.add(foundUnreplayable, run.GetWorkflowId(), "run %s of %s %s: %v", run.GetRunId(), run.workflowType, run.GetWorkflowId(), err)
			continue
		}
		replayed++
	}
	return replayed
}

// newReplay returns a function that replays a history with the current code.
func newReplay() (func(run runHistory) error, error) {
	plugin, err := newPlugin(asteroid.Connection{APIKey: asteroid.StaticAPIKey("replays-need-no-key")}, 0)
	if err != nil {
		return nil, err
	}
	replayer, err := sdkworker.NewWorkflowReplayerWithOptions(sdkworker.WorkflowReplayerOptions{
		Plugins: []sdkworker.Plugin{plugin}, Interceptors: []interceptor.WorkerInterceptor{&timeScaler{}},
	})
	if err != nil {
		return nil, err
	}
	registerWorkflows(replayer)
	logger := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	return func(run runHistory) error {
		return replayer.ReplayWorkflowHistoryWithOptions(logger, &historypb.History{Events: run.events}, sdkworker.ReplayWorkflowHistoryOptions{
			// By default the replayer takes the original run's id, as if nothing had been reset.
			OriginalExecution: workflow.Execution{ID: run.GetWorkflowId(), RunID: run.GetRunId()},
		})
	}, nil
}

// harmlessCauses are those of failed workflow tasks after which the server repeats the task, and
// all is well.
var harmlessCauses = []enumspb.WorkflowTaskFailedCause{
	enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW, enumspb.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
	enumspb.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
}

// checkTasks finds workflow tasks that failed.
func checkTasks(found *findings, run runHistory) {
	for _, event := range run.events {
		failed := event.GetWorkflowTaskFailedEventAttributes()
		if failed != nil && !slices.Contains(harmlessCauses, failed.GetCause()) {
			found.add(foundFailedTask, run.GetWorkflowId(), "event %d of %s %s: %s: %s", event.GetEventId(), run.workflowType, run.GetWorkflowId(),
				failed.GetCause(), failed.GetFailure().GetMessage())
		}
	}
}

// checkKey finds API keys and secrets in a history. The payloads are JSON and not encrypted.
func checkKey(found *findings, run runHistory, keys ...string) {
	raw, err := proto.Marshal(&historypb.History{Events: run.events})
	for _, key := range keys {
		if err == nil && bytes.Contains(raw, []byte(key)) {
			found.add(foundKey, run.GetWorkflowId(), "the history of run %s of %s %s", run.GetRunId(), run.workflowType, run.GetWorkflowId())
		}
	}
}

// kindsOfDeaths are the kinds of workers' deaths, by the activity that they were in. The watch is
// not among them: the history of one that still runs does not tell of its attempts, see killWatch.
var kindsOfDeaths = map[string]kind{
	asteroid.StageFilesName: kindKilledStaging, asteroid.ExecuteAgentName: kindKilledExecute, asteroid.AwaitExecutionName: kindKilledAwait,
	asteroid.SendMessageName: kindKilledMessage, asteroid.SweepDuplicatesName: kindKilledSweep, asteroid.SaveFilesName: kindKilledSaving,
	asteroid.PlanBatchName: kindKilledPlan, asteroid.WriteBatchPartName: kindKilledPart,
}

// addHistory counts the troubles that a history shows.
func (t *tally) addHistory(events []*historypb.HistoryEvent) {
	activityTypes := map[int64]string{} // by the id of the scheduled event
	for i, event := range events {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			activityTypes[event.GetEventId()] = event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			started := event.GetActivityTaskStartedEventAttributes()
			if started.GetLastFailure().GetTimeoutFailureInfo() != nil {
				t.addDeath(activityTypes[started.GetScheduledEventId()])
			}
			if strings.Contains(started.GetIdentity(), wrongClock) {
				t.fire(kindClockWrong)
			}
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			if e, ok := executionEventOf(event); ok && e.EventID != "" && executing(events[:i]) {
				t.fire(kindWebhookEarly)
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
			t.addDeath(activityTypes[event.GetActivityTaskTimedOutEventAttributes().GetScheduledEventId()])
		}
	}
}

func (t *tally) addDeath(activityType string) {
	if k, known := kindsOfDeaths[activityType]; known {
		t.fire(k)
	}
}
