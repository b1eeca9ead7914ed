package testsuite

import (
	"encoding/json"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// told is what the webhooks of an execution have said so far.
type told struct {
	started bool
	actions int
}

// statusEvents has the events of those statuses that always have the same one; running is STARTED at first, and then
// RESUMED. Queued and starting have none.
var statusEvents = map[api.ExecutionStatus]string{
	api.ExecutionStatusPaused:               "EXECUTION_PAUSED",
	api.ExecutionStatusPausedByAgent:        "EXECUTION_PAUSED",
	api.ExecutionStatusAwaitingConfirmation: "EXECUTION_AWAITING_CONFIRMATION",
	api.ExecutionStatusCompleted:            "EXECUTION_COMPLETED",
	api.ExecutionStatusFailed:               "EXECUTION_FAILED",
	api.ExecutionStatusCancelled:            "EXECUTION_CANCELLED",
}

// tell sends the webhook of an activity, if it has one. It is called under the service's lock.
func (w *webhookSender) tell(e *execution, at time.Time, activity any) {
	if w == nil {
		return
	}
	event, payload := "", any(nil)
	switch a := activity.(type) {
	case api.StatusChangedPayload:
		event, payload = e.told.statusEvent(a.Status), statusDetail(a)
	case api.ActionStartedPayload:
		e.told.actions++
		event = "EXECUTION_ACTION_STARTED"
		payload = api.WebhookActionStartedPayload{ActionID: &a.ActionID, ActionName: &a.ActionName, StepNumber: new(e.told.actions)}
	case api.ActionCompletedPayload:
		event = "EXECUTION_ACTION_COMPLETED"
		payload = api.WebhookActionCompletedPayload{
			ActionID: a.ActionID, ActionName: a.ActionName, StepNumber: e.told.actions, Duration: a.Duration,
			Output: map[string]any{"message": a.Message},
		}
	}
	if _, status := activity.(api.StatusChangedPayload); event != "" && (status || w.options.webhookActions) {
		w.send(e.notification(at, event, payload))
	}
}

func (t *told) statusEvent(status api.ExecutionStatus) string {
	if status != api.ExecutionStatusRunning {
		return statusEvents[status]
	}
	if t.started {
		return "EXECUTION_RESUMED"
	}
	t.started = true
	return "EXECUTION_STARTED"
}

// statusDetail is what belongs to the new status. Only that of a completion is published.
func statusDetail(change api.StatusChangedPayload) any {
	switch {
	case change.CompletedPayload != nil:
		return change.CompletedPayload
	case change.FailedPayload != nil:
		return change.FailedPayload
	case change.CancelledPayload != nil:
		return change.CancelledPayload
	case change.PausedPayload != nil:
		return change.PausedPayload
	case change.AwaitingConfirmationPayload != nil:
		return change.AwaitingConfirmationPayload
	}
	return struct{}{}
}

// notification is the body of a webhook.
func (e *execution) notification(at time.Time, event string, payload any) []byte {
	raw, _ := json.Marshal(payload)        // structs of the contract
	var members map[string]json.RawMessage // so that numbers stay as they are
	_ = json.Unmarshal(raw, &members)      // always do both
	notification := api.WebhookNotification{
		Type: "execution", EventID: newUUID(), Timestamp: at,
		Info: api.WebhookExecutionInfo{
			Event: event, ExecutionID: e.id, ExecutionURL: "https://platform.asteroid.ai/executions/" + e.id,
			AgentID: e.agent.id, AgentName: e.agent.name,
			Payload: map[string]any{},
		},
	}
	for name, member := range members {
		notification.Info.Payload[name] = member
	}
	if len(e.metadata) > 0 {
		metadata := map[string]any{}
		for key, value := range e.metadata {
			metadata[key] = value
		}
		notification.Info.Metadata = &metadata
	}
	body, _ := json.Marshal(notification)
	return body
}
