package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/temporal-asteroid/asteroid"
)

// webhookEvent decodes a V2 envelope without its payload; the workflow reads the execution itself
// (https://docs.asteroid.ai/api-reference/webhook-notification-payload).
type webhookEvent struct {
	Type      string          `json:"type"`
	EventID   string          `json:"event_id"`
	Timestamp json.RawMessage `json:"timestamp"`
	Info      struct {
		Event       string         `json:"event"`
		ExecutionID string         `json:"execution_id"`
		Metadata    map[string]any `json:"metadata"` // any: other values must not fail the decoding
	} `json:"info"`
}

// maxEventMember bounds in bytes what a signal repeats of an event. Signals stay in history.
const maxEventMember = 255

// parseEvent decodes a body. Its errors are logged, so they contain nothing of the body.
func parseEvent(body []byte) (webhookEvent, error) {
	var event webhookEvent
	switch {
	case json.Unmarshal(body, &event) != nil:
		return webhookEvent{}, errors.New("the body is not a V2 envelope in JSON")
	case event.Type == "" || event.EventID == "":
		return webhookEvent{}, errors.New("type or event_id is missing")
	case event.Info.Event == "" || event.Info.ExecutionID == "":
		return webhookEvent{}, errors.New("info.event or info.execution_id is missing")
	case max(len(event.EventID), len(event.Info.Event), len(event.Info.ExecutionID)) > maxEventMember:
		return webhookEvent{}, fmt.Errorf("event_id, info.event or info.execution_id has more than %d bytes", maxEventMember)
	}
	return event, nil
}

// metadata returns the members of the execution's metadata that are strings.
func (e webhookEvent) metadata() map[string]string {
	texts := map[string]string{}
	for name, value := range e.Info.Metadata {
		if text, ok := value.(string); ok {
			texts[name] = text
		}
	}
	return texts
}

// eventStatus maps events to the execution's new status. EXECUTION_PAUSED is missing: it can mean
// paused or paused_by_agent.
var eventStatus = map[string]asteroid.Status{
	"EXECUTION_STARTED":               asteroid.StatusRunning,
	"EXECUTION_RESUMED":               asteroid.StatusRunning,
	"EXECUTION_AWAITING_CONFIRMATION": asteroid.StatusAwaitingConfirmation,
	"EXECUTION_COMPLETED":             asteroid.StatusCompleted,
	"EXECUTION_FAILED":                asteroid.StatusFailed,
	"EXECUTION_CANCELLED":             asteroid.StatusCancelled,
}

// progressPrefixes start the names of events about an execution's progress. They are not signalled:
// there are many of them, and every signal stays in the workflow's history.
var progressPrefixes = []string{
	"EXECUTION_ACTION_", "EXECUTION_STEP_", "EXECUTION_FILE_", "EXECUTION_MESSAGE_", "EXECUTION_USER_MESSAGE_", "EXECUTION_WORKFLOW_",
}

// changesStatus reports whether the event may announce a new status. Unknown execution events
// count, because the list is open: a needless signal is better than a missed one.
func (e webhookEvent) changesStatus() bool {
	for _, prefix := range progressPrefixes {
		if strings.HasPrefix(e.Info.Event, prefix) {
			return false
		}
	}
	return e.Type == "execution" && strings.HasPrefix(e.Info.Event, "EXECUTION_")
}

// signalArgument returns the event as a workflow receives it.
func (e webhookEvent) signalArgument() asteroid.ExecutionEvent {
	return asteroid.ExecutionEvent{
		ExecutionID: e.Info.ExecutionID, Status: eventStatus[e.Info.Event], Event: e.Info.Event, EventID: e.EventID,
	}
}
