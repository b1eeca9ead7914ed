package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

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
// and returns false if there is none within killPatience.
func (s *scene) killIn(ctx context.Context, workflowID, activityType string) bool {
	ctx, done := context.WithTimeout(ctx, killPatience)
	defer done()
	for {
		described, err := s.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
		if err == nil && described.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return false
		}
		for _, pending := range described.GetPendingActivities() {
			started := pending.GetActivityType().GetName() == activityType && pending.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED
			if started && s.disruptor.killWorker(pending.GetLastWorkerIdentity()) {
				return true
			}
		}
		if !program.Sleep(ctx, 30*time.Millisecond) {
			return false
		}
	}
}

// killPatience is how long to wait for an activity in which a worker shall die.
const killPatience = 10 * time.Second
