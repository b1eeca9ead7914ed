package main

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

func timestampOf(at time.Time) *timestamppb.Timestamp { return timestamppb.New(at) }

func (h *historyOf) scheduled(activityType string) int64 {
	return h.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{ActivityType: &commonpb.ActivityType{Name: activityType}},
		},
	})
}

func (h *historyOf) completed(scheduled int64) {
	h.add(enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
			ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: scheduled},
		},
	})
}

func (h *historyOf) signalled(e asteroid.ExecutionEvent) {
	input, err := converter.GetDefaultDataConverter().ToPayloads(e)
	if err != nil {
		panic(err)
	}
	h.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
			WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: asteroid.ExecutionEventSignal, Input: input},
		},
	})
}

func TestCheckSignalsFindsStrangersAndRepetitions(t *testing.T) {
	t.Parallel()
	completed := asteroid.ExecutionEvent{ExecutionID: "e", Status: asteroid.StatusCompleted}
	running := asteroid.ExecutionEvent{ExecutionID: "e", Status: asteroid.StatusRunning}
	for name, row := range map[string]struct {
		signals []asteroid.ExecutionEvent
		finding string
	}{
		"once":                         {[]asteroid.ExecutionEvent{running, completed}, ""},
		"as often as it may":           {slices.Repeat([]asteroid.ExecutionEvent{completed}, maxTold), ""},
		"too often":                    {slices.Repeat([]asteroid.ExecutionEvent{completed}, maxTold+2), "more than 3 times that execution e is completed"},
		"each time it goes on":         {slices.Repeat([]asteroid.ExecutionEvent{running}, 2*maxTold), ""},
		"of a stranger":                {[]asteroid.ExecutionEvent{{ExecutionID: "e", EventID: forgedEvent + "1"}}, "signalled by a stranger"},
		"of several events, each once": {[]asteroid.ExecutionEvent{{ExecutionID: "e", EventID: "1", Status: asteroid.StatusFailed}, {ExecutionID: "e", EventID: "2", Status: asteroid.StatusFailed}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &historyOf{}
			for _, e := range row.signals {
				h.signalled(e)
			}
			var found findings
			checkSignals(&found, runHistory{WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "w"}, events: h.events})
			requireFinding(t, &found, foundMismatch, row.finding)
		})
	}
}

func TestHistoryTellsOfWebhookBeforeExecuteReturns(t *testing.T) {
	t.Parallel()
	webhook := asteroid.ExecutionEvent{ExecutionID: "e", EventID: "1"}
	for name, row := range map[string]struct {
		event asteroid.ExecutionEvent
		early bool
		want  int
	}{
		"early":              {webhook, true, 1},
		"after it returned":  {webhook, false, 0},
		"early of the watch": {asteroid.ExecutionEvent{ExecutionID: "e"}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &historyOf{}
			execute := h.scheduled(asteroid.ExecuteAgentName)
			if row.early {
				h.signalled(row.event)
			}
			h.completed(execute)
			if !row.early {
				h.signalled(row.event)
			}
			var fired tally
			fired.addHistory(h.events)
			require.Equal(t, row.want, fired.counts()[kindWebhookEarly])
		})
	}
}

func TestCheckKeyFindsEverySecret(t *testing.T) {
	t.Parallel()
	h := &historyOf{}
	h.signalled(asteroid.ExecutionEvent{ExecutionID: "the second secret"})
	run := runHistory{WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "w"}, events: h.events}
	var found findings
	checkKey(&found, run, "another")
	require.Empty(t, found.all)
	checkKey(&found, run, "another", "second secret")
	requireFinding(t, &found, foundKey, "the history of run")
}

func TestCheckDelayFindsWorkflowsThatLearnLate(t *testing.T) {
	t.Parallel()
	e := testsuite.Execution{ID: "e", TerminalAt: noon}
	var found findings
	checkDelay(&found, outcome{workflowID: "w"}, e, noon.Add(tellPatience))
	require.Empty(t, found.all)
	checkDelay(&found, outcome{workflowID: "w"}, e, noon.Add(tellPatience+time.Second))
	requireFinding(t, &found, foundStuck, "w closed 1m16s after execution e had ended")
}
