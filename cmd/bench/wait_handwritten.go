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

// registerHandWritten registers the hand-written workflows and their activity. They start the agent
// through the library, so that only the wait differs.
func registerHandWritten(w sdkworker.Registry, r *statusReader) {
	w.RegisterWorkflowWithOptions(waitBlocking, workflow.RegisterOptions{Name: string(wayBlocking)})
	w.RegisterWorkflowWithOptions(waitSleeping, workflow.RegisterOptions{Name: string(waySleep)})
	w.RegisterActivityWithOptions(r.awaitTerminal, activity.RegisterOptions{Name: awaitTerminalName})
}

// handWrittenInput is the input of both hand-written workflows.
type handWrittenInput struct {
	AgentID  string        `json:"agentId"`
	Interval time.Duration `json:"interval"` // between two reads
	// FirstRead is the time of the first read; only waitSleeping uses it. Earlier reads could keep
	// a small server so busy that the other workflows never start their agents.
	FirstRead time.Time `json:"firstRead,omitzero"`
}

// waitBlocking waits in one activity that polls until the execution is terminal.
func waitBlocking(ctx workflow.Context, in handWrittenInput) error {
	executed, err := workflows.ExecuteAgent(ctx, asteroid.ExecuteAgentInput{AgentID: in.AgentID})
	if err != nil {
		return err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: parkedFor, HeartbeatTimeout: time.Minute})
	return workflow.ExecuteActivity(ctx, awaitTerminalName, executed.ExecutionID, in.Interval).Get(ctx, nil)
}

// statusReader reads executions without the library.
type statusReader struct {
	api  parkingAPIInfo
	http *http.Client
}

const awaitTerminalName = "benchAwaitTerminal"

// awaitTerminal is the activity of waitBlocking.
func (r *statusReader) awaitTerminal(ctx context.Context, executionID string, interval time.Duration) error {
	for {
		status, err := r.read(ctx, executionID)
		if err != nil || status.Terminal() {
			return err
		}
		activity.RecordHeartbeat(ctx, status)
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const keyHeader = "X-Asteroid-Agents-Api-Key"

func (r *statusReader) read(ctx context.Context, executionID string) (asteroid.Status, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.api.BaseURL+"/agents/v2/executions/"+executionID, http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set(keyHeader, r.api.APIKey)
	response, err := r.http.Do(request)
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

// waitSleeping reads the execution and waits for a workflow timer in turn.
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
