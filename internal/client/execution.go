package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/internal/api"
	"github.com/temporal-asteroid/asteroid/internal/budget"
)

// Execution reads an execution without its reason; see [Client.FillReason]
// (https://docs.asteroid.ai/api-reference/execution/get-execution).
func (c *Client) Execution(ctx context.Context, id string) (*asteroid.Execution, error) {
	op := Operation{Name: "ExecutionGet", executionID: id, maxResponse: budget.ExecutionResponse}
	e, err := c.fetchObject(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionGet(ctx, id)
	}, anySuccess)
	if err != nil {
		return nil, err
	}
	execution := &asteroid.Execution{
		ExecutionID:       e.text("id"),
		AgentID:           cmp.Or(e.text("agentId"), e.text("workflowId")),
		AgentName:         cmp.Or(e.text("agentName"), e.text("workflowName")),
		WorkflowVersion:   int(e.integer("workflowVersion")),
		Status:            e.status(),
		CreatedAt:         e.time("createdAt"),
		StartedAt:         e.timePointer("startedAt"),
		TerminalAt:        e.timePointer("terminalAt"),
		Duration:          e.number("duration"),
		ParentExecutionID: e.text("parentExecutionId"),
		PlatformURL:       e.text("platformUrl"),
		LiveViewURL:       cmp.Or(e.text("liveViewUrl"), e.text("browserLiveViewUrl")),
		RecordingURL:      cmp.Or(e.text("recordingUrl"), e.text("browserRecordingUrl")),
	}
	if !strings.EqualFold(execution.ExecutionID, id) || execution.Status == "" { // UUIDs have no case
		return nil, c.errorf(op, wrongExecution)
	}
	if r := e.result(); r != nil {
		execution.ExecutionResult = &asteroid.ExecutionResult{Outcome: r.text("outcome"), Reasoning: r.text("reasoning"), Result: validUTF8(r["result"])}
	}
	return execution, nil
}

// validUTF8 replaces what is not UTF-8 in JSON. Go decodes it, but a workflow in another language
// fails with it.
func validUTF8(raw json.RawMessage) json.RawMessage {
	if utf8.Valid(raw) {
		return raw
	}
	return bytes.ToValidUTF8(raw, []byte("\ufffd"))
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
	}, anySuccess)
	if failed, ok := errors.AsType[*Error](err); ok && failed.Status == http.StatusNotFound && !strings.Contains(failed.contentType, "json") {
		return false, nil
	}
	err = ignoreTooLarge(err)
	return err == nil, err
}

// ignoreTooLarge returns no error for a successful response whose body, which nobody needs, is too
// large.
func ignoreTooLarge(err error) error {
	if errors.Is(err, ErrTooLarge) {
		return nil
	}
	return err
}

// SetStatus requests a status, then reads and returns the execution
// (https://docs.asteroid.ai/api-reference/execution/update-execution-status).
func (c *Client) SetStatus(ctx context.Context, executionID string, status asteroid.Status) (*asteroid.Execution, error) {
	op := Operation{Name: "ExecutionStatusUpdate", executionID: executionID}
	_, err := c.send(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionStatusUpdate(ctx, executionID, api.UpdateExecutionStatusRequest{Status: api.UpdatableStatus(status)})
	}, anySuccess)
	err = ignoreTooLarge(err)
	illegal := HasStatus(err, http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity)
	if err != nil && !illegal {
		return nil, err
	}
	e, readErr := c.Execution(ctx, executionID)
	if readErr != nil {
		return nil, readErr
	}
	// The API does not say how the service answers an illegal change, so the status decides.
	if illegal && !e.Terminal() && e.Status != status {
		return nil, err
	}
	return e, nil
}

// SendMessage sends one message to the agent
// (https://docs.asteroid.ai/api-reference/execution/send-user-message-to-execution).
func (c *Client) SendMessage(ctx context.Context, executionID, message string) error {
	op := Operation{Name: "ExecutionUserMessagesAdd", executionID: executionID}
	_, err := c.send(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionUserMessagesAdd(ctx, executionID, api.UserMessageRequest{Message: message})
	}, anySuccess)
	return ignoreTooLarge(err)
}
