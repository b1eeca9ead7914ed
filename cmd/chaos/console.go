package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
)

// request sends a request about an execution to the fake API, as the console does, and decodes the
// response unless result is nil.
func (w *workload) request(ctx context.Context, method, executionID, path, body string, result any) error {
	r, err := http.NewRequestWithContext(ctx, method, w.api.BaseURL()+"/agents/v2/executions/"+executionID+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Asteroid-Agents-Api-Key", w.api.APIKey())
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode > 299 {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	if result == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(result)
}

// logEntry is an entry of an execution's log.
type logEntry struct {
	Timestamp time.Time
	Payload   struct{ ActivityType, Status string }
}

// readLog returns the changes of an execution's status, the oldest first.
func (w *workload) readLog(ctx context.Context, executionID string) (entries []logEntry) {
	retry(ctx, func(ctx context.Context) error {
		entries = nil
		return w.request(ctx, http.MethodGet, executionID, "/activities?limit=200", "", &entries)
	})
	slices.SortStableFunc(entries, func(a, b logEntry) int { return a.Timestamp.Compare(b.Timestamp) })
	return slices.DeleteFunc(entries, func(entry logEntry) bool { return entry.Payload.ActivityType != "status_changed" })
}

// askingsIn returns when an execution has asked a question, in order.
func askingsIn(entries []logEntry) (askings []time.Time) {
	for _, entry := range entries {
		if entry.Payload.Status == "paused_by_agent" {
			askings = append(askings, entry.Timestamp.UTC())
		}
	}
	return askings
}

// confirmationsIn returns the confirmations that an execution was given.
func confirmationsIn(entries []logEntry) (given []confirmation) {
	for i, entry := range entries {
		if i > 0 && entries[i-1].Payload.Status == "awaiting_confirmation" && entry.Payload.Status == "running" {
			given = append(given, confirmation{entries[i-1].Timestamp.UTC(), entry.Timestamp.UTC()})
		}
	}
	return given
}

// killIn kills the worker that is in an activity of the type, of the workflow. It waits for one,
// and returns true once the server has noticed that the attempt died, and false if there was none.
// It counts the death, since a history shows only the last failure of an activity.
func (s *scene) killIn(ctx context.Context, workflowID, activityType string) bool {
	patience, done := context.WithTimeout(ctx, killPatience)
	defer done()
	for {
		described, err := s.temporal.DescribeWorkflowExecution(patience, workflowID, "")
		if err == nil && described.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return false
		}
		for _, pending := range described.GetPendingActivities() {
			started := pending.GetActivityType().GetName() == activityType && pending.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED
			if started && s.disruptor.killWorker(pending.GetLastWorkerIdentity()) {
				died := s.awaitDeath(ctx, described.GetWorkflowExecutionInfo().GetExecution(), pending.GetActivityId())
				if died {
					s.tally.addDeath(activityType)
				}
				return died
			}
		}
		if !program.Sleep(patience, 30*time.Millisecond) {
			return false
		}
	}
}

const (
	// killPatience is how long to wait for an activity in which a worker shall die, deathPatience
	// how long until the server notices it.
	killPatience  = 10 * time.Second
	deathPatience = time.Minute
)

// awaitDeath waits until the server has noticed that an attempt of an activity has died. It returns
// false if the activity ended before.
func (s *scene) awaitDeath(ctx context.Context, run *commonpb.WorkflowExecution, activityID string) bool {
	ctx, done := context.WithTimeout(ctx, deathPatience)
	defer done()
	for program.Sleep(ctx, 100*time.Millisecond) {
		described, err := s.temporal.DescribeWorkflowExecution(ctx, run.GetWorkflowId(), run.GetRunId())
		if err != nil {
			continue
		}
		if died, pending := attemptDied(described, activityID); died || !pending {
			return died
		}
	}
	return false
}

// attemptDied reports whether an attempt of an activity has timed out, or its workflow was
// terminated before that, as a watch is that another queue takes over. pending is false for an
// activity that has ended.
func attemptDied(described *workflowservice.DescribeWorkflowExecutionResponse, activityID string) (died, pending bool) {
	if described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED {
		return true, false
	}
	for _, activity := range described.GetPendingActivities() {
		if activity.GetActivityId() == activityID {
			return activity.GetLastFailure().GetTimeoutFailureInfo() != nil, true
		}
	}
	return false, false
}
