package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"go.temporal.io/sdk/activity"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// The two ways to wait that people write by hand. Both start the agent as the library's own ways do: only the wait is compared.

// handWritten is what they have of the API.
type handWritten struct {
	api      parkingPlace
	http     *http.Client
	interval time.Duration
}

const pollActivity = "benchPoll"

func registerByHand(w sdkworker.Registry, h *handWritten) {
	w.RegisterWorkflowWithOptions(waitBlocking, workflow.RegisterOptions{Name: string(wayBlocking)})
	w.RegisterWorkflowWithOptions(waitSleeping, workflow.RegisterOptions{Name: string(waySleep)})
	w.RegisterActivityWithOptions(h.poll, activity.RegisterOptions{Name: pollActivity})
}

// byHandInput is the input of both workflows.
type byHandInput struct {
	AgentID  string        `json:"agentId"`
	Interval time.Duration `json:"interval"`
	// Begin is when a workflow that sleeps begins to read. Those that do so earlier can keep a small server so busy that
	// the others are never parked.
	Begin time.Time `json:"begin,omitzero"`
}

// waitBlocking has one activity read until the execution is over.
func waitBlocking(ctx workflow.Context, in byHandInput) error {
	executed, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: in.AgentID})
	if err != nil {
		return err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: parkedFor, HeartbeatTimeout: time.Minute})
	return workflow.ExecuteActivity(ctx, pollActivity, executed.ExecutionID).Get(ctx, nil)
}

// poll is that activity.
func (h *handWritten) poll(ctx context.Context, executionID string) error {
	for {
		status, err := h.status(ctx, executionID)
		if err != nil || status.Terminal() {
			return err
		}
		activity.RecordHeartbeat(ctx, status)
		select {
		case <-time.After(h.interval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const keyHeader = "X-Asteroid-Agents-Api-Key"

func (h *handWritten) status(ctx context.Context, executionID string) (asteroid.Status, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.api.BaseURL+"/agents/v2/executions/"+executionID, http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set(keyHeader, h.api.APIKey)
	answer, err := h.http.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("read execution %s: %s", executionID, answer.Status)
	}
	var execution struct {
		Status asteroid.Status `json:"status"`
	}
	err = json.NewDecoder(answer.Body).Decode(&execution)
	return execution.Status, err
}

// waitSleeping has the workflow sleep between two reads.
func waitSleeping(ctx workflow.Context, in byHandInput) error {
	executed, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: in.AgentID})
	if err != nil {
		return err
	}
	if err := workflow.Sleep(ctx, in.Begin.Sub(workflow.Now(ctx))); err != nil {
		return err
	}
	for {
		execution, err := workflows.GetExecution(ctx, asteroid.GetExecutionInput{ExecutionID: executed.ExecutionID})
		if err != nil || execution.Status.Terminal() {
			return err
		}
		if err := workflow.Sleep(ctx, in.Interval); err != nil {
			return err
		}
	}
}
