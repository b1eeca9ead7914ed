package client

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
)

// Execution reads an execution without its reason; see [Client.FillReason]
// (https://docs.asteroid.ai/api-reference/execution/get-execution).
func (c *Client) Execution(ctx context.Context, id string) (*asteroid.Execution, error) {
	op := Operation{Name: "ExecutionGet", executionID: id}
	e, err := fetch[api.Execution](ctx, c, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionGet(ctx, id)
	}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	if e.ID != id || e.Status == "" {
		return nil, c.errorf(op, wrongExecution)
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

// wrongExecution is the message of a response that describes another execution, or none.
const wrongExecution = "the response lacks the execution's id or status"

// LongPoll waits until the execution is terminal, for at most so many seconds. A read has to
// follow: it returns more than this operation. supported is false for a service without the
// operation, which answers a 404 that is not JSON.
func (c *Client) LongPoll(ctx context.Context, executionID string, seconds int32) (supported bool, err error) {
	op := Operation{Name: "ExecutionSyncGet", executionID: executionID, timeout: time.Duration(seconds)*time.Second + c.requestTimeout}
	_, err = c.send(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionSyncGet(ctx, executionID, &api.ExecutionSyncGetParams{TimeoutSeconds: &seconds})
	}, http.StatusOK, http.StatusAccepted)
	if failed, ok := errors.AsType[*Error](err); ok && failed.Status == http.StatusNotFound && !strings.Contains(failed.contentType, "json") {
		return false, nil
	}
	return err == nil, err
}

// SetStatus requests a status, then reads and returns the status that the execution has
// (https://docs.asteroid.ai/api-reference/execution/update-execution-status).
func (c *Client) SetStatus(ctx context.Context, executionID string, status asteroid.Status) (asteroid.Status, error) {
	op := Operation{Name: "ExecutionStatusUpdate", executionID: executionID}
	_, err := c.send(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionStatusUpdate(ctx, executionID, api.UpdateExecutionStatusRequest{Status: api.UpdatableStatus(status)})
	}, http.StatusOK)
	illegal := HasStatus(err, http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity)
	if err != nil && !illegal {
		return "", err
	}
	e, readErr := c.Execution(ctx, executionID)
	if readErr != nil {
		return "", readErr
	}
	// The API does not say how the service answers an illegal change, so the status decides.
	if illegal && !e.Status.Terminal() && e.Status != status {
		return "", err
	}
	return e.Status, nil
}

// SendMessage sends one message to the agent
// (https://docs.asteroid.ai/api-reference/execution/send-user-message-to-execution).
func (c *Client) SendMessage(ctx context.Context, executionID, message string) error {
	op := Operation{Name: "ExecutionUserMessagesAdd", executionID: executionID}
	_, err := c.send(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionUserMessagesAdd(ctx, executionID, api.UserMessageRequest{Message: message})
	}, http.StatusCreated)
	return err
}
