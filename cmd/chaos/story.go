package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	historypb "go.temporal.io/api/history/v1"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// moment is something that happened in a run.
type moment struct {
	at   time.Time
	text string
}

// timeline collects what happened to the processes.
type timeline struct {
	mu      sync.Mutex
	moments []moment
}

func (t *timeline) add(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.moments = append(t.moments, moment{time.Now(), fmt.Sprintf(format, args...)})
}

func (t *timeline) all() []moment {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.moments)
}

// stories are the stories of workflows in the order of time, by the workflows' ids.
type stories map[string]string

// storiesOf tells the stories of the workflows with findings.
func (w *workload) storiesOf(found []finding, histories []runHistory, ledger []testsuite.Execution) stories {
	told := stories{}
	for _, f := range found {
		if _, known := told[f.workflowID]; f.workflowID != "" && !known && len(told) < maxStories {
			told[f.workflowID] = w.storyOf(f.workflowID, histories, ledger)
		}
	}
	return told
}

// storyOf tells what happened to a workflow and to those whose ids begin with its id, such as the
// rows of a batch, to their executions, and meanwhile to the processes.
func (w *workload) storyOf(workflowID string, histories []runHistory, ledger []testsuite.Execution) string {
	var moments []moment
	for _, run := range histories {
		if strings.HasPrefix(run.GetWorkflowId(), workflowID) {
			moments = append(moments, momentsOfRun(run)...)
		}
	}
	var executionIDs []string
	for _, e := range ledger {
		if name, _ := e.Inputs[inputIntent].(string); e.Metadata[asteroid.MetadataWorkflowID] == workflowID || strings.HasPrefix(name, workflowID) {
			executionIDs = append(executionIDs, e.ID)
			moments = append(moments, momentsOfExecution(e)...)
		}
	}
	for _, r := range w.api.Requests() {
		if slices.ContainsFunc(executionIDs, func(id string) bool { return strings.Contains(r.Path, id) }) {
			moments = append(moments, moment{r.At, strings.TrimSpace(fmt.Sprintf("request %s %s, answered %d %s", r.Method, r.Path, r.Status, r.Fault))})
		}
	}
	if len(moments) == 0 {
		return ""
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return a.at.Compare(b.at) })
	first, last := moments[0].at, moments[len(moments)-1].at
	for _, m := range w.timeline.all() {
		if m.at.After(first) && m.at.Before(last) {
			moments = append(moments, m)
		}
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return a.at.Compare(b.at) })
	var story strings.Builder
	for _, m := range moments {
		fmt.Fprintf(&story, "  %s  %s\n", m.at.Format(clock), m.text)
	}
	return story.String()
}

func momentsOfExecution(e testsuite.Execution) []moment {
	moments := []moment{{e.CreatedAt, fmt.Sprintf("execution %s is created with the key %s", e.ID, e.Metadata[asteroid.MetadataExecutionKey])}}
	for _, m := range e.Messages {
		moments = append(moments, moment{m.At, fmt.Sprintf("execution %s gets the message %q", e.ID, m.Text)})
	}
	if !e.TerminalAt.IsZero() {
		moments = append(moments, moment{e.TerminalAt, fmt.Sprintf("execution %s is %s", e.ID, e.Status)})
	}
	return moments
}

// momentsOfRun returns the events of a history but those of workflow tasks that went well.
func momentsOfRun(run runHistory) (moments []moment) {
	activityTypes := map[int64]string{} // by the id of the scheduled event
	for _, event := range run.events {
		text := describeEvent(event, activityTypes)
		if text != "" {
			moments = append(moments, moment{event.GetEventTime().AsTime(), fmt.Sprintf("%s, run %s event %d: %s", run.GetWorkflowId(), shortRunID(run), event.GetEventId(), text)})
		}
	}
	return moments
}

// shortRunID returns the random part of a run id. The ids of one moment begin alike.
func shortRunID(run runHistory) string {
	return run.GetRunId()[strings.LastIndex(run.GetRunId(), "-")+1:]
}

// describeEvent describes an event, or returns nothing for one that tells nothing.
func describeEvent(event *historypb.HistoryEvent, activityTypes map[int64]string) string {
	text := strings.TrimPrefix(event.GetEventType().String(), "EVENT_TYPE_")
	var scheduled int64
	var failure interface{ GetMessage() string }
	switch {
	case event.GetActivityTaskScheduledEventAttributes() != nil:
		scheduled = event.GetEventId()
		activityTypes[scheduled] = event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
	case event.GetActivityTaskStartedEventAttributes() != nil:
		started := event.GetActivityTaskStartedEventAttributes()
		scheduled, failure = started.GetScheduledEventId(), started.GetLastFailure()
		text += fmt.Sprintf(" attempt %d by %s", started.GetAttempt(), started.GetIdentity())
	case event.GetActivityTaskCompletedEventAttributes() != nil:
		scheduled = event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()
	case event.GetActivityTaskFailedEventAttributes() != nil:
		failed := event.GetActivityTaskFailedEventAttributes()
		scheduled, failure = failed.GetScheduledEventId(), failed.GetFailure()
	case event.GetActivityTaskTimedOutEventAttributes() != nil:
		timedOut := event.GetActivityTaskTimedOutEventAttributes()
		scheduled, failure = timedOut.GetScheduledEventId(), timedOut.GetFailure()
	case event.GetActivityTaskCancelRequestedEventAttributes() != nil:
		scheduled = event.GetActivityTaskCancelRequestedEventAttributes().GetScheduledEventId()
	case event.GetActivityTaskCanceledEventAttributes() != nil:
		scheduled = event.GetActivityTaskCanceledEventAttributes().GetScheduledEventId()
	case event.GetWorkflowTaskFailedEventAttributes() != nil:
		failed := event.GetWorkflowTaskFailedEventAttributes()
		text += " " + failed.GetCause().String()
		failure = failed.GetFailure()
	case event.GetWorkflowExecutionFailedEventAttributes() != nil:
		failure = event.GetWorkflowExecutionFailedEventAttributes().GetFailure()
	case event.GetWorkflowExecutionSignaledEventAttributes() != nil:
		text += " " + event.GetWorkflowExecutionSignaledEventAttributes().GetSignalName()
	case strings.HasPrefix(text, "WORKFLOW_TASK_"):
		return ""
	}
	if scheduled != 0 {
		text += " " + activityTypes[scheduled]
	}
	if failure != nil && failure.GetMessage() != "" {
		text += ": " + failure.GetMessage()
	}
	return text
}
