package client

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
)

// execution makes one GET.
func (c *Client) Execution(ctx context.Context, id string) (*asteroid.Execution, error) {
	what := Operation{Name: "ExecutionGet", executionID: id}
	e, err := fetch[api.Execution](ctx, c, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionGet(ctx, id)
	}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	if e.ID != id || e.Status == "" {
		return nil, &Error{Operation: what, Connection: c.Name, Message: "the answer is not about this execution"}
	}
	execution := &asteroid.Execution{
		ExecutionID:       e.ID,
		AgentID:           e.AgentID,
		AgentName:         value(e.AgentName),
		WorkflowVersion:   value(e.WorkflowVersion),
		Status:            asteroid.Status(e.Status),
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
		execution.ExecutionResult = &asteroid.ExecutionResult{Outcome: r.Outcome, Reasoning: r.Reasoning, Result: r.Result}
	}
	return execution, nil
}

// longPoll asks the service to answer when the run is over, or after so many seconds. What it answers is not used:
// the GET that follows tells more. It reports false for a service that does not have the operation, which answers a 404
// that is no JSON.
func (c *Client) LongPoll(ctx context.Context, executionID string, seconds int32) (bool, error) {
	what := Operation{Name: "ExecutionSyncGet", executionID: executionID, timeout: time.Duration(seconds)*time.Second + c.requestTimeout}
	_, err := c.send(ctx, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionSyncGet(ctx, executionID, &api.ExecutionSyncGetParams{TimeoutSeconds: &seconds})
	}, http.StatusOK, http.StatusAccepted)
	var failed *Error
	if errors.As(err, &failed) && failed.Status == http.StatusNotFound && !strings.Contains(failed.contentType, "json") {
		return false, nil
	}
	return err == nil, err
}

// setStatus asks for a status and reads what the execution has become.
func (c *Client) SetStatus(ctx context.Context, executionID string, status asteroid.Status) (asteroid.Status, error) {
	what := Operation{Name: "ExecutionStatusUpdate", executionID: executionID}
	_, err := c.send(ctx, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionStatusUpdate(ctx, executionID, api.UpdateExecutionStatusRequest{Status: api.UpdatableStatus(status)})
	}, http.StatusOK)
	var refused *Error
	illegal := errors.As(err, &refused) && slices.Contains([]int{http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity}, refused.Status)
	if err != nil && !illegal {
		return "", err
	}
	now, readErr := c.Execution(ctx, executionID)
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
const ClockSkew = 5 * time.Second

// received reports whether the run's log holds the message, not older than since.
func (c *Client) Received(ctx context.Context, executionID, message string, since time.Time) (bool, error) {
	activities, err := c.activities(ctx, executionID)
	if err != nil {
		return false, err
	}
	for _, payload := range activities {
		if payload.ActivityType == "user_message_received" && payload.Message == message &&
			payload.timestamp.After(since.Add(-ClockSkew)) {
			return true, nil
		}
	}
	return false, nil
}

// SendMessage sends one message to the agent.
func (c *Client) SendMessage(ctx context.Context, executionID, message string) error {
	what := Operation{Name: "ExecutionUserMessagesAdd", executionID: executionID}
	_, err := c.send(ctx, what, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionUserMessagesAdd(ctx, executionID, api.UserMessageRequest{Message: message})
	}, http.StatusCreated)
	return err
}
