package worker

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
)

// webhook is what the handler needs of a V2 envelope (api-reference/webhook-notification-payload). The payload is left
// alone: whoever is told reads the execution.
type webhook struct {
	Type      string `json:"type"`
	EventID   string `json:"event_id"`
	Timestamp any    `json:"timestamp"`
	Info      struct {
		Event       string         `json:"event"`
		ExecutionID string         `json:"execution_id"`
		Metadata    map[string]any `json:"metadata"` // any: what others wrote there must not spoil the rest
	} `json:"info"`
}

// parseWebhook decodes a body. Its errors repeat nothing of the body, as they are logged.
func parseWebhook(body []byte) (webhook, error) {
	var event webhook
	switch {
	case json.Unmarshal(body, &event) != nil:
		return webhook{}, errors.New("the body is not JSON of the V2 envelope")
	case event.Type == "" || event.EventID == "":
		return webhook{}, errors.New("type or event_id is missing")
	case event.Info.Event == "" || event.Info.ExecutionID == "":
		return webhook{}, errors.New("info.event or info.execution_id is missing")
	}
	return event, nil
}

// age is how long ago the event happened; ok is false if it does not tell in a way that can be read.
func (e webhook) age(now time.Time) (_ time.Duration, ok bool) {
	text, _ := e.Timestamp.(string)
	at, err := time.Parse(time.RFC3339, text)
	return now.Sub(at), err == nil
}

// metadata is the value of a key, empty if there is none or it is no text.
func (e webhook) metadata(key string) string {
	value, _ := e.Info.Metadata[key].(string)
	return value
}

// impliedStatuses has the events that tell the new status. EXECUTION_PAUSED does not: it stands for paused and for
// paused_by_agent.
var impliedStatuses = map[string]asteroid.Status{
	"EXECUTION_STARTED":               asteroid.StatusRunning,
	"EXECUTION_RESUMED":               asteroid.StatusRunning,
	"EXECUTION_AWAITING_CONFIRMATION": asteroid.StatusAwaitingConfirmation,
	"EXECUTION_COMPLETED":             asteroid.StatusCompleted,
	"EXECUTION_FAILED":                asteroid.StatusFailed,
	"EXECUTION_CANCELLED":             asteroid.StatusCancelled,
}

// chatter begins the events that tell of an execution's work rather than of its status. There are many of them, and every
// signal stays in the workflow's history.
var chatter = []string{
	"EXECUTION_ACTION_", "EXECUTION_STEP_", "EXECUTION_FILE_", "EXECUTION_MESSAGE_", "EXECUTION_USER_MESSAGE_", "EXECUTION_WORKFLOW_",
}

// changesStatus reports whether the event may be about a new status: the list of events is open, and one that is new is
// rather signalled in vain than missed.
func (e webhook) changesStatus() bool {
	for _, prefix := range chatter {
		if strings.HasPrefix(e.Info.Event, prefix) {
			return false
		}
	}
	return e.Type == "execution" && strings.HasPrefix(e.Info.Event, "EXECUTION_")
}

// hint is the signal's argument.
func (e webhook) hint() asteroid.ExecutionEvent {
	return asteroid.ExecutionEvent{
		ExecutionID: e.Info.ExecutionID, Status: impliedStatuses[e.Info.Event], Event: e.Info.Event, EventID: e.EventID,
	}
}
