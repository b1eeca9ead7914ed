package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
)

// commanded adds a command of a batch to its segment.
func (h *historyOf) commanded(paused bool) {
	input, err := converter.GetDefaultDataConverter().ToPayloads(map[string]any{"slots": 4, "paused": paused})
	if err != nil {
		panic(err)
	}
	h.add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
			WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: segmentCommandSignal, Input: input},
		},
	})
}

// task adds a workflow task that starts rows.
func (h *historyOf) task(rows int) {
	h.add(enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{}},
	})
	h.startedRows(rows)
}

func (h *historyOf) startedRows(rows int) {
	for range rows {
		h.add(enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED, &historypb.HistoryEvent{
			Attributes: &historypb.HistoryEvent_StartChildWorkflowExecutionInitiatedEventAttributes{
				StartChildWorkflowExecutionInitiatedEventAttributes: &historypb.StartChildWorkflowExecutionInitiatedEventAttributes{},
			},
		})
	}
}

func TestPausesCountTheRowsThatStartInThem(t *testing.T) {
	t.Parallel()
	h := &historyOf{}
	h.task(2)
	h.commanded(false)
	h.task(1)
	h.commanded(true)
	h.startedRows(1) // of the task that began before the pause
	require.Equal(t, pauses{}, pausesIn(h.events))
	h.task(0)
	require.Equal(t, pauses{held: true}, pausesIn(h.events))
	h.commanded(false)
	h.task(3)
	require.Equal(t, pauses{held: true, after: 3}, pausesIn(h.events))
	h.commanded(true)
	h.task(1)
	require.Equal(t, pauses{held: true, during: 1, after: 3}, pausesIn(h.events))
}
