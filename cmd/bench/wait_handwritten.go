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

// handWritten holds the dependencies of poll. Both hand-written ways start the agent through the
// library, so that only the wait differs.
type handWritten struct {
	api      parkingAPIInfo
	http     *http.Client
	interval time.Duration
}

const pollActivity = "benchPoll"

func registerHandWritten(w sdkworker.Registry, h *handWritten) {
	w.RegisterWorkflowWithOptions(waitBlocking, workflow.RegisterOptions{Name: string(wayBlocking)})
	w.RegisterWorkflowWithOptions(waitSleeping, workflow.RegisterOptions{Name: string(waySleep)})
	w.RegisterActivityWithOptions(h.poll, activity.RegisterOptions{Name: pollActivity})
}

// handWrittenInput is the input of both hand-written workflows.
type handWrittenInput struct {
	AgentID  string        `json:"agentId"`
	Interval time.Duration `json:"interval"`
	// FirstRead is the time of a sleeping workflow's first read. Earlier reads could keep a small
	// server so busy that the other workflows never start their agents.
	FirstRead time.Time `json:"firstRead,omitzero"`
}

// waitBlocking waits in one activity that polls until the execution is terminal.
func waitBlocking(ctx workflow.Context, in handWrittenInput) error {
	executed, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: in.AgentID})
	if err != nil {
		return err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: parkedFor, HeartbeatTimeout: time.Minute})
	return workflow.ExecuteActivity(ctx, pollActivity, executed.ExecutionID).Get(ctx, nil)
}

// poll is the activity of waitBlocking.
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
	response, err := h.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("read execution %s: %s", executionID, response.Status)
	}
	var execution struct {
		Status asteroid.Status `json:"status"`
	}
	err = json.NewDecoder(response.Body).Decode(&execution)
	return execution.Status, err
}

// waitSleeping waits with a workflow timer between two reads.
func waitSleeping(ctx workflow.Context, in handWrittenInput) error {
	executed, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: in.AgentID})
	if err != nil {
		return err
	}
	if err := workflow.Sleep(ctx, in.FirstRead.Sub(workflow.Now(ctx))); err != nil {
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
