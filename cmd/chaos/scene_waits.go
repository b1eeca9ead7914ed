package main

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// awaitCompleted waits until the workflow's current run has completed the nth workflow task.
func (s *scene) awaitCompleted(ctx context.Context, n int) bool {
	ctx, done := context.WithTimeout(ctx, scenePatience)
	defer done()
	for {
		completed := 0
		for _, event := range s.history(ctx, s.id, "") {
			if event.GetWorkflowTaskCompletedEventAttributes() != nil {
				completed++
			}
		}
		if completed >= n {
			return true
		}
		if !program.Sleep(ctx, 50*time.Millisecond) {
			return false
		}
	}
}

// has reports whether the workflow's current run has an event of the type and, of those, of the
// activity.
func (s *scene) has(ctx context.Context, eventType enumspb.EventType, activityType string) bool {
	scheduled := map[int64]string{}
	for _, event := range s.history(ctx, s.id, "") {
		of := event.GetEventId()
		if a := event.GetActivityTaskScheduledEventAttributes(); a != nil {
			scheduled[of] = a.GetActivityType().GetName()
		}
		if a := event.GetActivityTaskCompletedEventAttributes(); a != nil {
			of = a.GetScheduledEventId()
		}
		if event.GetEventType() == eventType && scheduled[of] == activityType {
			return true
		}
	}
	return false
}

func (s *scene) awaitEvent(ctx context.Context, eventType enumspb.EventType, activityType string) bool {
	ctx, done := context.WithTimeout(ctx, scenePatience)
	defer done()
	for !s.has(ctx, eventType, activityType) {
		if !program.Sleep(ctx, 50*time.Millisecond) {
			return false
		}
	}
	return true
}

func (s *scene) executions(intent string) (own []testsuite.Execution) {
	for _, e := range s.api.Executions() {
		if e.Inputs[inputIntent] == intent {
			own = append(own, e)
		}
	}
	return own
}

// tasksBeforeUpdate returns how many workflow tasks the workflow's current run had completed before
// it accepted its first update.
func (s *scene) tasksBeforeUpdate(ctx context.Context) (n int) {
	for _, event := range s.history(ctx, s.id, "") {
		switch {
		case event.GetWorkflowExecutionUpdateAcceptedEventAttributes() != nil:
			return n - 1 // the update is accepted in the task before the event
		case event.GetWorkflowTaskCompletedEventAttributes() != nil:
			n++
		}
	}
	return 0
}

func (s *scene) lastExecution(intent string) string {
	if own := s.executions(intent); len(own) > 0 {
		return own[len(own)-1].ID
	}
	return ""
}

func (s *scene) continuedAsNew(ctx context.Context, runID string) bool {
	events := s.history(ctx, s.id, runID)
	return len(events) > 0 && events[len(events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes() != nil
}

// once makes a request that may fail, because the activity may have ended meanwhile.
func (s *scene) once(ctx context.Context, request func(context.Context) error) error {
	ctx, done := context.WithTimeout(ctx, 5*time.Second)
	defer done()
	return request(ctx)
}

// closeSteps awaits the end of a workflow with several agents, and returns the outcome of each. The
// intents are in the order of its results. An empty one has no outcome.
func (s *scene) closeSteps(ctx context.Context, intents ...string) (outcomes []outcome) {
	for i, intent := range intents {
		if intent == "" {
			continue
		}
		o := outcome{intent: intent, workflowID: s.id}
		s.awaitCloseOf(ctx, &o, func(get func(any) error) (*workflows.RunAgentResult, error) {
			var results []*workflows.RunAgentResult
			if err := get(&results); err != nil {
				return nil, err
			}
			if i >= len(results) || results[i] == nil {
				return &workflows.RunAgentResult{}, nil
			}
			return results[i], nil
		})
		outcomes = append(outcomes, o)
	}
	s.noteClosed(outcomes[0])
	return outcomes
}

func working(e testsuite.Execution) bool { return !terminal(e.Status) }
