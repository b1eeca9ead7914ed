package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/workflows"
)

// The workflows of this program's own, as a user would write them. Each has the agents' inputs for
// input, and returns their results in the same order.
const (
	fanOutName   = "chaos.FanOut"
	fallbackName = "chaos.Fallback"
	legsName     = "chaos.Legs"
	parentName   = "chaos.Parent"

	readActivity = "chaos.Read"
	controlEnv   = "CHAOS_CONTROL" // the address of the control server
)

// registerWorkflows registers them, on a worker or a replayer.
func registerWorkflows(registry sdkworker.WorkflowRegistry) {
	for name, function := range map[string]any{fanOutName: fanOut, fallbackName: fallback, legsName: legs, parentName: parent} {
		registry.RegisterWorkflowWithOptions(function, workflow.RegisterOptions{Name: name})
	}
}

// step is an agent of a workflow. Its inputs, and when it starts, are asked of the parent process,
// so that they may differ after a reset.
type step struct {
	Input workflows.RunAgentInput
	// Key names what the parent process says of the step; empty for nothing.
	Key string
}

// said is what the parent process says of a step.
type said struct {
	Delay  time.Duration // before the start
	Intent string        // replaces the one in the inputs, unless it is empty
}

// prepare asks what the parent process says of a step, waits, and returns the agent's input.
func prepare(ctx workflow.Context, s step) (workflows.RunAgentInput, error) {
	if s.Key == "" {
		return s.Input, nil
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: attemptTimeout})
	var heard said
	if err := workflow.ExecuteActivity(ctx, readActivity, s.Key).Get(ctx, &heard); err != nil {
		return s.Input, err
	}
	if heard.Intent != "" {
		s.Input.Inputs[inputIntent] = heard.Intent
	}
	return s.Input, workflow.Sleep(ctx, heard.Delay)
}

// fanOut runs all agents at once.
func fanOut(ctx workflow.Context, steps []step) ([]*workflows.RunAgentResult, error) {
	results := make([]*workflows.RunAgentResult, len(steps))
	var failed error
	all := workflow.NewWaitGroup(ctx)
	for i, s := range steps {
		all.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer all.Done()
			in, err := prepare(ctx, s)
			if err == nil {
				results[i], err = workflows.RunAgent(ctx, in)
			}
			failed = cmp.Or(failed, err)
		})
	}
	all.Wait(ctx)
	return results, failed
}

// fallback runs the agents one after the other until one completes.
func fallback(ctx workflow.Context, steps []step) (results []*workflows.RunAgentResult, err error) {
	for _, s := range steps {
		var in workflows.RunAgentInput
		if in, err = prepare(ctx, s); err != nil {
			return nil, err
		}
		var result *workflows.RunAgentResult
		if result, err = workflows.RunAgent(ctx, in); err == nil {
			return append(results, result), nil
		}
		results = append(results, nil)
	}
	return nil, err
}

// legs runs the agents one after the other, each in a run of its own.
func legs(ctx workflow.Context, steps []step, earlier []*workflows.RunAgentResult) ([]*workflows.RunAgentResult, error) {
	in, err := prepare(ctx, steps[0])
	if err != nil {
		return nil, err
	}
	result, err := workflows.RunAgent(ctx, in)
	if err != nil {
		return nil, err
	}
	earlier = append(earlier, result)
	if len(steps) == 1 {
		return earlier, nil
	}
	return nil, workflow.NewContinueAsNewError(ctx, legsName, steps[1:], earlier)
}

// parent runs the agents one after the other, each in a child workflow.
func parent(ctx workflow.Context, steps []step) (results []*workflows.RunAgentResult, err error) {
	for _, s := range steps {
		in, err := prepare(ctx, s)
		if err != nil {
			return nil, err
		}
		var result *workflows.RunAgentResult
		if err := workflows.ExecuteRunAgent(ctx, in).Get(ctx, &result); err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

// read is the activity chaos.Read: it returns what the parent process says of a key.
func read(ctx context.Context, key string) (heard said, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, os.Getenv(controlEnv)+"/said/"+key, nil) //nolint:gosec // the parent's address
	if err != nil {
		return said{}, err
	}
	response, err := http.DefaultClient.Do(request) //nolint:gosec // the parent's address
	if err != nil {
		return said{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return said{}, fmt.Errorf("the parent process answers %s", response.Status)
	}
	return heard, json.NewDecoder(response.Body).Decode(&heard)
}
