package testsuite

import (
	"encoding/json"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// webhookHistory records which webhooks of an execution were sent.
type webhookHistory struct {
	startSent   bool
	actionsSent int
}

// statusEvents maps a status to its event. The status running is not in it: its event is
// EXECUTION_STARTED at first and EXECUTION_RESUMED later. The statuses queued and starting have
// none.
var statusEvents = map[api.ExecutionStatus]string{
	api.ExecutionStatusPaused:               "EXECUTION_PAUSED",
	api.ExecutionStatusPausedByAgent:        "EXECUTION_PAUSED",
	api.ExecutionStatusAwaitingConfirmation: "EXECUTION_AWAITING_CONFIRMATION",
	api.ExecutionStatusCompleted:            "EXECUTION_COMPLETED",
	api.ExecutionStatusFailed:               "EXECUTION_FAILED",
	api.ExecutionStatusCancelled:            "EXECUTION_CANCELLED",
}

// notify sends the webhook of an activity, if it has one. It runs under the service's lock.
func (w *webhookSender) notify(e *execution, at time.Time, activity any) {
	if w == nil {
		return
	}
	event, payload := "", any(nil)
	switch a := activity.(type) {
	case api.StatusChangedPayload:
		event, payload = e.webhookHistory.statusEvent(a.Status), statusDetail(a)
	case api.ActionStartedPayload:
		e.webhookHistory.actionsSent++
		event = "EXECUTION_ACTION_STARTED"
		payload = api.WebhookActionStartedPayload{ActionID: &a.ActionID, ActionName: &a.ActionName, StepNumber: new(e.webhookHistory.actionsSent)}
	case api.ActionCompletedPayload:
		event = "EXECUTION_ACTION_COMPLETED"
		payload = api.WebhookActionCompletedPayload{
			ActionID: a.ActionID, ActionName: a.ActionName, StepNumber: e.webhookHistory.actionsSent, Duration: a.Duration,
			Output: map[string]any{"message": a.Message},
		}
	}
	if _, status := activity.(api.StatusChangedPayload); event != "" && (status || w.options.webhookActions) {
		w.send(e.notification(at, event, payload))
	}
}

func (t *webhookHistory) statusEvent(status api.ExecutionStatus) string {
	if status != api.ExecutionStatusRunning {
		return statusEvents[status]
	}
	if t.startSent {
		return "EXECUTION_RESUMED"
	}
	t.startSent = true
	return "EXECUTION_STARTED"
}

// statusDetail returns the payload of a status event. The API publishes only that of a completion.
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

// notification returns the body of a webhook.
func (e *execution) notification(at time.Time, event string, payload any) []byte {
	raw, _ := json.Marshal(payload)        // structs of the contract:
	var members map[string]json.RawMessage // keeps every digit
	_ = json.Unmarshal(raw, &members)      // both always succeed
	notification := api.WebhookNotification{
		Type: "execution", EventID: newUUID(), Timestamp: at,
		Info: api.WebhookExecutionInfo{
			Event: event, ExecutionID: e.id, ExecutionURL: e.pageURL(),
			AgentID: e.agent.id, AgentName: e.agent.name,
			Payload: map[string]any{},
		},
	}
	for name, member := range members {
		notification.Info.Payload[name] = member
	}
	if len(e.metadata) > 0 {
		notification.Info.Metadata = e.wireMetadata()
	}
	body, _ := json.Marshal(notification)
	return body
}
