package main

import (
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"github.com/temporal-asteroid/asteroid"
)

// maxTold is how often a workflow may be told of one end of an execution: once, and again where the
// sender died, or another took its place, before it had recorded that it has told.
const maxTold = 3

// checkSignals finds signals of strangers, and those that came too often.
func checkSignals(found *findings, run runHistory) {
	told := map[string]int{}
	for _, event := range run.events {
		e, ok := executionEventOf(event)
		if !ok {
			continue
		}
		if isForged(e.EventID) {
			found.add(foundMismatch, run.GetWorkflowId(), "%s was signalled by a stranger: event %d", run.GetWorkflowId(), event.GetEventId())
		}
		if !e.Status.Terminal() {
			continue
		}
		key := fmt.Sprintf("execution %s is %s %s", e.ExecutionID, e.Status, e.EventID)
		if told[key]++; told[key] == maxTold+1 {
			found.add(foundMismatch, run.GetWorkflowId(), "%s was told more than %d times that %s", run.GetWorkflowId(), maxTold, key)
		}
	}
}

// executionEventOf returns what a signal tells of an execution. ok is false for every other event.
func executionEventOf(event *historypb.HistoryEvent) (e asteroid.ExecutionEvent, ok bool) {
	signal := event.GetWorkflowExecutionSignaledEventAttributes()
	if signal.GetSignalName() != asteroid.ExecutionEventSignal {
		return e, false
	}
	return e, converter.GetDefaultDataConverter().FromPayloads(signal.GetInput(), &e) == nil
}

// executing reports whether asteroid.ExecuteAgent is scheduled after these events, and has not
// returned.
func executing(events []*historypb.HistoryEvent) bool {
	open := map[int64]bool{}
	for _, event := range events {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == asteroid.ExecuteAgentName {
				open[event.GetEventId()] = true
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			delete(open, event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId())
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
			delete(open, event.GetActivityTaskFailedEventAttributes().GetScheduledEventId())
		}
	}
	return len(open) > 0
}
