package activities

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid/internal/api"
)

// execution makes one GET.
func (c *connection) execution(ctx context.Context, id string) (*Execution, error) {
	what := call{operation: "ExecutionGet", executionID: id}
	e, err := fetch[api.Execution](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionGet(ctx, id)
	}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	if e.ID != id || e.Status == "" {
		return nil, &failure{call: what, connection: c.name, message: "the answer is not about this execution"}
	}
	execution := &Execution{
		ExecutionID:       e.ID,
		AgentID:           e.AgentID,
		AgentName:         value(e.AgentName),
		WorkflowVersion:   value(e.WorkflowVersion),
		Status:            Status(e.Status),
		CreatedAt:         e.CreatedAt,
		StartedAt:         e.StartedAt,
		TerminalAt:        e.TerminalAt,
		Duration:          float64(value(e.Duration)),
		ParentExecutionID: value(e.ParentExecutionID),
		PlatformURL:       value(e.PlatformURL),
		LiveViewURL:       cmp.Or(value(e.LiveViewURL), value(e.BrowserLiveViewURL)),
		RecordingURL:      cmp.Or(value(e.RecordingURL), value(e.BrowserRecordingURL)),
	}
	if r := e.ExecutionResult; r != nil {
		execution.ExecutionResult = &ExecutionResult{Outcome: r.Outcome, Reasoning: r.Reasoning, Result: r.Result}
	}
	return execution, nil
}

// longPoll asks the service to answer when the run is over, or after so many seconds. What it answers is not used:
// the GET that follows tells more. It reports false for a service that does not have the operation, which answers a 404
// that is no JSON.
func (c *connection) longPoll(ctx context.Context, executionID string, seconds int32) (bool, error) {
	what := call{operation: "ExecutionSyncGet", executionID: executionID, timeout: time.Duration(seconds)*time.Second + c.requestTimeout}
	_, err := c.send(ctx, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionSyncGet(ctx, executionID, &api.ExecutionSyncGetParams{TimeoutSeconds: &seconds})
	}, http.StatusOK, http.StatusAccepted)
	var failed *failure
	if errors.As(err, &failed) && failed.status == http.StatusNotFound && !strings.Contains(failed.contentType, "json") {
		return false, nil
	}
	return err == nil, err
}

// setStatus asks for a status and reads what the execution has become.
func (c *connection) setStatus(ctx context.Context, executionID string, status Status) (Status, error) {
	what := call{operation: "ExecutionStatusUpdate", executionID: executionID}
	_, err := c.send(ctx, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionStatusUpdate(ctx, executionID, api.UpdateExecutionStatusRequest{Status: api.UpdatableStatus(status)})
	}, http.StatusOK)
	var refused *failure
	illegal := errors.As(err, &refused) && slices.Contains([]int{http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity}, refused.status)
	if err != nil && !illegal {
		return "", err
	}
	now, readErr := c.execution(ctx, executionID)
	if readErr != nil {
		return "", readErr
	}
	// What an illegal change answers is not published: the status that is read afterwards decides.
	if illegal && !now.Status.Terminal() && now.Status != status {
		return "", err
	}
	return now.Status, nil
}

// clockSkew is how far the service's clock and Temporal's may lie apart.
const clockSkew = 5 * time.Second

// received reports whether the run's log holds the message, not older than since.
func (c *connection) received(ctx context.Context, executionID, message string, since time.Time) (bool, error) {
	activities, err := c.activities(ctx, executionID)
	if err != nil {
		return false, err
	}
	for _, payload := range activities {
		if payload.ActivityType == "user_message_received" && payload.Message == message &&
			payload.timestamp.After(since.Add(-clockSkew)) {
			return true, nil
		}
	}
	return false, nil
}

// SendMessage sends one message to the agent.
func (c *connection) sendMessage(ctx context.Context, executionID, message string) error {
	what := call{operation: "ExecutionUserMessagesAdd", executionID: executionID}
	_, err := c.send(ctx, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionUserMessagesAdd(ctx, executionID, api.UserMessageRequest{Message: message})
	}, http.StatusCreated)
	return err
}
