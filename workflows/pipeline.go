package workflows

import (
	"maps"

	"go.temporal.io/sdk/workflow"

	"github.com/temporal-asteroid/asteroid/activities"
)

// PipelineInput lists agents to run one after the other; at least one.
type PipelineInput struct {
	Steps []PipelineStep `json:"steps"`
}

// PipelineStep is an agent, and how it learns of the one before it.
type PipelineStep struct {
	RunAgentInput
	// ExecutionIDInput is the name of the input that gets the execution id of the step before; empty for none.
	ExecutionIDInput string `json:"executionIdInput,omitempty"`
	// ResultInput is the name of the input that gets the result of the step before; empty for none.
	ResultInput string `json:"resultInput,omitempty"`
}

// PipelineResult has a result for each step.
type PipelineResult struct {
	Steps []RunAgentResult `json:"steps"`
}

// Pipeline is the workflow asteroid.Pipeline: it runs agents one after the other and feeds the execution id and the
// result of each into the next. It ends with the first step that fails, and that step's error; see [RunAgent].
func Pipeline(ctx workflow.Context, in PipelineInput) (*PipelineResult, error) {
	if len(in.Steps) == 0 {
		return nil, invalid("steps", "name at least one agent")
	}
	result := &PipelineResult{}
	for i, step := range in.Steps {
		if i > 0 {
			step.feed(result.Steps[i-1])
		}
		run, err := RunAgent(ctx, step.RunAgentInput)
		if err != nil {
			return nil, err
		}
		result.Steps = append(result.Steps, *run)
	}
	return result, nil
}

// feed adds to the step's inputs what it wants to know of the run before it.
func (s *PipelineStep) feed(before RunAgentResult) {
	inputs := maps.Clone(s.Inputs)
	if inputs == nil {
		inputs = activities.Inputs{}
	}
	if s.ExecutionIDInput != "" {
		inputs[s.ExecutionIDInput] = before.ExecutionID
	}
	if s.ResultInput != "" {
		inputs[s.ResultInput] = before.Result()
	}
	s.Inputs = inputs
}
