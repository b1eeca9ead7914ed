package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
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
		StartedBy:         e.object("triggerContext").actor(),
		ScriptFailures:    e.scriptFailures(),
	}
	if !strings.EqualFold(execution.ExecutionID, id) || execution.Status == "" { // UUIDs have no case
		return nil, c.errorf(op, wrongExecution)
	}
	if r := e.result(); r != nil {
		execution.ExecutionResult = &asteroid.ExecutionResult{Outcome: r.text("outcome"), Reasoning: r.text("reasoning"), Result: validUTF8(r["result"])}
	}
	return execution, nil
}

// actor returns who started an execution, of its trigger context.
func (m members) actor() *asteroid.Actor {
	who := m.object("actor")
	if who.text("kind") == "" || who.text("id") == "" {
		return nil
	}
	return &asteroid.Actor{Kind: who.text("kind"), ID: who.text("id"), Client: who.text("client")}
}

// maxScriptFailures is how many failures of scripts are told, the newest ones.
const maxScriptFailures = 5

func (m members) scriptFailures() []asteroid.ScriptFailure {
	var found []asteroid.ScriptFailure
	for _, failure := range m.objects("scriptFailures") {
		found = append(found, asteroid.ScriptFailure{
			OccurredAt: failure.time("occurredAt"), Node: failure.text("nodeName"), Script: failure.text("scriptFilepath"),
			Error: failure.text("error"), Line: int(failure.integer("failedLine")),
		})
	}
	slices.SortStableFunc(found, func(one, other asteroid.ScriptFailure) int { return other.OccurredAt.Compare(one.OccurredAt) })
	return found[:min(len(found), maxScriptFailures)]
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
	if notServed(err) {
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
// (https://docs.asteroid.ai/api-reference/execution/update-execution-status). If the service has
// accepted the request and the execution cannot be read, it returns only the id and the requested
// status: the caller must not repeat what has had its effect.
func (c *Client) SetStatus(ctx context.Context, executionID string, status asteroid.Status) (*asteroid.Execution, error) {
	e, accepted, err := c.setStatus(ctx, executionID, status)
	if accepted && e == nil {
		e, err = &asteroid.Execution{ExecutionID: executionID, Status: status}, nil
	}
	return e, err
}

// setStatus reports whether the service has accepted the request. Its error may be that of the read
// that follows.
func (c *Client) setStatus(ctx context.Context, executionID string, status asteroid.Status) (e *asteroid.Execution, accepted bool, err error) {
	op := Operation{Name: "ExecutionStatusUpdate", executionID: executionID}
	_, err = c.send(ctx, op, func(ctx context.Context) (*http.Response, error) {
		return c.api.ExecutionStatusUpdate(ctx, executionID, api.UpdateExecutionStatusRequest{Status: api.UpdatableStatus(status)})
	}, anySuccess)
	err = ignoreTooLarge(err)
	illegal := HasStatus(err, http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity)
	if err != nil && !illegal {
		return nil, false, err
	}
	e, readErr := c.Execution(ctx, executionID)
	if readErr != nil {
		return nil, !illegal, readErr
	}
	// The API does not say how the service answers an illegal change, so the status decides.
	if illegal && !e.Terminal() && e.Status != status {
		return nil, false, err
	}
	return e, !illegal, nil
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
